//! Advisories of this registry about its own crates.

use std::path::Path;
use std::process::Command;

use axum::http::{Method, StatusCode};
use rustsec::database::Query;
use rustsec::{Database, Lockfile};
use serde_json::{Value, json};
use supercargo::advisory::draft::Origin;
use supercargo::database::access::administrator::Administrator;
use supercargo::database::access::new_token::NewToken;
use supercargo::database::advisories::exchange::{self, Read, Row};
use supercargo::database::advisories::sources;
use supercargo::index::GitProgram;
use supercargo::jobs::webhooks::configure::Wanted;
use supercargo::own_advisories::change::{self, Given};
use supercargo::own_advisories::repository::Repository;

use crate::support::harness::{BASE_URL, TestRegistry};
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, failed, succeeded};
use crate::support::webhook_receiver::WebhookReceiver;
use crate::webhooks::{deliver, hook, operator};

const HIGH: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N";

fn publish_versions(served: &Served) {
    let token = served.token("ann");
    for version in ["0.9.0", "1.0.0", "1.2.2", "1.2.3"] {
        http::publish(&served.url, &token, &Package::new("foo-bar", version)).good();
    }
}

fn add(served: &Served, arguments: &[&str]) -> String {
    succeeded(served.command("advisory add").args(arguments).output().unwrap())
}

/// Clones the advisories, as a user of the registry with this configuration of git would.
fn clone(served: &Served, settings: &[&str]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    git(directory.path(), settings, &["clone", "-q", &format!("{}/git/advisories", served.url), "."]);
    directory
}

fn git(directory: &Path, settings: &[&str], arguments: &[&str]) -> String {
    let settings = settings.iter().flat_map(|setting| ["-c", setting]);
    let output = Command::new("git").current_dir(directory).args(settings).args(arguments).output().unwrap();
    succeeded(output)
}

/// The ids of advisories that the reader of cargo-audit and cargo-deny finds about a locked package.
fn audited(served: &Served, directory: &Path, version: &str) -> Vec<String> {
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"foo-bar\"\nversion = \"{version}\"\nsource = \"sparse+{}/index/\"\n\
         checksum = \"{}\"\n",
        served.url,
        "0".repeat(64)
    );
    let lock: Lockfile = lock.parse().unwrap();
    let database = Database::open(directory).unwrap();
    let found = database.query(&Query::crate_scope().package(&lock.packages[0]));
    let found = found.into_iter().filter(|one| !one.withdrawn());
    found.map(|one| format!("{} {}", one.id(), one.metadata.url.as_ref().unwrap())).collect()
}

#[test]
fn an_advisory_is_added_changed_and_withdrawn_and_readers_of_rustsecs_layout_understand_it() {
    let served = Served::start(&[]);
    publish_versions(&served);
    let description = served.directory.path().join("leak.md");
    std::fs::write(&description, "It *leaks* `a` & \"b\".\r\n\r\n```toml\nx = 1\n```\n").unwrap();
    let said = add(
        &served,
        &[
            "Foo_Bar",
            "--title",
            "A leak",
            "--unaffected",
            "<1",
            "--cvss",
            HIGH,
            "--description",
            description.to_str().unwrap(),
        ],
    );
    let year = chrono::Utc::now().format("%Y").to_string();
    let id = format!("SCGO-{year}-0001");
    assert!(said.contains(&format!("published {id}: A leak")), "{said}");
    assert!(said.contains("it affects 3 of 4 versions of foo-bar: 1.2.3, 1.2.2, 1.0.0"), "{said}");
    assert!(said.contains(&format!("supercargo advisory edit {id} --patched")), "{said}");
    let page = |path: &str| http::get_page(&format!("{}{path}", served.url)).good().text();
    assert!(page("/crates/foo-bar").contains("No version is patched."));
    let said = served.run("advisory edit", &[&id, "--patched", ">=1.2.3"]);
    assert!(said.contains("it affects 2 of 4 versions of foo-bar: 1.2.2, 1.0.0"), "{said}");
    assert!(served.run("advisory edit", &[&id, "--patched", ">=1.2.3"]).contains("nothing changed"));
    // Pages and API.
    let advisory_page = format!("{}/advisories/{id}", served.url);
    assert!(!page("/crates/foo-bar").contains(&id), "the default version is patched");
    let vulnerable = page("/crates/foo-bar/1.2.2");
    assert!(vulnerable.contains("Vulnerable, severity high.") && vulnerable.contains("&gt;=1.2.3"), "{vulnerable}");
    assert_eq!(page("/crates/foo-bar/versions").matches(&format!("href=\"/advisories/{id}\"")).count(), 2);
    let shown = page(&format!("/advisories/{id}"));
    assert!(shown.contains("<em>leaks</em>") && shown.contains("href=\"/crates/foo-bar\""), "{shown}");
    assert!(page("/advisories").contains("this registry"));
    let api = |path: &str| http::get(&format!("{}/api/v1/{path}", served.url)).good().json();
    let ids = |list: &Value| list["advisories"].as_array().unwrap().len();
    let of_crate = api("crates/foo_bar/advisories");
    assert_eq!((ids(&of_crate), &of_crate["advisories"][0]["url"]), (1, &json!(advisory_page)));
    assert_eq!((ids(&api("crates/foo-bar/1.0.0/advisories")), ids(&api("crates/foo-bar/0.9.0/advisories"))), (1, 0));
    assert_eq!(api("advisories")["meta"]["total"], 1);
    let osv = api(&format!("advisories/{id}"));
    let place = format!("{}/index/", served.url);
    assert_eq!(osv["affected"][0]["package"]["ecosystem"], format!("crates.io:{place}"));
    assert_eq!(osv["references"], json!([{ "type": "WEB", "url": advisory_page }]));
    assert_eq!(osv["details"], "It *leaks* `a` & \"b\".\n\n```toml\nx = 1\n```");
    // The repository.
    let cloned = clone(&served, &[]);
    git(cloned.path(), &[], &["fsck", "--strict"]);
    assert_eq!(git(cloned.path(), &[], &["log", "--format=%s"]), format!("{id}: A leak\n{id}: A leak\nBegin\n"));
    let found = [format!("{id} {advisory_page}")];
    assert_eq!(audited(&served, cloned.path(), "1.2.2"), found);
    assert!(audited(&served, cloned.path(), "1.2.3").is_empty() && audited(&served, cloned.path(), "0.9.0").is_empty());
    let in_repository = std::fs::read_to_string(cloned.path().join(format!("osv/{id}.json"))).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&in_repository).unwrap(), osv);
    // Withdrawn, it counts no more.
    served.run("advisory withdraw", &[&id, "--reason", "Callers check the length"]);
    git(cloned.path(), &[], &["pull", "-q", "--ff-only"]);
    assert!(audited(&served, cloned.path(), "1.2.2").is_empty());
    assert_eq!(ids(&api("crates/foo-bar/advisories")), 0);
    let shown = page(&format!("/advisories/{id}"));
    assert!(shown.contains("it does not count any more") && shown.contains("Callers check the length"), "{shown}");
    let refused = failed(served.command("advisory edit").args([&id, "--title", "x"]).output().unwrap(), 1);
    assert!(refused.contains("is withdrawn, and is not changed any more"), "{refused}");
}

#[test]
fn what_is_wrong_is_refused_and_a_crate_that_is_not_there_is_a_warning() {
    let served = Served::start(&[]);
    publish_versions(&served);
    let refused = |arguments: &[&str]| failed(served.command("advisory add").args(arguments).output().unwrap(), 1);
    for (arguments, part) in [
        (&["foo-bar"][..], "the title has 0 characters"),
        (&["foo-bar", "--title", "T", "--patched", "since 1.2"], "\"since 1.2\" is no range of versions"),
        (&["foo-bar", "--title", "T", "--cvss", "high"], "\"high\" is no CVSS vector"),
        (&["foo-bar", "--title", "T", "--id", "RUSTSEC-2026-0001"], "one of another database"),
        (&["foo-bar", "--title", "T", "--id", "../x"], "\"../x\" is no id"),
        (&["foo-bar", "--title", "T", "--description", "/nowhere"], "--description: cannot read /nowhere"),
    ] {
        let said = refused(arguments);
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    assert!(
        failed(served.command("advisory edit").args(["SCGO-1-1", "--title", "x"]).output().unwrap(), 1)
            .contains("this registry has no advisory SCGO-1-1 about one of its crates")
    );
    let output = served.command("advisory add").args(["nowhere", "--title", "T", "--id", "ACME-1"]).output().unwrap();
    let warned = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && warned.contains("warning: the index has no crate nowhere"), "{warned}");
    assert!(refused(&["nowhere", "--title", "T", "--id", "ACME-1"]).contains("there is an advisory ACME-1 already"));
    let output =
        served.command("advisory add").args(["foo-bar", "--title", "T", "--unaffected", "<9"]).output().unwrap();
    let warned = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && warned.contains("it affects none of the 4 versions of foo-bar"), "{warned}");
    let api = |path: &str| http::get(&format!("{}/api/v1/crates/{path}", served.url)).status;
    assert_eq!(
        (api("nowhere/advisories"), api("nowhere2/advisories"), api("foo-bar/7.0.0/advisories")),
        (200, 404, 404)
    );
}

#[test]
fn admins_publish_by_the_api_and_webhooks_of_the_crate_receive_it() {
    let registry = TestRegistry::new();
    let (ann, unrestricted) = (registry.user("ann"), registry.admin("root"));
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let scopes = Some(vec!["administer".parse().unwrap()]);
    let root = registry.user_with("root", NewToken { scopes, ..NewToken::named("security") });
    let receiver = WebhookReceiver::start();
    hook(&registry, &receiver, Wanted { krate: Some("foo".to_owned()), ..Wanted::default() });
    let path = "/api/v1/advisories";
    let new = json!({ "crate": "FOO", "title": "A leak", "cvss": HIGH, "aliases": ["CVE-2026-1"] });
    for user in [&ann, &unrestricted] {
        assert_eq!(user.request(Method::POST, path, new.to_string()).status, StatusCode::FORBIDDEN);
    }
    let made = root.request(Method::POST, path, new.to_string()).good().json();
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!((&made["crate"], &made["affected"], &made["versions"]), (&json!("foo"), &json!(["1.0.0"]), &json!(1)));
    for (field, value) in [
        ("crate", json!("")),
        ("title", json!("")),
        ("cvss", json!("9.8")),
        ("patched", json!(["later"])),
        ("informational", json!("odd")),
        ("severity", json!("high")),
        ("references", json!(["javascript:alert(1)"])),
    ] {
        let mut wrong = new.clone();
        wrong[field] = value;
        let refused = root.request(Method::POST, path, wrong.to_string());
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{field}: {}", refused.text());
    }
    let given = json!({ "crate": "foo", "title": "T", "id": id });
    assert_eq!(
        root.request(Method::POST, path, given.to_string()).status,
        StatusCode::BAD_REQUEST,
        "the registry gives it"
    );
    let taken = json!({ "crate": "bar", "title": "T", "id": "ACME-1" });
    root.request(Method::POST, path, taken.to_string()).good();
    assert_eq!(root.request(Method::POST, path, taken.to_string()).status, StatusCode::CONFLICT);
    let one = format!("{path}/{id}");
    let patch = json!({ "patched": [">=1.0.1"] }).to_string();
    assert_eq!(ann.request(Method::PATCH, &one, patch.clone()).status, StatusCode::FORBIDDEN);
    assert_eq!(root.request(Method::PATCH, &one, patch.clone()).good().json()["changed"], true);
    assert_eq!(root.request(Method::PATCH, &one, patch).good().json()["changed"], false);
    assert_eq!(ann.get(&one).good().json()["aliases"], json!(["CVE-2026-1"]), "what was not given stays");
    let withdraw = format!("{one}/withdraw");
    assert_eq!(root.request(Method::PUT, &withdraw, "{}").status, StatusCode::BAD_REQUEST);
    let reason = json!({ "reason": "a duplicate" }).to_string();
    assert_eq!(root.request(Method::PUT, &withdraw, reason.clone()).good().json()["changed"], true);
    assert_eq!(root.request(Method::PUT, &withdraw, reason.clone()).status, StatusCode::CONFLICT);
    let unknown = root.request(Method::PUT, &format!("{path}/SCGO-1-1/withdraw"), reason);
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{}", unknown.text());
    deliver(&registry);
    let got = receiver.got();
    let kinds: Vec<String> = got.iter().map(|one| one.kind()).collect();
    assert_eq!(kinds, ["advisory.published", "advisory.changed", "advisory.withdrawn"]);
    let data = got[0].json()["data"].clone();
    assert_eq!((&data["crate"], &data["subject"], &data["by"]), (&json!("foo"), &json!(id), &json!("root")));
    assert_eq!(data["detail"], json!({ "title": "A leak", "severity": "high", "patched": [] }));
}

#[test]
fn every_machine_makes_the_same_commits_and_a_lost_repository_is_made_again() {
    let registry = TestRegistry::new();
    let operator = operator();
    let publish = |title: &str| {
        let given = Given { title: Some(title.to_owned()), ..Given::default() };
        let name = "foo".parse().unwrap();
        let published = registry
            .pool
            .with(|connection| change::publish(connection, (&name, None), &given, Administrator::Operator(&operator)));
        published.unwrap().unwrap();
    };
    let directory = tempfile::tempdir().unwrap();
    let open =
        |name: &str, url: &str| Repository::at(directory.path().join(name), GitProgram::default(), Origin::of(url));
    let update = |repository: &Repository| {
        let index = registry.pool.with(|connection| repository.update(connection)).unwrap().unwrap();
        index.head().unwrap().commit.unwrap()
    };
    let url = "https://crates.example";
    let (one, other) = (open("one", url), open("other", url));
    let empty = update(&one);
    (0..40).for_each(|number| publish(&format!("Title {number} with \"quotes\" and ümlauts")));
    let head = update(&one);
    assert!(head != empty && update(&other) == head);
    let log = git(&directory.path().join("one"), &[], &["log", "--format=%H", "main"]);
    assert_eq!((log.lines().count(), log.lines().last()), (41, Some(&*empty.to_string())));
    drop(one);
    std::fs::remove_dir_all(directory.path().join("one")).unwrap();
    assert_eq!(update(&open("one", url)), head);
    publish("Another one");
    let later = update(&other);
    assert_eq!(update(&open("one", url)), later, "a process that starts later goes on");
    git(&directory.path().join("one"), &[], &["fsck", "--strict"]);
    assert!(update(&open("other", "https://elsewhere.example")) != later, "the URL is in every file");
    // Whatever became of it on the disk.
    let other = open("other", url);
    assert_eq!(update(&other), later);
    let path = directory.path().join("other");
    std::fs::write(path.join("refs/heads/main.lock"), "").unwrap();
    publish("While it is locked");
    let locked = update(&other);
    assert_eq!(update(&open("one", url)), locked);
    std::fs::write(path.join("refs/heads/main"), "garbage").unwrap();
    drop(other);
    assert_eq!(update(&open("other", url)), locked, "the branch was damaged");
    std::fs::remove_dir_all(&path).unwrap();
    std::fs::write(&path, "").unwrap();
    assert_eq!(update(&open("other", url)), locked, "a file was in its place");
}

#[test]
fn a_fetch_may_go_to_another_machine_in_its_middle() {
    let mut served = Served::start(&[]);
    let other = served.start_elsewhere("other", &[]);
    add(&served, &["foo-bar", "--title", "A leak"]);
    // With version 2 the references are in the answer to a POST.
    let reply = ureq::post(format!("{other}/git/advisories/git-upload-pack"))
        .header("content-type", "application/x-git-upload-pack-request")
        .header("git-protocol", "version=2")
        .send(&b"0014command=ls-refs\n0000"[..]);
    let text = reply.unwrap().body_mut().read_to_string().unwrap();
    assert!(text.contains("refs/heads/main"), "{text}");
}

#[test]
fn ids_that_nothing_has_are_not_found_and_differ_by_more_than_case() {
    let served = Served::start(&[]);
    publish_versions(&served);
    add(&served, &["foo-bar", "--title", "A leak", "--id", "ACME-1"]);
    let taken =
        failed(served.command("advisory add").args(["foo-bar", "--title", "T", "--id", "Acme-1"]).output().unwrap(), 1);
    assert!(taken.contains("there is an advisory ACME-1 already"), "{taken}");
    for id in ["a%00b", "ACME-2", "%F0%9F%A6%80", "a%2Fb"] {
        assert_eq!(http::get(&format!("{}/api/v1/advisories/{id}", served.url)).status, 404, "{id}");
        assert_eq!(http::get_page(&format!("{}/advisories/{id}", served.url)).status, 404, "{id}");
    }
    let shown: Value = serde_json::from_str(&served.run("advisory show", &["ACME-1"])).unwrap();
    let package = &shown["affected"][0]["package"];
    assert_eq!(package["ecosystem"], format!("crates.io:{}/index/", served.url), "{shown}");
    let page = http::get_page(&format!("{}/advisories/ACME-1", served.url)).good().text();
    assert!(!page.contains("https://crates.io/crates/"), "{page}");
}

#[test]
fn the_repository_of_a_private_registry_needs_a_token_and_takes_no_push() {
    let served = Served::start(&["--auth-required"]);
    let token = served.token("ann");
    let url = format!("{}/git/advisories", served.url);
    let refused = http::get(&format!("{url}/info/refs?service=git-upload-pack"));
    assert_eq!((refused.status, refused.header("www-authenticate").starts_with("Basic")), (401, true));
    let header = format!("http.extraHeader=Authorization: {token}");
    let cloned = clone(&served, &[&header]);
    assert!(cloned.path().join("README.md").exists(), "there is no advisory yet");
    assert!(Database::open(cloned.path()).unwrap().iter().next().is_none());
    for path in ["/info/refs?service=git-receive-pack", "/git-receive-pack"] {
        let refused = http::get_as(&format!("{url}{path}"), &token);
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused.text().contains("the repository is read-only"), "{}", refused.text());
    }
    assert!(http::get_as(&format!("{url}/HEAD"), &token).text().contains("git clone"));
}

#[test]
fn a_lock_file_is_checked_for_crates_of_this_registry_and_of_upstreams() {
    let registry = TestRegistry::with_upstream();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let given =
        Given { title: Some("A leak".to_owned()), patched: Some(vec![">=1.0.1".to_owned()]), ..Given::default() };
    let (name, operator) = ("foo".parse().unwrap(), operator());
    let own = registry.pool.with(|connection| {
        change::publish(connection, (&name, Some("OWN-1")), &given, Administrator::Operator(&operator)).unwrap();
        let unmaintained = Given { informational: Some("unmaintained".to_owned()), ..given.clone() };
        change::publish(connection, (&name, Some("OWN-2")), &unmaintained, Administrator::Operator(&operator)).unwrap();
        let (_, read) = change::publish(connection, (&name, Some("OWN-3")), &given, Administrator::Operator(&operator))
            .map(|published| published.draft.checked("ACME-1").unwrap())
            .unwrap();
        change::withdraw(connection, "OWN-3", "a duplicate", Administrator::Operator(&operator)).unwrap();
        let ranges = json!(read.crates[0].1);
        let (about, upstream) = ("bar-baz".parse().unwrap(), "acme");
        sources::declare(connection, upstream, "/nowhere").unwrap();
        let rows = [Row::of(upstream, &read, &about, &ranges)];
        let all = Read {
            rows: &rows,
            stays: &|_| false,
            source: "/nowhere",
            revision: None,
            skipped: 0,
            skipped_files: json!([]),
        };
        exchange::exchange(connection, upstream, &all).unwrap();
    });
    own.unwrap();
    let package = |name: &str, version: &str, source: &str| {
        format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"{source}\"\n\n")
    };
    let (here, acme) = (format!("sparse+{BASE_URL}/index/"), "sparse+http://127.0.0.1:9/");
    let lock = [
        "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n\n".to_owned(),
        package("foo", "1.0.0", &here),
        package("foo", "1.0.1", &here),
        package("foo", "1.0.0", "registry+https://github.com/rust-lang/crates.io-index"),
        package("bar-baz", "1.0.0", acme),
        package("bar-baz", "1.0.0", &here),
    ];
    let check = |body: String| registry.anonymous().request(Method::POST, "/api/v1/advisories/check", body);
    let found = check(lock.concat()).good().json();
    let affected: Vec<String> = found["affected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            [&one["crate"], &one["version"], &one["advisory"]["id"], &one["advisory"]["upstream"]].map(text).join(" ")
        })
        .collect();
    assert_eq!(affected, ["bar-baz 1.0.0 ACME-1 acme", "foo 1.0.0 OWN-2 -", "foo 1.0.0 OWN-1 -"]);
    assert_eq!((&found["checked"], &found["vulnerabilities"]), (&json!(4), &json!(2)));
    assert_eq!(found["unchecked"], json!(["https://github.com/rust-lang/crates.io-index"]));
    for (wrong, part) in [
        ("", "it is empty"),
        ("[[package]", "it is no TOML"),
        ("a = 1", "it has no packages"),
        ("version = 9", "format 9"),
    ] {
        let refused = check(wrong.to_owned());
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(
            refused.detail().contains(part) && refused.detail().ends_with("send a Cargo.lock"),
            "{}",
            refused.detail()
        );
    }
    assert_eq!(check("x".repeat(3_000_000)).status, StatusCode::PAYLOAD_TOO_LARGE);
    // What is named is bounded, and what is named twice counts once.
    let versions: Vec<String> = (0..1500).map(|patch| package("foo", &format!("0.1.{patch}"), &here)).collect();
    let found = check(format!("version = 4\n\n{}{}", versions.concat(), versions.concat())).good().json();
    assert_eq!((&found["checked"], &found["vulnerabilities"]), (&json!(1500), &json!(1500)));
    assert_eq!(found["affected"].as_array().unwrap().len(), 1000);
    let git = "[[package]]\nname = \"x\"\nversion = \"1.0.0\"\nsource = \"git+https://example.com/x#0123\"\n";
    assert_eq!(check(git.to_owned()).good().json()["unchecked"], json!(["git+https://example.com/x#0123"]));
}
