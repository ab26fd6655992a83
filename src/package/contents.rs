//! The contents of a `.crate` file, read without the publish rules: for packages that were accepted earlier or by another
//! registry. Sizes are limited nevertheless.

use std::io::Read;

use flate2::read::GzDecoder;
use serde::Serialize;
use tar::Archive;

use super::limits::ByteSize;
use super::{CrateName, Limits, Manifest, RegistryUrls, Version, features, tarball};

/// The names of a README that the manifest does not name.
const READMES: [&str; 3] = ["README.md", "README.txt", "README"];

/// The description of a package from its manifest, with its README.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are the manifest's, under its names")]
pub struct Contents {
    pub description: Option<String>,
    pub homepage: Option<String>,
    pub documentation: Option<String>,
    pub repository: Option<String>,
    pub license: Option<String>,
    pub license_file: Option<String>,
    pub links: Option<String>,
    pub rust_version: Option<String>,
    pub authors: Vec<String>,
    pub keywords: Vec<String>,
    pub categories: Vec<String>,
    /// The path of the README in the package.
    pub readme_file: Option<String>,
    /// The text of the README.
    pub readme: Option<String>,
}

/// Why a package cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// The file is not a gzipped tar archive.
    #[error("it cannot be unpacked: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The file has no manifest.
    #[error("it has no {0}")]
    NoManifest(String),
    /// The file has several manifests, of which cargo uses the last one and other programs the first one.
    #[error("it has {0} more than once")]
    SeveralManifests(String),
    /// The manifest is too large.
    #[error("its Cargo.toml has {size}, above the limit of {limit}")]
    LargeManifest {
        /// Its size.
        size: ByteSize,
        /// The limit.
        limit: ByteSize,
    },
    /// The manifest is not UTF-8.
    #[error("its Cargo.toml is not UTF-8")]
    Encoding,
    /// The manifest is not TOML.
    #[error("its Cargo.toml cannot be read: {0}")]
    Toml(String),
}

/// How far a package is read for its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// To the first manifest.
    First,
    /// To the end, which shows whether it has several.
    All,
}

/// The text of the manifest of the package of this name and version. It needs little more memory than that text.
///
/// # Errors
///
/// A [`ContentsError`] without a manifest, or with one that does not decide what cargo builds.
pub fn manifest(
    crate_file: impl Read,
    (name, version): (&CrateName, &Version),
    limits: &Limits,
    extent: Extent,
) -> Result<String, ContentsError> {
    let path = format!("{name}-{version}/Cargo.toml");
    let mut archive = Archive::new(GzDecoder::new(crate_file).take(limits.max_unpacked));
    let mut found = None;
    for entry in archive.entries()? {
        let mut entry = entry?;
        if *entry.path_bytes() != *path.as_bytes() || entry.header().entry_type().is_dir() {
            continue;
        }
        if found.is_some() {
            return Err(ContentsError::SeveralManifests(path));
        }
        let (size, limit) = (entry.size(), limits.max_metadata as u64);
        if size > limit {
            return Err(ContentsError::LargeManifest { size: ByteSize(size), limit: ByteSize(limit) });
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        found = Some(String::from_utf8(content).map_err(|_| ContentsError::Encoding)?);
        if extent == Extent::First {
            break;
        }
    }
    found.ok_or(ContentsError::NoManifest(path))
}

impl Contents {
    /// Reads the description in this manifest and the README of the package of this name and version.
    pub fn read(
        manifest: &str,
        crate_file: &[u8],
        (name, version): (&CrateName, &Version),
        limits: &Limits,
    ) -> Result<Self, ContentsError> {
        let root = format!("{name}-{version}");
        let manifest: toml::Table =
            toml::from_str(manifest).map_err(|error| ContentsError::Toml(error.message().to_owned()))?;
        let package = manifest.get("package").or_else(|| manifest.get("project"));
        let field = |name: &str| package.and_then(|package| package.get(name));
        let text = |name: &str| field(name).and_then(toml::Value::as_str).map(storable);
        let list = |name: &str| {
            let items = field(name).and_then(toml::Value::as_array).into_iter().flatten();
            items.filter_map(toml::Value::as_str).map(storable).collect()
        };
        let readmes: Vec<String> = match field("readme") {
            Some(toml::Value::Boolean(false)) => Vec::new(),
            Some(toml::Value::String(path)) => vec![path.clone()],
            _ => READMES.map(str::to_owned).to_vec(),
        };
        let paths: Vec<String> = readmes.iter().map(|path| format!("{root}/{path}")).collect();
        let readme = if paths.is_empty() { None } else { member(crate_file, &paths, limits)? };
        Ok(Self {
            description: text("description"),
            homepage: text("homepage"),
            documentation: text("documentation"),
            repository: text("repository"),
            license: text("license"),
            license_file: text("license-file"),
            links: text("links"),
            rust_version: text("rust-version"),
            authors: list("authors"),
            keywords: list("keywords"),
            categories: list("categories"),
            readme_file: readme.as_ref().map(|(path, _)| path[root.len() + 1..].to_owned()),
            readme: readme.map(|(_, text)| storable(&String::from_utf8_lossy(&text))),
        })
    }
}

/// A package that was read with the rules for all packages, and without them where it breaks one.
#[derive(Debug)]
pub struct Opened {
    /// The text of the manifest.
    pub manifest: Result<String, ContentsError>,
    /// Why the rules would refuse the package.
    pub refusal: Option<String>,
    /// Whether cargo cannot unpack it, for that reason.
    pub is_unusable: bool,
}

/// Opens the package of this name and version.
pub fn open(crate_file: &[u8], package: (&CrateName, &Version), limits: &Limits) -> Opened {
    match tarball::read(crate_file, package.0, package.1, limits) {
        Ok(tarball) => {
            let refusal = check(&tarball.manifest, limits).err().map(|refusal| refusal.to_string());
            Opened { manifest: Ok(tarball.manifest), refusal, is_unusable: false }
        }
        Err(refusal) => Opened {
            manifest: manifest(crate_file, package, limits, Extent::All),
            refusal: Some(refusal.to_string()),
            is_unusable: refusal.prevents_unpacking(),
        },
    }
}

/// Applies the rules for all manifests.
fn check(manifest: &str, limits: &Limits) -> Result<(), super::Refusal> {
    let manifest = Manifest::parse(manifest, &RegistryUrls::default())?;
    manifest.check_texts()?;
    limits.check(&manifest)?;
    features::check(&manifest.features, &manifest.dependencies)?;
    Ok(())
}

/// Removes NULs, which PostgreSQL cannot store in JSON.
fn storable(text: &str) -> String {
    text.replace('\0', "")
}

/// The first of these files that exists, in the order of the paths. Files above the limit of metadata are skipped.
fn member(crate_file: &[u8], paths: &[String], limits: &Limits) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut best: Option<(usize, Vec<u8>)> = None;
    let mut archive = Archive::new(GzDecoder::new(crate_file).take(limits.max_unpacked));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let place = paths.iter().position(|one| *one == path);
        let Some(place) = place.filter(|place| best.as_ref().is_none_or(|(best, _)| place < best)) else { continue };
        if entry.size() > limits.max_metadata as u64 {
            continue;
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        best = Some((place, content));
        if place == 0 {
            break;
        }
    }
    Ok(best.map(|(place, content)| (paths[place].clone(), content)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::sample::{Sample, gzip, tar};

    #[test]
    fn a_package_is_read_without_its_rules() {
        let manifest = Sample::new("keywords = [\"a\", \"b\"]\nreadme = \"docs/x.md\"\n").manifest;
        let files: [(&str, &[u8]); 2] =
            [("foo-1.2.3/docs/x.md", b"# Text\0"), ("foo-1.2.3/Cargo.toml", manifest.as_bytes())];
        let package = (&"foo".parse().unwrap(), &"1.2.3".parse().unwrap());
        let file = gzip(&tar(&files));
        let text = super::manifest(&*file, package, &Limits::default(), Extent::All).unwrap();
        assert_eq!(text, manifest);
        let contents = Contents::read(&text, &file, package, &Limits::default()).unwrap();
        assert_eq!(contents.keywords, ["a", "b"]);
        assert_eq!((contents.readme_file.as_deref(), contents.readme.as_deref()), (Some("docs/x.md"), Some("# Text")));
        let error = super::manifest(&b"no"[..], package, &Limits::default(), Extent::All).unwrap_err();
        assert!(error.to_string().contains("cannot be unpacked"), "{error}");
    }

    #[test]
    fn a_second_manifest_is_seen_only_by_reading_to_the_end() {
        let files: [(&str, &[u8]); 3] =
            [("foo-1.2.3/Cargo.toml", b"a = 1"), ("foo-1.2.3/x", b""), ("foo-1.2.3/Cargo.toml", b"a = 2")];
        let (file, package) = (gzip(&tar(&files)), (&"foo".parse().unwrap(), &"1.2.3".parse().unwrap()));
        let read = |limits: &Limits, extent| {
            super::manifest(&*file, package, limits, extent).map_err(|error| error.to_string())
        };
        assert_eq!(read(&Limits::default(), Extent::First), Ok("a = 1".to_owned()));
        insta::assert_snapshot!(read(&Limits::default(), Extent::All).unwrap_err(), @"it has foo-1.2.3/Cargo.toml more than once");
        let small = Limits { max_metadata: 4, ..Limits::default() };
        insta::assert_snapshot!(read(&small, Extent::All).unwrap_err(), @"its Cargo.toml has 5 bytes, above the limit of 4 bytes");
        let other = super::manifest(&*file, (package.0, &"9.0.0".parse().unwrap()), &small, Extent::All).unwrap_err();
        insta::assert_snapshot!(other, @"it has no foo-9.0.0/Cargo.toml");
    }
}
