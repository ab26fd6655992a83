//! The pages on which admins create, change and delete teams.

use axum::http::{Method, StatusCode};
use diesel::RunQueryDsl;
use serde_json::json;

use super::{Browser, said};
use crate::sign_in::{Site, logged, place, send, set_password};
use crate::support::harness::{Answer, TestRegistry};
use crate::support::package::Package;

const PASSWORD: &str = "correct horse battery staple";
const LIST: &str = "/admin/teams";
const CREW: &str = "/admin/teams/crew";

const ACTIONS: [&str; 4] = ["team-create", "team-delete", "team-member-add", "team-member-remove"];

fn root(registry: &TestRegistry) -> Browser<'_> {
    registry.admin("root");
    set_password(registry, "root", PASSWORD)
}

fn create(root: &mut Browser<'_>, name: &str) -> Answer {
    send(root, LIST, LIST, &[("name", name)])
}

fn post(root: &mut Browser<'_>, change: &str, login: &str) -> Answer {
    send(root, CREW, &format!("{CREW}/{change}"), &[("login", login)])
}

/// Asserts that a form was refused, and that it is shown again with what was entered.
fn assert_refused(answer: &Answer, status: StatusCode, why: &str, entered: &str) {
    let html = answer.text();
    assert_eq!(answer.status, status, "{html}");
    assert!(said(&html).replace("&quot;", "\"").contains(why), "{html}");
    assert!(html.contains(&format!("value=\"{entered}\"")), "{html}");
}

#[test]
fn a_team_is_created_gets_members_and_is_deleted() {
    let registry = TestRegistry::new();
    let mut root = root(&registry);
    let ann = registry.user("ann");
    registry.user("bob").publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    assert!(root.get(LIST).good().text().contains("There is none."));
    assert_eq!(place(&create(&mut root, " crew ")), "/admin/teams/crew?notice=created");
    assert_eq!(place(&post(&mut root, "add-member", " Ann ")), "/admin/teams/crew?notice=added");
    assert_eq!(place(&post(&mut root, "add-member", "ann")), "/admin/teams/crew?notice=same");
    // A member publishes what the team owns, and no longer after the end of the membership.
    let owners = json!({ "users": ["team:crew"] }).to_string();
    registry.user("bob").request(Method::PUT, "/api/v1/crates/demo/owners", owners).good();
    ann.yank("demo", "1.0.0").good();
    registry.run_jobs();
    let html = root.get(LIST).good().text();
    assert!(html.contains("href=\"/admin/teams/crew\""), "{html}");
    let html = root.get(CREW).good().text();
    for shown in
        ["/admin/users/ann", "/crates/demo/settings", "/search?owner=team%3Acrew", "Remove<span class=\"aside\"> ann"]
    {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    assert!(root.get("/admin/users/ann").good().text().contains("href=\"/admin/teams/crew\""));
    assert_eq!(place(&post(&mut root, "remove-member", "ann")), "/admin/teams/crew?notice=removed");
    assert_eq!(ann.unyank("demo", "1.0.0").status, StatusCode::FORBIDDEN);
    let refused = post(&mut root, "remove-member", "ann");
    assert_refused(&refused, StatusCode::CONFLICT, "`ann` is not a member of `crew`", "ann");
    // While it owns a crate, it stays.
    let html = root.get(CREW).good().text();
    assert!(html.contains("A team that owns crates is not deleted") && !html.contains("Delete the team"), "{html}");
    let refused = send(&mut root, CREW, "/admin/teams/crew/delete", &[]);
    let why = "The team `crew` owns demo: remove it first from the owners of each, in the settings of the crate";
    assert_refused(&refused, StatusCode::CONFLICT, why, "");
    let owners = json!({ "users": ["team:crew"] }).to_string();
    registry.user("bob").request(Method::DELETE, "/api/v1/crates/demo/owners", owners).good();
    assert!(root.get(CREW).good().text().contains("Delete the team"));
    assert_eq!(place(&send(&mut root, CREW, "/admin/teams/crew/delete", &[])), "/admin/teams?notice=deleted");
    assert_eq!(send(&mut root, LIST, "/admin/teams/crew/delete", &[]).status, StatusCode::NOT_FOUND);
    assert_eq!(
        logged(&registry, &ACTIONS),
        [
            "team-delete by root of crew",
            "team-member-remove by root of crew",
            "team-member-add by root of crew",
            "team-create by root of crew",
        ]
    );
}

#[test]
fn wrong_names_and_users_are_refused_with_the_remedy() {
    let registry = TestRegistry::new();
    let mut root = root(&registry);
    registry.user("gone");
    create(&mut root, "crew");
    let disable = "UPDATE users SET disabled_at = now() WHERE login = 'gone'";
    registry.pool.with(|connection| diesel::sql_query(disable).execute(connection).unwrap()).unwrap();
    for (name, status, why) in [
        ("", StatusCode::BAD_REQUEST, "\"\" is not a valid team name: use 1 to 64 letters"),
        ("a/b", StatusCode::BAD_REQUEST, "\"a/b\" is not a valid team name: use 1 to 64 letters"),
        ("team:crew", StatusCode::BAD_REQUEST, "\"team:crew\" is not a valid team name: use 1 to 64 letters"),
        ("Crew", StatusCode::CONFLICT, "The team \"Crew\" already exists (case is ignored): choose another name"),
    ] {
        assert_refused(&create(&mut root, name), status, why, name);
    }
    for (login, status, why) in [
        ("nobody", StatusCode::NOT_FOUND, "There is no user \"nobody\": check the login, or create the user first"),
        ("gone", StatusCode::CONFLICT, "The user `gone` is disabled"),
    ] {
        assert_refused(&post(&mut root, "add-member", login), status, why, login);
    }
    assert_eq!(root.get("/admin/teams/none").status, StatusCode::NOT_FOUND);
    assert_eq!(
        send(&mut root, LIST, "/admin/teams/none/add-member", &[("login", "root")]).status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(root.get("/admin/teams?page=x").status, StatusCode::BAD_REQUEST);
    root.get("/admin/teams?page=99999999999").good();
    let html = root.get("/admin/teams?q=%3Cb%3E").good().text();
    assert!(!html.contains("<b>") && html.contains("in its name"), "{html}");
    assert_eq!(logged(&registry, &ACTIONS), ["team-create by root of crew"]);
}

#[test]
fn a_team_that_rules_name_is_not_deleted() {
    let registry = TestRegistry::new();
    let mut root = root(&registry);
    create(&mut root, "crew");
    let rule = "INSERT INTO staging_rules (subject, canonical, is_prefix, approvals, by_another, approved_by)
                SELECT 'core-*', 'core_', true, 1, false, id FROM teams";
    registry.pool.with(|connection| diesel::sql_query(rule).execute(connection).unwrap()).unwrap();
    let html = root.get(CREW).good().text();
    assert!(html.contains(": core-*") && !html.contains("Delete the team"), "{html}");
    let refused = send(&mut root, CREW, "/admin/teams/crew/delete", &[]);
    assert_refused(
        &refused,
        StatusCode::CONFLICT,
        ": core-*): remove them first, with `supercargo set rule remove`",
        "",
    );
    root.get(CREW).good();
    assert_eq!(logged(&registry, &ACTIONS), ["team-create by root of crew"]);
}

/// What the page says of a team of a provider's groups is what a sign-in does.
#[test]
fn a_team_of_an_identity_provider_says_that_a_sign_in_overwrites_changes() {
    let site = Site::new("new-users = \"create\"\n[teams]\n\"ship <crew>\" = \"crew\"");
    site.account("1", "ann", &["ship <crew>"]);
    site.sign_in("1");
    site.registry.user("bob");
    let mut root = root(&site.registry);
    assert_eq!(place(&post(&mut root, "add-member", "bob")), "/admin/teams/crew?notice=added");
    let html = root.get(CREW).good().text();
    assert!(html.contains("<code><bdi>ship &lt;crew&gt;</bdi></code> become members at each sign-in"), "{html}");
    assert_eq!(
        (html.matches("groups at ").count(), html.matches("<td class=\"wrap\">admins").count()),
        (1, 1),
        "{html}"
    );
    for login in ["ann", "bob"] {
        assert_eq!(place(&post(&mut root, "remove-member", login)), "/admin/teams/crew?notice=removed");
    }
    site.sign_in("1");
    let html = root.get(CREW).good().text();
    assert!(html.contains("/admin/users/ann") && !html.contains("/admin/users/bob"), "{html}");
    assert_eq!(place(&send(&mut root, CREW, "/admin/teams/crew/delete", &[])), "/admin/teams?notice=deleted");
    site.sign_in("1");
    assert!(root.get(CREW).good().text().contains("/admin/users/ann"));
    create(&mut root, "free");
    assert!(!root.get("/admin/teams/free").good().text().contains("at each sign-in"));
}
