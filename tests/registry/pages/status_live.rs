//! The stream of events of a status.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use supercargo::web::{StatusStreams, TrustedProxies};

use super::status::{STATUS, failing, mend, sql, status};
use super::{Browser, page};
use crate::support::harness::{Answer, Client, Follower, TestRegistry};
use crate::support::package::Package;

fn follow<'a>(client: &'a Client<'_>) -> Result<Follower<'a>, Box<Answer>> {
    let request = Request::get(format!("{STATUS}/events")).header("last-event-id", "9999999999999999999999\"<");
    client.follow(request.body(Body::empty()).unwrap())
}

#[test]
fn a_stream_begins_with_the_state_and_ends_when_the_job_is_done() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    let reader = registry.anonymous();
    let mut followed = follow(&reader).unwrap();
    assert_eq!(followed.headers["content-type"], "text/event-stream");
    assert_eq!(followed.headers["cache-control"], "no-cache");
    assert_eq!(followed.headers["x-accel-buffering"], "no");
    let first = followed.next().unwrap();
    assert_eq!((first.name.as_str(), first.retry.as_str()), ("status", "2000"));
    assert_eq!(first.data, Browser::new(&registry).get(&format!("{STATUS}?fragment=1")).text());
    // It waits for the job as a request does, and another reader does not take that away.
    assert_eq!(registry.completions.awaited(), 1);
    drop(follow(&reader).unwrap());
    assert_eq!(registry.completions.awaited(), 1);
    registry.run_jobs();
    let last = followed.next().unwrap();
    assert_eq!((last.name.as_str(), registry.completions.awaited()), ("end", 0));
    assert!(last.data.contains("<strong>Published.</strong>") && last.data.contains("data-done"), "{}", last.data);
    assert_eq!(followed.next(), None);
    // What has come to an end has one event.
    let mut again = follow(&reader).unwrap();
    assert_eq!((again.next().unwrap().name.as_str(), again.next()), ("end", None));
}

/// No job ends with a failed attempt, so it is found by reading again.
#[test]
fn a_stream_shows_failed_attempts_as_well() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    let reader = registry.anonymous();
    let mut followed = follow(&reader).unwrap();
    assert!(followed.next().unwrap().data.contains("<strong>Queued.</strong>"));
    sql(
        &registry,
        "UPDATE versions SET metadata = metadata || jsonb_build_object('kept', index_line), index_line = '{'",
    );
    assert_eq!(registry.drain().failed.len(), 1);
    assert!(followed.next().unwrap().data.contains("<strong>Delayed.</strong>"));
    mend(&registry);
    assert_eq!(followed.next().unwrap().name, "end");
}

/// Its rights are those of each moment, and not those with which it began.
#[test]
fn a_stream_ends_with_the_token_or_the_session_that_began_it() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    let token = ann.token.clone().unwrap();
    let mut browser = Browser::new(&registry);
    browser.sign_in(&token);
    let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let reader = registry.anonymous();
    let disabled = |at| format!("UPDATE users SET disabled_at = {at}");
    for (header, value, ended, undone) in [
        ("cookie", cookies.join("; "), disabled("now()"), disabled("NULL")),
        ("authorization", token.clone(), disabled("now()"), disabled("NULL")),
        ("cookie", cookies.join("; "), "DELETE FROM web_sessions".to_owned(), disabled("NULL")),
        ("authorization", token, "UPDATE api_tokens SET revoked_at = now()".to_owned(), disabled("NULL")),
    ] {
        let request = Request::get(format!("{STATUS}/events")).header(header, value);
        let mut followed = reader.follow(request.body(Body::empty()).unwrap()).unwrap();
        assert_eq!(followed.next().unwrap().name, "status");
        assert_eq!(sql(&registry, &ended), 1);
        assert_eq!(followed.next(), None);
        sql(&registry, &undone);
    }
    registry.run_jobs();
}

#[test]
fn a_stream_neither_keeps_the_rights_of_an_admin_nor_prolongs_the_session() {
    let registry = failing();
    let root = registry.admin("root");
    let mut browser = Browser::new(&registry);
    browser.sign_in(root.token.as_ref().unwrap());
    let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = Request::get(format!("{STATUS}/events")).header("cookie", cookies.join("; "));
    let reader = registry.anonymous();
    let mut followed = reader.follow(request.body(Body::empty()).unwrap()).unwrap();
    let seen = followed.next().unwrap().data;
    assert!(seen.contains("The recorded error") && seen.contains("/queue/jobs/"), "{seen}");
    sql(&registry, "UPDATE web_sessions SET last_used_at = now() - interval '1 hour'");
    sql(&registry, "UPDATE users SET is_admin = false");
    let seen = followed.next().unwrap();
    assert_eq!(seen.name, "status");
    assert!(!seen.data.contains("The recorded error") && !seen.data.contains("/queue/jobs/"), "{}", seen.data);
    let idle = "UPDATE web_sessions SET last_used_at = now() WHERE last_used_at < now() - interval '59 minutes'";
    assert_eq!(sql(&registry, idle), 1, "a reading of the stream is no use of the session");
    mend(&registry);
    assert_eq!(followed.next().unwrap().name, "end");
}

#[test]
fn streams_beyond_the_bound_are_refused_until_one_ends() {
    let registry = TestRegistry::with(|settings| {
        settings.status_streams = StatusStreams::new(2, 2, TrustedProxies::default());
    });
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    let reader = registry.anonymous();
    let open: Vec<_> = (0..2).map(|_| follow(&reader).unwrap()).collect();
    let refused = follow(&reader).err().unwrap();
    assert_eq!(
        (refused.status, &refused.headers["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"5".parse().unwrap())
    );
    assert!(refused.detail().contains("too many clients follow"), "{}", refused.detail());
    // The page is there for everyone.
    page(&registry, STATUS);
    drop(open);
    follow(&reader).unwrap();
    registry.run_jobs();
}

#[test]
fn in_a_private_registry_a_session_opens_the_stream_as_well() {
    let registry = TestRegistry::with(|settings| settings.auth_required = true);
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    assert_eq!(registry.anonymous().get("/api/v1/crates/foo/1.0.0/status").status, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&ann)["progress"], "done");
    let mut browser = Browser::new(&registry);
    browser.sign_in(ann.token.as_ref().unwrap());
    let events = browser.get(&format!("{STATUS}/events")).good();
    assert_eq!(events.headers["cache-control"], "private, no-cache");
    assert!(events.text().starts_with("event: end\n"), "{}", events.text());
    assert!(browser.get(STATUS).good().text().contains("<strong>Published.</strong>"));
}
