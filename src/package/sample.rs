//! Sample publishes for tests: a small valid one that a test changes in one place.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use super::policy::ManifestMismatch;
use super::{Limits, Package, Refusal, RegistryUrls, frame};

/// The registry of the tests.
pub fn urls() -> RegistryUrls {
    RegistryUrls::new(["http://127.0.0.1:8000", "https://crates.example.com"])
}

/// The header of an entry whose path is written without any check.
pub fn header(path: &str, kind: EntryType, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

/// A tar archive of these files, with its end mark.
pub fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, contents) in files {
        builder.append(&header(path, EntryType::Regular, contents.len()), *contents).unwrap();
    }
    builder.into_inner().unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The body of a publish.
pub fn body(json: &[u8], crate_file: &[u8]) -> Bytes {
    let length = |part: &[u8]| u32::try_from(part.len()).unwrap().to_le_bytes();
    [&length(json), json, &length(crate_file), crate_file].concat().into()
}

/// A publish of `foo 1.2.3`: its manifest, and its metadata with the required fields.
pub struct Sample {
    pub manifest: String,
    pub metadata: Value,
}

impl Sample {
    /// A sample with this text after the name and version in `[package]`.
    pub fn new(manifest: &str) -> Self {
        Self {
            manifest: format!("[package]\nname = \"foo\"\nversion = \"1.2.3\"\nedition = \"2021\"\n{manifest}"),
            metadata: json!({ "name": "foo", "vers": "1.2.3" }),
        }
    }

    /// Sets these fields of the metadata.
    pub fn metadata(mut self, fields: Value) -> Self {
        for (field, value) in fields.as_object().unwrap() {
            self.metadata[field] = value.clone();
        }
        self
    }

    pub fn crate_file(&self) -> Vec<u8> {
        gzip(&tar(&[("foo-1.2.3/Cargo.toml", self.manifest.as_bytes()), ("foo-1.2.3/src/lib.rs", b"")]))
    }

    pub fn body(&self) -> Bytes {
        body(self.metadata.to_string().as_bytes(), &self.crate_file())
    }

    pub fn publish(&self) -> Result<Package, Refusal> {
        frame(self.body(), &Limits::default())?.open(&urls(), &Limits::default(), ManifestMismatch::Refuse)
    }

    /// The message of its refusal.
    pub fn refusal(&self) -> String {
        self.publish().unwrap_err().to_string()
    }
}
