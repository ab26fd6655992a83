//! A crate that is deleted is gone from index, API and store at once with all its versions, and its name and their numbers
//! stay taken.

use std::sync::Barrier;

use axum::http::{Method, StatusCode};
use diesel::connection::SimpleConnection;
use serde_json::json;
use supercargo::database::access::audit::Actor;
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::{teams, users};
use supercargo::jobs::Admission;
use supercargo::jobs::delete_crate::{self, Accepted};
use supercargo::package::Checksum;

use crate::support::event::wait_until;
use crate::support::harness::{Answer, Client, TestRegistry};
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

/// A registry with ann's `foo` 1.0.0 and 1.1.0.
fn with_foo() -> TestRegistry {
    publish_foo(TestRegistry::new())
}

fn publish_foo(registry: TestRegistry) -> TestRegistry {
    for version in ["1.0.0", "1.1.0"] {
        registry.user("ann").publish(&Package::new("foo", version)).good();
    }
    registry.run_jobs();
    registry
}

/// A crate that depends on `foo`.
fn dependent(name: &str) -> Package {
    let dep = json!({
        "name": "foo", "version_req": "^1", "features": [], "optional": false, "default_features": true, "target": null,
        "kind": "normal", "registry": null, "explicit_name_in_toml": null,
    });
    Package::new(name, "1.0.0")
        .manifest(
            "[dependencies]\nfoo = { version = \"1\", registry-index = \"sparse+http://registry.test/index/\" }\n",
        )
        .metadata("deps", json!([dep]))
}

fn delete(client: &Client<'_>, crate_and_query: &str) -> Answer {
    client.request(Method::DELETE, &format!("/api/v1/crates/{crate_and_query}"), "")
}

fn deleted(answer: &Answer) {
    assert_eq!((answer.status, answer.body.len()), (StatusCode::NO_CONTENT, 0), "{}", answer.text());
}

fn sql(registry: &TestRegistry, statements: &str) {
    registry.pool.with(|connection| connection.batch_execute(statements).unwrap()).unwrap();
}

fn is_stored(registry: &TestRegistry, package: &Package) -> bool {
    let name = Checksum::of(&package.crate_file()).to_string();
    registry.directory.path().join("crates").join(&name[..2]).join(format!("{name}.crate")).exists()
}

/// As `supercargo admin crate delete` with `--release-name`, or `admin crate release`.
fn release(registry: &TestRegistry) {
    let operator = Actor::operator("op@host".to_owned());
    let name = "foo".parse().unwrap();
    let again = registry
        .pool
        .with(|connection| {
            let released = delete_crate::request(connection, &name, ("x", true), &operator).unwrap();
            assert!(matches!(released, Accepted::Released), "{released:?}");
            delete_crate::release_name(connection, &name, &operator).unwrap()
        })
        .unwrap();
    assert!(!again, "released twice");
}

#[test]
fn a_deleted_crate_is_nowhere_and_its_name_stays_taken() {
    let registry = with_foo();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    ann.yank("foo", "1.0.0").good();
    registry.run_jobs();
    let commits = registry.commits().len();
    deleted(&delete(&ann, "FOO?message=published%20by%20mistake"));
    // From the moment it was asked for, whatever the index shows.
    let gone = ann.get("/api/v1/crates/foo");
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert!(
        gone.detail().starts_with("the crate `foo` was deleted from this registry on 20")
            && gone.detail().ends_with(": published by mistake"),
        "{}",
        gone.detail()
    );
    for path in [
        "/versions",
        "/downloads",
        "/owners",
        "/owner_user",
        "/reverse_dependencies",
        "/1.0.0",
        "/1.0.0/readme",
        "/1.0.0/download",
    ] {
        assert_eq!(ann.get(&format!("/api/v1/crates/foo{path}")).detail(), gone.detail(), "{path}");
    }
    assert_eq!(registry.index_file("3/f/foo").lines().count(), 2);
    // One job for all lines; then each file has one.
    assert_eq!(registry.run_jobs(), 3);
    assert_eq!(ann.get("/index/3/f/foo").status, StatusCode::NOT_FOUND);
    assert_eq!(registry.commits()[commits..], ["Update foo: remove 1.0.0, remove 1.1.0"]);
    for version in ["1.0.0", "1.1.0"] {
        assert!(!is_stored(&registry, &Package::new("foo", version)), "{version}");
    }
    assert_eq!(ann.get("/api/v1/crates?q=foo").good().json()["meta"]["total"], 0);
    let owners = json!({ "users": ["bob"] }).to_string();
    for refused in [
        ann.yank("foo", "1.0.0"),
        ann.unyank("foo", "1.0.0"),
        ann.request(Method::PUT, "/api/v1/crates/foo/owners", owners),
        delete(&ann, "foo"),
        delete(&registry.admin("root"), "foo"),
        delete(&registry.admin("root"), "foo/1.0.0?reason=x"),
    ] {
        assert_eq!((refused.status, refused.detail()), (StatusCode::NOT_FOUND, gone.detail()));
    }
    let admin = registry.admin("root");
    for (client, package) in [
        (&ann, Package::new("foo", "1.0.0")),
        (&ann, Package::new("foo", "2.0.0")),
        (&bob, Package::new("Foo", "2.0.0")),
        (&admin, Package::new("foo", "2.0.0")),
    ] {
        let refused = client.publish(&package);
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text());
        let (before, after) =
            refused.detail().split_once(" on 20").map(|(a, b)| (a.to_owned(), b[8..].to_owned())).unwrap();
        insta::allow_duplicates! {
            insta::assert_snapshot!(format!("{before} on DATE{after}"), @"the crate `foo` was deleted from this registry on DATE (published by mistake), and its name stays taken: publish under another name, or ask an operator to release this one with `supercargo admin crate release foo`");
        }
    }
    let log = admin.get("/api/v1/admin/audit?action=crate-delete").good().json();
    let entry = &log["entries"][0];
    assert_eq!((&entry["actor"], &entry["crate"]), (&json!("ann"), &json!("foo")));
    assert_eq!(
        entry["detail"],
        json!({
            "reason": "published by mistake", "name_released": false, "owners": ["ann"], "versions": ["1.0.0", "1.1.0"],
        })
    );
}

#[test]
fn a_released_name_is_that_of_a_new_crate_and_the_former_numbers_stay_taken() {
    let registry = with_foo();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    sql(&registry, "UPDATE crates SET created_at = created_at - interval '100 hours'");
    deleted(&delete(&registry.admin("root"), "foo"));
    release(&registry);
    registry.run_jobs();
    let updates = NewToken { scopes: Some(vec!["publish-update".parse().unwrap()]), ..NewToken::named("updates") };
    assert!(registry.user_with("ann", updates).publish(&Package::new("foo", "2.0.0")).detail().contains("publish-new"));
    let taken = bob.publish(&Package::new("foo", "1.1.0"));
    assert_eq!(taken.status, StatusCode::CONFLICT);
    insta::assert_snapshot!(taken.detail(), @"crate version `foo@1.1.0` was deleted from this registry (an admin deleted the crate), and its number cannot be used again: publish another number");
    let other = bob.publish(&Package::new("Foo", "2.0.0"));
    assert_eq!(other.status, StatusCode::BAD_REQUEST);
    assert!(other.detail().contains("the crate is called `foo` here"), "{}", other.detail());
    // What was refused did not take the name.
    assert_eq!(ann.get("/api/v1/crates/foo").status, StatusCode::NOT_FOUND);
    let published = bob.publish(&Package::new("foo", "2.0.0")).good().json();
    assert_eq!(published["crate"]["name"], "foo");
    assert_eq!(ann.publish(&Package::new("foo", "2.1.0")).status, StatusCode::FORBIDDEN);
    registry.run_jobs();
    assert_eq!(registry.index_file("3/f/foo").lines().count(), 1);
    let owners = ann.get("/api/v1/crates/foo/owners").good().json();
    assert_eq!((owners["users"].as_array().unwrap().len(), &owners["users"][0]["login"]), (1, &json!("bob")));
    let former = ann.get("/api/v1/crates/foo/1.0.0");
    assert_eq!(former.detail(), "`foo@1.0.0` was deleted from this registry: an admin deleted the crate");
    // The time of its owners begins again.
    deleted(&delete(&bob, "foo"));
    registry.run_jobs();
    assert_eq!(registry.index_file("3/f/foo"), "");
    assert_eq!(bob.publish(&Package::new("foo", "3.0.0")).status, StatusCode::CONFLICT);
}

#[test]
fn owners_delete_their_crates_and_nobody_else_does() {
    let registry = with_foo();
    let (ann, bob, cid) = (registry.user("ann"), registry.user("bob"), registry.user("cid"));
    registry
        .pool
        .with(|connection| {
            let team = teams::create(connection, "devs").unwrap();
            let cid = users::find(connection, "cid").unwrap().unwrap();
            teams::add_member(connection, team.id, cid.id).unwrap();
        })
        .unwrap();
    assert_eq!(delete(&registry.anonymous(), "foo").status, StatusCode::UNAUTHORIZED);
    let stranger = delete(&bob, "foo");
    assert_eq!(stranger.status, StatusCode::FORBIDDEN);
    assert!(stranger.detail().starts_with("`bob` is not an owner of the crate `foo`"), "{}", stranger.detail());
    let owners = json!({ "users": ["bob", "team:devs"] }).to_string();
    ann.request(Method::PUT, "/api/v1/crates/foo/owners", owners).good();
    let member = delete(&cid, "foo");
    assert_eq!(member.status, StatusCode::FORBIDDEN);
    insta::assert_snapshot!(member.detail(), @"`cid` may publish and yank `foo` as a member of a team, but cannot delete it: ask one of its owners (ann, bob)");
    for scope in ["publish-new", "publish-update", "yank", "change-owners", "read"] {
        let scoped = NewToken { scopes: Some(vec![scope.parse().unwrap()]), ..NewToken::named("ci") };
        let refused = delete(&registry.user_with("ann", scoped), "foo");
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.detail().contains("use a token without restrictions"), "{}", refused.detail());
    }
    for unknown in ["bar", "%00", "f%20o"] {
        assert_eq!(delete(&ann, unknown).status, StatusCode::NOT_FOUND, "{unknown}");
    }
    ann.get("/api/v1/crates/foo").good();
    assert_eq!(registry.pending(), 0);
    // Any of several owners, as at crates.io.
    deleted(&delete(&bob, "foo"));
    registry.run_jobs();
    assert!(ann.get("/api/v1/crates/foo").detail().ends_with(": an owner deleted the crate"));
}

#[test]
fn the_right_of_owners_ends_and_that_of_admins_does_not() {
    let registry = with_foo();
    let ann = registry.user("ann");
    sql(&registry, "UPDATE crates SET created_at = timestamptz '2020-02-03 04:05:06+00'");
    let late = delete(&ann, "foo");
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    insta::assert_snapshot!(late.detail(), @"the crate `foo` was created on 2020-02-03, and owners can delete a crate only within 3days of its creation: yank its versions instead, or ask an admin to delete it");
    sql(&registry, "UPDATE crates SET created_at = clock_timestamp() - interval '71 hours'");
    deleted(&delete(&ann, "foo"));
    registry.run_jobs();
}

#[test]
fn the_right_of_owners_can_be_switched_off() {
    let registry = publish_foo(TestRegistry::with(|settings| {
        settings.admission = Admission { crate_deletion_window: std::time::Duration::ZERO, ..Admission::default() };
    }));
    let never = delete(&registry.user("ann"), "foo");
    assert_eq!(never.status, StatusCode::FORBIDDEN);
    insta::assert_snapshot!(never.detail(), @"owners cannot delete crates in this registry: yank the versions of `foo` instead, or ask an admin to delete it");
    deleted(&delete(&registry.admin("root"), "foo"));
    registry.run_jobs();
}

#[test]
fn owners_cannot_delete_a_crate_on_which_others_depend() {
    let registry = with_foo();
    let ann = registry.user("ann");
    // A crate may depend on itself, for its tests.
    let own = Package { version: "1.2.0".to_owned(), ..dependent("foo") };
    ann.publish(&own).good();
    for name in ["bar", "baz"] {
        registry.user("bob").publish(&dependent(name)).good();
    }
    let refused = delete(&ann, "foo");
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    insta::assert_snapshot!(refused.detail(), @"other crates of this registry depend on `foo` (bar, baz), so its owners cannot delete it: yank its versions instead, or ask an admin to delete it");
    registry.run_jobs();
    // A yanked version is still in lock files; a deleted one is not.
    registry.user("bob").yank("bar", "1.0.0").good();
    deleted(&delete(&registry.user("bob"), "baz"));
    registry.run_jobs();
    assert!(delete(&ann, "foo").detail().contains("(bar)"));
    let root = registry.admin("root");
    deleted(&delete(&root, "foo"));
    registry.run_jobs();
    // A deleted crate is no crate that a dependency could name.
    let advice = registry.user("bob").publish(&dependent("new-one")).good().json()["warnings"]["other"].to_string();
    assert!(advice.contains("no crate named `foo`"), "{advice}");
    registry.run_jobs();
}

#[test]
fn a_message_is_one_short_line() {
    let registry = with_foo();
    let ann = registry.user("ann");
    for (message, text) in [
        ("x".repeat(1001), "the message of the deletion has 1001 characters, above the limit of 1000: shorten it"),
        ("a%0ab".to_owned(), "the message of the deletion contains"),
        ("a%00b".to_owned(), "the message of the deletion contains"),
    ] {
        let refused = delete(&ann, &format!("foo?message={message}"));
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.detail().contains(text), "{}", refused.detail());
    }
    ann.get("/api/v1/crates/foo").good();
    // An empty one is none, as at crates.io.
    deleted(&delete(&ann, "foo?message="));
    registry.run_jobs();
}

#[test]
fn a_crate_deleted_before_it_was_published_never_appears() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for version in ["1.0.0", "1.1.0"] {
        ann.publish(&Package::new("new", version)).good();
    }
    // Its path is also that of publishes.
    deleted(&delete(&ann, "new"));
    registry.run_jobs();
    assert_eq!((registry.commits().len(), registry.index_file("3/n/new")), (0, String::new()));
    assert!(!is_stored(&registry, &Package::new("new", "1.0.0")));
}

/// Killed after the index was written and before the database was: the same job runs again.
#[test]
fn deleting_twice_changes_nothing_the_second_time() {
    let registry = with_foo();
    deleted(&delete(&registry.user("ann"), "foo"));
    let copy = "INSERT INTO jobs (queue, kind, key, payload) SELECT queue, kind, key, payload FROM jobs";
    sql(&registry, copy);
    assert_eq!(registry.run_jobs(), 4);
    let commits = registry.commits();
    let undone = "UPDATE versions SET state = 'queued', commit_id = NULL, published_at = NULL WHERE state = 'deleted';
        INSERT INTO jobs (queue, kind, key, payload)
        SELECT 'index', 'delete_crate', name, jsonb_build_object('crate_id', id, 'name', name) FROM crates";
    sql(&registry, undone);
    // The index is as desired; both files are removed once more.
    assert_eq!(registry.run_jobs(), 3);
    assert_eq!(registry.commits(), commits);
}

/// Whichever comes first: a publish before the deletion is deleted with the rest, one after it is refused.
#[test]
fn a_publish_that_races_a_deletion_is_deleted_or_refused() {
    let served = Served::start(&[]);
    let (ann, bob) = (served.token("ann"), served.token("bob"));
    for round in 0..6 {
        let name = format!("race{round}");
        http::publish(&served.url, &ann, &Package::new(&name, "1.0.0")).good();
        let barrier = Barrier::new(4);
        let wait = |request: &(dyn Fn() -> http::Reply + Sync)| {
            barrier.wait();
            request()
        };
        let publish = |token: &str, num: &str| http::publish(&served.url, token, &Package::new(&name, num));
        let deletion = || http::delete_as(&format!("{}/api/v1/crates/{name}", served.url), &ann);
        let replies: Vec<http::Reply> = std::thread::scope(|scope| {
            let racing = [
                scope.spawn(|| wait(&deletion)),
                scope.spawn(|| wait(&deletion)),
                scope.spawn(|| wait(&|| publish(&ann, "1.1.0"))),
                scope.spawn(|| wait(&|| publish(&bob, "1.2.0"))),
            ];
            racing.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
        let mut deletions = [statuses[0], statuses[1]];
        deletions.sort_unstable();
        assert_eq!(deletions, [204, 404], "{replies:?}");
        assert!(matches!(statuses[2], 200 | 409), "{replies:?}");
        // Not an owner, or too late.
        assert!(matches!(statuses[3], 403 | 409), "{replies:?}");
        let path = format!("ra/ce/{name}");
        wait_until("the end of the crate", || http::index_lines(&served.url, &path).is_empty());
        assert_eq!(http::get(&format!("{}/api/v1/crates/{name}", served.url)).status, 404);
    }
    wait_until("an empty queue", || served.run("jobs list", &["--json"]).trim() == "[]");
    let verified = served.command("verify").args(["--json", "--orphan-age", "0s"]).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
}
