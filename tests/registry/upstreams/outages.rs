//! An upstream that does not answer for long, and what people see of it.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{FOO, NEVER_FRESH, OLD, index, served};
use crate::fast_path::routed;
use crate::sign_in::set_password;
use crate::support::event::wait_until;
use crate::support::faulty_upstream::{Behaviour, FaultyUpstream};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;
use crate::support::process::Served;

fn monitor(served: &Served) -> String {
    let found = served.command("monitor").args(["--disk-limit", "100"]).output().unwrap();
    String::from_utf8(found.stdout).unwrap()
}

#[test]
fn a_long_outage_is_reported_until_the_upstream_answers() {
    let upstream = FaultyUpstream::start();
    upstream.add(&Package::new("foo", "1.0.0"), OLD);
    let served = served(&upstream, &[&NEVER_FRESH[..], &["--upstream-away", "1s"]].concat());
    index(&served, "3/f/foo").good();
    assert!(monitor(&served).starts_with("SUPERCARGO OK"), "{}", monitor(&served));
    let answer = upstream.behaviour(FOO).unwrap();
    upstream.set(FOO, Behaviour::status(500));
    let audit = |action: &str| served.run("admin audit", &["--action", action]);
    wait_until("the outage to be reported", || {
        index(&served, "3/f/foo").good();
        audit("upstream-away").contains("answered 500")
    });
    let found = monitor(&served);
    assert!(found.contains("CRITICAL") && found.contains("the upstream other has not answered since"), "{found}");
    assert!(!audit("upstream-back").contains("other"));
    upstream.set(FOO, answer);
    wait_until("its end to be reported", || {
        index(&served, "3/f/foo").good();
        audit("upstream-back").contains("other")
    });
    assert!(monitor(&served).starts_with("SUPERCARGO OK"), "{}", monitor(&served));
    assert_eq!(audit("upstream-away").matches("answered 500").count(), 1);
}

#[test]
fn a_short_outage_is_not_reported() {
    let upstream = FaultyUpstream::start();
    let served = served(&upstream, &NEVER_FRESH);
    upstream.set(FOO, Behaviour::status(500));
    for _ in 0..3 {
        assert_eq!(index(&served, "3/f/foo").status, 503);
    }
    upstream.add(&Package::new("foo", "1.0.0"), OLD);
    wait_until("an answer", || index(&served, "3/f/foo").status == 200);
    assert!(!served.run("admin audit", &[]).contains("upstream-"));
}

#[test]
fn admins_see_whether_an_upstream_answers() {
    let upstream = FaultyUpstream::start();
    upstream.add(&Package::new("foo", "1.0.0"), OLD);
    let registry = TestRegistry::through(&upstream);
    let root = registry.admin("root");
    let mut page = set_password(&registry, "root", "correct horse battery staple");
    let mut of = |registry: &TestRegistry| {
        let json = root.get("/api/v1/admin/upstreams").good().json()["upstreams"][0].clone();
        (json, page.get("/admin/upstreams").good().text(), registry.anonymous().get("/api/v1/admin/upstreams").status)
    };
    let (fresh, html, stranger) = of(&registry);
    assert!([StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&stranger), "{stranger}");
    assert_eq!(
        (&fresh["name"], &fresh["cooldown_seconds"], &fresh["offline"]),
        (&json!("acme"), &json!(259_200), &json!(false))
    );
    assert_eq!((&fresh["answered_at"], &fresh["failing_since"]), (&json!(null), &json!(null)));
    assert!(html.contains("It was not asked since this process has started."), "{html}");
    assert_eq!(routed(&registry, &Method::GET, "/upstream/acme/index/3/f/foo", &[]).status, 200);
    let (answering, html, _) = of(&registry);
    assert!(answering["answered_at"].is_string() && answering["failure"].is_null(), "{answering}");
    assert!(html.contains(">answers</span>"), "{html}");
    upstream.set("/index/3/b/bar", Behaviour::status(500));
    assert_eq!(routed(&registry, &Method::GET, "/upstream/acme/index/3/b/bar", &[]).status, 503);
    let (failing, html, _) = of(&registry);
    assert!(failing["failing_since"].is_string(), "{failing}");
    assert!(failing["failure"].as_str().unwrap().contains("answered 500"), "{failing}");
    assert!(html.contains(">does not answer</span>") && html.contains("answered 500"), "{html}");
    let bob = registry.user("bob");
    assert_eq!(bob.get("/api/v1/admin/upstreams").status, StatusCode::FORBIDDEN);
}
