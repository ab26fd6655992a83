//! `supercargo bundle create`, and the real cargo that builds from what it wrote.

use std::path::Path;

use serde_json::{Value, json};

use super::{CRATES_IO, command, crates_io, ended, library, lock_file, locked, output, run, sum, write};
use crate::support::cargo::Cargo;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

/// `top` depends on `foo`, of the same registry.
fn top(registry: &Served) -> Package {
    let dependency = json!([{
        "name": "foo", "version_req": "^1", "features": [], "optional": false, "default_features": true, "target": null,
        "kind": "normal", "registry": null, "explicit_name_in_toml": null,
    }]);
    let manifest =
        format!("[dependencies.foo]\nversion = \"1\"\nregistry-index = \"sparse+{}/index/\"\n", registry.url);
    let mut package = library("top", "1.0.0").manifest(&manifest).metadata("deps", dependency);
    let code = "pub fn all() -> String { format!(\"top on {}\", foo::version()) }\n";
    package.files = vec![("src/lib.rs".to_owned(), code.as_bytes().to_vec())];
    package
}

/// Another registry that is crates.io here, with more versions than are used.
pub(super) fn other_crates_io() -> Served {
    let other = Served::start(&[]);
    let ann = other.token("ann");
    for package in [library("foo", "1.0.0"), library("foo", "1.0.1"), library("unused", "1.0.0"), top(&other)] {
        http::publish(&other.url, &ann, &package).good();
    }
    other
}

pub(super) fn sparse(of: &Served) -> String {
    format!("sparse+{}/index/", of.url)
}

/// A project that uses `top`, with a lock file that cargo made; the path of the lock file.
pub(super) fn project(cargo: &Cargo) -> String {
    cargo.binary("user", "[dependencies]\ntop = \"1\"\n", "fn main() { println!(\"{}\", top::all()); }\n");
    cargo.good("user", &["generate-lockfile"]);
    cargo.path("user/Cargo.lock").to_str().unwrap().to_owned()
}

/// The lines for cargo's configuration, from the README of a bundle.
fn configuration(bundle: &Path) -> String {
    let readme = std::fs::read_to_string(bundle.join("README")).unwrap();
    let lines = readme.lines().filter(|line| line.starts_with("    ")).map(|line| format!("{}\n", line.trim()));
    lines.collect::<String>().replace("/PATH/TO/BUNDLE", bundle.to_str().unwrap())
}

#[test]
fn cargo_builds_from_a_bundle_without_a_network() {
    let mut other = other_crates_io();
    let mut served = Served::start(&["--upstream", &format!("crates-io={}", sparse(&other))]);
    let cargo = Cargo::through(&served.url);
    let lock = project(&cargo);
    let place = cargo.path("bundles/one");
    let bundle = place.to_str().unwrap();
    let upstream = format!("crates-io={}", sparse(&other));
    let said = served.run("bundle create", &[bundle, "--lock", &lock, "--upstream", &upstream]);
    assert!(said.contains("wrote the bundle") && said.contains("crates-io: 2 versions of 2 crates"), "{said}");
    other.kill();
    served.kill();
    let mut check = std::process::Command::new("sha256sum");
    let checked = check.args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&place).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    // The line of the version in the lock file, and no other one.
    let index = std::fs::read_to_string(place.join("index/3/f/foo")).unwrap();
    assert!(index.lines().count() == 1 && index.contains("\"vers\":\"1.0.1\""), "{index}");
    let described: Value = serde_json::from_slice(&std::fs::read(place.join("bundle.json")).unwrap()).unwrap();
    let source = &described["sources"][0];
    assert_eq!(
        [&source["name"], &source["directory"], &source["replaces"]],
        [&json!("crates-io"), &json!("."), &Value::Null]
    );
    cargo.forget_but(&configuration(&place));
    std::fs::remove_dir_all(cargo.path("target")).ok();
    assert!(cargo.good("user", &["run", "--locked", "--offline"]).contains("top on foo 1.0.1"));
}

#[test]
fn a_bundle_of_two_sources_has_a_directory_for_each() {
    let mut other = other_crates_io();
    let upstream = format!("crates-io={}", sparse(&other));
    let mut served = Served::start(&["--upstream", &upstream]);
    let ann = served.token("ann");
    http::publish(&served.url, &ann, &library("mine", "1.0.0")).good();
    http::publish(&served.url, &ann, &library("mine", "1.1.0")).good();
    let cargo = Cargo::through(&served.url);
    let manifest = "[dependencies]\nfoo = \"1\"\nmine = { version = \"1\", registry = \"own\" }\n";
    cargo.binary("user", manifest, "fn main() { println!(\"{} and {}\", foo::version(), mine::version()); }\n");
    let own = sparse(&served);
    let run = |arguments: &[&str]| {
        let output = cargo.command("user", arguments).env("CARGO_REGISTRIES_OWN_INDEX", &own).output().unwrap();
        ended(&output, 0)
    };
    run(&["generate-lockfile"]);
    let (lock, place) = (cargo.path("user/Cargo.lock"), cargo.path("bundle"));
    let arguments = [place.to_str().unwrap(), "--lock", lock.to_str().unwrap(), "--upstream", &upstream];
    let said = served.run("bundle create", &arguments);
    assert!(said.contains("own_registry: 1 versions of 1 crates"), "{said}");
    other.kill();
    served.kill();
    for file in ["crates-io/foo-1.0.1.crate", "crates-io/index/3/f/foo", "own_registry/mine-1.1.0.crate"] {
        assert!(place.join(file).is_file(), "{file}");
    }
    cargo.forget_but(&configuration(&place));
    assert!(run(&["run", "--locked", "--offline"]).contains("foo 1.0.1 and mine 1.1.0"));
}

#[test]
fn an_incomplete_bundle_is_not_written_and_no_directory_is_overwritten() {
    let (upstream, served) = crates_io(&[]);
    served.run("upstream block", &["crates-io", "bar@1.0.0", "--reason", "taken over"]);
    let foo = library("foo", "1.0.0");
    let lock = lock_file(&served, "Cargo.lock", &[&foo, &library("bar", "1.0.0")]);
    let parent = served.directory.path().join("bundles");
    let place = parent.join("one");
    let bundle = place.to_str().unwrap();
    let said = ended(&output(&served, &upstream, "bundle create", &[bundle, "--lock", &lock]), 1);
    assert!(said.contains("bar@1.0.0 of crates-io is blocked in this registry: taken over"), "{said}");
    assert!(said.contains("the bundle was not written"), "{said}");
    assert_eq!(std::fs::read_dir(&parent).unwrap().count(), 0);
    let near = locked(&library("near", "1.0.0"), &format!("sparse+{}/index/", served.url));
    let lock = write(&served, "near.lock", &format!("version = 4\n\n{near}"));
    let said = ended(&output(&served, &upstream, "bundle create", &[bundle, "--lock", &lock]), 1);
    assert!(said.contains("near@1.0.0 of this registry: ") && said.contains("it is not in the index"), "{said}");
    let empty = write(&served, "empty.lock", "version = 4\n");
    let said = ended(&output(&served, &upstream, "bundle create", &[bundle, "--lock", &empty]), 1);
    assert!(said.contains("the bundle would be empty"), "{said}");
    let lock = lock_file(&served, "foo.lock", &[&foo]);
    std::fs::create_dir(&place).unwrap();
    run(&served, &upstream, "bundle create", &[bundle, "--lock", &lock]);
    let said = ended(&output(&served, &upstream, "bundle create", &[bundle, "--lock", &lock]), 1);
    assert!(said.contains(&format!("{bundle} is not empty: name a directory that does not exist")), "{said}");
    assert_eq!(std::fs::read_dir(&parent).unwrap().count(), 1);
    // A version that is not the one of the lock file is none.
    let other = library("foo", "1.0.0").described("Other bytes");
    let text = format!("version = 4\n\n{}", locked(&other, CRATES_IO));
    let lock = write(&served, "other.lock", &text);
    let elsewhere = parent.join("two");
    let mut create = command(&served, &upstream, "bundle create", &[elsewhere.to_str().unwrap(), "--lock", &lock]);
    let said = ended(&create.output().unwrap(), 1);
    assert!(said.contains(&format!("says that its SHA-256 is {}", sum(&other))), "{said}");
}
