//! Who may upload documentation, and which zips are accepted.

use axum::body::Body;
use axum::http::Method;
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::rate_limits::RateLimits;
use supercargo::database::access::scope::Scope;
use supercargo::docs_archive::Limits;

use super::{PATH, get, sample, upload, with_foo, zip};
use crate::support::harness::TestRegistry;

fn scoped(scopes: Vec<Scope>) -> NewToken {
    NewToken { scopes: Some(scopes), ..NewToken::named("scoped") }
}

#[test]
fn an_owner_uploads_documentation_and_the_version_has_its_url() {
    let registry = TestRegistry::new();
    let ann = with_foo(&registry);
    let before = ann.get("/api/v1/crates/foo/1.0.0").good().json();
    assert_eq!(before["version"]["docs_url"], serde_json::Value::Null);
    let answer = upload(&ann, "1.0.0", sample("one")).good().json();
    assert_eq!(answer["docs_url"], "http://registry.test/docs/foo/1.0.0/");
    assert_eq!((&answer["replaced"], &answer["files"]), (&false.into(), &6.into()));
    assert_eq!(ann.get("/api/v1/crates/foo/1.0.0").good().json()["version"]["docs_url"], answer["docs_url"]);
    let page = get(&registry.anonymous(), "/crates/foo", &[("accept", "text/html")]).good().text();
    assert!(page.contains("href=\"/docs/foo/1.0.0/\""), "{page}");
    let log = registry.admin("root").get("/api/v1/admin/audit?action=docs-upload").good().json();
    assert_eq!(log["entries"][0]["version"], "1.0.0", "{log:#}");
}

#[test]
fn documentation_takes_the_place_of_what_was_there_whose_file_is_removed() {
    let registry = TestRegistry::new();
    let ann = with_foo(&registry);
    let first = upload(&ann, "1.0.0", sample("one")).good().json();
    let tag = get(&ann, "/docs/foo/1.0.0/foo/index.html", &[]).good().headers["etag"].clone();
    let second = upload(&ann, "1.0.0", sample("two")).good().json();
    assert_eq!(second["replaced"], true);
    let page = get(&ann, "/docs/foo/1.0.0/foo/index.html", &[]).good();
    assert!(page.text().contains("twotwo") && page.headers["etag"] != tag);
    let path = |answer: &serde_json::Value| {
        let checksum = answer["checksum"].as_str().unwrap();
        registry.directory.path().join(format!("crates/{}/{checksum}.crate", &checksum[..2]))
    };
    assert!(path(&first).exists() && path(&second).exists());
    assert_eq!(registry.run_jobs(), 1);
    assert!(!path(&first).exists() && path(&second).exists());
    // The same again changes nothing.
    upload(&ann, "1.0.0", sample("two")).good();
    assert_eq!(registry.run_jobs(), 0);
    assert!(path(&second).exists());
}

#[test]
fn nobody_else_uploads_or_deletes_documentation() {
    let registry = TestRegistry::new();
    with_foo(&registry);
    let with = |scopes| registry.user_with("ann", scoped(scopes));
    let body = sample("one");
    for (client, status, why) in [
        (registry.anonymous(), 401, "no token"),
        (registry.user("bob"), 403, "is not an owner"),
        (with(vec![Scope::PublishUpdate, Scope::PublishNew]), 403, "needs the scope publish-docs"),
        (with(vec![Scope::Read]), 403, "needs the scope publish-docs"),
    ] {
        for method in [Method::PUT, Method::DELETE] {
            let refused = client.request(method, PATH, body.clone());
            assert_eq!(refused.status, status, "{}", refused.text());
            assert!(refused.detail().contains(why), "{}", refused.detail());
        }
    }
    upload(&with(vec![Scope::PublishDocs]), "1.0.0", body.clone()).good();
    upload(&registry.admin("root"), "1.0.0", body.clone()).good();
    let ann = registry.user("ann");
    for (path, why) in [
        ("/api/v1/crates/foo/1.0.1/docs", "has no version 1.0.1"),
        ("/api/v1/crates/bar/1.0.0/docs", "no crate `bar`"),
        ("/api/v1/crates/foo/latest/docs", "has no version latest"),
    ] {
        let refused = ann.request(Method::PUT, path, body.clone());
        assert!(refused.status == 404 && refused.detail().contains(why), "{}", refused.text());
    }
}

#[test]
fn refused_zips_count_for_the_rate_limit_but_not_what_is_refused_before_they_are_looked_at() {
    let limits = RateLimits::configured(["publish-docs=2/1h"]).unwrap();
    let registry = TestRegistry::with(|settings| settings.admission.rate_limits = limits);
    let ann = with_foo(&registry);
    assert_eq!(upload(&ann, "3.0.0", sample("one")).status, 404);
    assert_eq!(upload(&ann, "1.0.0", b"no zip".to_vec()).status, 422);
    upload(&ann, "1.0.0", sample("one")).good();
    for body in [b"no zip".to_vec(), sample("two")] {
        let refused = upload(&ann, "1.0.0", body);
        assert!(refused.status == 429 && refused.detail().contains("rate limit exceeded"), "{}", refused.text());
    }
}

#[test]
fn a_zip_that_cannot_be_served_is_refused_with_the_remedy_and_nothing_stays_of_it() {
    let limits = Limits { max_archive: 20_000, max_files: 4, ..Limits::default() };
    let registry = TestRegistry::with(|settings| settings.docs.limits = limits);
    let ann = with_foo(&registry);
    let files = || {
        let crates = registry.directory.path().join("crates");
        let below = std::fs::read_dir(crates).unwrap().filter_map(|one| std::fs::read_dir(one.unwrap().path()).ok());
        below.flatten().count()
    };
    let before = files();
    let mut trailing = zip(&[("foo/index.html", b"a")]);
    trailing.push(0);
    for (body, status, why) in [
        (b"no zip".to_vec(), 422, "no zip archive"),
        (Vec::new(), 422, "no zip archive"),
        (trailing, 422, "ends 1 bytes before the end of the file"),
        (zip(&[("index.html", b"a")]), 422, "there is no \"foo/index.html\" in it"),
        (zip(&[("a/index.html", b"a"), ("b/index.html", b"a")]), 422, "of several crates (a, b)"),
        (sample("one"), 422, "more than 4 files"),
        (vec![7; 20_001], 413, "--max-docs-size"),
    ] {
        let refused = upload(&ann, "1.0.0", body);
        assert_eq!(refused.status, status, "{}", refused.text());
        assert!(refused.detail().contains(why), "{}", refused.detail());
    }
    assert_eq!(files(), before);
    let several = zip(&[("a/index.html", b"a"), ("b/index.html", b"of b")]);
    ann.request(Method::PUT, &format!("{PATH}?directory=b"), several.clone()).good();
    assert_eq!(get(&ann, "/docs/foo/1.0.0/b/", &[]).good().text(), "of b");
    for directory in ["", "a/b", "..", "c"] {
        let refused = ann.request(Method::PUT, &format!("{PATH}?directory={directory}"), several.clone());
        assert!([400, 422].contains(&refused.status.as_u16()), "{}", refused.text());
    }
}

#[test]
fn a_deleted_version_can_have_no_documentation() {
    let registry = TestRegistry::new();
    let ann = with_foo(&registry);
    registry.admin("root").request(Method::DELETE, "/api/v1/crates/foo/1.0.0?reason=leak", Body::empty()).good();
    let refused = upload(&ann, "1.0.0", sample("one"));
    assert!(refused.status == 404 && refused.detail().contains("was deleted"), "{}", refused.text());
    registry.run_jobs();
}
