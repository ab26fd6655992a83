//! `supercargo bundle import`: a bundle across an air gap.

use std::path::{Path, PathBuf};

use super::bundles::{other_crates_io, project, sparse};
use super::{OLD, crates_io, download, ended, library, lock_file, named, run, sum, versions};
use crate::support::cargo::Cargo;
use crate::support::event::wait_until;
use crate::support::faulty_upstream::FaultyUpstream;
use crate::support::process::Served;

/// A bundle with `foo` 1.0.0 and `bar` 1.0.0 of an upstream.
fn bundle(name: &str) -> (FaultyUpstream, Served, PathBuf) {
    let (upstream, served) = crates_io(&[]);
    let lock = lock_file(&served, "Cargo.lock", &[&library("foo", "1.0.0"), &library("bar", "1.0.0")]);
    let place = served.directory.path().join(name);
    run(&served, &upstream, "bundle create", &[place.to_str().unwrap(), "--lock", &lock]);
    (upstream, served, place)
}

/// A registry on the other side of the gap.
fn apart(upstream: &FaultyUpstream) -> Served {
    Served::start(&["--upstream", &named(upstream), "--upstream-offline", "--upstream-fresh", "10ms"])
}

fn import(served: &Served, upstream: &FaultyUpstream, bundle: &Path, more: &[&str]) -> std::process::Output {
    let arguments = [&["--upstream-offline", bundle.to_str().unwrap()], more].concat();
    super::output(served, upstream, "bundle import", &arguments)
}

#[test]
fn cargo_builds_with_imported_crates_where_there_is_no_upstream() {
    let mut other = other_crates_io();
    let upstream = format!("crates-io={}", sparse(&other));
    let mut served = Served::start(&["--upstream", &upstream]);
    let cargo = Cargo::through(&served.url);
    let lock = project(&cargo);
    let place = cargo.path("bundle");
    let bundle = place.to_str().unwrap();
    served.run("bundle create", &[bundle, "--lock", &lock, "--upstream", &upstream]);
    other.kill();
    served.kill();
    let apart = Served::start(&["--upstream", &upstream, "--upstream-offline"]);
    let arguments = [bundle, "--upstream", &upstream, "--upstream-offline", "--pin"];
    let said = apart.run("bundle import", &arguments);
    assert!(said.contains("0 were there, 2 were taken in") && said.contains("2 were pinned"), "{said}");
    cargo.forget_through(&apart.url);
    std::fs::remove_dir_all(cargo.path("target")).ok();
    assert!(cargo.good("user", &["run", "--locked"]).contains("top on foo 1.0.1"));
    let pins = apart.run("upstream pins", &[]);
    assert!(pins.lines().count() == 3 && pins.contains("the bundle bundle"), "{pins}");
    assert!(apart.run("admin audit", &["--action", "upstream-import"]).contains("crates-io"));
    // Once more changes nothing.
    let said = apart.run("bundle import", &arguments);
    assert!(said.contains("2 were there, 0 were taken in (0 KiB), 0 were pinned"), "{said}");
}

#[test]
fn versions_are_added_to_those_that_are_kept() {
    versions_are_added(&["--upstream-index-in", "directory"]);
}

#[test]
fn versions_are_added_to_those_that_machines_share() {
    versions_are_added(&["--upstream-index-in", "database"]);
}

/// Wherever the index files are, in a `serve` that has shown them before.
fn versions_are_added(index_in: &[&str]) {
    let (upstream, first, place) = bundle("one");
    let apart = Served::start(
        &[&["--upstream", &named(&upstream), "--upstream-offline", "--upstream-fresh", "10ms"], index_in].concat(),
    );
    let import = |place: &Path| ended(&import(&apart, &upstream, place, index_in), 0);
    assert!(import(&place).contains("2 were taken in"));
    assert_eq!(versions(&apart, "3/f/foo"), ["1.0.0"]);
    upstream.add(&library("foo", "1.1.0"), OLD);
    let lock = lock_file(&first, "Cargo.lock", &[&library("foo", "1.1.0")]);
    let later = first.directory.path().join("two");
    let arguments = [later.to_str().unwrap(), "--lock", &lock, "--upstream-fresh", "10ms"];
    run(&first, &upstream, "bundle create", &arguments);
    assert!(import(&later).contains("0 were there, 1 were taken in"));
    wait_until("both versions", || versions(&apart, "3/f/foo") == ["1.0.0", "1.1.0"]);
    for version in ["1.0.0", "1.1.0"] {
        assert_eq!(download(&apart, "foo", version).good().body, library("foo", version).crate_file());
    }
}

#[test]
fn what_the_rules_refuse_is_not_taken_in() {
    let (upstream, _first, place) = bundle("one");
    let apart = apart(&upstream);
    apart.run("upstream block", &["crates-io", "foo", "--reason", "taken over"]);
    let said = ended(&import(&apart, &upstream, &place, &["--pin"]), 1);
    let refused = "refused: foo@1.0.0 of crates-io: foo@1.0.0 of crates-io is blocked in this registry: taken over";
    assert!(said.contains("1 were taken in") && said.contains(refused), "{said}");
    assert!(!is_kept(&apart, "foo") && is_kept(&apart, "bar"));
    assert_eq!(apart.run("upstream pins", &[]).lines().count(), 2);
}

/// What is done to a bundle, and what is said of it.
type Damage = (fn(&Path), &'static str);

#[test]
fn a_damaged_or_cut_bundle_changes_nothing() {
    let damages: [Damage; 3] = [
        (|place| std::fs::write(place.join("foo-1.0.0.crate"), "other").unwrap(), "foo-1.0.0.crate is damaged"),
        (|place| std::fs::remove_file(place.join("index/3/b/bar")).unwrap(), "the bundle is incomplete: index/3/b/bar"),
        (|place| std::fs::remove_file(place.join("bundle.json")).unwrap(), "is no bundle: it has no bundle.json"),
    ];
    let (upstream, first, place) = bundle("whole");
    let apart = apart(&upstream);
    for (number, (damage, expected)) in damages.into_iter().enumerate() {
        let copy = first.directory.path().join(format!("copy{number}"));
        let copied = std::process::Command::new("cp").arg("-a").args([&place, &copy]).status().unwrap();
        assert!(copied.success());
        damage(&copy);
        let said = ended(&import(&apart, &upstream, &copy, &["--pin"]), 1);
        assert!(said.contains(expected), "{said}");
    }
    assert!(!is_kept(&apart, "foo") && !is_kept(&apart, "bar"));
    assert!(!apart.data_dir().join("upstream-index").exists());
    assert_eq!(apart.run("upstream pins", &[]).lines().count(), 1);
}

/// Whether the file of version 1.0.0 is kept.
fn is_kept(served: &Served, name: &str) -> bool {
    super::place(served, &library(name, "1.0.0")).exists()
}

#[test]
fn a_bundle_with_another_file_for_a_version_is_refused_with_both_checksums() {
    let (upstream, _first, place) = bundle("right");
    let apart = apart(&upstream);
    // On the other side foo 1.0.0 is another file.
    let other = FaultyUpstream::start();
    let wrong = library("foo", "1.0.0").described("Other bytes");
    other.add(&wrong, OLD);
    let lock = lock_file(&apart, "Cargo.lock", &[&wrong]);
    let as_if = format!("crates-io={}", other.sparse());
    apart.run("upstream fetch", &["--lock", &lock, "--upstream", &as_if]);
    let said = ended(&import(&apart, &upstream, &place, &["--pin"]), 1);
    let (kept, bundled) = (sum(&wrong), sum(&library("foo", "1.0.0")));
    let expected = format!("foo@1.0.0 of crates-io is kept with the SHA-256 {kept}, and the bundle has {bundled}");
    assert!(said.contains(&expected) && said.contains("nothing was changed"), "{said}");
    assert!(!is_kept(&apart, "bar"));
    assert_eq!(apart.run("upstream pins", &[]).lines().count(), 1);
}

#[test]
fn a_bundle_goes_to_the_upstream_with_its_index_or_to_the_one_that_is_named() {
    let (upstream, served, place) = bundle("one");
    let apart = Served::start(&[]);
    let bundle = place.to_str().unwrap();
    let with = |arguments: &[&str]| {
        let mut command = apart.command("bundle import");
        command.arg(bundle).args(arguments).output().unwrap()
    };
    let acme = ["--upstream", "acme=sparse+https://crates.acme.example/"];
    let said = ended(&with(&acme), 1);
    assert!(said.contains("the bundle has crates of crates-io (sparse+"), "{said}");
    assert!(said.contains("or name another one with --as"), "{said}");
    assert!(ended(&with(&[]), 1).contains("no upstream here has this index"));
    let other_name = format!("rust={}", upstream.sparse());
    assert!(ended(&with(&["--upstream", &other_name]), 0).contains("2 were taken in"));
    assert!(apart.data_dir().join("upstream-index/rust/3/f/foo").exists());
    assert!(ended(&with(&[&acme[..], &["--as", "acme"]].concat()), 0).contains("2 were there"));
    assert!(apart.data_dir().join("upstream-index/acme/3/f/foo").exists());
    let unknown = ended(&with(&[&acme[..], &["--as", "other"]].concat()), 1);
    assert!(unknown.contains("there is no upstream \"other\" (acme is set)"), "{unknown}");
    drop(served);
}
