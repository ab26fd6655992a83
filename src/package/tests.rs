//! Whole publishes, from the body to the package or the refusal.

use bytes::Bytes;
use serde_json::json;

use super::policy::ManifestMismatch;
use super::sample::{Sample, body, urls};
use super::{DependencyKind, Limits, Refusal, frame};

fn refused(body: impl Into<Bytes>) -> Refusal {
    frame(body.into(), &Limits::default()).unwrap_err()
}

fn refused_json(json: &[u8]) -> String {
    refused(body(json, b"")).to_string()
}

/// Everything a manifest can say of dependencies, and what cargo sends with it.
fn rich() -> Sample {
    Sample::new(
        r#"
        links = "foo-sys"
        rust-version = "1.60"
        [features]
        default = ["std"]
        std = []
        tls = ["dep:rustls", "serde?/std"]
        full = ["tls"]
        [dependencies]
        serde = { version = "1.0", optional = true, default-features = false, features = ["std", "derive"] }
        rustls = { version = ">=0.2, <0.4", optional = true }
        short = { version = "2", package = "Long-Name", registry-index = "sparse+http://localhost:8000/index/" }
        elsewhere = { version = "1", registry-index = "sparse+https://example.org/index/" }
        [build-dependencies]
        cc = "1"
        [dev_dependencies]
        tester = "=1.2.3"
        [target.'cfg(any(unix,target_os="wasi"))'.dependencies]
        libc = "0.2"
        [target.'cfg(windows)'.dependencies]
        libc = "0.2.1"
        "#,
    )
    .metadata(json!({
        "deps": [
            {"name": "serde", "version_req": "^1.0", "features": ["derive", "std"], "optional": true, "default_features": false, "target": null, "kind": "normal", "registry": "https://github.com/rust-lang/crates.io-index"},
            {"name": "rustls", "version_req": ">=0.2, <0.4", "optional": true, "registry": "sparse+https://index.crates.io/"},
            {"name": "Long-Name", "explicit_name_in_toml": "short", "version_req": "^2", "features": null, "optional": false, "default_features": true, "kind": "normal", "registry": null},
            {"name": "elsewhere", "version_req": "^1", "registry": "sparse+https://example.org/index/"},
            {"name": "cc", "version_req": "^1", "kind": "build", "registry": "https://github.com/rust-lang/crates.io-index"},
            {"name": "tester", "version_req": "=1.2.3", "kind": "dev", "registry": "https://github.com/rust-lang/crates.io-index"},
            {"name": "libc", "version_req": "^0.2.1", "target": "cfg(windows)", "registry": "https://github.com/rust-lang/crates.io-index"},
            {"name": "libc", "version_req": "^0.2", "target": "cfg(any(unix, target_os = \"wasi\"))", "registry": "https://github.com/rust-lang/crates.io-index"},
        ],
        "features": {"default": ["std"], "std": [], "tls": ["serde?/std", "dep:rustls"], "full": ["tls"]},
        "links": "foo-sys",
        "rust_version": "1.60",
        "something_new": {"kept": 1e300},
    }))
}

#[test]
fn a_publish_whose_metadata_and_manifest_agree_is_a_package() {
    let package = rich().publish().unwrap();
    assert_eq!(package.name.as_str(), "foo");
    assert_eq!(package.metadata["something_new"]["kept"], 1e300);
    assert_eq!(package.manifest.dependencies.len(), 8);
    let short = package.manifest.dependencies.iter().find(|dependency| dependency.key() == "short").unwrap();
    assert_eq!((short.name.as_str(), &short.registry, short.kind), ("Long-Name", &None, DependencyKind::Normal));
}

// protocol: 51
#[test]
fn a_publish_of_the_real_cargo_is_a_package() {
    // cargo 1.95: renamed, optional, inherited, target and path dependencies, and a feature of a dev-dependency that
    // cargo takes out.
    let body = Bytes::from_static(include_bytes!("captured/cargo-1.95.body"));
    let package =
        frame(body, &Limits::default()).unwrap().open(&urls(), &Limits::default(), ManifestMismatch::Refuse).unwrap();
    let dependencies: Vec<String> = package
        .manifest
        .dependencies
        .iter()
        .map(|d| format!("{} {} {} {}", d.kind, d.key(), d.name, d.requirement))
        .collect();
    insta::assert_snapshot!(dependencies.join("; "), @"normal bar bar ^0.1; normal optother other >=1, <3; normal ren Long-Name ^1; normal serde serde ^1.0; normal short Long-Name ^1; build serde serde ^1; dev other other =1.0.0; normal serde serde ^1");
    assert!(package.manifest.dependencies.iter().all(|dependency| dependency.registry.is_none()));
    assert_eq!(package.version.to_string(), "1.2.3+meta");
    insta::assert_snapshot!(format!("{:?}", package.manifest.features), @r#"{"default": ["std"], "full": ["tls", "ren/std"], "implicit": ["optother"], "std": [], "tls": ["dep:short", "serde?/std"]}"#);
}

#[test]
fn the_name_and_version_are_known_before_the_tarball_is_opened() {
    let request = frame(body(br#"{"name":"foo","vers":"1.2.3"}"#, b"no tarball"), &Limits::default()).unwrap();
    assert_eq!((request.name().as_str(), request.version().to_string().as_str()), ("foo", "1.2.3"));
    assert_eq!(request.open(&urls(), &Limits::default(), ManifestMismatch::Refuse).unwrap_err().status(), 400);
}

// rule: 1
// protocol: 52, 92
#[test]
fn a_body_that_lies_about_its_lengths_is_refused() {
    let whole = Sample::new("").body();
    for cut in 0..whole.len() {
        assert_eq!(refused(whole.slice(..cut)).status(), 400, "cut at {cut}");
    }
    insta::assert_snapshot!(refused(Bytes::new()), @"the request has no body: send the metadata and the .crate file, as `cargo publish` does");
    insta::assert_snapshot!(refused(whole.slice(..6)), @"the request ends early: the metadata needs 29 bytes, but only 2 are left: send the complete request again");
    insta::assert_snapshot!(refused([&whole[..], b"xyz"].concat()), @"3 bytes follow the .crate file: the two lengths in the request must add up to its size");
}

// rule: 1, 2
#[test]
fn a_length_above_its_limit_is_413_before_the_bytes_are_there() {
    let metadata = refused(u32::MAX.to_le_bytes().to_vec());
    let json = br#"{"name":"foo","vers":"1.2.3"}"#;
    let limits = Limits { max_crate: 10, ..Limits::default() };
    let crate_file = frame(body(json, b"eleven byte"), &limits).unwrap_err();
    assert_eq!((metadata.status(), crate_file.status()), (413, 413));
    insta::assert_snapshot!(metadata, @"the metadata has 4095.9 MiB (4294967295 bytes), above the limit of 1 MiB: shorten the README, which is usually the largest part");
    insta::assert_snapshot!(crate_file, @"the .crate file has 11 bytes, above the limit of 10 bytes: leave files out with `exclude` in Cargo.toml (`cargo package --list` shows them), or ask the registry's operator for a higher limit");
}

// rule: 2
#[test]
fn metadata_that_cannot_be_read_is_refused_naming_the_field() {
    insta::assert_snapshot!(refused_json(b"{"), @"the metadata is not JSON: EOF while parsing an object at line 1 column 1");
    insta::assert_snapshot!(refused_json(br#"["foo","1.0.0"]"#), @"the metadata cannot be read at `.`: it must be a JSON object");
    insta::assert_snapshot!(refused_json(br#"{"name":"foo"}"#), @"the metadata cannot be read at `.`: missing field `vers`");
    insta::assert_snapshot!(refused_json(br#"{"name":"foo","vers":"1.0.0","deps":[{"name":"a","version_req":1}]}"#), @"the metadata cannot be read at `deps[0].version_req`: invalid type: integer `1`, expected a string");
    insta::assert_snapshot!(refused_json(br#"{"name":"foo","vers":"1.0.0","deps":[{"version_req":"1"}]}"#), @"the metadata cannot be read at `deps[0]`: missing field `name`");
    insta::assert_snapshot!(refused_json(br#"{"name":"../x","vers":"1.0.0"}"#), @"the crate name `../x` contains '.': only ASCII letters, digits, `-` and `_` are allowed");
    assert!(refused_json(b"\xff").contains("not JSON"));
}

// rule: 2, 12
// protocol: 92
#[test]
fn nesting_of_any_depth_is_refused_and_does_not_overflow_the_stack() {
    for open in ["[", "{\"a\":"] {
        assert!(refused_json(open.repeat(1_000_000 / open.len()).as_bytes()).contains("recursion limit"));
    }
    let array = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let dotted = vec!["a"; 50_000].join(".");
    let table = format!("{}1{}", "{a=".repeat(50_000), "}".repeat(50_000));
    for manifest in [
        format!("metadata.x = {array}"),
        format!("metadata.x = {table}"),
        format!("metadata.{dotted} = 1"),
        format!("[package.metadata.{dotted}]"),
    ] {
        assert!(Sample::new(&manifest).refusal().contains("recursion"), "{}", &manifest[..40]);
    }
}

// rule: 13
// protocol: 61
#[test]
fn every_disagreement_is_refused_naming_the_field() {
    let with = |path: &str, value: serde_json::Value| {
        let mut sample = rich();
        *sample.metadata.pointer_mut(path).unwrap() = value;
        sample.refusal()
    };
    insta::assert_snapshot!(with("/deps/0/version_req", json!("^1.1")), @"the metadata and Cargo.toml in the package disagree about the requirement of the normal dependency `serde`: the metadata says `^1.1`, Cargo.toml says `^1.0`: publish with `cargo publish`, which takes both from one source");
    insta::assert_snapshot!(with("/deps/0/features", json!(["std"])), @"the metadata and Cargo.toml in the package disagree about the features of the normal dependency `serde`: the metadata says `std`, Cargo.toml says `derive`, `std`: publish with `cargo publish`, which takes both from one source");
    insta::assert_snapshot!(with("/deps/2/registry", json!("https://github.com/rust-lang/crates.io-index")), @"the metadata and Cargo.toml in the package disagree about the registry of the normal dependency `short`: the metadata says `https://github.com/rust-lang/crates.io-index`, Cargo.toml says this registry: publish with `cargo publish`, which takes both from one source");
    insta::assert_snapshot!(with("/deps/4/kind", json!("normal")), @"the metadata and Cargo.toml in the package disagree about the normal dependency `cc`: the metadata says there is one, Cargo.toml says there is none: publish with `cargo publish`, which takes both from one source");
    insta::assert_snapshot!(with("/links", json!(null)), @"the metadata and Cargo.toml in the package disagree about `links`: the metadata says nothing, Cargo.toml says `foo-sys`: publish with `cargo publish`, which takes both from one source");
    insta::assert_snapshot!(with("/rust_version", json!("1.61")), @"the metadata and Cargo.toml in the package disagree about `rust-version`: the metadata says `1.61`, Cargo.toml says `1.60`: publish with `cargo publish`, which takes both from one source");
    insta::assert_snapshot!(with("/features/tls", json!(["dep:rustls"])), @"the metadata and Cargo.toml in the package disagree about the feature `tls`: the metadata says `dep:rustls`, Cargo.toml says `dep:rustls`, `serde?/std`: publish with `cargo publish`, which takes both from one source");
    for (path, value, field) in [
        ("/deps/0/optional", json!(false), "`optional` of the normal dependency `serde`"),
        ("/deps/0/default_features", json!(true), "`default-features` of the normal dependency `serde`"),
        ("/deps/2/name", json!("other"), "the crate of the normal dependency `short`"),
        ("/deps/2/explicit_name_in_toml", json!(null), "dependency `Long-Name`"),
        ("/deps/6/target", json!("cfg(unix)"), "the normal dependency `libc` for `cfg(unix)`"),
        ("/deps/6", json!({"name": "serde", "version_req": "^1.0"}), "the normal dependency `serde`"),
        ("/deps", json!([]), "dependency"),
        ("/features", json!({}), "the names of the features"),
        ("/features/std", json!(["tls"]), "the feature `std`"),
    ] {
        let message = with(path, value);
        assert!(message.contains("disagree about") && message.contains(field), "{path}: {message}");
    }
}

#[test]
fn a_long_value_that_differs_only_at_its_end_disagrees() {
    let links = "x".repeat(200);
    let sample = Sample::new(&format!("links = \"{links}\"")).metadata(json!({ "links": format!("{links}y") }));
    assert!(sample.refusal().contains("disagree about `links`"));
}

// rule: 13
// protocol: 60
#[test]
fn the_package_must_be_the_one_the_metadata_names() {
    let mut sample = Sample::new("");
    sample.manifest = sample.manifest.replace("1.2.3", "1.2.4");
    insta::assert_snapshot!(sample.refusal(), @"the metadata and Cargo.toml in the package disagree about `version`: the metadata says `1.2.3`, Cargo.toml says `1.2.4`: publish with `cargo publish`, which takes both from one source");
    let mut sample = Sample::new("");
    sample.metadata["name"] = json!("Foo");
    assert!(sample.refusal().contains("must lie under `Foo-1.2.3/`"));
}

#[test]
fn a_missing_rust_version_and_dev_feature_leftovers_are_let_pass() {
    Sample::new("rust-version = \"1.60\"\n[features]\na = []\n[dependencies]\nk = { package = \"p\", version = \"1\", registry-index = \"https://crates.example.com/git/index\" }\nb.version = \"1\"\n")
        .metadata(json!({
            "features": {"a": ["gone/x", "gone?/y"]},
            "deps": [
                {"name": "p", "explicit_name_in_toml": "k", "version_req": "^1"},
                {"name": "b", "version_req": "^1", "registry": "https://github.com/rust-lang/crates.io-index"},
            ],
        }))
        .publish()
        .unwrap();
}

// rule: 12
#[test]
fn a_manifest_that_cargo_did_not_package_is_refused_with_the_remedy() {
    let refusal = |manifest: &str| Sample::new(manifest).refusal();
    insta::assert_snapshot!(refusal("license.workspace = true"), @"Cargo.toml in the package still inherits `package.license` from a workspace, which is not part of the package: let `cargo package` or `cargo publish` make the package");
    insta::assert_snapshot!(refusal("[dependencies]\na.workspace = true"), @"Cargo.toml in the package still inherits `dependencies.a` from a workspace, which is not part of the package: let `cargo package` or `cargo publish` make the package");
    insta::assert_snapshot!(refusal("[dependencies]\na = { path = \"../a\" }"), @"in Cargo.toml, the dependency `a` has no version: add one, because a registry cannot follow a path or a git URL");
    insta::assert_snapshot!(refusal("[dependencies]\na = { version = \"1\", git = \"https://a/b\" }"), @"in Cargo.toml, the dependency `a` still has `git`: let `cargo package` or `cargo publish` make the package, which leaves only the version");
    insta::assert_snapshot!(refusal("[dependencies]\na = { version = \"1\", registry = \"mine\" }"), @"in Cargo.toml, the dependency `a` names the registry `mine`, which means nothing outside the publisher's configuration: let `cargo package` or `cargo publish` make the package, which writes its URL as `registry-index`");
    insta::assert_snapshot!(refusal("[dependencies]\na = { version = \"1\", registry-index = \"nowhere\" }"), @"in Cargo.toml, the dependency `a` has the `registry-index` `nowhere`, which is not the URL of an index: relative URL without a base");
    insta::assert_snapshot!(refusal("[patch.crates-io]\na = { path = \"../a\" }"), @"Cargo.toml in the package has a `[patch]` section, which has no effect in a dependency: remove it, as `cargo package` does");
    insta::assert_snapshot!(refusal("rust-version = \"1.60-nightly\""), @r#"Cargo.toml in the package cannot be read: line 5: unexpected prerelease field, expected a version like "1.32""#);
    insta::assert_snapshot!(refusal("[features]\na = [\"b\"]"), @"the feature `a` includes `b`, which is neither a feature nor a dependency of this crate: correct the name or add it");
    assert!(refusal("[lints]\nworkspace = true").contains("`lints`"));
    assert!(refusal("[replace]\n\"a:1.0.0\" = { path = \"a\" }").contains("`[replace]`"));
    assert!(refusal("links = [\"a\", \"b\"]").contains("cannot be read"));
}

// rule: 12
#[test]
fn a_manifest_without_a_package_name_or_version_is_refused() {
    let refusal = |manifest: &str| {
        let mut sample = Sample::new("");
        sample.manifest = manifest.to_owned();
        sample.refusal()
    };
    insta::assert_snapshot!(refusal("[workspace]"), @"Cargo.toml in the package has no `[package]`: add it and package again");
    insta::assert_snapshot!(refusal("[package]\nversion = \"1.2.3\""), @"Cargo.toml in the package has no `package.name`: add it and package again");
    insta::assert_snapshot!(refusal("[package]\nname = \"foo\""), @"Cargo.toml in the package has no `package.version`: add it and package again");
    insta::assert_snapshot!(refusal("[package]\nname = \"foo"), @r#"Cargo.toml in the package cannot be read: line 2: invalid basic string, expected `"`"#);
}

/// The text of the warning about the permitted differences.
fn permitted(sample: &Sample) -> Result<String, Refusal> {
    let request = frame(sample.body(), &Limits::default()).unwrap();
    let package = request.open(&urls(), &Limits::default(), ManifestMismatch::Warn)?;
    Ok(if package.differences.is_empty() { String::new() } else { package.differences.to_string() })
}

// rule: 13
#[test]
fn all_differences_are_listed_where_they_are_permitted_and_the_manifest_counts() {
    assert_eq!(permitted(&rich()).unwrap(), "");
    let mut sample = rich();
    sample.metadata["deps"][0]["version_req"] = json!("1.0.0");
    sample.metadata["deps"][0]["default_features"] = json!(true);
    sample.metadata["deps"][4]["kind"] = json!("normal");
    sample.metadata["deps"].as_array_mut().unwrap().push(json!({"name": "x", "version_req": "one"}));
    sample.metadata["features"]["std"] = json!(["tls"]);
    sample.metadata["links"] = json!(null);
    sample.metadata["rust_version"] = json!("1.61");
    insta::assert_snapshot!(permitted(&sample).unwrap(), @"the metadata differs from Cargo.toml in the package, and the index has the values of Cargo.toml: correct the program that sent the metadata, or publish with `cargo publish`. The differences: in the metadata, the dependency `x` requires `one`, which is not a version requirement (unexpected character 'o' while parsing major version number): write it as in `1.2` or `>=1.2, <1.5`; the normal dependency `cc` (there is one in the metadata, there is none in Cargo.toml); the requirement of the normal dependency `serde` (`^1.0.0` in the metadata, `^1.0` in Cargo.toml); `default-features` of the normal dependency `serde` (`true` in the metadata, `false` in Cargo.toml); the build dependency `cc` (there is none in the metadata, there is one in Cargo.toml); the feature `std` (`tls` in the metadata, none in Cargo.toml); `links` (nothing in the metadata, `foo-sys` in Cargo.toml); `rust-version` (`1.61` in the metadata, `1.60` in Cargo.toml)");
    let request = frame(sample.body(), &Limits::default()).unwrap();
    let package = request.open(&urls(), &Limits::default(), ManifestMismatch::Warn).unwrap();
    assert_eq!(package.manifest, rich().publish().unwrap().manifest);
    assert!(sample.refusal().contains("in the metadata, the dependency `x` requires `one`"));

    let deps: Vec<_> = (0..40).map(|n| json!({"name": format!("d{n}"), "version_req": "1"})).collect();
    let many = permitted(&Sample::new("").metadata(json!({ "deps": deps }))).unwrap();
    assert!(many.ends_with("; and 20 more") && many.len() < 5000, "{many}");
}

// rule: 13
#[test]
fn the_name_and_the_version_must_agree_in_any_case() {
    let mut sample = Sample::new("");
    sample.manifest = sample.manifest.replace("1.2.3", "1.2.4");
    assert!(permitted(&sample).unwrap_err().to_string().contains("disagree about `version`"));
    let mut sample = Sample::new("");
    sample.manifest = sample.manifest.replace("name = \"foo\"", "name = \"Foo\"");
    assert!(permitted(&sample).unwrap_err().to_string().contains("disagree about `name`"));
}

// rule: 13
#[test]
fn an_empty_text_where_cargo_sends_null_is_null() {
    let here = "{ version = \"1\", registry-index = \"https://crates.example.com/git/index\" }";
    Sample::new(&format!("[dependencies]\na = {here}\n"))
        .metadata(json!({
            "links": "", "rust_version": "",
            "deps": [{
                "name": "a", "version_req": "^1", "registry": "", "target": "", "explicit_name_in_toml": "",
                "bindep_target": "",
            }],
        }))
        .publish()
        .unwrap();
    Sample::new("links = \"\"").metadata(json!({ "links": null })).publish().unwrap();
}
