//! `cargo publish`, from the request to the index.

use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use supercargo::package::Limits;

use crate::support::harness::TestRegistry;
use crate::support::package::{Package, frame, tarball};

// protocol: 51, 55
#[test]
fn a_publish_reaches_the_index_and_then_the_database() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let package = Package::new("foo", "1.2.3");
    let answer = ann.publish(&package).good();
    assert_eq!(
        answer.json()["warnings"]["other"][0],
        "`foo@1.2.3` is accepted and queued; the index will show it shortly. Its status: \
         http://registry.test/crates/foo/1.2.3/status"
    );
    assert_eq!(registry.index_file("3/f/foo"), "");
    assert_eq!(ann.get("/api/v1/crates/foo/1.2.3").json()["version"]["state"], "queued");

    assert_eq!(registry.run_jobs(), 1);
    let line: Value = serde_json::from_str(&registry.index_file("3/f/foo")).unwrap();
    assert_eq!(line["vers"], "1.2.3");
    assert_eq!(registry.commits(), ["Publish foo 1.2.3"]);
    assert_eq!(ann.get("/api/v1/crates/foo/1.2.3").json()["version"]["state"], "published");
    assert_eq!(ann.get("/api/v1/crates/foo/1.2.3/download").good().body, package.crate_file());
    assert_eq!(ann.get("/index/3/f/foo").good().text(), registry.index_file("3/f/foo"));
}

// protocol: 44
#[test]
fn versions_stand_in_the_order_of_their_publication() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for version in ["1.0.0", "0.9.0", "2.0.0-rc.1"] {
        ann.publish(&Package::new("foo", version)).good();
    }
    registry.run_jobs();
    let versions: Vec<String> = registry
        .index_file("3/f/foo")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["vers"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(versions, ["1.0.0", "0.9.0", "2.0.0-rc.1"]);
}

#[test]
fn thirty_publishes_are_one_move_of_the_branch_and_a_commit_each() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for number in 0..30 {
        ann.publish(&Package::new(&format!("crate-{number}"), "1.0.0")).good();
    }
    let packs = || std::fs::read_dir(registry.index.path().join("objects/pack")).unwrap().count();
    let before = packs();
    assert_eq!(registry.run_jobs(), 30);
    assert_eq!(registry.commits().len(), 30);
    // A pack and its index.
    assert_eq!(packs() - before, 2);
}

// protocol: 41, 42, 56
// rule: 5, 19
#[test]
fn a_version_is_published_once() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let package = Package::new("foo", "1.0.0+one");
    ann.publish(&package).good();
    let refused = ann.publish(&package);
    assert_eq!(refused.status, StatusCode::CONFLICT);
    insta::assert_snapshot!(refused.detail(), @"crate version `foo@1.0.0+one` is already uploaded: it is accepted and queued and will appear shortly; do not publish it again. A version is never replaced; publish another number");
    registry.run_jobs();
    insta::assert_snapshot!(ann.publish(&package).detail(), @"crate version `foo@1.0.0+one` is already uploaded: it is published. A version is never replaced; publish another number");
    let other_build = ann.publish(&Package::new("foo", "1.0.0+two"));
    assert_eq!(other_build.status, StatusCode::CONFLICT);
    insta::assert_snapshot!(other_build.detail(), @"crate version `foo@1.0.0+two` is already uploaded (as 1.0.0+one: versions that differ only in build metadata are the same version): it is published. A version is never replaced; publish another number");
    let before = registry.index_file("3/f/foo");
    ann.yank("foo", "1.0.0+one").good();
    registry.run_jobs();
    insta::assert_snapshot!(ann.publish(&package).detail(), @"crate version `foo@1.0.0+one` is already uploaded: it is published and yanked. A version is never replaced; publish another number");
    ann.unyank("foo", "1.0.0+one").good();
    registry.run_jobs();
    assert_eq!(registry.index_file("3/f/foo"), before);
    assert_eq!(ann.get("/api/v1/crates/foo/1.0.0+one/download").good().body, package.crate_file());
}

// rule: 4
// protocol: 58
#[test]
fn the_first_spelling_is_the_name_for_ever() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("Foo-Bar", "1.0.0")).good();
    for other in ["foo-bar", "Foo_Bar", "FOO_BAR"] {
        let refused = ann.publish(&Package::new(other, "1.1.0"));
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.detail().starts_with("the crate is called `Foo-Bar` here"), "{}", refused.detail());
    }
    ann.publish(&Package::new("Foo-Bar", "1.1.0")).good();
    registry.run_jobs();
    assert_eq!(registry.index_file("fo/o-/foo-bar").lines().count(), 2);
}

// rule: 7
#[test]
fn only_owners_publish_and_the_first_publisher_is_one() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    let refused = registry.user("bob").publish(&Package::new("foo", "1.1.0"));
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    insta::assert_snapshot!(refused.detail(), @"`bob` is not an owner of the crate `foo`: ask one of its owners (ann) to add you");
    registry.user("bob").publish(&Package::new("bar", "1.0.0")).good();
    registry.user("ann").publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
}

// rule: 3
// protocol: 33
#[test]
fn reserved_names_are_refused_and_block_nothing() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for name in ["std", "nul", "COM1", "proc-macro", "test"] {
        let refused = ann.publish(&Package::new(name, "1.0.0"));
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{name}");
        assert!(refused.detail().contains(name) && refused.detail().contains("reserved"), "{}", refused.detail());
    }
    assert_eq!(ann.get("/api/v1/crates/std/owners").status, StatusCode::NOT_FOUND);
}

// protocol: 59
#[test]
fn words_of_the_api_are_names_like_any_other() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for name in ["new", "yank", "unyank", "download", "owners", "index", "crates"] {
        ann.publish(&Package::new(name, "1.0.0")).good();
        registry.run_jobs();
        ann.yank(name, "1.0.0").good();
        ann.unyank(name, "1.0.0").good();
        registry.run_jobs();
        ann.get(&format!("/api/v1/crates/{name}/1.0.0/download")).good();
        ann.get(&format!("/api/v1/crates/{name}/owners")).good();
        ann.get(&format!("/api/v1/crates/{name}/1.0.0")).good();
    }
}

/// Sends what is refused, asserts status and texts, and then publishes the same version rightly: nothing blocks it.
fn refused_then_good<'a>(status: StatusCode, cases: impl IntoIterator<Item = (Vec<u8>, &'a str)>) {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for (body, text) in cases {
        let refused = ann.publish_body(body);
        assert_eq!(refused.status, status, "{}", refused.text());
        assert!(refused.detail().contains(text), "{:?} is not in {:?}", text, refused.detail());
        assert_eq!(registry.pending(), 0);
    }
    ann.publish(&Package::new("foo", "1.0.0")).good();
    assert_eq!(registry.run_jobs(), 1);
}

// protocol: 52, 92
// rule: 1
#[test]
fn a_body_that_is_cut_off_or_too_long_is_refused() {
    let whole = Package::new("foo", "1.0.0").body();
    let cut_off = [2, 4, 100, whole.len() - 1].map(|length| (whole[..length].to_vec(), "ends early"));
    let longer = [&whole[..], b"more"].concat();
    let others = [(Vec::new(), "no body"), (longer, "4 bytes follow the .crate file")];
    refused_then_good(StatusCode::BAD_REQUEST, others.into_iter().chain(cut_off));
}

// rule: 1
// protocol: 92
#[test]
fn a_length_that_lies_is_refused_before_anything_is_allocated() {
    let mut body = Package::new("foo", "1.0.0").body();
    body[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    refused_then_good(StatusCode::PAYLOAD_TOO_LARGE, [(body, "4294967295 bytes")]);
}

// rule: 2
// protocol: 54
#[test]
fn a_crate_above_the_limit_is_refused_with_both_numbers() {
    let registry = TestRegistry::with_limits(Limits { max_crate: 5000, ..Limits::default() });
    let ann = registry.user("ann");
    let noise: Vec<u8> = (0..5000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let large = Package::new("foo", "1.0.0").file("noise", &noise);
    let refused = ann.publish(&large);
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(refused.detail().contains("5000 bytes"), "{}", refused.detail());
    assert!(refused.detail().contains(&large.crate_file().len().to_string()), "{}", refused.detail());
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
}

// rule: 2
// protocol: 92
#[test]
fn metadata_that_cannot_be_read_is_refused_naming_the_field() {
    let crate_file = Package::new("foo", "1.0.0").crate_file();
    let cases = [
        (b"nothing".to_vec(), "not JSON"),
        (b"[1]".to_vec(), "must be a JSON object"),
        ("[".repeat(200_000).into_bytes(), "not JSON"),
        (br#"{"vers":"1.0.0"}"#.to_vec(), "name"),
        (br#"{"name":"foo"}"#.to_vec(), "vers"),
        (br#"{"name":"foo","vers":1}"#.to_vec(), "vers"),
        (br#"{"name":"foo","vers":"1.0.0","deps":7}"#.to_vec(), "deps"),
        (br#"{"name":"foo","vers":"1.0.0","description":"\u0000"}"#.to_vec(), ".description"),
        (br#"{"name":"foo","vers":"1.0.0","authors":["a","b\u0000"]}"#.to_vec(), ".authors[1]"),
        (br#"{"name":"foo","vers":"1.0.0","x":{"\u0000":1}}"#.to_vec(), ".x"),
        (br#"{"name":"foo","vers":"1.0.0","x":"\ud800"}"#.to_vec(), "not JSON"),
        (br#"{"name":"foo","vers":"1.0.0","x":1e999999}"#.to_vec(), "not JSON"),
    ];
    let cases = cases.into_iter().map(|(metadata, text)| (frame(&metadata, &crate_file), text));
    refused_then_good(StatusCode::BAD_REQUEST, cases);
}

// rule: 3, 5
// protocol: 58
#[test]
fn names_and_versions_that_cargo_cannot_use_are_refused() {
    let body =
        |name: &str, version: &str| frame(Package::new(name, version).metadata_json().to_string().as_bytes(), b"x");
    let long = "a".repeat(65);
    let names = ["", "1foo", "-foo", "_foo", "foo.bar", "föö", "a b", "foo/bar", &long];
    let names = names.map(|name| (body(name, "1.0.0"), "name"));
    let longest = format!("1.0.0-{}", "a".repeat(150));
    let versions = ["", "1", "1.0", "v1.0.0", "01.0.0", "1.0.0-", &longest];
    let versions = versions.map(|version| (body("foo", version), "version"));
    refused_then_good(StatusCode::BAD_REQUEST, names.into_iter().chain(versions));
}

// rule: 9, 10, 11, 12
// protocol: 60
#[test]
fn a_tarball_that_is_not_what_cargo_packs_is_refused() {
    let metadata = Package::new("foo", "1.0.0").metadata_json().to_string();
    let manifest = b"[package]\nname = \"foo\"\nversion = \"1.0.0\"\nedition = \"2021\"\n";
    let file = |path: &str, content: &'static [u8]| (path.to_owned(), content);
    let cases: [(Vec<u8>, &str); 7] = [
        (b"no gzip".to_vec(), "gzip"),
        (tarball([file("foo-1.0.0/src/lib.rs", b"")]), "Cargo.toml"),
        (tarball([file("foo-1.0.0/Cargo.toml", manifest), file("bar/evil", b"")]), "bar/evil"),
        (tarball([file("foo-1.0.0/Cargo.toml", manifest), file("foo-1.0.0/a", b""), file("foo-1.0.0/A", b"")]), "case"),
        (tarball([file("foo-1.0.0/Cargo.toml", manifest), file("foo-1.0.0/.cargo-ok", b"")]), ".cargo-ok"),
        (tarball([file("foo-1.0.0/Cargo.toml", b"[package")]), "Cargo.toml"),
        (tarball([file("foo-1.0.0/Cargo.toml", b"[package]\nname = \"foo\"\nversion = \"1.0.1\"\n")]), "version"),
    ];
    let cases = cases.into_iter().map(|(crate_file, text)| (frame(metadata.as_bytes(), &crate_file), text));
    refused_then_good(StatusCode::BAD_REQUEST, cases);
}

// rule: 13
// protocol: 61
#[test]
fn metadata_and_manifest_must_agree() {
    let hidden = Package::new("foo", "1.0.0").manifest("[dependencies]\nlog = \"1\"\n");
    let features = Package::new("foo", "1.0.0").metadata("features", json!({"extra": []}));
    let links = Package::new("foo", "1.0.0").metadata("links", json!("z"));
    let cases = [(hidden.body(), "log"), (features.body(), "extra"), (links.body(), "links")];
    refused_then_good(StatusCode::BAD_REQUEST, cases);
}

// rule: 2
#[test]
fn a_crate_may_have_limits_of_its_own_above_and_below_the_registrys() {
    use supercargo::database::catalog::crate_limits::{self, CrateLimits};
    let registry = TestRegistry::with_limits(Limits { max_crate: 5000, ..Limits::default() });
    let ann = registry.user("ann");
    let noise: Vec<u8> = (0..5000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    ann.publish(&Package::new("foo", "1.0.0")).good();
    ann.publish(&Package::new("bar", "1.0.0")).good();
    let set = |name: &str, limits: CrateLimits| {
        let name = name.parse().unwrap();
        registry
            .pool
            .with(|connection| {
                crate_limits::lock(connection, &name).unwrap();
                crate_limits::set(connection, &name, &limits).unwrap();
            })
            .unwrap();
    };
    set("foo", CrateLimits { max_crate_size: Some(100_000), max_features: Some(1), ..CrateLimits::default() });
    set("bar", CrateLimits { max_crate_size: Some(100), ..CrateLimits::default() });
    ann.publish(&Package::new("foo", "1.1.0").file("noise", &noise)).good();
    for (refused, limit) in [
        (ann.publish(&Package::new("baz", "1.0.0").file("noise", &noise)), "the limit of 5000 bytes"),
        (ann.publish(&Package::new("bar", "1.1.0")), "the limit of 100 bytes"),
    ] {
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(refused.detail().contains(limit), "{}", refused.detail());
    }
    let features = Package::new("foo", "1.2.0").manifest("[features]\na = []\nb = []\n");
    let refused = ann.publish(&features.metadata("features", json!({"a": [], "b": []})));
    assert!(refused.detail().contains("2 features, above the limit of 1"), "{}", refused.detail());
    let largest = Package::new("bar", "1.2.0").file("noise", &noise.repeat(6));
    let refused = ann.publish(&largest);
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    registry.run_jobs();
}

#[test]
fn the_same_bytes_may_be_published_under_a_retry_that_was_refused_for_another_reason() {
    let registry = TestRegistry::new();
    let package = Package::new("foo", "1.0.0");
    registry.user("ann").publish(&Package::new("foo", "0.1.0")).good();
    assert_eq!(registry.user("bob").publish(&package).status, StatusCode::FORBIDDEN);
    registry.user("ann").publish(&package).good();
    registry.run_jobs();
}

// protocol: 51, 53
#[test]
fn a_publish_is_answered_where_it_was_sent_with_and_without_a_content_type() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for (version, content_type) in [("1.0.0", None), ("1.1.0", Some("application/octet-stream")), ("1.2.0", Some("x"))]
    {
        let request = Request::put("/api/v1/crates/new").header("authorization", ann.token.as_deref().unwrap());
        let request = content_type.iter().fold(request, |request, value| request.header("content-type", *value));
        ann.send(request.body(Package::new("foo", version).body().into()).unwrap()).good();
    }
    for path in ["/api/v1/crates/new/", "//api/v1/crates/new", "/api/v1/crates//new", "/api/v1/crates/new?x=1"] {
        let answer = ann.request(Method::PUT, path, Package::new("foo", "2.0.0").body());
        assert!(!answer.status.is_redirection(), "{path}: {}", answer.status);
    }
    assert_eq!(registry.run_jobs(), 4);
}

// rule: 2
#[test]
fn limits_of_a_name_apply_from_the_first_publish_on_in_any_spelling() {
    use supercargo::database::catalog::crate_limits::{self, CrateLimits};
    let registry = TestRegistry::with_limits(Limits { max_crate: 5000, ..Limits::default() });
    let ann = registry.user("ann");
    let noise: Vec<u8> = (0..2_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let large = |name: &str, version: &str| Package::new(name, version).file("noise", &noise);
    // Above the size of any body without such a limit, so it is refused while it is read.
    assert_eq!(ann.publish(&large("big-one", "1.0.0")).status, StatusCode::PAYLOAD_TOO_LARGE);
    registry
        .pool
        .with(|connection| {
            let limits =
                CrateLimits { max_crate_size: Some(20_000_000), max_features: Some(1), ..CrateLimits::default() };
            let name = "Big_One".parse().unwrap();
            crate_limits::lock(connection, &name).unwrap();
            crate_limits::set(connection, &name, &limits).unwrap();
        })
        .unwrap();
    let refused = ann.publish(&large("other", "1.0.0"));
    assert!(refused.detail().contains("above the limit of 5000 bytes"), "{}", refused.detail());
    let features = Package::new("big-one", "1.0.0").manifest("[features]\na = []\nb = []\n");
    let refused = ann.publish(&features.metadata("features", json!({"a": [], "b": []})));
    assert!(refused.detail().contains("2 features, above the limit of 1"), "{}", refused.detail());
    ann.publish(&large("big-one", "1.0.0")).good();
    ann.publish(&large("big-one", "1.1.0")).good();
    registry.run_jobs();
}
