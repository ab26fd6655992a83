//! What a set shows while it is open, and what becomes of it.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::json;
use supercargo::jobs::staging::end;

use super::{approve, create, numbers, reject, shown, stage, with_two};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

#[test]
fn a_staged_version_is_in_the_index_of_its_set_alone_until_it_is_approved() {
    let registry = with_two();
    let (ann, everyone) = (registry.user("ann"), registry.anonymous());
    create(&ann, &json!({ "name": "next", "title": "2.0 of all", "preview": true })).good();
    let before = everyone.get("/index/3/f/foo").good();
    let warnings = stage(&ann, "next", &Package::new("foo", "2.0.0")).good().json()["warnings"]["other"].clone();
    assert!(warnings[0].as_str().unwrap().starts_with("`foo@2.0.0` is staged in the release set `next`"), "{warnings}");
    stage(&ann, "next", &Package::new("new-one", "0.1.0")).good();
    assert_eq!(numbers(&everyone, "/index", "3/f/foo"), ["1.0.0"]);
    assert_eq!(numbers(&everyone, "/stage/next/index", "3/f/foo"), ["1.0.0", "2.0.0"]);
    assert_eq!(numbers(&everyone, "/stage/next/index", "ne/w-/new-one"), ["0.1.0"]);
    assert_eq!(numbers(&everyone, "/index", "ne/w-/new-one"), [""; 0]);
    // What is not in the set is the main index's own answer.
    let (main, staged) = (everyone.get("/index/3/b/bar").good(), everyone.get("/stage/next/index/3/b/bar").good());
    assert_eq!((main.body, main.headers.get("etag")), (staged.body, staged.headers.get("etag")));
    // Nothing else shows it.
    assert_eq!(everyone.get("/api/v1/crates/foo/2.0.0").status, StatusCode::NOT_FOUND);
    assert_eq!(everyone.get("/api/v1/crates/new-one").status, StatusCode::NOT_FOUND);
    assert_eq!(everyone.get("/api/v1/crates/foo/2.0.0/download").status, StatusCode::NOT_FOUND);
    let file = everyone.get("/stage/next/api/v1/crates/foo/2.0.0/download").good();
    assert_eq!(file.body, Package::new("foo", "2.0.0").crate_file());
    assert_eq!(file.headers["cache-control"], "private, no-cache");
    everyone.get("/stage/next/api/v1/crates/bar/1.0.0/download").good();
    assert_eq!(registry.run_jobs(), 0);

    let approved = approve(&ann, "next").good().json();
    assert_eq!(
        (&approved["release_set"]["state"], &approved["release_set"]["ended_by"]),
        (&"approved".into(), &"ann".into())
    );
    // Until the jobs have run, the set's index has it still, and the main index has not.
    assert_eq!(numbers(&everyone, "/index", "3/f/foo"), ["1.0.0"]);
    assert_eq!(numbers(&everyone, "/stage/next/index", "3/f/foo"), ["1.0.0", "2.0.0"]);
    registry.run_jobs();
    for index in ["/index", "/stage/next/index"] {
        assert_eq!(numbers(&everyone, index, "3/f/foo"), ["1.0.0", "2.0.0"]);
        assert_eq!(numbers(&everyone, index, "ne/w-/new-one"), ["0.1.0"]);
    }
    assert_ne!(everyone.get("/index/3/f/foo").good().headers["etag"], before.headers["etag"]);
    everyone.get("/api/v1/crates/foo/2.0.0/download").good();
    everyone.get("/stage/next/api/v1/crates/foo/2.0.0/download").good();
    let owners = everyone.get("/api/v1/crates/new-one/owners").good().json();
    assert_eq!(owners["users"][0]["login"], "ann");
    // Repeating the approval, whose answer may have been lost, changes nothing.
    approve(&ann, "next").good();
    let refused = stage(&ann, "next", &Package::new("foo", "3.0.0"));
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.detail().starts_with("the release set `next` was approved on "), "{}", refused.detail());
}

#[test]
fn a_staged_version_is_replaced_by_publishing_it_again() {
    let registry = with_two();
    let ann = registry.user("ann");
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    let first = ann.get("/stage/next/index/3/f/foo").good();
    let mended = Package::new("foo", "2.0.0").file("src/mended.rs", b"// mended\n");
    let said = stage(&ann, "next", &mended).good().json()["warnings"]["other"][0].as_str().unwrap().to_owned();
    assert!(said.starts_with("`foo@2.0.0` is staged in place of the one before"), "{said}");
    let second = ann.get("/stage/next/index/3/f/foo").good();
    assert_ne!(first.headers["etag"], second.headers["etag"]);
    assert_eq!(numbers(&ann, "/stage/next/index", "3/f/foo"), ["1.0.0", "2.0.0"]);
    assert_eq!(ann.get("/stage/next/api/v1/crates/foo/2.0.0/download").good().body, mended.crate_file());
    // The file of the first one is needed by nothing.
    let set = shown(&ann, "next");
    assert_eq!(set["versions"].as_array().unwrap().len(), 1);
    let files = walk(&registry.directory.path().join("crates"));
    assert!(files.iter().any(|name| name.contains(set["versions"][0]["checksum"].as_str().unwrap())), "{files:?}");
    assert_eq!(files.len(), 3, "{files:?}");
    approve(&ann, "next").good();
    registry.run_jobs();
    assert_eq!(ann.get("/api/v1/crates/foo/2.0.0/download").good().body, mended.crate_file());
}

fn walk(directory: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(walk(&entry));
        } else if entry.extension().is_none_or(|extension| extension == "crate") {
            found.push(entry.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn what_a_set_holds_is_taken_until_it_is_rejected() {
    let registry = with_two();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    stage(&ann, "next", &Package::new("new-one", "0.1.0")).good();
    let taken = ann.publish(&Package::new("foo", "2.0.0"));
    assert_eq!(taken.status, StatusCode::CONFLICT);
    insta::assert_snapshot!(taken.detail(), @"`foo@2.0.0` is staged in the release set `next`, and its number is taken until that set ends (an expired one, within 15 seconds): publish another number, stage it there, or take it out of there, with `DELETE /api/v1/release-sets/next/crates/foo/2.0.0`");
    assert_eq!(stage(&ann, "other", &Package::new("foo", "2.0.0")).detail(), taken.detail());
    // With build metadata it is the same number.
    assert_eq!(ann.publish(&Package::new("foo", "2.0.0+x")).status, StatusCode::CONFLICT);
    for refused in
        [bob.publish(&Package::new("new_one", "9.0.0")), stage(&bob, "bobs", &Package::new("new-one", "9.0.0"))]
    {
        assert_eq!(refused.status, StatusCode::CONFLICT);
        assert!(
            refused
                .detail()
                .contains("is staged in the release set `next` (as `new-one@0.1.0`), and its name is taken"),
            "{}",
            refused.detail()
        );
    }
    ann.publish(&Package::new("foo", "2.0.1")).good();
    registry.run_jobs();

    assert_eq!(reject(&ann, "next", " ").status, StatusCode::BAD_REQUEST);
    reject(&ann, "next", "not yet").good();
    let set = shown(&ann, "next");
    assert_eq!((&set["state"], &set["reason"]), (&"rejected".into(), &"not yet".into()));
    assert_eq!(set["versions"][0]["crate"], "foo");
    assert_eq!(numbers(&ann, "/stage/next/index", "3/f/foo"), ["1.0.0", "2.0.1"]);
    ann.publish(&Package::new("foo", "2.0.0")).good();
    bob.publish(&Package::new("new_one", "9.0.0")).good();
    registry.run_jobs();
    assert_eq!(numbers(&ann, "/index", "3/f/foo"), ["1.0.0", "2.0.1", "2.0.0"]);
    assert_eq!(approve(&ann, "next").status, StatusCode::CONFLICT);
}

#[test]
fn a_set_without_a_name_is_not_taken_for_the_main_index() {
    let registry = with_two();
    for path in ["/stage//index/config.json", "/stage/index/config.json", "/stage/release/2.7/index/config.json"] {
        let answer = registry.anonymous().get(path);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        let text = answer.text();
        assert!(text.contains("its name is missing, or has a slash") && !text.contains("/index/\""), "{path}: {text}");
    }
}

#[test]
fn a_set_may_begin_with_a_yank() {
    let registry = with_two();
    let ann = registry.user("ann");
    ann.request(Method::DELETE, "/stage/fix/api/v1/crates/foo/1.0.0/yank", "").good();
    stage(&ann, "fix", &Package::new("foo", "1.0.1")).good();
    approve(&ann, "fix").good();
    registry.run_jobs();
    assert_eq!(numbers(&ann, "/index", "3/f/foo"), ["1.0.0!", "1.0.1"]);
    // Nothing is left of a set whose first change is refused.
    assert_eq!(
        ann.request(Method::DELETE, "/stage/wrong/api/v1/crates/foo/9.0.0/yank", "").status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(ann.get("/api/v1/release-sets/wrong").status, StatusCode::NOT_FOUND);
}

#[test]
fn a_set_yanks_and_publishes_at_once() {
    let registry = with_two();
    let ann = registry.user("ann");
    stage(&ann, "fix", &Package::new("foo", "1.0.1")).good();
    let yank = |client: &crate::support::harness::Client<'_>, path: &str| client.request(Method::DELETE, path, "");
    let said = yank(&ann, "/stage/fix/api/v1/crates/foo/1.0.0/yank").good().json();
    assert!(said["msg"].as_str().unwrap().contains("when the set is approved"), "{said}");
    assert_eq!(numbers(&ann, "/stage/fix/index", "3/f/foo"), ["1.0.0!", "1.0.1"]);
    assert_eq!(numbers(&ann, "/index", "3/f/foo"), ["1.0.0"]);
    assert_eq!(yank(&registry.user("bob"), "/stage/fix/api/v1/crates/foo/1.0.0/yank").status, StatusCode::FORBIDDEN);
    // A yank is taken back like one of the registry.
    ann.request(Method::PUT, "/stage/fix/api/v1/crates/foo/1.0.0/unyank", "").good();
    assert_eq!(shown(&ann, "fix")["changes"], json!([]));
    yank(&ann, "/stage/fix/api/v1/crates/foo/1.0.0/yank").good();
    approve(&ann, "fix").good();
    registry.run_jobs();
    assert_eq!(numbers(&ann, "/index", "3/f/foo"), ["1.0.0!", "1.0.1"]);
    assert_eq!(registry.commits().last().unwrap(), "Update foo: yank 1.0.0, publish 1.0.1");
}

#[test]
fn the_index_of_a_set_that_ended_or_never_was_is_the_main_one() {
    let registry = with_two();
    let ann = registry.user("ann");
    stage(&ann, "gone", &Package::new("foo", "2.0.0")).good();
    reject(&ann, "gone", "not yet").good();
    let everyone = registry.anonymous();
    let main = everyone.get("/index/3/f/foo").good();
    for set in ["gone", "never-was"] {
        let alias = everyone.get(&format!("/stage/{set}/index/3/f/foo")).good();
        assert_eq!((&alias.body, &alias.headers["etag"]), (&main.body, &main.headers["etag"]));
        let config = everyone.get(&format!("/stage/{set}/index/config.json")).good().json();
        assert_eq!(config["api"], format!("http://registry.test/stage/{set}"));
        assert_eq!(config["dl"], format!("http://registry.test/stage/{set}/api/v1/crates"));
        assert_eq!(config.get("auth-required"), None);
        assert_eq!(everyone.get(&format!("/stage/{set}/index/no/su/nosuch")).status, StatusCode::NOT_FOUND);
        everyone.get(&format!("/stage/{set}/api/v1/crates/foo/1.0.0/download")).good();
    }
    assert_eq!(everyone.get("/stage/Not+A+Name/index/3/f/foo").status, StatusCode::BAD_REQUEST);
    let git = everyone.get("/stage/gone/git/index/info/refs?service=git-upload-pack");
    assert!(git.text().contains("a release set has no git index: in .cargo/config.toml, use index = \"sparse+http://registry.test/stage/gone/index/\""), "{}", git.text());
    let other = everyone.get("/stage/gone/api/v1/crates?q=foo");
    assert_eq!(other.status, StatusCode::NOT_FOUND);
    insta::assert_snapshot!(other.detail(), @"a release set has no /api/v1/crates: publish, yank and download there, and use http://registry.test/api/v1 for everything else");
}

#[test]
fn a_set_expires_and_is_extended() {
    let registry = with_two();
    let ann = registry.user("ann");
    create(&ann, &json!({ "name": "short", "expires_in": 3600 })).good();
    stage(&ann, "short", &Package::new("foo", "2.0.0")).good();
    let pass = |hours: i32| {
        let over = format!("UPDATE release_sets SET expires_at = expires_at - interval '{hours} hours'");
        registry
            .pool
            .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(over), connection).unwrap())
            .unwrap();
    };
    let patched = ann.request(Method::PATCH, "/api/v1/release-sets/short", json!({ "expires_in": 7200 }).to_string());
    patched.good();
    let refused =
        ann.request(Method::PATCH, "/api/v1/release-sets/short", json!({ "expires_in": 8_000_000 }).to_string());
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.detail().contains("8000000 s from now"), "{}", refused.detail());
    let expire = || {
        let ended = registry.pool.with(|connection| {
            let overdue = end::overdue(connection).unwrap();
            let expired =
                overdue.into_iter().map(|set| (end::expire(connection, &set).unwrap(), set.as_str().to_owned()));
            expired.collect::<Vec<_>>()
        });
        ended.unwrap()
    };
    pass(1);
    assert_eq!(expire(), []);
    assert_eq!(shown(&ann, "short")["state"], "open");
    pass(2);
    // Over, though nobody has noted it yet.
    assert_eq!(stage(&ann, "short", &Package::new("foo", "2.1.0")).status, StatusCode::CONFLICT);
    assert_eq!(approve(&ann, "short").status, StatusCode::CONFLICT);
    let expired = expire();
    let files = expired[0].0.as_ref().unwrap();
    assert_eq!((expired.len(), expired[0].1.as_str(), files.len()), (1, "short", 1));
    assert_eq!(expire(), []);
    let set = shown(&ann, "short");
    assert_eq!((&set["state"], &set["versions"][0]["version"]), (&"expired".into(), &"2.0.0".into()));
    ann.publish(&Package::new("foo", "2.0.0")).good();
    registry.run_jobs();
}

#[test]
fn the_memory_answers_as_the_router_does() {
    let registry = with_two();
    let ann = registry.user("ann");
    create(&ann, &json!({ "name": "next", "preview": true })).good();
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    for path in ["/stage/next/index/3/f/foo", "/stage/next/index/3/b/bar", "/stage/next/index/no/su/nosuch"] {
        let routed = registry.anonymous().get(path);
        let request = Request::get(path).header("host", "registry.test").body(Body::empty()).unwrap();
        let recalled = registry.recall(Some([127, 0, 0, 1].into()), &request).expect(path);
        assert_eq!((recalled.status, &recalled.body), (routed.status, &routed.body), "{path}");
        assert_eq!(recalled.headers.get("etag"), routed.headers.get("etag"), "{path}");
    }
    create(&ann, &json!({ "name": "private", "preview": false })).good();
    registry.anonymous().get("/stage/private/index/3/f/foo");
    let request =
        Request::get("/stage/private/index/3/f/foo").header("host", "registry.test").body(Body::empty()).unwrap();
    assert!(registry.recall(Some([127, 0, 0, 1].into()), &request).is_none());
}

#[test]
fn an_approval_is_of_what_was_looked_at() {
    let registry = with_two();
    let ann = registry.user("ann");
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    let seen = shown(&ann, "next")["revision"].as_i64().unwrap();
    stage(&ann, "next", &Package::new("bar", "2.0.0")).good();
    let at =
        |revision: i64| ann.request(Method::PUT, &format!("/api/v1/release-sets/next/approve?revision={revision}"), "");
    let changed = at(seen);
    assert_eq!(changed.status, StatusCode::CONFLICT);
    assert!(changed.detail().contains(&format!("(its revision is {})", seen + 1)), "{}", changed.detail());
    ann.request(Method::DELETE, "/api/v1/release-sets/next/crates/bar/2.0.0", "").good();
    at(seen + 2).good();
    registry.run_jobs();
    assert_eq!(numbers(&ann, "/index", "3/f/foo"), ["1.0.0", "2.0.0"]);
    assert_eq!(numbers(&ann, "/index", "3/b/bar"), ["1.0.0"]);
}

#[test]
fn a_staged_version_is_compared_with_the_one_before() {
    let registry = with_two();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "3.0.0")).good();
    registry.run_jobs();
    create(&ann, &json!({ "name": "next", "preview": false })).good();
    let package = Package::new("foo", "2.0.0").file("build.rs", b"fn main() {}\n");
    stage(&ann, "next", &package).good();
    stage(&ann, "next", &Package::new("new-one", "0.1.0")).good();
    let diff = ann.get("/api/v1/release-sets/next/crates/foo/2.0.0").good().json();
    assert_eq!(
        (&diff["previous"], &diff["staged_by"], &diff["token"]),
        (&"1.0.0".into(), &"ann".into(), &"test".into())
    );
    assert_eq!((&diff["owners"], &diff["vcs_commit"]), (&json!(["ann"]), &json!(null)));
    let files = diff["diff"]["files"].as_array().unwrap();
    assert!(files.iter().any(|file| file["path"] == "build.rs" && file["status"] == "added"), "{diff:#}");
    let new = ann.get("/api/v1/release-sets/next/crates/new-one/0.1.0").good().json();
    assert_eq!((&new["previous"], &new["diff"]["from"]), (&json!(null), &json!(null)));
    let paths = |files: &serde_json::Value| -> Vec<String> {
        files.as_array().unwrap().iter().map(|file| format!("{} {}", file["status"], file["path"])).collect()
    };
    assert_eq!(paths(&new["diff"]["files"]), ["\"added\" \"Cargo.toml\"", "\"added\" \"src/lib.rs\""]);
    assert_eq!(new["diff"]["summary"]["manifest"]["fields"][0]["after"], "MIT");
    assert_eq!(ann.get("/api/v1/release-sets/next/crates/foo/9.0.0").status, StatusCode::NOT_FOUND);
    assert_eq!(registry.user("bob").get("/api/v1/release-sets/next/crates/foo/2.0.0").status, StatusCode::FORBIDDEN);
}

#[test]
fn an_empty_set_and_an_unknown_one_are_not_approved() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    create(&ann, &json!({ "name": "empty" })).good();
    assert_eq!(approve(&ann, "empty").status, StatusCode::CONFLICT);
    assert_eq!(approve(&ann, "unknown").status, StatusCode::NOT_FOUND);
    assert_eq!(create(&ann, &json!({ "name": "empty" })).status, StatusCode::CONFLICT);
    assert_eq!(create(&ann, &json!({ "name": "Not a name" })).status, StatusCode::BAD_REQUEST);
    let generated = create(&ann, &json!({})).good().json()["release_set"]["name"].as_str().unwrap().to_owned();
    assert!(generated.starts_with("set-") && generated.len() == 24, "{generated}");
}
