//! Versions that are too young (`--cooldown`).

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{FOO, NEVER_FRESH, OLD, asked_again, download, index, index_url, through};
use crate::support::event::wait_until;
use crate::support::faulty_upstream::{Behaviour, FaultyUpstream};
use crate::support::http::{self, Reply};
use crate::support::package::Package;
use crate::support::process::Served;

fn now() -> String {
    at(Utc::now())
}

fn at(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The versions that a file shows; those that are yanked end in `!`.
fn shown(reply: Reply) -> Vec<String> {
    let version = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        format!("{}{}", line["vers"].as_str().unwrap(), if line["yanked"] == true { "!" } else { "" })
    };
    reply.good().text().lines().map(version).collect()
}

#[test]
fn a_young_version_is_shown_as_yanked_and_nothing_else_changes() {
    let (upstream, served) = through(&["--cooldown", "1h"]);
    upstream.add(&Package::new("foo", "1.1.0"), &now());
    let file = index(&served, "3/f/foo").good();
    let Some(Behaviour::File(_, sent)) = upstream.behaviour(FOO) else { panic!("no file") };
    let sent = String::from_utf8(sent).unwrap();
    let (old, young) = sent.split_once('\n').unwrap();
    assert_eq!(file.text(), format!("{old}\n{}", young.replace("\"yanked\":false", "\"yanked\":true")));
    assert_eq!(shown(file), ["1.0.0", "1.1.0!"]);
}

#[test]
fn a_version_comes_of_age_while_the_file_is_kept() {
    let (upstream, served) = through(&["--cooldown", "1h", "--upstream-fresh", "1h"]);
    let new = Package::new("foo", "1.1.0");
    let until = Utc::now() + TimeDelta::seconds(4);
    upstream.add(&new, &at(until - TimeDelta::hours(1)));
    let young = index(&served, "3/f/foo");
    let tag = young.header("etag").to_owned();
    assert_eq!(shown(young), ["1.0.0", "1.1.0!"]);
    assert_eq!(download(&served, "foo", "1.1.0").status, 403);
    let known = || http::get_with(&index_url(&served, "3/f/foo"), &[("if-none-match", &tag)]);
    assert_eq!(known().status, 304);
    wait_until("the version to be of age", || known().status == 200);
    assert!(Utc::now() >= until - TimeDelta::seconds(1));
    let grown = index(&served, "3/f/foo");
    assert_ne!(grown.header("etag"), tag);
    assert_eq!(shown(grown), ["1.0.0", "1.1.0"]);
    assert_eq!(download(&served, "foo", "1.1.0").good().body, new.crate_file());
    assert_eq!(upstream.count(FOO), 1);
}

#[test]
fn a_young_file_that_was_never_served_is_refused() {
    let (upstream, served) = through(&["--cooldown", "3days"]);
    let published = Utc::now();
    upstream.add(&Package::new("foo", "1.1.0"), &at(published));
    let url = super::download_url(&served, "foo", "1.1.0");
    for refused in [http::get(&url), http::get_part(&url, "bytes=0-9")] {
        let until = (published + TimeDelta::days(3)).format("%Y-%m-%d %H:%M");
        assert_eq!(refused.status, 403);
        let text = format!(
            "foo@1.1.0 is too young: this registry passes on versions of other when they are 3 days old, this one from {until} \
             UTC on. Use an older version, or ask the operator of this registry\n"
        );
        assert_eq!(refused.text(), text);
        assert_eq!(refused.header("cache-control"), "no-store");
    }
    assert_eq!(http::head(&url).status, 403);
    assert_eq!(upstream.count("/dl/foo/1.1.0"), 0);
    download(&served, "foo", "1.0.0").good();
}

#[test]
fn a_young_file_that_was_served_before_is_served_on() {
    let (mut upstream, mut served) = through(&NEVER_FRESH);
    let new = Package::new("foo", "1.1.0");
    upstream.add(&new, &now());
    assert_eq!(shown(index(&served, "3/f/foo")), ["1.0.0", "1.1.0"]);
    download(&served, "foo", "1.1.0").good();
    served.kill();
    served.set_arguments(&["--upstream", &format!("other={}", upstream.sparse()), "--cooldown", "other=1h"]);
    served.start_again();
    assert_eq!(shown(index(&served, "3/f/foo")), ["1.0.0", "1.1.0!"]);
    assert_eq!(download(&served, "foo", "1.1.0").good().body, new.crate_file());
    upstream.stop();
    assert_eq!(download(&served, "foo", "1.1.0").good().body, new.crate_file());
}

#[test]
fn a_strict_cooldown_refuses_what_was_served_before() {
    let (upstream, mut served) = through(&NEVER_FRESH);
    upstream.add(&Package::new("foo", "1.1.0"), &now());
    for version in ["1.0.0", "1.1.0"] {
        download(&served, "foo", version).good();
    }
    served.kill();
    let other = format!("other={}", upstream.sparse());
    served.set_arguments(&["--upstream", &other, "--cooldown", "1h", "--cooldown-strict"]);
    served.start_again();
    let refused = download(&served, "foo", "1.1.0");
    assert_eq!(refused.status, 403);
    assert!(refused.text().starts_with("foo@1.1.0 is too young"), "{}", refused.text());
    download(&served, "foo", "1.0.0").good();
}

#[test]
fn some_crates_have_a_cooldown_of_their_own() {
    let (upstream, served) = through(&["--cooldown", "1h,other/fo*=2h,other/foo-bar=0s"]);
    for name in ["foo", "foo-bar", "bar"] {
        upstream.add(&Package::new(name, "1.1.0"), &at(Utc::now() - TimeDelta::minutes(90)));
    }
    assert_eq!(shown(index(&served, "3/f/foo")), ["1.0.0", "1.1.0!"]);
    assert!(download(&served, "foo", "1.1.0").text().contains("when they are 2h old"));
    assert_eq!(shown(index(&served, "fo/o-/foo-bar")), ["1.1.0"]);
    assert_eq!(shown(index(&served, "3/b/bar")), ["1.1.0"]);
}

#[test]
fn an_upstream_has_the_cooldown_of_its_name() {
    let (young, free) = (FaultyUpstream::start(), FaultyUpstream::start());
    let [one, two] = [("other", &young), ("free", &free)].map(|(name, of)| format!("{name}={}", of.sparse()));
    let served = Served::start(&["--upstream", &one, "--upstream", &two, "--cooldown", "1h", "--cooldown", "free=0s"]);
    young.add(&Package::new("foo", "1.0.0"), &now());
    free.add(&Package::new("bar", "1.0.0"), &now());
    assert_eq!(shown(index(&served, "3/f/foo")), ["1.0.0!"]);
    assert_eq!(download(&served, "foo", "1.0.0").status, 403);
    let base = format!("{}/upstream/free", served.url);
    assert_eq!(shown(http::get(&format!("{base}/index/3/b/bar"))), ["1.0.0"]);
    http::get(&format!("{base}/api/v1/crates/bar/1.0.0/download")).good();
}

#[test]
fn a_version_without_a_time_is_young_if_it_appears_later() {
    let (upstream, mut served) = through(&["--cooldown", "1h", "--upstream-fresh", "10ms"]);
    let line = |version: &str| {
        let sum = "0".repeat(64);
        json!({ "name": "bar", "vers": version, "deps": [], "cksum": sum, "features": {}, "yanked": false })
    };
    upstream.add_line("bar", &line("1.0.0"));
    assert_eq!(shown(index(&served, "3/b/bar")), ["1.0.0"]);
    upstream.add_line("bar", &line("1.1.0"));
    wait_until("the new version", || shown(index(&served, "3/b/bar")).len() == 2);
    assert_eq!(shown(index(&served, "3/b/bar")), ["1.0.0", "1.1.0!"]);
    assert_eq!(download(&served, "bar", "1.1.0").status, 403);
    served.kill();
    served.start_again();
    let again = asked_again(&upstream, &served, "3/b/bar", |_| {});
    assert_eq!(shown(again), ["1.0.0", "1.1.0!"]);
    upstream.add(&Package::new("bar", "1.2.0"), OLD);
    wait_until("the third version", || shown(index(&served, "3/b/bar")).len() == 3);
    assert_eq!(shown(index(&served, "3/b/bar")), ["1.0.0", "1.1.0!", "1.2.0"]);
}

#[test]
fn a_version_that_is_yanked_at_the_upstream_stays_so() {
    let (upstream, served) = through(&["--cooldown", "1h"]);
    let sum = "0".repeat(64);
    for (version, pubtime) in [("1.0.0", OLD.to_owned()), ("1.1.0", now())] {
        upstream.add_line(
            "bar",
            &json!({ "name": "bar", "vers": version, "deps": [], "cksum": sum, "features": {}, "yanked": true, "pubtime": pubtime }),
        );
    }
    assert_eq!(shown(index(&served, "3/b/bar")), ["1.0.0!", "1.1.0!"]);
}
