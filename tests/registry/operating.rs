//! `supercargo admin` and `supercargo jobs`.

use diesel::connection::SimpleConnection;
use serde_json::Value;

use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, failed};

/// A registry whose jobs nobody takes.
fn idle() -> Served {
    Served::start(&["--no-worker", "--publish-wait", "0s"])
}

fn refused(served: &Served, subcommand: &str, arguments: &[&str]) -> String {
    failed(served.command(subcommand).args(arguments).output().unwrap(), 1).trim().to_owned()
}

#[test]
fn users_tokens_and_owners_are_managed() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    served.run("admin user create", &["bob"]);
    assert_eq!(
        refused(&served, "admin user create", &["BOB"]),
        "supercargo: the user \"BOB\" already exists (case is ignored): choose another login, or keep the user with --if-missing"
    );
    assert!(refused(&served, "admin user create", &["no spaces"]).contains("is not a valid login"));
    assert_eq!(
        refused(&served, "admin token create", &["--user", "eve"]),
        "supercargo: there is no user \"eve\": create one with `supercargo admin user create eve`"
    );

    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    assert_eq!(served.run("admin owner add", &["foo", "bob"]), "bob is now an owner of foo\n");
    assert_eq!(served.run("admin owner remove", &["foo", "ann"]), "ann is no longer an owner of foo\n");
    assert_eq!(http::publish(&served.url, &token, &Package::new("foo", "1.1.0")).status, 403);
    assert_eq!(
        refused(&served, "admin owner remove", &["foo", "bob"]),
        "supercargo: `bob` is the last user among the owners of `foo`: add another user first, because teams cannot change owners"
    );
    assert_eq!(
        refused(&served, "admin owner remove", &["foo", "ann"]),
        "supercargo: `ann` is not an owner of `foo`: see `cargo owner --list foo`"
    );
    assert_eq!(
        refused(&served, "admin owner list", &["bar"]),
        "supercargo: there is no crate `bar` in this registry: check its name"
    );
    let owners: Value = serde_json::from_str(&served.run("admin owner list", &["foo", "--json"])).unwrap();
    assert_eq!((owners.as_array().unwrap().len(), &owners[0]["login"]), (1, &"bob".into()));

    let tokens: Value = serde_json::from_str(&served.run("admin token list", &["--user", "ann", "--json"])).unwrap();
    let id = tokens[0]["id"].to_string();
    assert!(!served.run("admin token list", &[]).contains(&token[4..]));
    assert_eq!(served.run("admin token revoke", &[&id]), format!("revoked the token {id}\n"));
    assert!(refused(&served, "admin token revoke", &[&id]).contains("that is not revoked"));
    assert_eq!(http::get_as(&format!("{}/api/v1/me", served.url), &token).status, 403);
}

#[test]
fn teams_admins_limits_names_and_versions_are_managed_and_the_log_tells_of_it() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    served.run("admin user create", &["bob", "--admin"]);
    assert_eq!(served.run("admin user demote", &["bob"]), "bob is no longer an admin\n");
    assert_eq!(served.run("admin user promote", &["bob"]), "bob is now an admin\n");
    let bob = served.run("admin token create", &["--user", "bob", "--name", "ci", "--scope", "publish-update,yank"]);
    let limited = ["--user", "bob", "--name", "short", "--crate", "foo-*", "--expires-in", "90days"];
    served.run("admin token create", &limited);
    assert!(
        refused(&served, "admin token create", &["--user", "bob", "--crate", "*foo"])
            .contains("\"*foo\" is not a crate pattern")
    );
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();

    served.run("admin team create", &["devs"]);
    assert!(refused(&served, "admin team create", &["Devs"]).contains("already exists"));
    assert_eq!(served.run("admin team add-member", &["devs", "bob"]), "bob is now a member of devs\n");
    assert_eq!(served.run("admin owner add", &["foo", "team:devs"]), "team:devs is now an owner of foo\n");
    http::publish(&served.url, bob.trim(), &Package::new("foo", "1.1.0")).good();
    assert_eq!(served.run("admin team show", &["devs"]), "team     team:devs\nmembers  bob\ncrates   foo\n");
    let teams: Value = serde_json::from_str(&served.run("admin team list", &["--json"])).unwrap();
    assert_eq!((&teams[0]["name"], &teams[0]["members"], &teams[0]["crates"]), (&"devs".into(), &1.into(), &1.into()));
    assert_eq!(
        refused(&served, "admin team delete", &["devs"]),
        "supercargo: the team \"devs\" owns foo: remove it as their owner first, with `supercargo admin owner remove CRATE team:devs`"
    );
    served.run("admin owner remove", &["foo", "team:devs"]);
    assert_eq!(served.run("admin team remove-member", &["devs", "bob"]), "bob is no longer a member of devs\n");
    assert_eq!(served.run("admin team delete", &["devs"]), "deleted the team devs\n");

    let limits = served.run("admin crate limits", &["foo", "--crate-size", "300", "--features", "400", "--json"]);
    let limits: Value = serde_json::from_str(&limits).unwrap();
    assert_eq!((&limits["crate_size"], &limits["features"]), (&300.into(), &400.into()));
    let refused_size = http::publish(&served.url, &token, &Package::new("foo", "1.2.0"));
    assert_eq!(refused_size.status, 413, "{}", refused_size.text());
    assert!(served.run("admin crate limits", &["foo", "--reset"]).contains("registry default"));
    served.run("admin crate reserve", &["acme", "--reason", "kept for acme"]);
    assert_eq!(http::publish(&served.url, &token, &Package::new("Acme", "1.0.0")).status, 400);
    assert!(served.run("admin crate reserved", &[]).contains("kept for acme"));
    assert_eq!(served.run("admin crate release", &["acme"]), "released the name acme\n");

    let said = served.run("admin version delete", &["foo", "1.1.0", "--reason", "held a key"]);
    assert!(said.starts_with("foo 1.1.0 is no longer served; job "), "{said}");
    crate::support::event::wait_until("the deletion", || http::index_lines(&served.url, "3/f/foo").len() == 1);

    let log: Value = serde_json::from_str(&served.run("admin audit", &["--json", "--limit", "500"])).unwrap();
    let actions: Vec<_> = log.as_array().unwrap().iter().rev().map(|entry| entry["action"].as_str().unwrap()).collect();
    let expected = "user-create token-create user-create user-demote user-promote token-create token-create publish \
                    team-create team-member-add owner-add publish owner-remove team-member-remove team-delete \
                    crate-limits crate-limits name-reserve name-release version-delete";
    assert_eq!(actions.join(" "), expected);
    let published = log.as_array().unwrap().iter().find(|entry| entry["action"] == "publish").unwrap();
    assert_eq!((&published["address"], &published["token_name"]), (&"127.0.0.1".into(), &"ci".into()));
    let by_operator = &log[0]["actor"].as_str().unwrap();
    assert!(by_operator.contains('@') && log[0]["user_id"].is_null(), "{}", log[0]);
    let table = served.run("admin audit", &["--crate", "foo", "--action", "version-delete"]);
    assert!(table.contains("foo@1.1.0") && table.contains("reason=held a key"), "{table}");
    assert!(
        refused(&served, "admin audit", &["--action", "nothing"])
            .contains("\"nothing\" is not an action of the audit log")
    );
}

#[test]
fn limits_are_set_shown_and_listed_before_a_crate_exists_and_kept_when_it_does() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    let set = served.run("admin crate limits", &["Foo-Bar", "--crate-size", "300"]);
    insta::assert_snapshot!(set, @r"
    LIMIT          VALUE
    crate size     300 bytes
    unpacked size  registry default
    features       registry default
    dependencies   registry default
    there is no crate Foo-Bar yet: limits of this name apply from its first publish on
    ");
    assert_eq!(served.run("admin crate limits", &["foo_bar"]), set.replace("Foo-Bar", "foo_bar"));
    insta::assert_snapshot!(served.run("admin crate limits", &[]), @r"
    NAME     EXISTS   CRATE SIZE  UNPACKED SIZE  FEATURES  DEPENDENCIES
    foo_bar  not yet  300         -              -         -
    ");
    let refused_size = http::publish(&served.url, &token, &Package::new("foo_bar", "1.0.0"));
    assert_eq!(refused_size.status, 413, "{}", refused_size.text());
    served.run("admin crate limits", &["FOO_BAR", "--crate-size", "100000", "--dependencies", "7"]);
    http::publish(&served.url, &token, &Package::new("foo-bar", "1.0.0")).good();
    let kept: Value = serde_json::from_str(&served.run("admin crate limits", &["foo-bar", "--json"])).unwrap();
    assert_eq!((&kept["crate_size"], &kept["dependencies"]), (&100_000.into(), &7.into()));
    assert_eq!((&kept["features"], &kept["exists"]), (&Value::Null, &true.into()));
    insta::assert_snapshot!(served.run("admin crate limits", &[]), @r"
    NAME     EXISTS  CRATE SIZE  UNPACKED SIZE  FEATURES  DEPENDENCIES
    foo-bar  yes     100000      -              -         7
    ");
    let listed: Value = serde_json::from_str(&served.run("admin crate limits", &["--json"])).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["crate_size"]), (&"foo-bar".into(), &100_000.into()));
    served.run("admin crate limits", &["foo-bar", "--reset"]);
    // A look leaves no row.
    served.run("admin crate limits", &["baz"]);
    assert_eq!(served.run("admin crate limits", &["--json"]).trim(), "[]");
    let without_a_name = failed(served.command("admin crate limits").arg("--reset").output().unwrap(), 2);
    assert!(without_a_name.contains("<CRATE>"), "{without_a_name}");
    let log: Value = serde_json::from_str(&served.run("admin audit", &["--action", "crate-limits", "--json"])).unwrap();
    assert_eq!(log.as_array().unwrap().len(), 3);
}

#[test]
fn versions_are_yanked_with_a_message_and_crates_deleted_and_their_names_released() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    for (name, version) in [("foo", "1.0.0"), ("foo", "1.1.0"), ("bar", "1.0.0")] {
        http::publish(&served.url, &token, &Package::new(name, version)).good();
    }
    let settled = || wait_until("an empty queue", || served.run("jobs list", &["--json"]).trim() == "[]");
    let version =
        |path: &str| http::get(&format!("{}/api/v1/crates/{path}", served.url)).good().json()["version"].take();
    let said = served.run("admin version yank", &["foo", "1.0.0", "--message", "it loses data"]);
    assert!(said.starts_with("foo 1.0.0 is yanked; job "), "{said}");
    settled();
    let yanked = version("foo/1.0.0");
    assert_eq!((&yanked["yanked"], &yanked["yank_message"]), (&true.into(), &"it loses data".into()));
    assert!(served.run("admin version unyank", &["foo", "1.0.0"]).starts_with("foo 1.0.0 is no longer yanked; job "));
    settled();
    let unyanked = version("foo/1.0.0");
    assert_eq!((&unyanked["yanked"], &unyanked["yank_message"]), (&false.into(), &Value::Null));
    let refusal = refused(&served, "admin version yank", &["foo", "2.0.0"]);
    assert_eq!(refusal, "supercargo: the crate `foo` has no version 2.0.0: check its number");

    let said = served.run("admin crate delete", &["foo", "--reason", "a mistake"]);
    assert!(said.starts_with("foo is no longer served, and its name stays taken; job "), "{said}");
    settled();
    assert!(http::index_lines(&served.url, "3/f/foo").is_empty());
    let again = refused(&served, "admin crate delete", &["foo", "--reason", "again"]);
    assert!(again.starts_with("supercargo: the crate `foo` was deleted from this registry on 20"), "{again}");
    assert!(refused(&served, "admin owner list", &["foo"]).ends_with(": a mistake"));
    assert!(refused(&served, "admin crate delete", &["bar", "--reason", " "]).contains("needs a reason of 1 to 1000"));
    assert_eq!(http::publish(&served.url, &token, &Package::new("foo", "2.0.0")).status, 409);
    assert_eq!(served.run("admin crate release", &["foo"]), "released the name foo\n");
    assert!(
        refused(&served, "admin crate release", &["foo"]).contains("is neither reserved nor that of a deleted crate")
    );
    http::publish(&served.url, &token, &Package::new("foo", "2.0.0")).good();
    let said = served.run("admin crate delete", &["bar", "--reason", "x", "--release-name"]);
    assert!(said.starts_with("bar is no longer served, and its name may be published again; job "), "{said}");
    served.run("admin crate delete", &["foo", "--reason", "x"]);
    let said = served.run("admin crate delete", &["foo", "--reason", "x", "--release-name"]);
    assert_eq!(said, "foo was deleted before; its name is released now\n");
    settled();
}

#[test]
fn jobs_are_listed_shown_retried_and_discarded() {
    let mut served = idle();
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    http::publish(&served.url, &token, &Package::new("bar", "1.0.0")).good();
    let jobs: Value = serde_json::from_str(&served.run("jobs list", &["--json"])).unwrap();
    assert_eq!(jobs.as_array().unwrap().len(), 2);
    assert_eq!(
        (&jobs[0]["state"], &jobs[0]["kind"], &jobs[0]["key"]),
        (&"waiting".into(), &"publish_version".into(), &"foo".into())
    );
    assert_eq!((&jobs[0]["requested_by"], &jobs[0]["payload"]["num"]), (&"ann".into(), &"1.0.0".into()));
    let [foo, bar] = [0, 1].map(|place| jobs[place]["id"].to_string());
    let table = served.run("jobs list", &[]);
    assert_eq!(
        table.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" "),
        "ID STATE KIND KEY BY ATTEMPTS CREATED DUE OR ENDED ERROR OR RESULT"
    );
    assert!(table.lines().nth(1).unwrap().contains("publish_version"), "{table}");
    assert!(served.run("jobs show", &[&foo]).contains("requested by ann"), "{}", served.run("jobs show", &[&foo]));

    served
        .database
        .connect()
        .batch_execute(&format!(
            "WITH dead AS (DELETE FROM jobs WHERE id = {foo} RETURNING *)
             INSERT INTO dead_jobs (id, queue, kind, key, payload, priority, created_at, attempts, claim_no, last_error)
             SELECT id, queue, kind, key, payload, priority, created_at, 20, 20, 'no space left' FROM dead"
        ))
        .unwrap();
    assert!(served.run("jobs list", &["--dead"]).contains("no space left"));
    assert!(served.run("jobs show", &[&foo]).contains("no space left"));
    assert_eq!(served.run("jobs retry", &[&foo]), format!("requeued the dead job {foo} with its attempts reset\n"));
    // The operator has the same name as in the audit log.
    let history = served.run("jobs show", &[&foo]);
    let operator = history.lines().find_map(|line| line.split_once(" retried, by ")).unwrap().1;
    assert!(operator.contains('@') && !operator.contains(' '), "{history}");
    assert_eq!(served.run("jobs discard", &[&bar, "--reason", "a test"]), format!("discarded the job {bar}\n"));
    assert_eq!(
        refused(&served, "jobs retry", &["4711"]),
        "supercargo: there is no job 4711: see `supercargo jobs list`, with --dead or --done"
    );
    served.start_worker();
    // The index shows it a moment before the job is done.
    let mut connection = served.database.connect();
    let pending = |connection: &mut _| supercargo::queue::inspection::count(connection).unwrap().0;
    crate::support::event::wait_until("the retried publish", || pending(&mut connection) == 0);
    assert_eq!(http::index_lines(&served.url, "3/f/foo").len(), 1);
    let done: Value = serde_json::from_str(&served.run("jobs list", &["--done", "--json"])).unwrap();
    let of =
        |id: &str| done.as_array().unwrap().iter().find(|job| job["id"].as_i64() == id.parse().ok()).unwrap().clone();
    assert_eq!(of(&foo)["state"], "done");
    assert_eq!((&of(&bar)["state"], &of(&bar)["detail"]), (&"discarded".into(), &"a test".into()));
    served.stop();
}

#[test]
fn a_registry_that_is_not_there_is_not_made_by_looking_at_it() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let mut command = crate::support::process::supercargo();
    let output = command.args(["jobs", "list", "--data-dir"]).arg(&missing).output().unwrap();
    let said = failed(output, 1).replace(missing.to_str().unwrap(), "DIR");
    insta::assert_snapshot!(said.trim(), @"supercargo: there is no registry in DIR: set --data-dir to its directory or --database-url to its database, or start one with `supercargo serve`");
    assert!(!missing.exists());
}

#[test]
fn migrate_says_what_it_did() {
    let served = idle();
    assert_eq!(served.run("migrate", &[]), "the database is up to date\n");
    let empty = crate::support::cluster::Database::empty();
    let output =
        crate::support::process::supercargo().args(["migrate", "--database-url", &empty.url()]).output().unwrap();
    let said = crate::support::process::succeeded(output);
    assert!(said.lines().count() >= 2 && said.lines().all(|line| line.starts_with("applied 2026")), "{said}");
}
