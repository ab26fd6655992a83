//! `supercargo set`, as an operator runs it beside a server.

use serde_json::{Value, json};

use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, failed};

/// A registry with `foo` 1.0.0, and the token of its owner.
fn with_foo() -> (Served, String) {
    let served = Served::start(&[]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    (served, token)
}

fn stage(served: &Served, set: &str, token: &str, num: &str) {
    http::publish(&format!("{}/stage/{set}", served.url), token, &Package::new("foo", num)).good();
}

fn versions(served: &Served) -> Vec<String> {
    let lines = http::index_lines(&served.url, "3/f/foo");
    lines.iter().map(|line| line["vers"].as_str().unwrap().to_owned()).collect()
}

/// The error of a command that is refused.
fn refused(served: &Served, subcommand: &str, arguments: &[&str]) -> String {
    failed(served.command(subcommand).args(arguments).output().unwrap(), 1)
}

#[test]
fn an_operator_creates_looks_at_extends_and_approves_a_set() {
    let (served, token) = with_foo();
    let created = served.run("set create", &["next", "--title", "The next one", "--expires-in", "2h"]);
    assert!(created.contains(&format!("sparse+{}/stage/next/index/", served.url)), "{created}");
    stage(&served, "next", &token, "1.1.0");

    let list = served.run("set list", &[]);
    let line = list.lines().find(|line| line.starts_with("next ")).unwrap_or_else(|| panic!("{list}"));
    assert!(line.contains(" open ") && line.ends_with("The next one"), "{line}");
    let show = served.run("set show", &["next"]);
    let line = show.lines().find(|line| line.starts_with("foo ")).unwrap_or_else(|| panic!("{show}"));
    assert!(line.contains(" 1.1.0 ") && line.contains(" publish ") && line.contains(" ann "), "{line}");
    assert!(
        show.contains(
            "missing   `foo` needs 1 approval of users who may publish it, and has 0 of these; ann can approve"
        ),
        "{show}"
    );
    assert!(show.contains(&format!("page      {}/release-sets/next", served.url)), "{show}");
    let json: Value = serde_json::from_str(&served.run("set show", &["next", "--json"])).unwrap();
    assert_eq!((&json["state"], &json["versions"][0]["version"]), (&"open".into(), &"1.1.0".into()), "{json}");
    let diff = served.run("set diff", &["next"]);
    assert!(diff.starts_with("foo 1.1.0 (after 1.0.0), ") && diff.contains("~ Cargo.toml"), "{diff}");
    let fresh =
        Package::new("fresh", "0.1.0").manifest("[features]\nfast = []\n").metadata("features", json!({ "fast": [] }));
    http::publish(&format!("{}/stage/next", served.url), &token, &fresh).good();
    let diff = served.run("set diff", &["next"]);
    // A new build script is what a reviewer asks first.
    let script = Package::new("foo", "1.1.0").file("build.rs", b"fn main() {}\n");
    http::publish(&format!("{}/stage/next", served.url), &token, &script).good();
    let with_script = served.run("set diff", &["next"]);
    assert!(with_script.contains("! build script: none -> build.rs"), "{with_script}");
    let fresh = diff.split_once("fresh 0.1.0 (a new crate)").unwrap_or_else(|| panic!("{diff}")).1;
    assert!(fresh.contains("+ feature fast") && fresh.contains("+ Cargo.toml"), "{fresh}");

    let before = json["expires_at"].clone();
    assert!(served.run("set extend", &["next", "--expires-in", "3h"]).contains("is open until"));
    let json: Value = serde_json::from_str(&served.run("set show", &["next", "--json"])).unwrap();
    assert!(json["expires_at"].as_str() > before.as_str(), "{json}");
    let earlier = refused(&served, "set extend", &["next", "--expires-in", "1h"]);
    assert!(earlier.contains("which is later: give a longer time"), "{earlier}");
    let late = refused(&served, "set extend", &["next", "--expires-in", "91days"]);
    assert!(late.contains("cannot end 91 days from now"), "{late}");

    let seen = json["revision"].to_string();
    stage(&served, "next", &token, "1.2.0");
    let changed = refused(&served, "set approve", &["next", "--revision", &seen]);
    assert!(changed.contains("its revision is 4"), "{changed}");
    assert_eq!(versions(&served), ["1.0.0"]);
    let approved = served.run("set approve", &["next"]);
    assert!(approved.contains("versions published: 3, other changes made: 0"), "{approved}");
    wait_until("the versions to be in the index", || versions(&served) == ["1.0.0", "1.1.0", "1.2.0"]);
    assert!(!served.run("set list", &[]).contains("next"));
    let list = served.run("set list", &["--all"]);
    assert!(list.lines().any(|line| line.starts_with("next ") && line.contains(" approved ")), "{list}");
    assert!(refused(&served, "set approve", &["next"]).contains("`next` was approved"));
    assert!(refused(&served, "set show", &["none"]).contains("there is no release set `none`"));
}

#[test]
fn an_operator_rejects_a_set_and_its_numbers_are_free() {
    let (served, token) = with_foo();
    served.run("set create", &["wrong"]);
    stage(&served, "wrong", &token, "1.1.0");
    let rejected = served.run("set reject", &["wrong", "--reason", "the licence is missing"]);
    assert!(rejected.contains("with 1 version; their numbers are free again"), "{rejected}");
    assert!(served.run("set show", &["wrong"]).contains("the licence is missing"));
    http::publish(&served.url, &token, &Package::new("foo", "1.1.0")).good();
    assert_eq!(versions(&served), ["1.0.0", "1.1.0"]);
}

#[test]
fn an_operator_adds_lists_and_removes_rules() {
    let (served, token) = with_foo();
    let added = served.run("set rule add", &["foo*", "--approvals", "2", "--by-another"]);
    assert!(added.contains("rule 1: versions of foo* are published with 2 approvals of users who may publish them, and did not stage them"), "{added}");
    let list = served.run("set rule list", &[]);
    let line = list.lines().find(|line| line.starts_with("1 ")).unwrap_or_else(|| panic!("{list}"));
    assert!(line.contains("foo*") && line.contains(" 2 ") && line.ends_with("not who staged it"), "{line}");
    http::publish(&served.url, &token, &Package::new("foo", "1.1.0")).good();
    assert_eq!(versions(&served), ["1.0.0"]);
    let unknown = refused(&served, "set rule add", &["team:none"]);
    assert!(unknown.contains("there is no team \"none\""), "{unknown}");
    served.run("set rule remove", &["1"]);
    assert!(!served.run("set rule list", &[]).contains("foo*"));
    let removed = refused(&served, "set rule remove", &["1"]);
    assert!(removed.contains("there is no rule 1: see `supercargo set rule list`"), "{removed}");
    http::publish(&served.url, &token, &Package::new("foo", "1.2.0")).good();
    assert_eq!(versions(&served), ["1.0.0", "1.2.0"]);
}

#[test]
fn an_operator_overrides_a_rule_with_a_reason() {
    let (served, token) = with_foo();
    served.run("set rule add", &["foo", "--approvals", "2"]);
    let twice = refused(&served, "set rule add", &["FOO"]);
    assert!(twice.contains("another spelling"), "{twice}");
    served.run("admin team create", &["core"]);
    let team = served.run("set rule add", &["team:core", "--approved-by", "team:core"]);
    assert!(team.contains("versions of team:core are published with 1 approval of members of the team core"), "{team}");
    stage(&served, "next", &token, "1.1.0");
    let waits = refused(&served, "set approve", &["next"]);
    assert!(waits.contains("waits for others (`foo` (rule foo) needs 2 approvals of"), "{waits}");
    assert!(waits.contains("only ann can approve, so ask an admin"), "{waits}");
    assert_eq!(versions(&served), ["1.0.0"]);
    served.run("set approve", &["next", "--override", "the fix cannot wait"]);
    wait_until("the version to be in the index", || versions(&served) == ["1.0.0", "1.1.0"]);
    let show = served.run("set show", &["next"]);
    assert!(show.contains("override  the fix cannot wait"), "{show}");
    served.run("set create", &["empty", "--private"]);
    assert_eq!(served.run("set diff", &["empty"]), "nothing is staged in the release set empty yet\n");
    assert!(served.run("set show", &["empty"]).contains("to every user"));
}
