//! The real cargo, which gets the crates of crates.io through this registry. Another `supercargo` is crates.io.

use chrono::{TimeDelta, Utc};
use serde_json::json;
use supercargo::package::Checksum;
use supercargo::web::upstreams::cargo_config;

use crate::support::cargo::Cargo;
use crate::support::faulty_upstream::FaultyUpstream;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

const CRATES_IO: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

fn library(name: &str, version: &str) -> Package {
    let mut package = Package::new(name, version);
    let code = format!("pub fn version() -> &'static str {{ \"{name} {version}\" }}\n");
    package.files = vec![("src/lib.rs".to_owned(), code.into_bytes())];
    package
}

/// `top` depends on `foo`, of the registry in which both are published.
fn top(registry: &Served) -> Package {
    let dependency = json!([{
        "name": "foo", "version_req": "^1", "features": [], "optional": false, "default_features": true, "target": null,
        "kind": "normal", "registry": null, "explicit_name_in_toml": null,
    }]);
    let manifest =
        format!("[dependencies.foo]\nversion = \"1\"\nregistry-index = \"sparse+{}/index/\"\n", registry.url);
    let mut package = library("top", "1.0.0").manifest(&manifest).metadata("deps", dependency);
    package.files = vec![(
        "src/lib.rs".to_owned(),
        b"pub fn all() -> String { format!(\"top on {}\", foo::version()) }\n".to_vec(),
    )];
    package
}

fn tool() -> Package {
    let mut package = Package::new("tool", "1.0.0");
    package.files = vec![("src/main.rs".to_owned(), b"fn main() { println!(\"the tool\"); }\n".to_vec())];
    package
}

/// The registry that is crates.io here, and the one through which it is reached.
fn crates_io() -> (Served, Served) {
    let other = Served::start(&[]);
    let ann = other.token("ann");
    for package in [library("foo", "1.0.0"), library("foo", "1.0.1"), top(&other), tool()] {
        http::publish(&other.url, &ann, &package).good();
    }
    let served =
        Served::start(&["--upstream", &format!("crates-io=sparse+{}/index/", other.url), "--upstream-fresh", "10ms"]);
    (other, served)
}

fn user_of(cargo: &Cargo, dependencies: &str, code: &str) {
    cargo.binary("user", &format!("[dependencies]\n{dependencies}\n"), &format!("fn main() {{ {code} }}\n"));
}

fn lock(cargo: &Cargo) -> String {
    std::fs::read_to_string(cargo.path("user/Cargo.lock")).unwrap()
}

/// What the lock file has of a version.
fn locked(version: &Package) -> String {
    let sum = Checksum::of(&version.crate_file());
    format!("name = \"{}\"\nversion = \"{}\"\n{CRATES_IO}\nchecksum = \"{sum}\"\n", version.name, version.version)
}

#[test]
fn a_build_goes_through_the_registry_and_its_lock_file_names_crates_io() {
    let (other, served) = crates_io();
    let cargo = Cargo::through(&served.url);
    user_of(&cargo, "top = \"1\"\nfoo = \"1\"", "println!(\"{}\", top::all());");
    assert!(cargo.good("user", &["run"]).contains("top on foo 1.0.1"));
    let lock_file = lock(&cargo);
    for version in [library("foo", "1.0.1"), top(&other)] {
        assert!(lock_file.contains(&locked(&version)), "{lock_file}");
    }
    assert!(!lock_file.contains("127.0.0.1"), "{lock_file}");
    // Another machine with the same lock file, which reaches crates.io directly.
    let direct = Cargo::replacing_crates_io(&format!("sparse+{}/index/", other.url));
    user_of(&direct, "top = \"1\"\nfoo = \"1\"", "println!(\"{}\", top::all());");
    direct.write("user/Cargo.lock", &lock_file);
    assert!(direct.good("user", &["run", "--locked"]).contains("top on foo 1.0.1"));
    // And one more through the registry.
    cargo.forget_through(&served.url);
    cargo.good("user", &["build", "--locked"]);
    assert_eq!(lock(&cargo), lock_file);
}

#[test]
fn cargo_works_on_while_the_upstream_is_down_if_everything_is_kept() {
    let (mut other, served) = crates_io();
    let cargo = Cargo::through(&served.url);
    user_of(&cargo, "top = \"1\"", "println!(\"{}\", top::all());");
    cargo.good("user", &["build"]);
    other.kill();
    std::fs::remove_file(cargo.path("user/Cargo.lock")).unwrap();
    cargo.forget_through(&served.url);
    assert!(cargo.good("user", &["run"]).contains("top on foo 1.0.1"));
    // What is not kept is not called absent.
    user_of(&cargo, "tool = \"1\"", "");
    let mut command = cargo.command("user", &["fetch"]);
    let failed = command.env("CARGO_NET_RETRY", "0").output().unwrap();
    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success() && said.contains("the upstream crates-io does not answer"), "{said}");
    assert!(!said.contains("no matching package"), "{said}");
}

#[test]
fn the_other_commands_go_through_the_registry() {
    let (other, served) = crates_io();
    let cargo = Cargo::through(&served.url);
    user_of(&cargo, "foo = \"=1.0.0\"", "println!(\"{}\", foo::version());");
    assert!(cargo.good("user", &["run"]).contains("foo 1.0.0"));
    cargo.good("user", &["add", "top"]);
    let manifest = std::fs::read_to_string(cargo.path("user/Cargo.toml")).unwrap();
    assert!(manifest.contains("top = \"1.0.0\""), "{manifest}");
    user_of(&cargo, "foo = \"1\"", "println!(\"{}\", foo::version());");
    http::publish(&other.url, &other.token("ann"), &library("foo", "1.0.2")).good();
    let updated = cargo.good("user", &["update"]);
    assert!(updated.contains("Updating foo v1.0.0 -> v1.0.2"), "{updated}");
    assert!(cargo.good("user", &["run"]).contains("foo 1.0.2"));
    let config = cargo.good("user", &["vendor", "--respect-source-config"]);
    assert!(config.contains("vendored-sources"), "{config}");
    assert!(cargo.path("user/vendor/foo/src/lib.rs").exists());
    cargo.good(".", &["install", "tool", "--root", "installed"]);
    let installed = std::process::Command::new(cargo.path("installed/bin/tool")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&installed.stdout), "the tool\n");
    let absent = cargo.bad("user", &["add", "nothing-of-that-name"]);
    assert!(absent.contains("could not be found"), "{absent}");
}

#[test]
fn a_private_registry_asks_cargo_for_its_token() {
    let other = Served::start(&[]);
    http::publish(&other.url, &other.token("ann"), &library("foo", "1.0.0")).good();
    let upstream = format!("crates-io=sparse+{}/index/", other.url);
    let served = Served::start(&["--upstream", &upstream, "--auth-required"]);
    let cargo = Cargo::through(&served.url);
    user_of(&cargo, "foo = \"1\"", "println!(\"{}\", foo::version());");
    let refused = cargo.bad("user", &["build"]);
    assert!(refused.contains("token") || refused.contains("401"), "{refused}");
    let mut build = cargo.command("user", &["run"]);
    let built = build.env("CARGO_REGISTRIES_CRATES_IO_PROXY_TOKEN", served.token("ann")).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    assert_eq!(String::from_utf8_lossy(&built.stdout), "foo 1.0.0\n");
}

#[test]
fn another_registry_than_crates_io_is_reached_through_it() {
    let mut other = Served::start(&[]);
    http::publish(&other.url, &other.token("ann"), &library("foo", "1.0.0")).good();
    let index = format!("{}/index/", other.url);
    let served = Served::start(&["--upstream", &format!("acme=sparse+{index}")]);
    let cargo = Cargo::through(&served.url);
    cargo.forget_but(&cargo_config(&served.url, ("acme", &index), false));
    user_of(&cargo, "foo = { version = \"1\", registry = \"acme\" }", "println!(\"{}\", foo::version());");
    assert!(cargo.good("user", &["run"]).contains("foo 1.0.0"));
    assert!(lock(&cargo).contains(&format!("sparse+{index}")), "{}", lock(&cargo));
    // What is kept here needs the other one no more.
    other.kill();
    cargo.forget_but(&cargo_config(&served.url, ("acme", &index), false));
    std::fs::remove_dir_all(cargo.path("target")).ok();
    assert!(cargo.good("user", &["run", "--locked"]).contains("foo 1.0.0"));
}

/// An upstream with an old version of `foo` and a young one, and a registry with a cooldown before it.
fn with_a_young_version() -> (FaultyUpstream, Served) {
    let upstream = FaultyUpstream::start();
    upstream.add(&library("foo", "1.0.0"), super::OLD);
    let yesterday = Utc::now() - TimeDelta::days(1);
    upstream.add(&library("foo", "1.1.0"), &yesterday.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    let served = Served::start(&["--upstream", &format!("crates-io={}", upstream.sparse()), "--cooldown", "3days"]);
    (upstream, served)
}

#[test]
fn cargo_chooses_the_older_version_while_the_newest_is_young() {
    let (upstream, served) = with_a_young_version();
    let cargo = Cargo::through(&served.url);
    user_of(&cargo, "foo = \"1\"", "println!(\"{}\", foo::version());");
    assert!(cargo.good("user", &["run"]).contains("foo 1.0.0"));
    cargo.good("user", &["update"]);
    assert!(lock(&cargo).contains(&locked(&library("foo", "1.0.0"))), "{}", lock(&cargo));
    // A manifest that insists on the young one does not resolve.
    user_of(&cargo, "foo = \"=1.1.0\"", "");
    std::fs::remove_file(cargo.path("user/Cargo.lock")).unwrap();
    let refused = cargo.bad("user", &["build"]);
    assert!(refused.contains("failed to select a version") && refused.contains("1.1.0 is yanked"), "{refused}");
    assert_eq!(upstream.count("/dl/foo/1.1.0"), 0);
}

#[test]
fn a_lock_file_with_a_young_version_resolves_and_its_file_is_refused_unless_it_was_served() {
    let (upstream, mut served) = with_a_young_version();
    let direct = Cargo::replacing_crates_io(&upstream.sparse());
    user_of(&direct, "foo = \"1\"", "println!(\"{}\", foo::version());");
    assert!(direct.good("user", &["run"]).contains("foo 1.1.0"));
    let cargo = Cargo::through(&served.url);
    user_of(&cargo, "foo = \"1\"", "println!(\"{}\", foo::version());");
    cargo.write("user/Cargo.lock", &lock(&direct));
    let refused = cargo.bad("user", &["build", "--locked"]);
    assert!(refused.contains("403") && refused.contains("foo@1.1.0 is too young"), "{refused}");
    // Somebody has built with it before the cooldown was set.
    served.kill();
    let upstream_is = format!("crates-io={}", upstream.sparse());
    served.set_arguments(&["--upstream", &upstream_is]);
    served.start_again();
    http::get(&format!("{}/upstream/crates-io/api/v1/crates/foo/1.1.0/download", served.url)).good();
    served.kill();
    served.set_arguments(&["--upstream", &upstream_is, "--cooldown", "3days"]);
    served.start_again();
    cargo.forget_through(&served.url);
    assert!(cargo.good("user", &["run", "--locked"]).contains("foo 1.1.0"));
}
