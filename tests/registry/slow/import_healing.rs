//! The real cargo builds from what was imported from a registry with faulty index lines, and from what `verify --repair` made
//! of lines that an older program took as they were.

use diesel::prelude::*;
use serde_json::{Value, json};
use supercargo::package::index_path::index_path;

use crate::support::cargo::{Cargo, said};
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::other_registry::OtherRegistry;
use crate::support::package::Package;
use crate::support::process::{Served, failed};

const CRATES_IO: &str = "https://github.com/rust-lang/crates.io-index";

fn import(served: &Served, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = served.command("admin import").args(["--json", "--owner", "ann"]).args(arguments).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{} {complaint}", output.status));
    settle(served);
    (output.status.code(), summary)
}

/// Waits until nothing is pending.
fn settle(served: &Served) {
    let mut connection = served.database.connect();
    wait_until("an empty queue", || supercargo::queue::inspection::count(&mut connection).unwrap() == (0, 0));
}

fn library(name: &str, manifest: &str, code: &str) -> Package {
    let mut package = Package::new(name, "1.0.0").manifest(manifest);
    package.files = vec![("src/lib.rs".to_owned(), code.as_bytes().to_vec())];
    package
}

/// A registry whose crates are sound and whose lines are not. They depend on `base`, which is in the same registry.
fn faulty(other: &OtherRegistry) {
    let base = |more: &str| format!("base = {{ version = \"1\", registry-index = \"{}\"{more} }}\n", other.sparse());
    other.add(
        &library("base", "[features]\nextra = []\n", "pub const EXTRA: bool = cfg!(feature = \"extra\");\n"),
        |line| {
            line["cksum"] = line["cksum"].as_str().unwrap().to_uppercase().into();
            line["features"] = json!({ "extra": [] });
        },
    );
    let renamed = format!(
        "[dependencies]\n{}[features]\nwith = [\"dep:short\"]\n",
        base(", package = \"base\", optional = true").replacen("base", "short", 1)
    );
    let code = "#[cfg(feature = \"with\")]\npub const SAYS: bool = short::EXTRA;\n";
    other.add(&library("renamed", &renamed, code), |line| {
        line["deps"] = json!([{ "name": "base", "req": "^1", "optional": true }]);
    });
    let code = "pub const EXTRA: bool = base::EXTRA;\n";
    let enabled = format!("[dependencies]\n{}", base(", features = [\"extra\"]"));
    other.add(&library("without-dependencies", &enabled, code), |_| {});
    let features = format!("[dependencies]\n{}[features]\nmore = [\"base/extra\"]\n", base(""));
    other.add(&library("without-features", &features, code), |line| {
        line["deps"] = json!([{ "name": "base", "req": "^1" }]);
    });
    other.add(&library("rust", "rust-version = \"1.60\"\n", ""), |line| line["rust_version"] = ">=1.60".into());
    let target = format!("[target.'cfg(not(windows))'.dependencies]\n{}", base(""));
    other.add(&library("target", &target, code), |line| {
        line["deps"] = json!([{ "name": "base", "req": "^1", "target": "cfg(" }]);
    });
    let line = other.store(&library("MixedCase", "", "pub const EXTRA: bool = true;\n"), "");
    other.add_line("Mi/xe/MixedCase", &line);
}

/// A program that uses each of these crates.
fn write_dependent(cargo: &Cargo) {
    let dependency =
        |name: &str, more: &str| format!("{name} = {{ version = \"1\", registry = \"supercargo\"{more} }}\n");
    let manifest = [
        "[dependencies]\n".to_owned(),
        dependency("renamed", ", features = [\"with\"]"),
        dependency("without-dependencies", ""),
        dependency("without-features", ", features = [\"more\"]"),
        dependency("rust", ""),
        dependency("target", ""),
        dependency("MixedCase", ""),
    ];
    let code = "fn main() {\n    println!(\"{} {} {} {} {}\", renamed::SAYS, without_dependencies::EXTRA, \
         without_features::EXTRA, target::EXTRA, MixedCase::EXTRA);\n}\n";
    cargo.binary("dependent", &manifest.concat(), code);
}

fn cargo(served: &Served, token: &str) -> Cargo {
    Cargo::new(&format!("sparse+{}/index/", served.url), token)
}

fn assert_builds(cargo: &Cargo) {
    write_dependent(cargo);
    let output = cargo.command("dependent", &["run", "-q"]).output().unwrap();
    assert_eq!((output.status.success(), &*said(&output)), (true, "true true true true true\n"));
}

fn verify(served: &Served, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = served.command("verify").args(["--json", "--orphan-age", "0s"]).args(arguments).output().unwrap();
    let report = serde_json::from_slice(&output.stdout);
    (output.status.code(), report.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))))
}

#[test]
fn cargo_builds_from_an_import_of_faulty_lines_and_from_the_repair_of_those_that_were_taken_as_they_were() {
    let other = OtherRegistry::new();
    faulty(&other);
    let mut served = Served::start(&[]);
    let token = served.token("ann");
    let (code, summary) = import(&served, &[&other.git_index()]);
    assert_eq!((code, &summary["imported"], &summary["failed"]), (Some(0), &json!(7), &json!({})), "{summary:#}");
    assert_eq!(summary["healed"]["rust-version"], json!(["rust 1.0.0"]), "{summary:#}");
    let mut client = cargo(&served, &token);
    assert_builds(&client);
    assert_eq!(verify(&served, &[]).1["by_kind"], json!({}));
    let built: Vec<Value> =
        ["base", "renamed", "without-dependencies", "target"].iter().flat_map(|name| lines(&served, name)).collect();

    // As an older program took them: the lines of the other registry in the rows and in the index.
    take_as_they_are(&served, &other);
    client.forget();
    client = cargo(&served, &token);
    write_dependent(&client);
    let refused = client.bad("dependent", &["generate-lockfile"]);
    assert!(refused.contains("index entry is invalid"), "{refused}");
    let (code, found) = verify(&served, &[]);
    assert_eq!((code, &found["by_kind"]), (Some(1), &json!({ "manifest-differs": 6 })), "{found:#}");
    let (code, repaired) = verify(&served, &["--repair", "--index-alias", &other.sparse()]);
    assert_eq!((code, &repaired["repaired"], &repaired["left"]), (Some(0), &json!(6), &json!(0)), "{repaired:#}");
    assert_eq!(verify(&served, &["--repair"]).1["by_kind"], json!({}));
    let healed: Vec<Value> =
        ["base", "renamed", "without-dependencies", "target"].iter().flat_map(|name| lines(&served, name)).collect();
    assert_eq!(healed, built);
    client.forget();
    assert_builds(&client);
    served.stop();
}

fn lines(served: &Served, name: &str) -> Vec<Value> {
    http::index_lines(&served.url, &index_path(&name.parse().unwrap()))
}

/// Writes the other registry's lines to the rows, and renders the index from them.
fn take_as_they_are(served: &Served, other: &OtherRegistry) {
    let mut connection = served.database.connect();
    for name in ["base", "renamed", "without-dependencies", "without-features", "rust", "target"] {
        let path = index_path(&name.parse().unwrap());
        let line = std::fs::read_to_string(other.index().join(&path)).unwrap();
        diesel::sql_query(
            "UPDATE versions SET index_line = $1 WHERE crate_id = (SELECT id FROM crates WHERE name = $2)",
        )
        .bind::<diesel::sql_types::Text, _>(line.trim())
        .bind::<diesel::sql_types::Text, _>(name)
        .execute(&mut connection)
        .unwrap();
        supercargo::jobs::sync_crate::request(&mut connection, &path, "test").unwrap();
    }
    wait_until("an empty queue", || supercargo::queue::inspection::count(&mut connection).unwrap() == (0, 0));
}

#[test]
fn cargo_takes_dependencies_on_crates_io_from_there_unless_they_were_imported_as_here() {
    let other = OtherRegistry::new();
    other.add(&library("outside", "", "pub const WHERE: &str = \"here\";\n"), |_| {});
    let manifest = "[dependencies]\noutside = \"1\"\n";
    let code = "pub const WHERE: &str = outside::WHERE;\n";
    // The old registry's line has no registry, as if the crate were its own.
    other.add(&library("inside", manifest, code), |line| line["deps"] = json!([{ "name": "outside", "req": "^1" }]));
    // What crates.io is for this cargo.
    let crates_io = OtherRegistry::new();
    crates_io.add(&library("outside", "", "pub const WHERE: &str = \"crates.io\";\n"), |_| {});

    for (option, expected) in [("crates-io", "crates.io\n"), ("here", "here\n")] {
        let mut served = Served::start(&[]);
        let token = served.token("ann");
        let (code, summary) = import(&served, &[&other.git_index(), "--crates-io-dependencies", option]);
        assert_eq!((code, &summary["imported"]), (Some(0), &json!(2)), "{summary:#}");
        let client = cargo(&served, &token);
        let config = std::fs::read_to_string(client.path("home/config.toml")).unwrap();
        client.write("home/config.toml", &config.replace("sparse+http://127.0.0.1:9/", &crates_io.sparse()));
        let manifest = "[dependencies]\ninside = { version = \"1\", registry = \"supercargo\" }\n";
        client.binary("dependent", manifest, "fn main() { println!(\"{}\", inside::WHERE); }\n");
        let output = client.command("dependent", &["run", "-q"]).output().unwrap();
        assert_eq!(said(&output), expected);
        // Neither is a difference: the import recorded what was asked for.
        let (code, report) = verify(&served, &[]);
        assert_eq!((code, &report["by_kind"]), (Some(0), &json!({})), "{report:#}");
        let registry = if option == "here" { Value::Null } else { CRATES_IO.into() };
        assert_eq!(lines(&served, "inside")[0]["deps"][0].get("registry").unwrap_or(&Value::Null), &registry);
        served.stop();
    }
}

#[test]
fn an_import_with_something_that_was_not_taken_ends_with_1_and_names_it() {
    let other = OtherRegistry::new();
    other.add(&library("good", "", ""), |_| {});
    other.add(&library("bad", "rust-version = \">=1.60\"\n", ""), |line| line["rust_version"] = ">=1.60".into());
    let mut served = Served::start(&[]);
    served.token("ann");
    let (code, dry) = import(&served, &[&other.sparse(), "good", "bad", "1num", "--dry-run"]);
    assert_eq!((code, &dry["imported"], &dry["manifests_read"]), (Some(1), &json!(2), &json!(false)), "{dry:#}");
    let output =
        served.command("admin import").args(["--owner", "ann", &other.sparse(), "good", "bad", "1num"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap().replace(&other.url, "http://other");
    insta::assert_snapshot!(text, @r#"
    not imported (2):
        1num: the crate name `1num` does not start with a letter: choose one that starts with a letter from a to z
        bad 1.0.0: http://other/dl/bad/1.0.0: cargo can use neither its manifest nor its index line (Cargo.toml in the package cannot be read: line 7: unexpected version requirement, expected a version like "1.32"; `rust_version` is `>=1.60`, which cargo cannot read: unexpected version requirement, expected a version like "1.32"): publish a corrected version
    2 crates read: 1 versions imported (0 MiB, 1 new crates), 0 existed, 2 not imported
    "#);
    settle(&served);
    assert_eq!(lines(&served, "good").len(), 1);
    let arguments = ["--owner", "ann", "--index-alias", CRATES_IO, &other.sparse(), "x"];
    let refused = failed(served.command("admin import").args(arguments).output().unwrap(), 1);
    assert!(
        refused.contains("--index-alias: https://github.com/rust-lang/crates.io-index is crates.io: use"),
        "{refused}"
    );
    served.stop();
}
