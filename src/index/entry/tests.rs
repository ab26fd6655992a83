//! Tests of created and edited lines.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::{Entry, EntryError, render, with_yanked};
use crate::package::index_path::index_path;
use crate::package::sample::Sample;

fn published(manifest: &str, metadata: serde_json::Value) -> Entry {
    let pubtime: DateTime<Utc> = "2026-08-01T12:34:56.789Z".parse().unwrap();
    Entry::new(&Sample::new(manifest).metadata(metadata).publish().unwrap(), pubtime)
}

/// The line with its checksum, which differs with the compressor, replaced.
fn line(entry: &Entry) -> String {
    entry.to_line().replace(&entry.cksum.to_string(), "…")
}

/// Every captured line, with the name of its file.
fn captured() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("index-fixtures/captured");
    let mut lines = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let name = file.file_name().into_string().unwrap();
        assert!(text.ends_with('\n') && !text.trim().is_empty(), "{name}");
        lines.extend(text.lines().map(|line| (name.clone(), line.to_owned())));
    }
    lines
}

// protocol: 34, 38
#[test]
fn a_bare_version_has_every_field_cargo_ever_required() {
    let line = line(&published("", serde_json::json!({})));
    insta::assert_snapshot!(line, @r#"{"name":"foo","vers":"1.2.3","deps":[],"cksum":"…","features":{},"yanked":false,"pubtime":"2026-08-01T12:34:56Z"}"#);
}

// protocol: 34, 35, 36, 37, 39, 40
#[test]
fn a_line_has_its_fields_in_order_and_its_dependencies_by_kind() {
    let manifest = r#"
        links = "z"
        rust-version = "1.60"
        [features]
        zip = ["dep:short"]
        all = ["zip"]
        plain = []
        [dev-dependencies]
        a-dev = "1"
        [build-dependencies]
        b-build = { version = "1", default-features = false }
        [dependencies]
        short = { version = "2", package = "Long-Name", optional = true, features = ["y", "x"], registry-index = "sparse+http://localhost:8000/index/" }
        [target.'cfg( unix )'.dependencies]
        libc = ">= 0.2"
        "#;
    let crates_io = "https://github.com/rust-lang/crates.io-index";
    let entry = published(
        manifest,
        serde_json::json!({
            "links": "z",
            "features": {"zip": ["dep:short"], "all": ["zip"], "plain": []},
            "deps": [
                {"name": "a-dev", "version_req": "^1", "kind": "dev", "registry": crates_io},
                {"name": "b-build", "version_req": "^1", "kind": "build", "default_features": false, "registry": crates_io},
                {"name": "Long-Name", "explicit_name_in_toml": "short", "version_req": "^2", "optional": true, "features": ["y", "x"]},
                {"name": "libc", "version_req": ">=0.2", "target": "cfg(unix)", "registry": crates_io},
            ],
        }),
    );
    insta::assert_snapshot!(line(&entry), @r#"{"name":"foo","vers":"1.2.3","deps":[{"name":"libc","req":">=0.2","features":[],"optional":false,"default_features":true,"target":"cfg(unix)","kind":"normal","registry":"https://github.com/rust-lang/crates.io-index"},{"name":"short","req":"^2","features":["y","x"],"optional":true,"default_features":true,"target":null,"kind":"normal","package":"Long-Name"},{"name":"b-build","req":"^1","features":[],"optional":false,"default_features":false,"target":null,"kind":"build","registry":"https://github.com/rust-lang/crates.io-index"},{"name":"a-dev","req":"^1","features":[],"optional":false,"default_features":true,"target":null,"kind":"dev","registry":"https://github.com/rust-lang/crates.io-index"}],"cksum":"…","features":{"plain":[]},"features2":{"all":["zip"],"zip":["dep:short"]},"yanked":false,"links":"z","rust_version":"1.60","pubtime":"2026-08-01T12:34:56Z","v":2}"#);
    assert_eq!(serde_json::from_str::<Entry>(&entry.to_line()).unwrap().to_line(), entry.to_line());
}

// protocol: 34, 38
#[test]
fn cargo_reads_the_line_back() {
    let entry = published("rust-version = \"1.60\"", serde_json::json!({}));
    let line = entry.to_line();
    let read: cargo_util_schemas::index::IndexPackage<'_> = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (read.name.as_ref(), read.vers.to_string().as_str(), read.cksum),
        ("foo", "1.2.3", entry.cksum.to_string())
    );
    assert!(read.pubtime.is_some());
}

// protocol: 42
#[test]
fn every_captured_line_is_read_and_survives_a_yank_byte_for_byte() {
    let mut files = BTreeSet::new();
    for (file, line) in captured() {
        let entry: Entry = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{file}: {error}: {line}"));
        assert!(index_path(&entry.name).ends_with(&format!("/{file}")), "{file} holds a line of {}", entry.name);
        let yanked = with_yanked(&line, true).unwrap();
        assert!(serde_json::from_str::<Entry>(&yanked).unwrap().yanked);
        assert_eq!(with_yanked(&yanked, false).unwrap(), with_yanked(&line, false).unwrap());
        assert_eq!(with_yanked(&line, entry.yanked).unwrap(), line);
        assert_eq!(Entry { yanked: true, ..entry }, serde_json::from_str(&yanked).unwrap());
        files.insert(file);
    }
    assert!(files.len() >= 24, "{} captured files", files.len());
}

// protocol: 42
#[test]
fn only_the_outermost_yanked_changes_and_every_other_byte_stays() {
    let line =
        r#" {"yanked" : false ,"new":{"yanked":true,"x":[{"yanked":1}]},"text":"\"yanked\":true,{\\","n":1.50e3} "#;
    assert_eq!(with_yanked(line, true).unwrap(), line.replacen("false", "true", 1));
    assert_eq!(with_yanked(line, false).unwrap(), line);
    let escaped = r#"{"yan\u006bed":true}"#;
    assert_eq!(with_yanked(escaped, false).unwrap(), r#"{"yan\u006bed":false}"#);
}

#[test]
fn a_line_without_yanked_gets_it_only_when_it_is_yanked() {
    let line = r#"{"name":"a"}"#;
    assert_eq!(with_yanked(line, false).unwrap(), line);
    assert_eq!(with_yanked(line, true).unwrap(), r#"{"name":"a","yanked":true}"#);
    assert_eq!(with_yanked("{}", true).unwrap(), r#"{"yanked":true}"#);
    assert_eq!(with_yanked(r#"{"yanked":null}"#, false).unwrap(), r#"{"yanked":null}"#);
    assert_eq!(with_yanked(r#"{"yanked":null}"#, true).unwrap(), r#"{"yanked":true}"#);
}

#[test]
fn a_line_that_cannot_be_edited_safely_is_an_error() {
    for line in ["", "[]", "{", "{} {}", "null", r#"{"a":1}x"#] {
        assert!(matches!(with_yanked(line, true), Err(EntryError::Json(_))), "{line}");
    }
    assert!(matches!(with_yanked("{\n}", true), Err(EntryError::LineBreak)));
    assert!(matches!(with_yanked(r#"{"yanked":"no"}"#, true), Err(EntryError::NotBoolean { .. })));
    let error = with_yanked("{\"yanked\":\"n\u{7f}o\"}", true).unwrap_err();
    insta::assert_snapshot!(error, @r#"the index line has `yanked: "n�o"`; it must be true or false"#);
    assert!(matches!(with_yanked(r#"{"yanked":true,"yanked":false}"#, true), Err(EntryError::Duplicate { count: 2 })));
}

// protocol: 22
#[test]
fn a_file_has_a_line_break_after_every_line() {
    let lines = [(r#"{"vers":"1","yanked":false}"#, true), (r#"{"vers":"2","yanked":true}"#, true)];
    insta::assert_snapshot!(render(lines.into_iter()).unwrap(), @r#"
{"vers":"1","yanked":true}
{"vers":"2","yanked":true}
"#);
    assert_eq!(render(std::iter::empty()).unwrap(), "");
}

#[test]
fn a_published_time_with_a_fraction_is_rejected() {
    let line = published("", serde_json::json!({})).to_line();
    assert!(serde_json::from_str::<Entry>(&line.replace("12:34:56Z", "12:34:56.7Z")).is_err());
}
