//! The rules of `docs/publish-rules.md`, each by its number, over HTTP. After every refusal the same version is published
//! rightly, so a refusal that leaves something behind fails its test.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode};
use futures_util::stream;
use serde_json::{Value, json};
use supercargo::package::policy::{ManifestMismatch, MetadataRules};
use supercargo::package::{Limits, Policy};
use tar::{EntryType, Header};

use crate::support::harness::{BASE_URL, Client, TestRegistry};
use crate::support::package::{Package, frame, tarball};

const MANIFEST: &str =
    "[package]\nname = \"foo\"\nversion = \"1.0.0\"\nedition = \"2021\"\ndescription = \"x\"\nlicense = \"MIT\"\n";
const CRATES_IO: &str = "https://github.com/rust-lang/crates.io-index";

/// The publish of `foo 1.0.0` with another `.crate` file.
fn with_crate(crate_file: &[u8]) -> Vec<u8> {
    frame(Package::new("foo", "1.0.0").metadata_json().to_string().as_bytes(), crate_file)
}

/// The publish of `foo 1.0.0` with this Cargo.toml.
fn with_manifest(manifest: &str) -> Vec<u8> {
    with_crate(&tarball([("foo-1.0.0/Cargo.toml".to_owned(), manifest.as_bytes())]))
}

/// The publish of `foo 1.0.0` with these entries beside Cargo.toml, each with its header as it is.
fn with_entries(entries: &[(Header, &[u8])]) -> Vec<u8> {
    with_crate(&gzip(&tar(
        &[&[(header("foo-1.0.0/Cargo.toml", MANIFEST.len()), MANIFEST.as_bytes())], entries].concat()
    )))
}

/// An entry whose path is written as it is, however wrong.
fn header(path: &str, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_size(size as u64);
    header.set_cksum();
    header
}

fn tar(entries: &[(Header, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    entries.iter().for_each(|(header, content)| archive.append(header, *content).unwrap());
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

/// A dependency as the metadata has it; `fields` is an object.
fn dependency(name: &str, requirement: &str, fields: Value) -> Value {
    let mut dependency = json!({
        "name": name, "version_req": requirement, "features": [], "optional": false, "default_features": true,
        "target": null, "kind": "normal", "registry": CRATES_IO, "explicit_name_in_toml": null,
    });
    for (field, value) in fields.as_object().unwrap() {
        dependency[field] = value.clone();
    }
    dependency
}

/// `foo 1.0.0` with these dependencies in both places.
fn depending(manifest: &str, dependencies: &[Value]) -> Package {
    Package::new("foo", "1.0.0").manifest(manifest).metadata("deps", json!(dependencies))
}

/// A login that no other test has. The row of a login that several create is waited for until the first test ends.
fn login(registry: &TestRegistry) -> String {
    let directory = registry.directory.path().file_name().unwrap().to_str().unwrap();
    format!("user-{}", directory.trim_start_matches('.'))
}

fn publisher(registry: &TestRegistry) -> Client<'_> {
    registry.user(&login(registry))
}

/// Asserts that a publish is refused with a text, and that it leaves nothing.
fn refused(registry: &TestRegistry, body: Vec<u8>, status: StatusCode, text: &str) {
    let answer = publisher(registry).publish_body(body);
    assert_eq!(answer.status, status, "{text}: {}", answer.text());
    assert!(answer.detail().contains(text), "{text:?} is not in {:?}", answer.detail());
    assert_eq!(registry.pending(), 0, "{text}");
}

fn wrong(registry: &TestRegistry, body: Vec<u8>, text: &str) {
    refused(registry, body, StatusCode::BAD_REQUEST, text);
}

/// Publishes a package into the index; answers the line and the warnings, without the one that it is queued.
fn accepted(registry: &TestRegistry, package: &Package) -> (Value, Vec<String>) {
    let answer = publisher(registry).publish(package).good().json();
    registry.run_jobs();
    let path = supercargo::package::index_path::index_path(&package.name.parse().unwrap());
    let line = registry.index_file(&path).lines().last().map(|line| serde_json::from_str(line).unwrap()).unwrap();
    assert_eq!(answer["warnings"]["invalid_categories"], json!([]));
    let warnings = answer["warnings"]["other"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned());
    (line, warnings.filter(|warning| !warning.contains("accepted and queued")).collect())
}

fn good(registry: &TestRegistry) {
    assert_eq!(accepted(registry, &Package::new("foo", "1.0.0")).1, [""; 0]);
}

// rule: 1
// protocol: 52, 92
#[test]
fn rule_1_the_body_is_as_long_as_its_lengths_say() {
    let registry = TestRegistry::new();
    let whole = Package::new("foo", "1.0.0").body();
    let json = u32::from_le_bytes(whole[..4].try_into().unwrap()) as usize;
    wrong(&registry, Vec::new(), "no body");
    for length in [1, 4, 4 + json / 2, 4 + json, 4 + json + 3, whole.len() - 1] {
        wrong(&registry, whole[..length].to_vec(), "ends early");
    }
    wrong(&registry, [&whole[..], b"x"].concat(), "1 bytes follow the .crate file");
    let mut lying = whole.clone();
    lying[4 + json..8 + json].copy_from_slice(&9_000_000_u32.to_le_bytes());
    wrong(&registry, lying, "needs 9000000 bytes");
    for at in [0, 4 + json] {
        let mut lying = whole.clone();
        lying[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        refused(&registry, lying, StatusCode::PAYLOAD_TOO_LARGE, "4294967295 bytes");
    }
    good(&registry);
}

/// A body in pieces of 64 KiB that counts what was asked of it, and has no end.
fn endless(read: &Arc<AtomicUsize>) -> Body {
    let read = Arc::clone(read);
    Body::from_stream(stream::repeat_with(move || {
        let chunk = Bytes::from_static(&[b'x'; 64 * 1024]);
        read.fetch_add(chunk.len(), Ordering::SeqCst);
        Ok::<_, std::io::Error>(chunk)
    }))
}

// rule: 2
// protocol: 54, 92, 93
#[test]
fn rule_2_sizes_have_limits_and_the_metadata_is_json_with_its_fields() {
    let registry = TestRegistry::with_limits(Limits { max_crate: 20_000, max_metadata: 5_000, ..Limits::default() });
    let ann = publisher(&registry);
    let readme = Package::new("foo", "1.0.0").metadata("readme", json!("x".repeat(6_000)));
    refused(&registry, readme.body(), StatusCode::PAYLOAD_TOO_LARGE, "above the limit of 5000 bytes");
    let large = Package::new("foo", "1.0.0").file("large", &[b'x'; 19_000]);
    let size = format!("has {} bytes, above the limit of 20000 bytes", large.crate_file().len());
    refused(&registry, large.body(), StatusCode::PAYLOAD_TOO_LARGE, &size);

    // What a header tells is refused by it, and a client that asked first is not read at all.
    let read = Arc::new(AtomicUsize::new(0));
    let request = |headers: &[(&str, &str)]| {
        let request = Request::builder().method(Method::PUT).uri("/api/v1/crates/new");
        let request = request.header("authorization", ann.token.as_deref().unwrap());
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    };
    let declared = request(&[("content-length", "25009"), ("expect", "100-continue")]).body(endless(&read)).unwrap();
    let answer = ann.send(declared);
    assert_eq!((answer.status, read.load(Ordering::SeqCst)), (StatusCode::PAYLOAD_TOO_LARGE, 0));
    assert!(answer.detail().contains("25009 bytes, above the limit of 20000"), "{}", answer.detail());
    // What comes in chunks is refused where it passes the limit; the rest is heard and thrown away, but not for ever.
    let answer = ann.send(request(&[]).body(endless(&read)).unwrap());
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.detail().contains("more than 25008 bytes"), "{}", answer.detail());
    assert!(read.load(Ordering::SeqCst) < 300 << 20);

    let crate_file = Package::new("foo", "1.0.0").crate_file();
    for (json, text) in [
        ("{", "not JSON"),
        ("\u{feff}{}", "not JSON"),
        ("[]", "must be a JSON object"),
        (r#"{"vers":"1.0.0"}"#, "missing field `name`"),
        (r#"{"name":"foo"}"#, "missing field `vers`"),
        (r#"{"name":"foo","vers":"1.0.0","deps":[{"name":"a"}]}"#, "`deps[0]`: missing field `version_req`"),
        (r#"{"name":"foo","vers":"1.0.0","keywords":"a"}"#, "`keywords`"),
        (&"[".repeat(4_000), "not JSON: recursion limit"),
        (&r#"{"a":"#.repeat(900), "not JSON: recursion limit"),
    ] {
        wrong(&registry, frame(json.as_bytes(), &crate_file), text);
    }
    good(&registry);
}

// rule: 3
// protocol: 33, 58
#[test]
fn rule_3_a_name_is_one_that_every_file_system_and_cargo_can_use() {
    let registry = TestRegistry::new();
    let long = "a".repeat(65);
    for name in ["", "1foo", "-foo", "_foo", "foo.bar", "foo::bar", "föö", "a b", "foo/bar", "../foo", &long] {
        let metadata = Package::new(name, "1.0.0").metadata_json().to_string();
        wrong(&registry, frame(metadata.as_bytes(), b"x"), "the crate name");
    }
    for name in ["std", "core", "alloc", "test", "proc_macro", "Proc-Macro", "nul", "CON", "aux", "prn", "com1", "LPT9"]
    {
        wrong(&registry, Package::new(name, "1.0.0").body(), "reserved");
    }
    for name in ["a", "B2", "x-y_z", &long[..64]] {
        assert_eq!(accepted(&registry, &Package::new(name, "1.0.0")).0["name"], name);
    }
}

// rule: 4
// protocol: 58
#[test]
fn rule_4_two_spellings_are_one_name_and_the_first_is_kept() {
    let registry = TestRegistry::new();
    accepted(&registry, &Package::new("Foo-Bar_x", "1.0.0"));
    for other in ["foo-bar-x", "Foo_Bar_x", "FOO-BAR_X"] {
        wrong(&registry, Package::new(other, "1.1.0").body(), "the crate is called `Foo-Bar_x` here");
    }
    accepted(&registry, &Package::new("Foo-Bar_x", "1.1.0"));
}

// rule: 5
// protocol: 41
#[test]
fn rule_5_a_version_is_semver_and_its_build_metadata_makes_no_other() {
    let registry = TestRegistry::new();
    let long = format!("1.0.0-{}", "a".repeat(145));
    for version in ["", "1", "1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", " 1.0.0", &long] {
        let metadata = Package::new("foo", version).metadata_json().to_string();
        wrong(&registry, frame(metadata.as_bytes(), b"x"), "the version");
    }
    for version in [&long[..150], "1.0.0+build", "1.0.0-rc.1"] {
        assert_eq!(accepted(&registry, &Package::new("foo", version)).0["vers"], version);
    }
    for version in ["1.0.0", "1.0.0+other"] {
        refused(&registry, Package::new("foo", version).body(), StatusCode::CONFLICT, "(as 1.0.0+build:");
    }
}

// rule: 6
#[test]
fn rule_6_without_a_token_nothing_is_learnt_about_the_package_or_the_registry() {
    let registry = TestRegistry::new();
    accepted(&registry, &Package::new("taken", "1.0.0"));
    let mut stranger = registry.anonymous();
    for (token, status) in [(None, StatusCode::UNAUTHORIZED), (Some("unknown"), StatusCode::FORBIDDEN)] {
        stranger.token = token.map(str::to_owned);
        let bodies = [Package::new("taken", "1.0.0").body(), Package::new("foo", "1.0.0").body(), b"nothing".to_vec()];
        let answers = bodies.map(|body| stranger.publish_body(body));
        assert!(answers.iter().all(|answer| answer.status == status));
        assert!(answers.iter().all(|answer| answer.text() == answers[0].text()), "{answers:?}");
    }
    good(&registry);
}

// rule: 7
#[test]
fn rule_7_only_an_owner_publishes_to_a_crate_that_exists() {
    let registry = TestRegistry::new();
    let owner = format!("owner-{}", login(&registry));
    registry.user(&owner).publish(&Package::new("foo", "0.1.0")).good();
    registry.run_jobs();
    let ask = format!("ask one of its owners ({owner})");
    refused(&registry, Package::new("foo", "1.0.0").body(), StatusCode::FORBIDDEN, &ask);
    registry.user(&owner).publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
}

// rule: 9
// protocol: 60, 94
#[test]
fn rule_9_the_archive_is_whole_within_its_limits_and_says_its_sizes_once() {
    let registry = TestRegistry::with_limits(Limits { max_unpacked: 1 << 20, max_entries: 20, ..Limits::default() });
    let sound = Package::new("foo", "1.0.0").crate_file();
    for (crate_file, text) in [
        (Vec::new(), "not a complete gzipped tar archive"),
        (b"no gzip".to_vec(), "not a complete gzipped tar archive"),
        (gzip(b"no tar"), "not a complete gzipped tar archive"),
        (sound[..sound.len() - 9].to_vec(), "not a complete gzipped tar archive"),
        ([&sound[..], &sound[..]].concat(), "continues after the end of its gzip stream"),
    ] {
        wrong(&registry, with_crate(&crate_file), text);
    }
    let zeros = vec![0; 16 << 20];
    wrong(&registry, with_entries(&[(header("foo-1.0.0/zeros", zeros.len()), &zeros)]), "unpacks to more than 1 MiB");
    let many: Vec<_> = (0..20).map(|n| (header(&format!("foo-1.0.0/{n}"), 0), &b""[..])).collect();
    wrong(&registry, with_entries(&many), "more than 20 entries");
    wrong(&registry, with_entries(&[(header("foo-1.0.0/short", 3_000_000), b"abc")]), "not a complete");
    let mut pax = header("pax", 9);
    pax.set_entry_type(EntryType::XHeader);
    pax.set_cksum();
    wrong(
        &registry,
        with_entries(&[(pax, b"9 size=4\n"), (header("foo-1.0.0/a", 3), b"abc")]),
        "pax size that differs",
    );
    good(&registry);
}

// rule: 10
// protocol: 60
#[test]
fn rule_10_every_entry_is_a_file_or_directory_at_a_plain_path_under_the_package() {
    let registry = TestRegistry::new();
    for path in [
        "bar-1.0.0/a",
        "foo-1.0.00/a",
        "Foo-1.0.0/a",
        "/foo-1.0.0/a",
        "foo-1.0.0/../a",
        "foo-1.0.0/./a",
        "foo-1.0.0//a",
        "foo-1.0.0/a\\b",
        "foo-1.0.0/.cargo-ok",
    ] {
        wrong(&registry, with_entries(&[(header(path, 0), b"")]), path);
    }
    let mut latin_1 = header("foo-1.0.0/a", 0);
    latin_1.as_old_mut().name[10] = 0xe4;
    latin_1.set_cksum();
    wrong(&registry, with_entries(&[(latin_1, b"")]), "is not UTF-8");
    for kind in
        [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo, EntryType::GNUSparse]
    {
        let mut other = header("foo-1.0.0/a", 0);
        other.set_entry_type(kind);
        other.set_link_name("Cargo.toml").unwrap();
        other.set_cksum();
        wrong(&registry, with_entries(&[(other, b"")]), "foo-1.0.0/a");
    }
    good(&registry);
}

// rule: 11
#[test]
fn rule_11_no_two_entries_share_a_path_on_any_file_system() {
    let registry = TestRegistry::new();
    for (first, second) in [("a", "a"), ("a", "A"), ("é", "É"), ("d", "d/e"), ("D", "d/e"), ("cargo.toml", "b")] {
        let path = |name: &str| header(&format!("foo-1.0.0/{name}"), 0);
        wrong(&registry, with_entries(&[(path(first), b""), (path(second), b"")]), "contains both");
    }
    good(&registry);
}

// rule: 12
// protocol: 60
#[test]
fn rule_12_there_is_one_manifest_as_cargo_packs_it() {
    let registry = TestRegistry::new();
    let none = tarball([("foo-1.0.0/cargo.toml".to_owned(), MANIFEST.as_bytes())]);
    wrong(&registry, with_crate(&none), "contains no `foo-1.0.0/Cargo.toml`");
    wrong(&registry, with_entries(&[(header("foo-1.0.0/Cargo.toml", 0), b"")]), "the same path");
    for (manifest, text) in [
        ("[package".to_owned(), "cannot be read"),
        ("[workspace]\n".to_owned(), "no `[package]`"),
        ("[package]\nversion = \"1.0.0\"\n".to_owned(), "no `package.name`"),
        ("[package]\nname = \"foo\"\n".to_owned(), "no `package.version`"),
        (MANIFEST.replace("license = \"MIT\"", "license.workspace = true"), "inherits `package.license`"),
        (format!("{MANIFEST}[dependencies]\na.workspace = true\n"), "inherits `dependencies.a`"),
        (format!("{MANIFEST}[patch.crates-io]\na = {{ path = \"a\" }}\n"), "`[patch]`"),
        (format!("{MANIFEST}[dependencies]\na = {{ path = \"a\" }}\n"), "has no version"),
        (format!("{MANIFEST}x = {}{}", "[".repeat(50_000), "]".repeat(50_000)), "recursion"),
    ] {
        wrong(&registry, with_manifest(&manifest), text);
    }
    good(&registry);
}

/// `foo 1.0.0` with something in every field that both sides have.
fn agreeing() -> Package {
    depending(
        "links = \"z\"\nrust-version = \"1.60\"\n[features]\nextra = [\"dep:log\"]\n[target.'cfg(unix)'.dependencies.log]\n\
         version = \"1\"\noptional = true\ndefault-features = false\nfeatures = [\"std\"]\n[build-dependencies.short]\n\
         package = \"cc\"\nversion = \"1\"\n",
        &[
            dependency(
                "log",
                "^1",
                json!({"optional": true, "default_features": false, "features": ["std"], "target": "cfg(unix)"}),
            ),
            dependency("cc", "^1", json!({"kind": "build", "explicit_name_in_toml": "short"})),
        ],
    )
    .metadata("features", json!({"extra": ["dep:log"]}))
    .metadata("links", json!("z"))
    .metadata("rust_version", json!("1.60"))
}

// rule: 13
// protocol: 61
#[test]
fn rule_13_metadata_and_manifest_say_the_same() {
    let registry = TestRegistry::new();
    for (path, value, field) in [
        ("/vers", json!("1.0.0+x"), "1.0.0+x"),
        ("/deps/0/name", json!("slog"), "`slog`"),
        ("/deps/0/version_req", json!("^1.1"), "the requirement of the normal dependency `log`"),
        ("/deps/0/kind", json!("build"), "dependency `log`"),
        ("/deps/0/target", json!("cfg(windows)"), "dependency `log`"),
        ("/deps/0/optional", json!(false), "`optional` of the normal dependency `log`"),
        ("/deps/0/default_features", json!(true), "`default-features` of the normal dependency `log`"),
        ("/deps/0/features", json!([]), "the features of the normal dependency `log`"),
        ("/deps/0/registry", json!(null), "the registry of the normal dependency `log`"),
        ("/deps/1/explicit_name_in_toml", json!("long"), "dependency `long`"),
        ("/deps", json!([]), "dependency"),
        ("/features", json!({}), "the names of the features"),
        ("/features/extra", json!([]), "the feature `extra`"),
        ("/links", json!(null), "`links`"),
        ("/rust_version", json!("1.61"), "`rust-version`"),
    ] {
        let package = agreeing();
        let mut metadata = package.metadata_json();
        *metadata.pointer_mut(path).unwrap() = value;
        wrong(&registry, frame(metadata.to_string().as_bytes(), &package.crate_file()), field);
    }
    let mut other_name = agreeing().metadata_json();
    other_name["name"] = json!("bar");
    wrong(&registry, frame(other_name.to_string().as_bytes(), &agreeing().crate_file()), "must lie under `bar-1.0.0/`");
    // The manifest decides also about what the metadata leaves out, and nothing else of the metadata has to agree.
    let mut silent = agreeing().metadata("description", json!(null)).metadata("license", json!("other"));
    silent.metadata.as_object_mut().unwrap().remove("rust_version");
    assert_eq!(accepted(&registry, &silent).0["rust_version"], "1.60");
}

// rule: 14
#[test]
fn rule_14_the_manifest_says_what_is_asked_for_and_says_it_rightly() {
    let registry = TestRegistry::new();
    let without = |lines: &[&str]| lines.iter().fold(MANIFEST.to_owned(), |text, line| text.replace(line, ""));
    let (description, license) = ("description = \"x\"\n", "license = \"MIT\"\n");
    wrong(&registry, with_manifest(&without(&[description])), "requires (`description`):");
    wrong(&registry, with_manifest(&without(&[license])), "requires (`license` (or `license-file`)):");
    wrong(&registry, with_manifest(&without(&[description, license])), "`description`, `license` (or `license-file`)");
    for (line, text) in [
        (format!("description = \"{}\"", "x".repeat(1001)), "1001 characters"),
        ("license = \"Our Own\"".to_owned(), "`Our Own` is not an SPDX expression"),
    ] {
        let field = line.split(' ').next().unwrap();
        let old = if field == "license" { license } else { description };
        wrong(&registry, with_manifest(&MANIFEST.replace(old, &format!("{line}\n"))), text);
    }
    for (line, text) in [
        ("homepage = \"ftp://a.example\"", "`homepage` is `ftp://a.example`"),
        ("documentation = \"docs\"", "`documentation` is `docs`"),
        ("repository = \"javascript:alert(1)\"", "`repository` is"),
        ("keywords = [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"]", "6 keywords"),
        ("keywords = [\"-a\"]", "the keyword `-a`"),
        ("keywords = [\"abcdefghijklmnopqrstu\"]", "the keyword `abcdefghijklmnopqrstu`"),
        ("categories = [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"]", "6 categories"),
        ("categories = [\"Our Own\"]", "the category `Our Own` is not well-formed"),
        ("categories = [\"\"]", "the category `` is not well-formed"),
    ] {
        wrong(&registry, with_manifest(&format!("{MANIFEST}{line}\n")), text);
    }
    // Advice is no refusal.
    let package = Package::new("foo", "1.0.0").manifest("categories = [\"algorithms\", \"in-house\"]\n");
    insta::assert_snapshot!(accepted(&registry, &package).1.join("\n"), @"crates.io has no category `in-house`: its categories are listed at https://crates.io/category_slugs");
}

// rule: 14
#[test]
fn rule_14_what_a_manifest_has_to_say_is_the_operators_choice() {
    let bare = || {
        let manifest = MANIFEST.replace("description = \"x\"\n", "").replace("license = \"MIT\"\n", "");
        with_manifest(&manifest)
    };
    for (required, missing) in [("readme,rust-version", Some("`readme`, `rust-version`")), ("none", None)] {
        let policy = Policy { required_metadata: required.parse().unwrap(), ..Policy::default() };
        // Another registry in one test would wait for the rows of this one.
        let registry = TestRegistry::with_policy(policy);
        match missing {
            Some(missing) => wrong(&registry, bare(), missing),
            None => drop(publisher(&registry).publish_body(bare()).good()),
        }
        registry.run_jobs();
    }
}

// rule: 14
#[test]
fn rule_14_what_has_a_wrong_form_is_published_with_warnings_where_the_operator_permits() {
    let registry = TestRegistry::with_policy(Policy { metadata_rules: MetadataRules::Warn, ..Policy::default() });
    wrong(&registry, with_manifest(&format!("{MANIFEST}homepage = \"javascript:alert(1)\"\n")), "`homepage` is");
    let rest = "homepage = \"go/wiki\"\nrepository = \"git@git.example:x.git\"\ncategories = [\"In House\"]\n\
                keywords = [\"a\", \"b\", \"c\", \"d\", \"e\", \"two words\"]\n";
    let manifest = format!("{}{rest}", MANIFEST.replace("\"MIT\"", "\"UNLICENSED\""));
    let answer = publisher(&registry).publish_body(with_manifest(&manifest)).good();
    let warnings: Vec<String> = serde_json::from_value(answer.json()["warnings"]["other"].clone()).unwrap();
    // The last one says that the version is queued.
    assert_eq!(warnings.len(), 7, "{warnings:#?}");
    for (warning, text) in warnings.iter().zip(["`go/wiki`", "`git@git", "`UNLICENSED`", "6 keywords", "`two", "`In H"])
    {
        assert!(warning.contains(text), "{text}: {warning}");
    }
    registry.run_jobs();
    let told = registry.anonymous().get("/api/v1/crates/foo").good().json();
    assert_eq!(told["crate"]["repository"], "git@git.example:x.git");
    assert_eq!(told["crate"]["keywords"], json!(["a", "b", "c", "d", "e"]));
}

// rule: 13
#[test]
fn rule_13_another_program_may_differ_where_the_operator_permits_and_the_index_has_the_manifest() {
    let registry = TestRegistry::with_policy(Policy { manifest_mismatch: ManifestMismatch::Warn, ..Policy::default() });
    let sent = dependency("log", "0.4.20", json!({"default_features": false}));
    let package = depending("[dependencies]\nlog = \"=0.4.20\"\n", &[sent]);
    let (line, warnings) = accepted(&registry, &package);
    assert_eq!(
        line["deps"][0],
        json!({
            "name": "log", "req": "=0.4.20", "features": [], "optional": false, "default_features": true, "target": null,
            "kind": "normal", "registry": CRATES_IO,
        })
    );
    insta::assert_snapshot!(warnings.join("\n"), @"the metadata differs from Cargo.toml in the package, and the index has the values of Cargo.toml: correct the program that sent the metadata, or publish with `cargo publish`. The differences: the requirement of the normal dependency `log` (`^0.4.20` in the metadata, `=0.4.20` in Cargo.toml); `default-features` of the normal dependency `log` (`false` in the metadata, `true` in Cargo.toml)");
    let mut renamed = package;
    renamed.version = "1.1.0".to_owned();
    let body = frame(renamed.metadata("vers", json!("1.1.1")).metadata_json().to_string().as_bytes(), &tarball([]));
    assert_eq!(publisher(&registry).publish_body(body).status, StatusCode::BAD_REQUEST);
}

// rule: 15
// protocol: 43
#[test]
fn rule_15_features_refer_to_what_exists_and_are_not_too_many() {
    let registry = TestRegistry::new();
    let package = |features: &str, metadata: Value| {
        let manifest = format!(
            "[dependencies]\nfixed = \"1\"\nopt = {{ version = \"1\", optional = true }}\n[features]\n{features}"
        );
        let deps = [dependency("fixed", "^1", json!({})), dependency("opt", "^1", json!({"optional": true}))];
        depending(&manifest, &deps).metadata("features", metadata)
    };
    for (value, text) in [
        ("nothing", "neither a feature nor a dependency"),
        ("dep:nothing", "neither a feature nor a dependency"),
        ("nothing/x", "neither a feature nor a dependency"),
        ("nothing?/x", "neither a feature nor a dependency"),
        ("fixed", "not optional"),
        ("dep:fixed", "not optional"),
        ("fixed?/x", "not optional"),
        ("dep:opt/x", "not of the form"),
    ] {
        wrong(&registry, package(&format!("a = [\"{value}\"]\n"), json!({"a": [value]})).body(), text);
    }
    wrong(&registry, package("\"a b\" = []\n", json!({"a b": []})).body(), "cannot be read");
    let many = |count: usize| {
        let names: Vec<_> = (0..count).map(|n| format!("f{n}")).collect();
        let lines: String = names.iter().map(|name| format!("{name} = []\n")).collect();
        (lines, names.into_iter().map(|name| (name, json!([]))).collect::<serde_json::Map<_, _>>())
    };
    let (lines, metadata) = many(301);
    wrong(&registry, package(&lines, Value::Object(metadata)).body(), "301 features, above the limit of 300");
    let values = vec!["opt"; 301];
    let line = format!("a = {values:?}\n");
    wrong(&registry, package(&line, json!({"a": values})).body(), "includes 301 others, above the limit of 300");
    let (lines, mut metadata) = many(299);
    metadata.insert("a".to_owned(), json!(["opt", "dep:opt", "fixed/x", "opt?/x"]));
    metadata["a"].as_array_mut().unwrap().remove(0);
    let whole = package(&format!("{lines}a = [\"dep:opt\", \"fixed/x\", \"opt?/x\"]\n"), Value::Object(metadata));
    let line = accepted(&registry, &whole).0;
    assert_eq!((&line["v"], &line["features2"]), (&json!(2), &json!({"a": ["dep:opt", "fixed/x", "opt?/x"]})));
}

/// `foo 1.0.0` with one dependency.
fn logging(line: &str, requirement: &str, fields: Value) -> Package {
    depending(&format!("[dependencies]\nlog = {line}\n"), &[dependency("log", requirement, fields)])
}

/// `foo 1.0.0` with a dependency of another registry.
fn elsewhere() -> Package {
    let line = "{ version = \"1\", registry-index = \"https://a.example/index\" }";
    logging(line, "^1", json!({"registry": "https://a.example/index"}))
}

// rule: 16
// protocol: 36, 43, 80
#[test]
fn rule_16_dependencies_can_be_read_back_and_come_from_where_they_may() {
    let registry = TestRegistry::new();
    wrong(&registry, logging("\"one\"", "one", json!({})).body(), "not a version requirement");
    wrong(&registry, logging("\"*\"", "*", json!({})).body(), "requires `*`");
    let target = "[target.'cfg(unix'.dependencies]\nlog = \"1\"\n";
    wrong(&registry, depending(target, &[dependency("log", "1", json!({"target": "cfg(unix"}))]).body(), "`cfg(unix`");
    let lines: String = (0..501).map(|n| format!("d{n} = \"1\"\n")).collect();
    let many: Vec<_> = (0..501).map(|n| dependency(&format!("d{n}"), "^1", json!({}))).collect();
    let many = depending(&format!("[dependencies]\n{lines}"), &many);
    wrong(&registry, many.body(), "501 dependencies, above the limit of 500");

    // What is written differently is stored in one form, and every URL of this registry is none.
    for (version, url) in [("0.1.0", format!("sparse+{BASE_URL}/index/")), ("0.2.0", format!("{BASE_URL}/git/index/"))]
    {
        let mut package = depending(
            &format!(
                "[target.'cfg( any(unix,windows) )'.dependencies]\nlog = {{ version = \" 1.2\", registry-index = \"{url}\" }}\n"
            ),
            &[dependency("log", "^1.2", json!({"registry": url, "target": "cfg(any(unix, windows))"}))],
        );
        package.version = version.to_owned();
        let (line, warnings) = accepted(&registry, &package);
        insta::allow_duplicates! {
            insta::assert_snapshot!(line["deps"][0], @r#"{"name":"log","req":"^1.2","features":[],"optional":false,"default_features":true,"target":"cfg(any(unix, windows))","kind":"normal"}"#);
            insta::assert_snapshot!(warnings.join("\n"), @"this registry has no crate named `log`, which the package depends on: builds that need it fail until it is published here");
        }
    }
    assert_eq!(accepted(&registry, &elsewhere()).0["deps"][0]["registry"], "https://a.example/index");
}

// rule: 16
#[test]
fn rule_16_what_dependencies_may_be_is_the_operators_choice() {
    let policy = Policy {
        allow_wildcard_dependencies: true,
        allowed_registries: "crates-io".parse().unwrap(),
        require_known_dependencies: true,
        ..Policy::default()
    };
    let registry = TestRegistry::with_policy(policy);
    wrong(&registry, elsewhere().body(), "comes from the registry `https://a.example/index`");
    let here = json!({"registry": null});
    let line = format!("{{ version = \"1\", registry-index = \"sparse+{BASE_URL}/index/\" }}");
    wrong(&registry, logging(&line, "^1", here.clone()).body(), "no crate named `log`");
    accepted(&registry, &Package::new("Log", "0.1.0"));
    wrong(&registry, logging(&line, "^1", here.clone()).body(), "no crate named `log` (it is called `Log` here)");
    // Known is a crate of whichever version, and known from the start is the package itself.
    let known = depending(
        &format!("[dependencies]\nLog = {line}\nother = \"*\"\n[dev-dependencies]\nfoo = {line}\n"),
        &[
            dependency("Log", "^1", here.clone()),
            dependency("other", "*", json!({})),
            dependency("foo", "^1", json!({"registry": null, "kind": "dev"})),
        ],
    );
    assert_eq!(accepted(&registry, &known).1, [""; 0]);
}

// rule: 17
// protocol: 39, 40
#[test]
fn rule_17_links_is_one_text_and_rust_version_is_one_that_cargo_takes() {
    let registry = TestRegistry::new();
    wrong(&registry, with_manifest(&format!("{MANIFEST}links = [\"y\", \"z\"]\n")), "cannot be read");
    for wrong_version in ["^1.60", "1.60-nightly", "1.x", "stable", "1.60.0.0", ""] {
        wrong(&registry, with_manifest(&format!("{MANIFEST}rust-version = \"{wrong_version}\"\n")), "cannot be read");
    }
    let line = accepted(&registry, &agreeing()).0;
    assert_eq!((&line["links"], &line["rust_version"]), (&json!("z"), &json!("1.60")));
}

// rule: 19
// protocol: 56
#[test]
fn rule_19_who_sends_a_version_again_is_told_in_which_state_it_is() {
    let registry = TestRegistry::new();
    let ann = publisher(&registry);
    let package = Package::new("foo", "1.0.0");
    ann.publish(&package).good();
    let again = |state: &str| {
        let answer = ann.publish(&package);
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert!(answer.detail().contains(&format!("is already uploaded: {state}.")), "{}", answer.detail());
    };
    again("it is accepted and queued and will appear shortly; do not publish it again");
    registry.run_jobs();
    let (index, file) = (registry.index_file("3/f/foo"), "/api/v1/crates/foo/1.0.0/download");
    again("it is published");
    refused(&registry, package.clone().file("other", b"").body(), StatusCode::CONFLICT, "it is published");
    ann.yank("foo", "1.0.0").good();
    registry.run_jobs();
    again("it is published and yanked");
    ann.unyank("foo", "1.0.0").good();
    registry.run_jobs();
    assert_eq!((registry.index_file("3/f/foo"), ann.get(file).good().body), (index, package.crate_file()));
}
