//! Crate files and publish requests, built from what a test says.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

/// A crate about to be published. The defaults make one that every rule accepts.
#[derive(Clone)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub description: String,
    /// What stands in Cargo.toml below `[package]`'s own lines.
    pub manifest_rest: String,
    /// Overrides the metadata that follows from name and version.
    pub metadata: Value,
    /// Files beside Cargo.toml, by their path within the crate.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Package {
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            description: "A crate".to_owned(),
            manifest_rest: String::new(),
            metadata: json!({}),
            files: vec![("src/lib.rs".to_owned(), b"//! A crate.\n".to_vec())],
        }
    }

    /// Says something else of the crate than that it is one.
    pub fn described(mut self, description: &str) -> Self {
        self.description = description.to_owned();
        self.metadata("description", json!(description))
    }

    /// Adds lines to Cargo.toml, sections included.
    pub fn manifest(mut self, rest: &str) -> Self {
        self.manifest_rest.push_str(rest);
        self
    }

    /// Overrides or adds a field of the metadata.
    pub fn metadata(mut self, field: &str, value: Value) -> Self {
        self.metadata[field] = value;
        self
    }

    pub fn file(mut self, path: &str, content: &[u8]) -> Self {
        self.files.push((path.to_owned(), content.to_vec()));
        self
    }

    /// The metadata as cargo would send it.
    pub fn metadata_json(&self) -> Value {
        let mut metadata = json!({
            "name": self.name, "vers": self.version, "deps": [], "features": {}, "authors": [],
            "description": "A crate", "documentation": null, "homepage": null, "readme": null, "readme_file": null,
            "keywords": [], "categories": [], "license": "MIT", "license_file": null, "repository": null, "badges": {},
            "links": null, "rust_version": null,
        });
        for (field, value) in self.metadata.as_object().unwrap() {
            metadata[field] = value.clone();
        }
        metadata
    }

    /// The .crate file. The same package gives the same bytes.
    pub fn crate_file(&self) -> Vec<u8> {
        let manifest = format!(
            "[package]\nname = \"{}\"\nversion = \"{}\"\nedition = \"2021\"\ndescription = \"{}\"\nlicense = \"MIT\"\n{}",
            self.name, self.version, self.description, self.manifest_rest
        );
        let manifest = ("Cargo.toml".to_owned(), manifest.into_bytes());
        let prefix = format!("{}-{}", self.name, self.version);
        tarball(
            [&manifest]
                .into_iter()
                .chain(&self.files)
                .map(|(path, content)| (format!("{prefix}/{path}"), &content[..])),
        )
    }

    /// The body of the publish request.
    pub fn body(&self) -> Vec<u8> {
        frame(self.metadata_json().to_string().as_bytes(), &self.crate_file())
    }
}

/// A gzipped tar of regular files. Not compressed, so that the bytes are the same whatever the library does.
pub fn tarball<'a>(files: impl IntoIterator<Item = (String, &'a [u8])>) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(1);
        archive.append_data(&mut header, path, content).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// Two lengths and what they count.
pub fn frame(metadata: &[u8], crate_file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in [metadata, crate_file] {
        body.write_all(&u32::try_from(part.len()).unwrap().to_le_bytes()).unwrap();
        body.write_all(part).unwrap();
    }
    body
}
