//! Small values: what is accepted, is written and read again as the same.
//!
//! Every text is tried as everything; parts with a separator between them are features and what they enable.

use std::collections::BTreeMap;

use supercargo::package::dependency::{Dependency, Unparsed};
use supercargo::package::features::{self, Features};
use supercargo::package::policy::{AllowedRegistries, RequiredMetadata, labels, licence};
use supercargo::package::{Checksum, CrateName, RegistryUrls, Version};

use super::{SEPARATOR, check_message};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.as_bytes().contains(&SEPARATOR) {
        return feature_table(text);
    }
    name(text);
    version(text);
    registry(text);
    requirement(text);
    target(text);
    settings(text);
}

fn name(text: &str) {
    match text.parse::<CrateName>() {
        Err(error) => check_message(&error.to_string()),
        Ok(name) => {
            assert_eq!(name.to_string(), text);
            let canonical: CrateName = name.canonical().parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(canonical.canonical(), name.canonical());
            assert_eq!(canonical.is_reserved(), name.is_reserved());
        }
    }
}

fn version(text: &str) {
    match text.parse::<Version>() {
        Err(error) => check_message(&error.to_string()),
        Ok(version) => {
            assert_eq!(version.to_string(), text);
            let bare: Version = version.without_build().parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(bare.without_build(), bare.to_string());
            assert_eq!(bare.is_prerelease(), version.is_prerelease());
        }
    }
}

fn registry(text: &str) {
    let urls = RegistryUrls::new(["http://127.0.0.1:8000", "https://crates.example.com", text]);
    match urls.resolve(text) {
        Err(problem) => check_message(&problem),
        Ok(None) => assert!(urls.is_own(text)),
        Ok(Some(normal)) => {
            assert!(!urls.is_own(text));
            assert_eq!(urls.resolve(&normal), Ok(Some(normal.clone())), "{text}");
        }
    }
    match text.parse::<AllowedRegistries>() {
        Err(problem) => check_message(&problem),
        Ok(allowed) => {
            assert_eq!(allowed.to_string().parse(), Ok(allowed.clone()), "{text}");
            if let (AllowedRegistries::Only(_), false) = (&allowed, text.contains(',')) {
                let normal = RegistryUrls::default().resolve(text.trim());
                if let Ok(Some(normal)) = normal {
                    assert!(allowed.allows(&normal), "{text}");
                }
            }
        }
    }
}

fn parsed(unparsed: Unparsed<'_>) -> Option<Dependency> {
    Dependency::new(unparsed).map_err(|error| check_message(&error.to_string())).ok()
}

fn requirement(text: &str) {
    let of = |requirement: &str| parsed(Unparsed { key: "a", requirement, ..Unparsed::default() });
    if let Some(dependency) = of(text) {
        let again = of(&dependency.requirement.to_string());
        assert_eq!(again, Some(dependency), "{text}");
    }
    if let Some(dependency) =
        parsed(Unparsed { key: text, package: Some("b"), requirement: "1", ..Unparsed::default() })
    {
        assert_eq!(dependency.key(), text);
    }
}

fn target(text: &str) {
    let of =
        |target: &str| parsed(Unparsed { key: "a", requirement: "1", target: Some(target), ..Unparsed::default() });
    if let Some(dependency) = of(text) {
        let again = of(dependency.target.as_deref().unwrap_or_default());
        assert_eq!(again, Some(dependency), "{text}");
    }
}

fn settings(text: &str) {
    match text.parse::<RequiredMetadata>() {
        Err(problem) => check_message(&problem),
        Ok(required) => assert_eq!(required.to_string().parse(), Ok(required), "{text}"),
    }
    match licence::parse(text) {
        Err(error) => check_message(&error.to_string()),
        Ok(licence::Spelling::Other(spdx)) => assert_eq!(licence::parse(&spdx), Ok(licence::Spelling::Exact), "{text}"),
        Ok(licence::Spelling::Exact | licence::Spelling::Deprecated) => {}
    }
    if labels::is_keyword(text) {
        assert!(text.is_ascii() && text.len() <= labels::MAX_KEYWORD);
    }
    if let Ok(checksum) = text.parse::<Checksum>() {
        assert_eq!(checksum.to_string(), text.to_ascii_lowercase());
    }
}

/// `opt` is an optional dependency, `fixed` one that is always there; parts are `feature=value,value`.
fn feature_table(text: &str) {
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
    if let Err(error) = features::check(&table, &dependencies) {
        check_message(&error.to_string());
    }
    let (first, second) = features::split(table.clone());
    assert!(first.keys().all(|name| !second.contains_key(name)));
    assert!(first.values().flatten().all(|value| !value.starts_with("dep:") && !value.contains("?/")), "{text:?}");
    assert!(first.values().flatten().all(|value| !second.contains_key(value)), "{text:?}");
    let whole: BTreeMap<_, _> = first.into_iter().chain(second).collect();
    assert_eq!(whole, table);
}
