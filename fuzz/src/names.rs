//! Small values: an accepted value is the same after writing and reading it.
//!
//! Every text is tried as every type; parts with separators between them are features and their values.

use std::collections::BTreeMap;
use std::fmt::Display;

use supercargo::package::dependency::{Dependency, Unparsed};
use supercargo::package::features::{self, Features};
use supercargo::package::policy::{AllowedRegistries, RequiredMetadata, licence};
use supercargo::package::{Checksum, CrateName, RegistryUrls, Version};

use super::{SEPARATOR, check_message};

pub fn run(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    if text.as_bytes().contains(&SEPARATOR) {
        return feature_table(text);
    }
    // All of them, also if the first fails.
    [name, version, registry, registries, key, requirement, target, fields, licence, checksum]
        .into_iter()
        .filter(|parse| parse(text))
        .count()
        > 0
}

/// The value, if it is valid; otherwise the message must be printable.
fn accepted<T, E: Display>(parsed: Result<T, E>) -> Option<T> {
    parsed.map_err(|error| check_message(&error.to_string())).ok()
}

fn name(text: &str) -> bool {
    let Some(name) = accepted(text.parse::<CrateName>()) else { return false };
    assert_eq!(name.to_string(), text);
    let canonical: CrateName = name.canonical().parse().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(canonical.canonical(), name.canonical());
    assert_eq!(canonical.is_reserved(), name.is_reserved());
    true
}

fn version(text: &str) -> bool {
    let Some(version) = accepted(text.parse::<Version>()) else { return false };
    assert_eq!(version.to_string(), text);
    let bare: Version = version.without_build().parse().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(bare.without_build(), bare.to_string());
    assert_eq!(bare.is_prerelease(), version.is_prerelease());
    true
}

fn registry(text: &str) -> bool {
    let urls = RegistryUrls::new(["http://127.0.0.1:8000", "https://crates.example.com", text]);
    let Some(resolved) = accepted(urls.resolve(text)) else { return false };
    assert_eq!(resolved.is_none(), urls.is_own(text));
    if let Some(normal) = resolved {
        assert_eq!(urls.resolve(&normal), Ok(Some(normal.clone())), "{text}");
    }
    true
}

fn registries(text: &str) -> bool {
    let Some(allowed) = accepted(text.parse::<AllowedRegistries>()) else { return false };
    assert_eq!(allowed.to_string().parse(), Ok(allowed.clone()), "{text}");
    if let Ok(Some(normal)) = RegistryUrls::default().resolve(text.trim()) {
        assert!(text.contains(',') || allowed.allows(&normal), "{text}");
    }
    true
}

fn parsed(unparsed: Unparsed<'_>) -> Option<Dependency> {
    accepted(Dependency::new(unparsed))
}

fn key(text: &str) -> bool {
    let dependency = parsed(Unparsed { key: text, package: Some("b"), requirement: "1", ..Unparsed::default() });
    dependency.is_some_and(|dependency| dependency.key() == text)
}

fn requirement(text: &str) -> bool {
    let of = |requirement: &str| parsed(Unparsed { key: "a", requirement, ..Unparsed::default() });
    let Some(dependency) = of(text) else { return false };
    let again = of(&dependency.requirement.to_string());
    assert_eq!(again, Some(dependency), "{text}");
    true
}

fn target(text: &str) -> bool {
    let of =
        |target: &str| parsed(Unparsed { key: "a", requirement: "1", target: Some(target), ..Unparsed::default() });
    let Some(dependency) = of(text) else { return false };
    let again = of(dependency.target.as_deref().unwrap_or_default());
    assert_eq!(again, Some(dependency), "{text}");
    true
}

fn fields(text: &str) -> bool {
    let Some(required) = accepted(text.parse::<RequiredMetadata>()) else { return false };
    assert_eq!(required.to_string().parse(), Ok(required), "{text}");
    true
}

fn licence(text: &str) -> bool {
    let Some(spelling) = accepted(licence::parse(text)) else { return false };
    if let licence::Spelling::Other(spdx) = spelling {
        assert_eq!(licence::parse(&spdx), Ok(licence::Spelling::Exact), "{text}");
    }
    true
}

fn checksum(text: &str) -> bool {
    let Some(checksum) = accepted(text.parse::<Checksum>()) else { return false };
    assert_eq!(checksum.to_string(), text.to_ascii_lowercase());
    true
}

/// `opt` is an optional dependency, `fixed` one that is not optional; parts are `feature=value,value`.
fn feature_table(text: &str) -> bool {
    let table: Features = text
        .split(char::from(SEPARATOR))
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, values)| {
            (name.to_owned(), values.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect())
        })
        .collect();
    let dependencies: Vec<Dependency> = [("opt", true), ("fixed", false)]
        .into_iter()
        .filter_map(|(key, optional)| parsed(Unparsed { key, requirement: "1", optional, ..Unparsed::default() }))
        .collect();
    let sound = accepted(features::check(&table, &dependencies)).is_some();
    let (first, second) = features::split(table.clone());
    assert!(first.keys().all(|name| !second.contains_key(name)));
    assert!(first.values().flatten().all(|value| !value.starts_with("dep:") && !value.contains("?/")), "{text:?}");
    assert!(first.values().flatten().all(|value| !second.contains_key(value)), "{text:?}");
    let whole: BTreeMap<_, _> = first.into_iter().chain(second).collect();
    assert_eq!(whole, table);
    sound
}
