//! The body of a publish, from its framing to the line in the index.
//!
//! - `r`: the body unchanged.
//! - `b`: the metadata and the lines of a manifest below name and version, with a separator between them.
//! - `a`: such lines alone, with the metadata that cargo would send, so both must agree.

use std::str::FromStr;

use bytes::Bytes;
use cargo_platform::Platform;
use cargo_util_schemas::index::IndexPackage;
use chrono::DateTime;
use semver::VersionReq;
use serde_json::{Value, json};
use supercargo::index::entry::{Entry, with_yanked};
use supercargo::package::dependency::Dependency;
use supercargo::package::policy::ManifestMismatch;
use supercargo::package::{Limits, Manifest, Package, Policy, Refusal, RegistryUrls, frame};
use url::Url;

use super::{SEPARATOR, check_message, gzip};

const HEAD: &str = "[package]\nname = \"foo\"\nversion = \"1.2.3\"\nedition = \"2021\"\n";

fn limits() -> Limits {
    Limits {
        max_metadata: 8 * 1024,
        max_crate: 16 * 1024,
        max_unpacked: 64 * 1024,
        max_entries: 64,
        max_path: 128,
        max_paths: 2 * 1024,
        max_manifest: 8 * 1024,
        max_features: 16,
        max_feature_values: 16,
        max_dependencies: 16,
        max_index_line: 8 * 1024,
        max_index_file: 64 * 1024,
    }
}

fn urls() -> RegistryUrls {
    RegistryUrls::new(["http://127.0.0.1:8000", "https://crates.example.com"])
}

pub fn run(data: &[u8]) -> bool {
    let Some((form, data)) = data.split_first() else { return false };
    match form {
        b'r' => publish(data.to_vec()).is_ok(),
        b'b' => {
            let mut parts = data.splitn(2, |byte| *byte == SEPARATOR);
            let (metadata, manifest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            publish(body(metadata, &[HEAD.as_bytes(), manifest].concat())).is_ok()
        }
        b'a' => agreeing(data),
        _ => false,
    }
}

/// The metadata that is made from a manifest agrees with it.
fn agreeing(lines: &[u8]) -> bool {
    let Ok(lines) = std::str::from_utf8(lines) else { return false };
    let text = format!("{HEAD}{lines}");
    let Ok(manifest) = Manifest::parse(&text, &urls()) else { return false };
    let metadata = json!({
        "name": manifest.name, "vers": manifest.version, "features": manifest.features, "links": manifest.links,
        "deps": manifest.dependencies.iter().map(sent).collect::<Vec<_>>(), "rust_version": manifest.rust_version,
    });
    let published = publish(body(metadata.to_string().as_bytes(), text.as_bytes()));
    if let Err(refusal) = &published {
        assert!(!matches!(refusal, Refusal::Disagreement(_) | Refusal::Metadata(_)), "{refusal}\n{text}");
    }
    published.is_ok()
}

/// A dependency as cargo sends it.
fn sent(dependency: &Dependency) -> Value {
    let artifact = dependency.artifact.as_ref();
    json!({
        "name": dependency.name, "version_req": dependency.requirement.to_string(), "features": dependency.features,
        "optional": dependency.optional, "default_features": dependency.default_features, "target": dependency.target,
        "kind": dependency.kind, "registry": dependency.registry, "explicit_name_in_toml": dependency.rename,
        "artifact": artifact.map(|artifact| &artifact.kinds),
        "bindep_target": artifact.and_then(|artifact| artifact.target.as_ref()),
        "lib": artifact.is_some_and(|artifact| artifact.lib),
    })
}

fn body(metadata: &[u8], manifest: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_size(manifest.len() as u64);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, "foo-1.2.3/Cargo.toml", manifest).expect("memory takes every byte");
    let crate_file = gzip(&archive.into_inner().expect("memory takes every byte"));
    let length = |part: &[u8]| u32::try_from(part.len()).expect("fuzzers make small inputs").to_le_bytes();
    [&length(metadata), metadata, &length(&crate_file), &crate_file].concat()
}

fn publish(body: Vec<u8>) -> Result<(), Refusal> {
    let opened = frame(Bytes::from(body), &limits())
        .and_then(|request| request.open(&urls(), &limits(), ManifestMismatch::Refuse));
    let judged = opened.as_ref().map(|package| Policy::default().check(&package.manifest));
    if let Ok(package) = &opened {
        check_entry(package);
    }
    match judged {
        Ok(Ok(advice)) => advice.iter().for_each(|advice| check_message(&advice.to_string())),
        Ok(Err(refusal)) => check_refusal(&refusal),
        Err(refusal) => check_refusal(refusal),
    }
    opened.map(drop)
}

fn check_refusal(refusal: &Refusal) {
    assert!(matches!(refusal.status(), 400 | 413));
    check_message(&refusal.to_string());
}

/// Checks that cargo can use the line of an accepted package.
fn check_entry(package: &Package) {
    let entry = Entry::new(package, DateTime::from_timestamp(1_700_000_000, 0).expect("a time of our own"));
    let line = entry.to_line();
    assert!(!line.contains(['\n', '\r']), "{line}");
    let read: IndexPackage<'_> = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!((read.name.as_ref(), &read.vers), (package.name.as_str(), package.version.as_semver()));
    assert_eq!((read.cksum, read.yanked), (package.checksum.to_string(), Some(false)));
    assert_eq!(read.deps.len(), package.manifest.dependencies.len());
    for dependency in &read.deps {
        VersionReq::parse(&dependency.req).unwrap_or_else(|error| panic!("{error}: {line}"));
        let target = dependency.target.as_deref().map(Platform::from_str).transpose();
        target.unwrap_or_else(|error| panic!("{error}: {line}"));
        let registry = dependency.registry.as_deref().map(|url| Url::parse(url.trim_start_matches("sparse+")));
        registry.transpose().unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    let features = read.features.len() + read.features2.as_ref().map_or(0, |features| features.len());
    assert_eq!(features, package.manifest.features.len(), "{line}");
    assert_eq!(read.features2.is_some() || read.deps.iter().any(|one| one.artifact.is_some()), read.v.is_some());
    assert_eq!(serde_json::from_str::<Entry>(&line).map(|entry| entry.to_line()).ok(), Some(line.clone()));
    let yanked = with_yanked(&line, true).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(with_yanked(&yanked, false).ok(), Some(line));
}
