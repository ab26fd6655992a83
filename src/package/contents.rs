//! The contents of a `.crate` file, read without the publish rules: for packages that were accepted earlier or by another
//! registry. Sizes are limited nevertheless.

use std::io::Read;

use flate2::read::GzDecoder;
use serde::Serialize;
use tar::Archive;

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
    /// The manifest is not TOML.
    #[error("its Cargo.toml cannot be read: {0}")]
    Toml(String),
}

impl Contents {
    /// Reads the manifest and the README of the package of this name and version.
    pub fn read(
        crate_file: &[u8],
        name: &CrateName,
        version: &Version,
        limits: &Limits,
    ) -> Result<Self, ContentsError> {
        let root = format!("{name}-{version}");
        let path = format!("{root}/Cargo.toml");
        let manifest =
            member(crate_file, std::slice::from_ref(&path), limits)?.ok_or(ContentsError::NoManifest(path))?.1;
        let manifest: toml::Table = toml::from_str(&String::from_utf8_lossy(&manifest))
            .map_err(|error| ContentsError::Toml(error.message().to_owned()))?;
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

/// The reason why the rules for all packages would refuse this package, if they would.
pub fn refusal(crate_file: &[u8], name: &CrateName, version: &Version, limits: &Limits) -> Option<String> {
    let checked = || -> Result<(), super::Refusal> {
        let text = tarball::read(crate_file, name, version, limits)?.manifest;
        let manifest = Manifest::parse(&text, &RegistryUrls::default())?;
        manifest.check_texts()?;
        limits.check(&manifest)?;
        features::check(&manifest.features, &manifest.dependencies)?;
        Ok(())
    };
    checked().err().map(|refusal| refusal.to_string())
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
        let (name, version) = ("foo".parse().unwrap(), "1.2.3".parse().unwrap());
        let file = gzip(&tar(&files));
        let contents = Contents::read(&file, &name, &version, &Limits::default()).unwrap();
        assert_eq!(contents.keywords, ["a", "b"]);
        assert_eq!((contents.readme_file.as_deref(), contents.readme.as_deref()), (Some("docs/x.md"), Some("# Text")));
        let error = Contents::read(b"no", &name, &version, &Limits::default()).unwrap_err();
        assert!(error.to_string().contains("cannot be unpacked"), "{error}");
    }
}
