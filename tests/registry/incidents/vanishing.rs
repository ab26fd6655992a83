//! Versions that vanish from the index of an upstream.

use serde_json::Value;

use crate::sign_in::set_password;
use crate::support::event::wait_until;
use crate::support::faulty_upstream::{Behaviour, FaultyUpstream};
use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

const FOO: &str = "/index/3/f/foo";
const OLD: &str = "2024-01-01T00:00:00Z";

/// What the audit log has, the newest first.
fn vanished(served: &Served) -> Vec<Value> {
    let entries = served.run("admin audit", &["--action", "upstream-vanish", "--json"]);
    serde_json::from_str::<Vec<Value>>(&entries).unwrap().into_iter().map(|entry| entry["detail"].clone()).collect()
}

fn monitor(served: &Served) -> String {
    String::from_utf8(served.command("monitor").output().unwrap().stdout).unwrap()
}

#[test]
fn a_version_that_vanishes_is_an_alarm_once_and_its_kept_file_is_not_delivered() {
    let upstream = FaultyUpstream::start();
    upstream.add(&Package::new("foo", "1.0.0"), OLD);
    let before = upstream.behaviour(FOO).unwrap();
    let checksum = upstream.add(&Package::new("foo", "1.1.0"), OLD);
    let served = Served::start(&["--upstream", &format!("other={}", upstream.sparse()), "--upstream-fresh", "10ms"]);
    let index = || http::get(&format!("{}/upstream/other/index/3/f/foo", served.url));
    let download = || http::get(&format!("{}/upstream/other/api/v1/crates/foo/1.1.0/download", served.url));
    download().good();
    let both = upstream.behaviour(FOO).unwrap();
    upstream.set(FOO, before.clone());
    wait_until("the index without it", || index().good().text().lines().count() == 1);
    wait_until("the entry", || vanished(&served).len() == 1);
    let detail = &vanished(&served)[0];
    assert_eq!((&detail["crate"], &detail["version"]), (&"foo".into(), &"1.1.0".into()));
    assert_eq!(detail["checksum"], checksum.to_string());
    assert_eq!(download().status, 404);
    let found = monitor(&served);
    let said = "the upstream other no longer has foo@1.1.0 in its index; it is not delivered: see who has it with `supercargo \
                upstream exposure other foo@1.1.0`";
    assert!(found.contains("CRITICAL") && found.contains(said), "{found}");
    // Another state of the file without it is no other alarm; that it vanishes again is.
    upstream.add(&Package::new("foo", "1.2.0"), OLD);
    wait_until("the index with another one", || index().good().text().lines().count() == 2);
    assert_eq!(vanished(&served).len(), 1);
    upstream.set(FOO, both);
    wait_until("the entry about the other one", || {
        index();
        vanished(&served).iter().any(|detail| detail["version"] == "1.2.0")
    });
    download().good();
    upstream.set(FOO, before);
    wait_until("the third entry", || {
        index();
        vanished(&served).len() == 3
    });
}

#[test]
fn a_crate_that_vanishes_with_many_versions_is_one_entry() {
    let upstream = FaultyUpstream::start();
    for number in 0..25 {
        upstream.add(&Package::new("foo", &format!("1.{number}.0")), OLD);
    }
    let served = Served::start(&["--upstream", &format!("other={}", upstream.sparse()), "--upstream-fresh", "10ms"]);
    let index = || http::get(&format!("{}/upstream/other/index/3/f/foo", served.url));
    index().good();
    upstream.set(FOO, Behaviour::status(404));
    wait_until("that it is believed to be gone", || index().status == 404);
    wait_until("the entry", || vanished(&served).len() == 1);
    assert_eq!(vanished(&served)[0]["versions"], 25);
    assert!(monitor(&served).contains("no longer has 25 versions of foo in its index"));
}

#[test]
fn the_page_lists_what_upstreams_have_changed_and_removed() {
    let registry = TestRegistry::with_upstream();
    registry.admin("root");
    let add = |action: &str, detail: &str, days: u32| {
        let statement = format!(
            "INSERT INTO audit_log (at, action, actor, subject, detail)
             VALUES (now() - interval '{days} days', '{action}', 'supercargo', 'acme', '{detail}')"
        );
        let run = |connection: &mut _| diesel::RunQueryDsl::execute(diesel::sql_query(statement), connection).unwrap();
        registry.pool.with(run).unwrap();
    };
    add("upstream-vanish", r#"{"crate": "foo", "version": "1.1.0"}"#, 29);
    add("upstream-vanish", r#"{"crate": "many", "versions": 25}"#, 1);
    add("upstream-change", r#"{"crate": "bar", "version": "2.0.0"}"#, 1);
    add("upstream-vanish", r#"{"crate": "former", "version": "1.0.0"}"#, 31);
    let html = set_password(&registry, "root", "correct horse battery staple").get("/admin/upstreams").good().text();
    for part in [
        "href=\"/admin/upstreams/exposure?upstream=acme&amp;crate=foo&amp;version=1.1.0\"",
        "href=\"/admin/upstreams/exposure?upstream=acme&amp;crate=many\"",
        "25 versions are no longer in the index",
        "href=\"/admin/upstreams/exposure?upstream=acme&amp;crate=bar&amp;version=2.0.0\"",
        "another checksum than before",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(!html.contains("former"), "{html}");
}
