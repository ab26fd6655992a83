//! Imports end with an index that cargo can use: the line comes from the manifest, and what was not taken is named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use diesel::prelude::*;
use serde_json::{Value, json};
use supercargo::crate_store::CrateStore;
use supercargo::database::access::audit::Actor;
use supercargo::import::{Import, Selection, Source, Summary, all, named_crates};
use supercargo::index::entry::registries::{CratesIo, Registries};
use supercargo::package::RegistryUrls;
use supercargo::package::index_path::index_path;
use supercargo::upstream::Upstream;

use crate::support::harness::TestRegistry;
use crate::support::other_registry::OtherRegistry;
use crate::support::package::{Package, tarball};

const CRATES_IO: &str = "https://github.com/rust-lang/crates.io-index";

fn source(url: &str) -> Source {
    Source::open(url, Upstream::anonymous(), Path::new("git")).unwrap()
}

fn import_as(
    registry: &TestRegistry,
    mut source: Source,
    selection: impl FnOnce(&Source) -> Selection,
    registries: Registries,
) -> Summary {
    let crate_store = CrateStore::attach(&registry.directory.path().join("crates")).unwrap();
    let selection = selection(&source);
    let import = Import {
        pool: &registry.pool,
        crate_store: &crate_store,
        dl: source.config(None).unwrap().dl,
        source: &source,
        upstream: &Upstream::anonymous(),
        registries,
        owners: &[],
        actor: &Actor::operator("op@host".to_owned()),
        concurrency: 1,
        dry_run: false,
        stopped: &|| false,
        progress: &|_| {},
    };
    let summary = import.run(&selection);
    registry.run_jobs();
    summary
}

fn registries(other: &OtherRegistry, crates_io: CratesIo) -> Registries {
    let urls = RegistryUrls::default().with_index(&other.sparse()).with_base(&other.url);
    Registries::Imported { urls, crates_io, from_crates_io: false }
}

/// Imports everything in the git index of the other registry.
fn import(registry: &TestRegistry, other: &OtherRegistry) -> Summary {
    let registries = registries(other, CratesIo::CratesIo);
    import_as(registry, source(&other.git_index()), |source| all(source).unwrap(), registries)
}

fn lines(registry: &TestRegistry, name: &str) -> Vec<Value> {
    let file = registry.index_file(&index_path(&name.parse().unwrap()));
    file.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn healed(summary: &Summary) -> BTreeMap<String, BTreeSet<String>> {
    summary.healed.iter().map(|(part, versions)| (part.to_string(), versions.clone())).collect()
}

/// Each kind of dependency, features of both forms, and every other field of a line.
fn package(version: &str) -> Package {
    let dependency = |name: &str, more: Value| {
        let mut one = json!({
            "name": name, "version_req": "^1", "features": [], "optional": false, "default_features": true,
            "target": null, "kind": "normal", "registry": CRATES_IO,
        });
        more.as_object().unwrap().iter().for_each(|(key, value)| one[key] = value.clone());
        one
    };
    let deps = json!([
        dependency("long-name", json!({ "explicit_name_in_toml": "short", "optional": true })),
        dependency("plain", json!({ "features": ["a"], "default_features": false })),
        dependency("libc", json!({ "target": "cfg(unix)" })),
        dependency("tool", json!({ "kind": "build" })),
    ]);
    let features = json!({ "x": ["dep:short"], "y": ["plain/b"] });
    Package::new("foo", version)
        .manifest(
            "rust-version = \"1.60\"\nlinks = \"z\"\n[dependencies]\n\
             short = { version = \"1\", package = \"long-name\", optional = true }\n\
             plain = { version = \"1\", features = [\"a\"], default-features = false }\n\
             [target.'cfg(unix)'.dependencies]\nlibc = \"1\"\n[build-dependencies]\ntool = \"1\"\n\
             [features]\nx = [\"dep:short\"]\ny = [\"plain/b\"]\n",
        )
        .metadata("deps", deps)
        .metadata("features", features)
        .metadata("links", "z".into())
        .metadata("rust_version", "1.60".into())
}

/// The lines of a publish of these packages.
fn published(packages: &[Package]) -> Vec<Value> {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    packages.iter().for_each(|package| drop(ann.publish(package).good()));
    registry.run_jobs();
    lines(&registry, &packages[0].name)
}

/// How a line of another registry differs from what a publish writes, and the parts that are healed.
type Fault = (fn(&mut Value), &'static [&'static str]);

fn faults() -> Vec<Fault> {
    vec![
        (|_| {}, &[]),
        (|line| line["cksum"] = line["cksum"].as_str().unwrap().to_uppercase().into(), &["checksum"]),
        (|line| line["deps"] = json!([]), &["dependencies"]),
        (|line| drop(line.as_object_mut().unwrap().remove("deps")), &["dependencies"]),
        (
            |line| {
                line["features"] = json!({});
                line["features2"] = Value::Null;
            },
            &["features"],
        ),
        (|line| line["features"] = Value::Null, &["features"]),
        (
            |line| {
                // The rename, and the feature that uses it.
                let short = line["deps"].as_array().unwrap().iter().position(|one| one["name"] == "short").unwrap();
                line["deps"][short]["name"] = "long-name".into();
                line["deps"][short]["package"] = Value::Null;
                line["features2"] = Value::Null;
            },
            &["features", "rename"],
        ),
        (|line| line["rust_version"] = ">=1.60".into(), &["rust-version"]),
        (|line| line["rust_version"] = Value::Null, &["rust-version"]),
        (|line| line["links"] = Value::Null, &["links"]),
        (
            |line| {
                let libc = line["deps"].as_array().unwrap().iter().position(|one| one["name"] == "libc").unwrap();
                line["deps"][libc]["target"] = "cfg(".into();
            },
            &["target"],
        ),
        (
            |line| {
                line["deps"].as_array_mut().unwrap().iter_mut().for_each(|one| one["registry"] = Value::Null);
            },
            &["registry"],
        ),
        (|line| line["deps"][0]["req"] = "^9".into(), &["requirement"]),
        (|line| line["pubtime"] = "2026-08-01T14:34:56.789+02:00".into(), &["pubtime"]),
    ]
}

#[test]
fn an_import_writes_the_line_of_a_publish_whatever_the_other_line_says_and_reports_what_was_healed() {
    let faults = faults();
    let packages: Vec<Package> = (0..faults.len()).map(|number| package(&format!("1.0.{number}"))).collect();
    let (other, mut expected) = (OtherRegistry::new(), published(&packages));
    let mut expected_healed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for ((fault, parts), (package, expected)) in faults.iter().zip(packages.iter().zip(&mut expected)) {
        expected["pubtime"] = "2026-08-01T12:34:56Z".into();
        expected["yanked"] = true.into();
        other.store(package, "");
        let mut line = expected.clone();
        fault(&mut line);
        other.add_line("3/f/foo", &line);
        for part in *parts {
            expected_healed.entry((*part).to_owned()).or_default().insert(format!("foo {}", package.version));
        }
    }
    let registry = TestRegistry::new();
    let summary = import(&registry, &other);
    assert_eq!((summary.imported, &summary.failed), (faults.len() as u64, &BTreeMap::new()));
    assert_eq!(lines(&registry, "foo"), expected);
    assert_eq!(healed(&summary), expected_healed);
    assert_eq!((&summary.from_line, &summary.against_rules), (&BTreeMap::new(), &BTreeMap::new()));
    // The bytes too.
    let file = registry.index_file("3/f/foo");
    let expected: String = expected.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(file, expected);
    let told = registry.anonymous().get("/api/v1/crates/foo/1.0.6/dependencies").good().json();
    let renamed = told["dependencies"].as_array().unwrap().iter().find(|one| one["crate_id"] == "long-name");
    assert_eq!(renamed.unwrap()["explicit_name_in_toml"], "short", "{told:#}");
}

#[test]
fn of_several_lines_for_one_version_the_last_one_counts_and_the_version_is_named() {
    let (other, registry) = (OtherRegistry::new(), TestRegistry::new());
    let package = Package::new("foo", "1.0.0");
    other.add(&package, |_| {});
    other.add(&Package::new("foo", "1.1.0"), |_| {});
    other.add(&package, |line| line["yanked"] = true.into());
    let summary = import(&registry, &other);
    let yanked: BTreeMap<String, bool> =
        lines(&registry, "foo").iter().map(|line| (line["vers"].to_string(), line["yanked"] == true)).collect();
    assert_eq!(yanked, BTreeMap::from([("\"1.0.0\"".to_owned(), true), ("\"1.1.0\"".to_owned(), false)]));
    assert_eq!(summary.duplicate_lines, BTreeMap::from([("foo 1.0.0".to_owned(), 2)]));
    assert_eq!((summary.imported, summary.existed), (2, 0));
    assert!(summary.to_text().contains("    foo 1.0.0: 2 lines\n"), "{}", summary.to_text());
}

#[test]
fn files_in_other_directories_or_in_upper_case_are_found_and_every_other_file_with_lines_is_named() {
    let (other, registry) = (OtherRegistry::new(), TestRegistry::new());
    let places = [
        ("MixedCase", "Mi/xe/MixedCase"),
        ("abc", "3/ab/abc"),
        ("_lead", "_l/ea/_lead"),
        ("1num", "1n/um/1num"),
        ("other", "ot/he/wrong"),
        ("good", "go/od/good"),
    ];
    for (name, path) in places {
        let line = other.store(&Package::new(name, "1.0.0"), "");
        other.add_line(path, &line);
    }
    other.write("README.md", "# An index\n\n{ \"not\": \"a line\" }\n");
    let summary = import(&registry, &other);
    assert_eq!(summary.imported, 3, "{}", summary.to_text());
    for name in ["MixedCase", "abc", "good"] {
        assert_eq!(lines(&registry, name)[0]["name"], name);
    }
    assert_eq!(summary.misplaced_files.keys().collect::<Vec<_>>(), ["MixedCase 1.0.0", "abc 1.0.0"]);
    let failed = summary.failed.iter().map(|(what, why)| format!("{what}: {why}\n")).collect::<String>();
    insta::assert_snapshot!(failed, @"
    1num 1.0.0: its index line in 1n/um/1num cannot be used: the crate name `1num` does not start with a letter: choose one that starts with a letter from a to z
    _lead 1.0.0: its index line in _l/ea/_lead cannot be used: the crate name `_lead` does not start with a letter: choose one that starts with a letter from a to z
    other 1.0.0: its index line is in the file ot/he/wrong, which belongs to another crate
    ");
    drop(registry);
    // By name they are found as well.
    let registry = TestRegistry::new();
    let names = ["mixedcase", "_lead", "# no", "", "abc", "none"];
    let named = |source: &Source| named_crates(source, names.into_iter()).unwrap();
    let summary = import_as(&registry, source(&other.git_index()), named, registries(&other, CratesIo::CratesIo));
    assert_eq!((summary.crates, summary.imported), (3, 2), "{}", summary.to_text());
    let failed = summary.failed.iter().map(|(what, why)| format!("{what}: {why}\n")).collect::<String>();
    insta::assert_snapshot!(failed, @"
    _lead: the crate name `_lead` does not start with a letter: choose one that starts with a letter from a to z
    none: the crate is not in the index
    ");
}

#[test]
fn what_neither_the_manifest_nor_the_line_says_in_a_form_that_cargo_reads_is_named_and_not_taken() {
    let (other, registry) = (OtherRegistry::new(), TestRegistry::new());
    let add = |name: &str, rest: &str, change: &dyn Fn(&mut Value)| {
        other.add(&Package::new(name, "1.0.0").manifest(rest), change);
    };
    add("version", "rust-version = \">=1.60\"\n", &|line| line["rust_version"] = ">=1.60".into());
    let target = "[target.'cfg('.dependencies]\nlibc = \"1\"\n";
    add("target", target, &|line| line["deps"] = json!([{ "name": "libc", "req": "^1", "target": "cfg(" }]));
    add("features", "[features]\na = [\"nothing\"]\n", &|line| line["features"] = json!({ "a": ["nothing"] }));
    add("optional", "[dev-dependencies]\na = { version = \"1\", optional = true }\n", &|line| {
        line["deps"] = json!([{ "name": "a", "req": "^1", "optional": true, "kind": "dev" }]);
    });
    add("readable", "rust-version = \">=1.60\"\n", &|_| {});
    // The manifest of another package.
    let manifest = "[package]\nname = \"inner\"\nversion = \"2.0.0\"\n";
    let file = tarball([("inner-1.0.0/Cargo.toml".to_owned(), manifest.as_bytes())]);
    other.add_file("inner", "1.0.0", file);
    // A name that no file system takes.
    let (manifest, long) = ("[package]\nname = \"long\"\nversion = \"1.0.0\"\n", "a".repeat(256));
    let files = [("long-1.0.0/Cargo.toml".to_owned(), manifest), (format!("long-1.0.0/{long}"), "")];
    other.add_file("long", "1.0.0", tarball(files.map(|(path, content)| (path, content.as_bytes()))));
    let summary = import(&registry, &other);
    assert_eq!(summary.imported, 1);
    assert_eq!(summary.from_line.keys().collect::<Vec<_>>(), ["readable 1.0.0"], "{}", summary.to_text());
    let failed: Vec<String> = summary
        .failed
        .iter()
        .map(|(what, why)| format!("{what}: {}", why.replace(&other.url, "http://other")))
        .collect();
    insta::assert_snapshot!(failed.join("\n"), @r#"
    features 1.0.0: http://other/dl/features/1.0.0: cargo can use neither its manifest nor its index line (the feature `a` includes `nothing`, which is neither a feature nor a dependency of this crate: correct the name or add it): publish a corrected version
    inner 1.0.0: http://other/dl/inner/1.0.0: its Cargo.toml is that of inner 2.0.0, which cargo does not accept: publish a corrected version
    long 1.0.0: cargo cannot unpack http://other/dl/long/1.0.0: the .crate file contains the path `long-1.0.0/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…`, which has a component of more than 255 bytes: rename it or leave it out with `exclude` in Cargo.toml
    optional 1.0.0: http://other/dl/optional/1.0.0: cargo can use neither its manifest nor its index line (in Cargo.toml, the dev-dependency `a` is optional, which cargo does not allow: remove `optional` or move it to `[dependencies]`; the dev-dependency `a` is optional, which cargo does not allow: remove `optional` or move it to `[dependencies]`): publish a corrected version
    target 1.0.0: http://other/dl/target/1.0.0: cargo can use neither its manifest nor its index line (in Cargo.toml, the dependency `libc` is limited to the target `cfg(`, which is neither a target triple nor a cfg expression: invalid target specifier: unexpected `(` character, cfg expressions must start with `cfg(`; the dependency `libc` is limited to the target `cfg(`, which is neither a target triple nor a cfg expression: invalid target specifier: unexpected `(` character, cfg expressions must start with `cfg(`): publish a corrected version
    version 1.0.0: http://other/dl/version/1.0.0: cargo can use neither its manifest nor its index line (Cargo.toml in the package cannot be read: line 7: unexpected version requirement, expected a version like "1.32"; `rust_version` is `>=1.60`, which cargo cannot read: unexpected version requirement, expected a version like "1.32"): publish a corrected version
    "#);
}

#[test]
fn an_old_package_is_taken_as_cargo_reads_it_and_one_with_an_unreadable_manifest_by_its_line() {
    let (other, registry) = (OtherRegistry::new(), TestRegistry::new());
    let old = "[dependencies]\nboth = { version = \"1\", path = \"../both\" }\n\
         [dev-dependencies]\nlocal = { path = \"../local\" }\n[features]\nx = [\"local/y\"]\n\
         [patch.crates-io]\nboth = { path = \"../both\" }\n";
    other.add(&Package::new("old", "1.0.0").manifest(old), |_| {});
    let named = "[dependencies]\nnear = { version = \"1\", registry = \"ours\" }\n";
    other.add(&Package::new("named", "1.0.0").manifest(named), |line| {
        line["deps"] = json!([{ "name": "near", "req": "^1", "registry": null }]);
    });
    let unreadable = "[dependencies]\nnear.workspace = true\n";
    other.add(&Package::new("unreadable", "1.0.0").manifest(unreadable), |line| {
        line["deps"] = json!([{ "name": "near", "req": "1.2", "registry": null }]);
    });
    let summary = import(&registry, &other);
    assert_eq!((summary.imported, &summary.failed), (3, &BTreeMap::new()));
    let old = &lines(&registry, "old")[0];
    assert_eq!((&old["deps"][0]["name"], old["deps"].as_array().unwrap().len()), (&json!("both"), 1), "{old}");
    assert_eq!((&old["deps"][0]["registry"], &old["features"]), (&json!(CRATES_IO), &json!({ "x": [] })));
    for name in ["named", "unreadable"] {
        let dependency = &lines(&registry, name)[0]["deps"][0];
        assert_eq!((&dependency["name"], &dependency["registry"]), (&json!("near"), &Value::Null), "{dependency}");
    }
    assert_eq!(lines(&registry, "unreadable")[0]["deps"][0]["req"], "^1.2");
    assert_eq!(summary.from_line.keys().collect::<Vec<_>>(), ["unreadable 1.0.0"]);
    assert_eq!(summary.against_rules.keys().collect::<Vec<_>>(), ["named 1.0.0", "old 1.0.0", "unreadable 1.0.0"]);
    insta::assert_snapshot!(summary.from_line["unreadable 1.0.0"], @"Cargo.toml in the package still inherits `dependencies.near` from a workspace, which is not part of the package: let `cargo package` or `cargo publish` make the package");
}

#[test]
fn a_dependency_on_the_other_registry_becomes_one_on_this_and_one_on_a_third_stays_there() {
    let (other, registry) = (OtherRegistry::new(), TestRegistry::new());
    let urls = [
        (other.sparse(), None),
        (format!("sparse+{}/index", other.url), None),
        (format!("{}/index/", other.url), None),
        (format!("{}/git/index", other.url), None),
        ("https://third.example/index".to_owned(), Some("https://third.example/index")),
        (CRATES_IO.to_owned(), Some(CRATES_IO)),
    ];
    for (number, (url, _)) in urls.iter().enumerate() {
        let rest = format!("[dependencies]\nnear = {{ version = \"1\", registry-index = \"{url}\" }}\n");
        other.add(&Package::new("foo", &format!("1.0.{number}")).manifest(&rest), |line| {
            line["deps"] = json!([{ "name": "near", "req": "^1", "registry": url }]);
        });
    }
    let summary = import(&registry, &other);
    assert_eq!((summary.imported, &summary.failed), (urls.len() as u64, &BTreeMap::new()));
    for (line, (url, expected)) in lines(&registry, "foo").iter().zip(&urls) {
        assert_eq!(line["deps"][0]["registry"].as_str(), *expected, "{url}");
    }
    assert_eq!(summary.other_registries, BTreeMap::from([("https://third.example/index".to_owned(), 1)]));
    assert_eq!((summary.need_crates_io, summary.crates_io_here), (1, 0));

    drop(registry);
    let registry = TestRegistry::new();
    let here = registries(&other, CratesIo::Here);
    let summary = import_as(&registry, source(&other.git_index()), |source| all(source).unwrap(), here);
    assert_eq!(lines(&registry, "foo")[5]["deps"][0].get("registry"), None);
    assert_eq!((summary.need_crates_io, summary.crates_io_here), (0, 1));
    let changed = |statement: &str| {
        let query = diesel::sql_query(statement.to_owned());
        registry.pool.with(|connection| query.execute(connection).unwrap()).unwrap()
    };
    assert_eq!(changed("UPDATE versions SET size = size WHERE crates_io_here AND num = '1.0.5'"), 1);
    // An older program did not record it. The same import again does so, and changes no line.
    let before = registry.index_file("3/f/foo");
    changed("UPDATE versions SET crates_io_here = false");
    let here = || registries(&other, CratesIo::Here);
    let again = import_as(&registry, source(&other.git_index()), |source| all(source).unwrap(), here());
    assert_eq!((again.imported, again.existed, again.crates_io_here), (0, 6, 5));
    let again = import_as(&registry, source(&other.git_index()), |source| all(source).unwrap(), here());
    assert_eq!((again.existed, again.crates_io_here, registry.index_file("3/f/foo")), (6, 0, before));
}

#[test]
fn a_sparse_index_is_read_in_every_content_coding_and_crate_files_are_not_decoded() {
    use flate2::Compression;
    use std::io::Write;
    let (other, registry) = (OtherRegistry::new(), TestRegistry::new());
    let gzip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let zlib = |text: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let config = std::fs::read_to_string(other.index().join("config.json")).unwrap();
    other.write_encoded("config.json", &config, "content-encoding: gzip\r\n", &gzip(config.as_bytes()));
    let add = |name: &str, coding: &str, encode: &dyn Fn(&[u8]) -> Vec<u8>| {
        // The file is gzipped, and some servers say so.
        let line = other.store(&Package::new(name, "1.0.0"), "content-encoding: gzip\r\n");
        let text = format!("{line}\n");
        let headers = format!("content-encoding: {coding}\r\n");
        other.write_encoded(&index_path(&name.parse().unwrap()), &text, &headers, &encode(text.as_bytes()));
    };
    add("by-gzip", "gzip", &gzip);
    add("by-deflate", "deflate", &zlib);
    add("by-zstd", "zstd", &|text| zstd::encode_all(text, 1).unwrap());
    add("by-none", "identity", &<[u8]>::to_vec);
    add("by-other", "compress", &<[u8]>::to_vec);
    add("by-mistake", "gzip", &<[u8]>::to_vec);
    let names = ["by-gzip", "by-deflate", "by-zstd", "by-none", "by-other", "by-mistake"];
    let named = |source: &Source| named_crates(source, names.into_iter()).unwrap();
    let summary = import_as(&registry, source(&other.sparse()), named, registries(&other, CratesIo::CratesIo));
    assert_eq!(summary.imported, 4, "{}", summary.to_text());
    let failed =
        summary.failed.iter().map(|(what, why)| format!("{what}: {}\n", why.replace(&other.url, "http://other")));
    insta::assert_snapshot!(failed.collect::<String>(), @r#"
    by-mistake: http://other/index/by/-m/by-mistake cannot be decoded as its Content-Encoding "gzip" says: invalid gzip header
    by-other: http://other/index/by/-o/by-other is sent with the Content-Encoding "compress", which supercargo cannot decode: let the server send it with gzip, deflate, br or zstd, or with none
    "#);
}

#[test]
fn a_number_that_is_staged_is_not_imported_and_its_set_is_approved() {
    let (registry, other) = (TestRegistry::new(), OtherRegistry::new());
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    for package in [Package::new("foo", "1.1.0"), Package::new("bar", "1.0.0")] {
        crate::staging::stage(&ann, "next", &package).good();
    }
    let others = |name: &str, nums: &[&str]| {
        let lines =
            nums.iter().map(|num| other.store(&Package::new(name, num).described("Another"), "").to_string() + "\n");
        other.write(&index_path(&name.parse().unwrap()), &lines.collect::<String>());
    };
    others("foo", &["1.1.0", "1.2.0"]);
    others("bar", &["1.0.0", "2.0.0"]);
    let summary = import(&registry, &other);
    let expected = "its number is taken by the release set next, in which it is staged: approve or reject that set, and import again";
    let failed: BTreeMap<_, _> = [("foo 1.1.0", expected), ("bar 1.0.0", expected)]
        .map(|(version, why)| (version.to_owned(), why.to_owned()))
        .into();
    assert_eq!((&summary.failed, summary.imported), (&failed, 2));
    let numbers = |name: &str| {
        lines(&registry, name).iter().map(|line| line["vers"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (numbers("foo"), numbers("bar")),
        (vec!["1.0.0".to_owned(), "1.2.0".to_owned()], vec!["2.0.0".to_owned()])
    );
    // The crate bar is the importer's now; the rest of the set is ann's.
    let path = "/api/v1/release-sets/next/crates/bar/1.0.0";
    ann.request(axum::http::Method::DELETE, path, "").good();
    crate::staging::approve(&ann, "next").good();
    registry.run_jobs();
    assert_eq!(numbers("foo"), ["1.0.0", "1.2.0", "1.1.0"]);
    assert_eq!(import(&registry, &other).imported, 1, "bar 1.0.0");
}
