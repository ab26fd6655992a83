//! The body of a publish: its framing, and the checks before the tarball is opened.
//!
//! The body is a little-endian `u32`, that many bytes of JSON, another `u32` and that many bytes of `.crate` file (the
//! Cargo book, "Registry web API", publish). Each length is first compared with its limit and then with the body. Nothing
//! is copied: the two parts are views of the body.

use std::sync::OnceLock;

use bytes::{Buf, Bytes};

use super::framing_error::FramingError;
use super::limits::Limits;
use super::policy::ManifestMismatch;
use super::{Checksum, CrateName, Manifest, Metadata, Package, Refusal, RegistryUrls, Targets, Version};
use super::{agreement, features, tarball};

/// A publish whose framing, metadata, name and version have been read.
#[derive(Clone, Debug)]
pub struct PublishRequest {
    name: CrateName,
    version: Version,
    metadata: Metadata,
    json: serde_json::Value,
    crate_file: Bytes,
    checksum: OnceLock<Checksum>,
}

/// Reads the framing, the metadata, the name and the version of a publish, but not the tarball.
///
/// # Errors
///
/// [`Refusal::Framing`], [`Refusal::Name`] or [`Refusal::Version`].
pub fn frame(body: Bytes, limits: &Limits) -> Result<PublishRequest, Refusal> {
    if body.is_empty() {
        return Err(FramingError::Empty.into());
    }
    let mut rest = body;
    let size = length(&mut rest, "the length of the metadata")?;
    if size > limits.max_metadata {
        return Err(FramingError::MetadataTooLarge { size: size as u64, limit: limits.max_metadata as u64 }.into());
    }
    let json = part(&mut rest, size, "the metadata")?;
    let size = length(&mut rest, "the length of the .crate file")?;
    check_size(size, limits)?;
    let crate_file = part(&mut rest, size, "the .crate file")?;
    if !rest.is_empty() {
        return Err(FramingError::Excess { excess: rest.len() }.into());
    }

    let json: serde_json::Value = serde_json::from_slice(&json).map_err(FramingError::Json)?;
    if !json.is_object() {
        // serde would accept an array with the fields in order.
        let problem = "it must be a JSON object".to_owned();
        return Err(FramingError::Field { field: ".".to_owned(), problem }.into());
    }
    if let Some(field) = null_character(&json) {
        let problem = "it contains a NUL character (\\u0000), which cannot be stored: remove it".to_owned();
        return Err(FramingError::Field { field, problem }.into());
    }
    let metadata: Metadata = serde_path_to_error::deserialize(&json)
        .map_err(|error| FramingError::Field { field: error.path().to_string(), problem: error.inner().to_string() })?;
    Ok(PublishRequest {
        name: metadata.name.parse()?,
        version: metadata.vers.parse()?,
        metadata,
        json,
        crate_file,
        checksum: OnceLock::new(),
    })
}

/// The path of a text or key with a NUL, which PostgreSQL cannot store in JSON. The parser has limited the nesting, and so
/// the recursion.
fn null_character(value: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(place, item)| null_character(item).map(|rest| format!("[{place}]{rest}"))),
        Value::Object(fields) => fields.iter().find_map(|(key, item)| {
            if key.contains('\0') {
                return Some(format!(".{}", key.replace('\0', "\\u0000")));
            }
            null_character(item).map(|rest| format!(".{key}{rest}"))
        }),
        _ => None,
    }
}

fn check_size(size: usize, limits: &Limits) -> Result<(), FramingError> {
    if size > limits.max_crate {
        return Err(FramingError::CrateTooLarge { size: size as u64, limit: limits.max_crate as u64 });
    }
    Ok(())
}

fn length(rest: &mut Bytes, part: &'static str) -> Result<usize, FramingError> {
    let length = rest.try_get_u32_le().map_err(|_| FramingError::Short { part, expected: 4, found: rest.len() })?;
    Ok(usize::try_from(length).unwrap_or(usize::MAX))
}

fn part(rest: &mut Bytes, size: usize, part: &'static str) -> Result<Bytes, FramingError> {
    if rest.len() < size {
        return Err(FramingError::Short { part, expected: size, found: rest.len() });
    }
    Ok(rest.split_to(size))
}

impl PublishRequest {
    /// The name in the metadata.
    pub fn name(&self) -> &CrateName {
        &self.name
    }

    /// The version in the metadata.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The metadata beside the tarball. It is a claim: the manifest decides.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The crate file.
    pub fn crate_file(&self) -> &Bytes {
        &self.crate_file
    }

    /// The checksum of the crate file.
    pub fn checksum(&self) -> Checksum {
        *self.checksum.get_or_init(|| Checksum::of(&self.crate_file))
    }

    /// Opens the tarball and compares the manifest in it with the metadata. The work is bounded by the limits, and
    /// takes up to a second or two for a tarball that uses them up.
    ///
    /// # Errors
    ///
    /// Any [`Refusal`] but the ones of [`frame`].
    pub fn open(self, urls: &RegistryUrls, limits: &Limits, mismatch: ManifestMismatch) -> Result<Package, Refusal> {
        // The limits of this crate may be narrower than those under which the request was read.
        check_size(self.crate_file.len(), limits)?;
        let tarball = tarball::read(&self.crate_file, &self.name, &self.version, limits)?;
        let manifest = Manifest::parse(&tarball.manifest, urls)?;
        manifest.check_texts()?;
        limits.check(&manifest)?;
        features::check(&manifest.features, &manifest.dependencies)?;
        let (name, version) = (&self.name, &self.version);
        let differences = agreement::check(name, version, &self.metadata, &manifest, (urls, mismatch))?;
        Ok(Package {
            checksum: self.checksum(),
            targets: Targets::read(&tarball.manifest, manifest.name.as_str(), &tarball.targets),
            name: self.name,
            version: self.version,
            crate_file: self.crate_file,
            manifest,
            unportable: tarball.unportable,
            vcs_info: tarball.vcs_info,
            differences,
            metadata: self.json,
        })
    }
}
