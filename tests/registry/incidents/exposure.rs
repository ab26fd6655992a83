//! Who is exposed to a version: by the command, the API and the page.

use axum::http::StatusCode;
use chrono::{TimeDelta, Utc};
use diesel::RunQueryDsl;
use serde_json::{Value, json};
use supercargo::database::download_log::coverage::{self, Scope};

use super::depending;
use crate::pages::Browser;
use crate::sign_in::set_password;
use crate::support::event::wait_until;
use crate::support::faulty_upstream::FaultyUpstream;
use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

/// The index of the upstream of [`TestRegistry::with_upstream`], and the same through the registry.
const ACME: Option<&str> = Some("sparse+http://127.0.0.1:9/");
const ACME_HERE: Option<&str> = Some("sparse+http://registry.test/upstream/acme/index/");
const HERE: Option<&str> = Some("sparse+http://registry.test/index/");

fn filled() -> TestRegistry {
    let registry = TestRegistry::with_upstream();
    let ann = registry.user("ann");
    for package in [
        depending("base", &[("foo", "1.0", "normal", ACME)]),
        depending("old", &[("foo", "0.9", "normal", ACME)]),
        depending("tested", &[("foo", "1.1", "dev", ACME_HERE)]),
        depending("elsewhere", &[("foo", "1.0", "normal", None)]),
        depending("app", &[("base", "1", "normal", HERE), ("tested", "1", "normal", HERE)]),
        depending("suite", &[("app", "1", "build", HERE), ("base", "1", "normal", HERE)]),
        // In a circle, and not with this version.
        depending("plugin", &[("suite", "1", "dev", HERE)]),
        depending("next", &[("base", "2", "normal", HERE)]),
        depending("beyond", &[("plugin", "1", "normal", HERE)]),
    ] {
        ann.publish(&package).good();
    }
    registry.run_jobs();
    registry
}

fn names(list: &Value) -> Vec<String> {
    let text = |one: &Value| format!("{} on {} {}", one["crate"], one["on"], one["requirement"]).replace('"', "");
    list.as_array().unwrap().iter().map(text).collect()
}

#[test]
fn crates_that_may_take_the_version_are_listed_directly_and_through_others() {
    let registry = filled();
    let root = registry.admin("root");
    let of = |version: &str| root.get(&format!("/api/v1/admin/upstreams/acme/exposure/Foo/{version}")).good().json();
    let found = of("1.2.0");
    assert_eq!(names(&found["dependents"]), ["base on foo ^1.0", "tested on foo ^1.1"]);
    assert_eq!(names(&found["transitive_dependents"]), ["app on base ^1", "suite on base ^1", "plugin on suite ^1"]);
    assert_eq!(
        (&found["upstream"], &found["crate"], &found["version"], &found["published_at"]),
        (&json!("acme"), &json!("Foo"), &json!("1.2.0"), &Value::Null)
    );
    assert_eq!(names(&of("1.0.3")["dependents"]), ["base on foo ^1.0"]);
    assert_eq!(names(&of("2.0.0")["dependents"]), [""; 0]);
    assert_eq!(names(&of("2.0.0")["transitive_dependents"]), [""; 0]);
    // A yanked version of a dependent is not its default version.
    registry.user("ann").publish(&Package::new("base", "1.1.0")).good();
    registry.run_jobs();
    assert_eq!(names(&of("1.0.3")["dependents"]), [""; 0]);
}

#[test]
fn only_admins_see_it_and_what_is_not_there_is_refused() {
    let registry = filled();
    let path = "/api/v1/admin/upstreams/acme/exposure/foo/1.0.0";
    assert_eq!(registry.user("ann").get(path).status, StatusCode::FORBIDDEN);
    assert_eq!(registry.anonymous().get(path).status, StatusCode::UNAUTHORIZED);
    let root = registry.admin("root");
    assert_eq!(root.get(path).good().headers["cache-control"], "no-store");
    let refused = root.get("/api/v1/admin/upstreams/other/exposure/foo/1.0.0");
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert_eq!(refused.detail(), "there is no upstream other: there is acme");
    for query in ["since=yesterday", "until=2030-01-01T00:00:00Z"] {
        assert_eq!(root.get(&format!("{path}?{query}")).status, StatusCode::BAD_REQUEST, "{query}");
    }
    assert_eq!(root.get("/api/v1/admin/upstreams/acme/exposure/foo/1").status, StatusCode::NOT_FOUND);
}

/// Adds downloads of `foo` 1.0.0 of acme, each so many days ago.
fn add(registry: &TestRegistry, columns: &str, values: &str, days: i64) {
    let statement = format!(
        "INSERT INTO download_log (at, upstream, canonical_name, crate_name, version, checksum, is_delivered, {columns})
         VALUES (now() - interval '{days} days', 'acme', 'foo', 'foo', '1.0.0', sha256('x'), {values})"
    );
    registry.pool.with(|connection| diesel::sql_query(statement).execute(connection).unwrap()).unwrap();
}

#[test]
fn downloads_are_counted_by_token_and_by_address() {
    let registry = filled();
    let root = registry.admin("root");
    let by_ann = "login, token_id, token_name, address";
    add(&registry, by_ann, "true, 'ann', 1, 'ci', '192.0.2.1'", 5);
    add(&registry, by_ann, "true, 'ann', 1, 'ci', '192.0.2.2'", 2);
    add(&registry, by_ann, "false, 'ann', 2, 'laptop', '192.0.2.3'", 4);
    add(&registry, "address, user_agent", "true, '2001:db8::1', 'cargo/1.95.0'", 3);
    let path = "/api/v1/admin/upstreams/acme/exposure/foo/1.0.0";
    let found = root.get(path).good().json();
    let left =
        "Downloads are no longer logged (`--download-log-retention`): the lists have what is left of a former log.";
    assert_eq!(found["notes"], json!([left]));
    assert_eq!((&found["delivered"], &found["refused"]), (&json!(3), &json!(1)));
    let [ci, laptop] = [0, 1].map(|place| found["by_token"][place].clone());
    assert_eq!((&ci["user"], &ci["token_id"], &ci["delivered"]), (&json!("ann"), &json!(1), &json!(2)));
    assert_eq!(ci["addresses"], json!(["192.0.2.1", "192.0.2.2"]));
    assert!(ci["first"].as_str() < ci["last"].as_str() && found["first"] == ci["first"] && found["last"] == ci["last"]);
    assert_eq!(
        (&laptop["token_name"], &laptop["delivered"], &laptop["refused"]),
        (&json!("laptop"), &json!(0), &json!(1))
    );
    assert_eq!(found["by_address"][0]["address"], "2001:db8::1");
    let since = (Utc::now() - TimeDelta::hours(60)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let newer = root.get(&format!("{path}?since={since}")).good().json();
    assert_eq!((&newer["delivered"], &newer["by_address"]), (&json!(1), &json!([])));
    let other = root.get(&path.replace("1.0.0", "1.0.1")).good().json();
    assert_eq!((&other["by_token"], &other["delivered"]), (&json!([]), &json!(0)));

    // With a log that reaches back far enough there is nothing to note.
    registry
        .pool
        .with(|connection| {
            coverage::set(connection, Scope::All, Some(TimeDelta::days(90))).unwrap();
            let earlier = "UPDATE download_log_settings SET at = now() - interval '50 days'";
            diesel::sql_query(earlier).execute(connection).unwrap();
        })
        .unwrap();
    assert_eq!(root.get(&format!("{path}?since={since}")).good().json()["notes"], json!([]));
    let unknown = root.get(path).good().json()["notes"][0].as_str().unwrap().to_owned();
    assert!(unknown.starts_with("The log reaches back to ") && unknown.ends_with("earlier downloads are not known."));
}

#[test]
fn the_page_shows_downloads_and_dependents() {
    let registry = filled();
    registry.admin("root");
    add(&registry, "login, token_id, token_name", "true, 'ann', 1, '<b>ci</b>'", 1);
    let mut root = set_password(&registry, "root", "correct horse battery staple");
    let html = root.get("/admin/upstreams").good().text();
    assert!(html.contains("action=\"/admin/upstreams/exposure\""), "{html}");
    let path = "/admin/upstreams/exposure?upstream=acme&crate=foo&version=1.0.0";
    let html = root.get(path).good().text();
    for part in ["&lt;b&gt;ci&lt;/b&gt;", "href=\"/crates/base\"", "href=\"/crates/suite/1.0.0\"", "no longer logged"] {
        assert!(html.contains(part), "{part}: {html}");
    }
    let all = root.get("/admin/upstreams/exposure?upstream=acme&crate=foo&version=").good().text();
    assert!(all.contains("href=\"/crates/old\""), "{all}");
    for (query, status) in
        [("upstream=x&crate=foo", 404), ("upstream=acme&crate=", 400), ("upstream=acme&crate=foo&version=1", 400)]
    {
        assert_eq!(root.get(&format!("/admin/upstreams/exposure?{query}")).status.as_u16(), status, "{query}");
    }
    let mut ann = set_password(&registry, "ann", "correct horse battery staple");
    assert_eq!(ann.get(path).status, StatusCode::FORBIDDEN);
    assert_eq!(Browser::new(&registry).get(path).status, StatusCode::SEE_OTHER);
}

#[test]
fn the_command_says_who_downloaded_it_and_what_it_does_not_know() {
    let upstream = FaultyUpstream::start();
    upstream.add(&Package::new("foo", "1.0.0"), "2024-01-01T00:00:00Z");
    upstream.add(&Package::new("foo", "1.1.0"), &Utc::now().to_rfc3339());
    let named = format!("other={}", upstream.sparse());
    let served = Served::start(&["--upstream", &named, "--download-log-retention", "90days", "--auth-required"]);
    let token = served.token("ann");
    let get = |path: &str| http::get_as(&format!("{}{path}", served.url), &token).good();
    http::publish(&served.url, &token, &depending("base", &[("foo", "1.0", "normal", Some(&upstream.sparse()))]))
        .good();
    get("/upstream/other/api/v1/crates/foo/1.0.0/download");
    get("/upstream/other/api/v1/crates/foo/1.0.0/download");
    get("/api/v1/crates/base/1.0.0/download");
    let run = |command: &str, arguments: &[&str]| served.run(command, arguments);
    let json = |arguments: &[&str]| -> Value {
        let arguments = [arguments, &["--json", "--upstream", &named]].concat();
        serde_json::from_str(&run("upstream exposure", &arguments)).unwrap()
    };
    wait_until("the entries", || json(&["other", "foo@1.0.0"])["delivered"] == 2);
    let said = run("upstream exposure", &["other", "foo@1.0.0", "--upstream", &named]);
    assert!(said.starts_with("note: The log reaches back to "), "{said}");
    assert!(
        said.contains(", and the version was published on 2024-01-01 at 00:00 UTC: earlier downloads are not known.\n")
    );
    assert!(said.contains("\ndelivered 2 times, refused 0 times\n") && said.contains("\nann   1"), "{said}");
    let table = "crates whose default version depends on it:\nCRATE  VERSION  DEPENDS ON  REQUIREMENT  KIND\nbase   1.0.0    foo         ^1.0         normal\n";
    assert!(said.ends_with(table), "{said}");
    // Of a version that was published after that, the log has all.
    let younger = json(&["other", "foo@1.1.0"]);
    assert_eq!((&younger["delivered"], &younger["by_token"]), (&json!(0), &json!([])));
    let said = run("upstream exposure", &["other", "foo@1.1.0", "--since", "1s"]);
    assert!(said.contains("it was not downloaded") || said.starts_with("note: "), "{said}");
    assert!(said.contains("which crates depend on it is not known: give the index of the upstream"), "{said}");
    let own = run("admin crate exposure", &["base@1.0.0"]);
    assert!(own.contains("delivered 1 times") && own.ends_with("no crate's default version depends on it\n"), "{own}");
    assert!(!own.contains("note:"), "{own}");
    let nothing = served.command("upstream exposure").args(["other", "foo@1"]).output().unwrap();
    assert_eq!(nothing.status.code(), Some(2), "{nothing:?}");
}
