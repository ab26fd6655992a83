//! `supercargo upstream mirror`.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{OLD, crates_io, ended, library, output, place, run, write};
use crate::support::faulty_upstream::Behaviour;
use crate::support::other_registry::OtherRegistry;
use crate::support::process::Served;

#[test]
fn a_mirror_of_some_names_is_resumed_and_asks_only_for_what_is_missing() {
    let (upstream, served) = crates_io(&[]);
    upstream.add(&library("foo", "1.1.0"), OLD);
    upstream.set("/dl/bar/1.0.0", Behaviour::status(404));
    let names = write(&served, "names", "# Some\nfoo\n\nBar\nfoo\nabsent\n");
    let mirror =
        |arguments: &[&str]| output(&served, &upstream, "upstream mirror", &[&["crates-io"], arguments].concat());
    let said = ended(&mirror(&["--names", &names, "--rate", "1000"]), 1);
    assert!(said.starts_with("2 versions are in the cache: 0 were there, 2 were fetched"), "{said}");
    assert!(said.contains("absent of crates-io: it is not in the index of crates-io"), "{said}");
    assert!(said.contains("bar@1.0.0 of crates-io: ") && said.contains("/dl/bar/1.0.0 answered 404"), "{said}");
    upstream.set("/dl/bar/1.0.0", Behaviour::file(library("bar", "1.0.0").crate_file()));
    let said = run(&served, &upstream, "upstream mirror", &["crates-io", "--crates", "foo,bar", "--rate", "1000"]);
    assert!(said.starts_with("3 versions are in the cache: 2 were there, 1 were fetched"), "{said}");
    // Neither the index files, which were confirmed less than a minute ago, nor the files that are kept.
    assert_eq!(
        [upstream.count("/index/3/f/foo"), upstream.count("/dl/foo/1.0.0"), upstream.count("/dl/foo/1.1.0")],
        [1, 1, 1]
    );
    let wrong = write(&served, "names", "foo\n../x\n");
    let refused = ended(&mirror(&["--names", &wrong]), 1);
    assert!(refused.contains("names:2: "), "{refused}");
    for (arguments, expected) in [
        (&["--all"][..], "a sparse index cannot be listed: give the crates of crates-io with --names FILE"),
        (&["--crates", "foo*"], "a sparse index cannot be listed"),
    ] {
        assert!(ended(&mirror(arguments), 1).contains(expected), "{arguments:?}");
    }
    assert!(ended(&mirror(&[]), 2).contains("--all"));
}

#[test]
fn the_git_index_lists_the_crates_of_a_pattern_or_all() {
    let other = OtherRegistry::new();
    for (name, version) in
        [("aws-one", "1.0.0"), ("aws-one", "1.1.0"), ("aws-one", "1.2.0"), ("aws-two", "1.0.0"), ("foo", "1.0.0")]
    {
        other.add(&library(name, version), |line| line["yanked"] = json!(version == "1.2.0"));
    }
    let served = Served::start(&[]);
    let upstream = format!("acme={}", other.sparse());
    let git_index = other.git_index();
    let mirror = |arguments: &[&str]| {
        let all = [&["acme", "--upstream", &upstream, "--git-index", &git_index, "--rate", "1000"], arguments].concat();
        served.run("upstream mirror", &all)
    };
    let said = mirror(&["--crates", "aws-*", "--newest", "1"]);
    assert!(said.contains("2 were fetched"), "{said}");
    assert!(place(&served, &library("aws-one", "1.1.0")).exists());
    assert!(!place(&served, &library("aws-one", "1.2.0")).exists());
    // A clone lists the same.
    let cloned = format!("file://{git_index}");
    let all = ["acme", "--upstream", &upstream, "--git-index", &cloned, "--rate", "1000", "--all", "--pin"];
    let said = served.run("upstream mirror", &all);
    assert!(said.starts_with("5 versions are in the cache: 2 were there, 3 were fetched"), "{said}");
    assert_eq!(served.run("upstream pins", &["acme"]).lines().count(), 6);
}

#[test]
fn what_the_registry_holds_back_is_no_failure_of_a_mirror() {
    let (upstream, served) = crates_io(&["--cooldown", "3days"]);
    upstream.add(&library("foo", "1.1.0"), &chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string());
    let arguments = ["crates-io", "--crates", "foo", "--cooldown", "3days"];
    let said = run(&served, &upstream, "upstream mirror", &arguments);
    assert!(
        said.contains("1 were fetched")
            && said.contains("refused (1):\n  foo@1.1.0 of crates-io: foo@1.1.0 is too young"),
        "{said}"
    );
    assert_eq!(upstream.count("/dl/foo/1.1.0"), 0);
}

#[test]
fn requests_keep_their_distance() {
    let (upstream, served) = crates_io(&[]);
    let begun = Instant::now();
    run(&served, &upstream, "upstream mirror", &["crates-io", "--crates", "foo,bar", "--rate", "5"]);
    // Two index files, two crate files and config.json: four distances.
    assert_eq!(upstream.log().len(), 5);
    assert!(begun.elapsed() >= Duration::from_millis(800), "{:?}", begun.elapsed());
}
