//! Index files of crates.io as they are (`captured/`): passed on, judged, and resolved by cargo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use supercargo::upstream::Upstream;
use supercargo::upstream_cache::kept_file::KeptFile;
use supercargo::upstream_cache::lines;
use supercargo::upstream_cache::verdict::{Policy, shown};

use super::{ALWAYS_FRESH, index, served};
use crate::support::cargo::Cargo;
use crate::support::faulty_upstream::{Behaviour, FaultyUpstream};
use crate::support::process::Served;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registry/upstreams/captured")
}

/// The files, by their paths in the index.
fn captured() -> BTreeMap<String, Vec<u8>> {
    let (root, mut open, mut files) = (directory(), vec![directory()], BTreeMap::new());
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_none_or(|extension| extension != "md") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// An upstream with these files.
fn upstream() -> FaultyUpstream {
    let upstream = FaultyUpstream::start();
    for (path, content) in captured() {
        upstream.set(&format!("/index/{path}"), Behaviour::file(content));
    }
    upstream
}

fn parsed(content: &[u8]) -> Vec<Value> {
    let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[test]
fn the_captured_files_have_what_crates_io_writes() {
    let lines: Vec<Value> = captured().values().flat_map(|content| parsed(content)).collect();
    let count = |has: &dyn Fn(&Value) -> bool| lines.iter().filter(|line| has(line)).count();
    let renamed = |line: &Value| line["deps"].as_array().unwrap().iter().any(|one| one["package"].is_string());
    let counts = [
        captured().len(),
        count(&|line| line["features2"].is_object()),
        count(&|line| line["yanked"] == true),
        count(&|line| line["pubtime"].is_string()),
        count(&|line| line["links"].is_string()),
        count(&|line| line["rust_version"].is_string()),
        count(&renamed),
    ];
    assert!(counts.iter().all(|count| *count >= 10) && counts[0] >= 30, "{counts:?}");
    let bytes: usize = captured().values().map(Vec::len).sum();
    assert!(bytes < 300_000, "{bytes}");
}

#[test]
fn every_file_passes_byte_for_byte() {
    let upstream = upstream();
    let served = served(&upstream, &ALWAYS_FRESH);
    for (path, content) in captured() {
        lines::check(&content, &path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(index(&served, &path).good().body, content, "{path}");
    }
}

#[test]
fn a_cooldown_yanks_what_is_young_and_changes_nothing_else() {
    let now: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
    let policy = Policy { age: Some(TimeDelta::days(365)), ..Policy::default() };
    let mut young = 0;
    for (path, content) in captured() {
        let file = KeptFile::sent(content.clone().into(), (None, None), None);
        let shown = shown(&file, &policy, now).content;
        let (before, after) = (content.split(|byte| *byte == b'\n'), shown.split(|byte| *byte == b'\n'));
        assert_eq!(before.clone().count(), after.clone().count(), "{path}");
        for (before, after) in before.zip(after).filter(|(before, _)| !before.is_empty()) {
            let line: Value = serde_json::from_slice(before).unwrap();
            let published: DateTime<Utc> = line["pubtime"].as_str().unwrap().parse().unwrap();
            if published + TimeDelta::days(365) <= now {
                assert_eq!(before, after, "{path}");
                continue;
            }
            young += 1;
            let mut expected = line;
            expected["yanked"] = true.into();
            assert_eq!(serde_json::from_slice::<Value>(after).unwrap(), expected, "{path}");
        }
    }
    assert!(young > 20, "{young}");
}

/// The versions in a lock file.
fn locked(cargo: &Cargo) -> BTreeMap<String, String> {
    let lock: toml::Table = std::fs::read_to_string(cargo.path("user/Cargo.lock")).unwrap().parse().unwrap();
    let packages = lock["package"].as_array().unwrap().iter();
    let text = |package: &toml::Value, key: &str| package[key].as_str().unwrap().to_owned();
    packages.map(|package| (text(package, "name"), text(package, "version"))).collect()
}

#[test]
fn cargo_resolves_a_project_with_them() {
    let upstream = upstream();
    let start = |more: &[&str]| {
        Served::start(&[&["--upstream", &format!("crates-io={}", upstream.sparse())], &ALWAYS_FRESH[..], more].concat())
    };
    let resolve = |served: &Served| {
        let cargo = Cargo::through(&served.url);
        let dependencies =
            "[dependencies]\nserde = { version = \"1\", features = [\"derive\"] }\nmemchr = \"2\"\nitoa = \"1\"\n";
        cargo.binary("user", dependencies, "fn main() {}\n");
        cargo.good("user", &["generate-lockfile"]);
        let lock_file = std::fs::read_to_string(cargo.path("user/Cargo.lock")).unwrap();
        assert!(lock_file.contains("registry+https://github.com/rust-lang/crates.io-index"), "{lock_file}");
        locked(&cargo)
    };
    let newest = |path: &str| {
        let lines = parsed(&captured()[path]);
        lines.iter().rev().find(|line| line["yanked"] == false).unwrap()["vers"].as_str().unwrap().to_owned()
    };
    let with_all = resolve(&start(&[]));
    for (name, path) in [("serde", "se/rd/serde"), ("serde_derive", "se/rd/serde_derive"), ("memchr", "me/mc/memchr")] {
        assert_eq!(with_all[name], newest(path), "{with_all:?}");
    }
    // With a cooldown of all that crates.io published in 2026, and a little more.
    let age = Utc::now() - "2025-12-31T00:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let cooldown = format!("{}days", age.num_days());
    let without_young = resolve(&start(&["--cooldown", &cooldown]));
    assert_ne!(without_young["serde"], with_all["serde"], "{without_young:?}");
}

/// The sparse index of crates.io that cargo on this machine is configured for.
fn configured_index() -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let read = |home: PathBuf| std::fs::read_to_string(home.join("config.toml")).ok()?.parse::<toml::Table>().ok();
    let config = home.and_then(read).unwrap_or_default();
    let of = |table: &str, name: &str, key: &str| config.get(table)?.get(name)?.get(key)?.as_str().map(str::to_owned);
    let replaced = of("source", "crates-io", "replace-with")
        .and_then(|name| of("source", &name, "registry").or_else(|| of("registries", &name, "index")));
    let index = replaced.filter(|index| index.starts_with("sparse+"));
    index.unwrap_or_else(|| "sparse+https://index.crates.io/".to_owned())
}

#[test]
#[ignore = "it needs a network: `cargo nextest run --run-ignored only --no-capture upstreams::captured` asks the index of crates.io that cargo is configured for"]
fn the_real_index_passes_byte_for_byte() {
    let sparse = configured_index();
    let url = sparse.trim_start_matches("sparse+").trim_end_matches('/');
    let upstream = Upstream::anonymous();
    let fetch = |path: &str| upstream.fetch(&format!("{url}/{path}"), 10_000_000, &|| false);
    let direct = match fetch("se/rd/serde") {
        Ok(content) => content.expect("crates.io has serde"),
        Err(error) => {
            println!("SKIPPED: {url} does not answer here ({error}): nothing was tested");
            return;
        }
    };
    let served = Served::start(&["--upstream", &format!("other={sparse}")]);
    let passed = index(&served, "se/rd/serde").good().body;
    // A version may have been published in between.
    assert!(passed == direct || passed == fetch("se/rd/serde").unwrap().unwrap());
    assert_eq!(index(&served, "no/th/nothing-has-this-name-here").status, 404);
    println!("tested with {url}: {} lines of serde", parsed(&passed).len());
}
