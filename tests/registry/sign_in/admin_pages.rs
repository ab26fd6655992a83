//! The pages on which admins change users, and the audit log.

use axum::http::StatusCode;

use super::{logged, place, send, set_password};
use crate::pages::{Browser, field};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

const PASSWORD: &str = "correct horse battery staple";

/// An admin who has signed in with a password.
fn admin<'a>(registry: &'a TestRegistry, login: &str) -> Browser<'a> {
    registry.admin(login);
    set_password(registry, login, PASSWORD)
}

#[test]
fn an_admin_creates_a_user_who_signs_in_with_the_link() {
    let registry = TestRegistry::new();
    let mut root = admin(&registry, "root");
    let shown = send(&mut root, "/admin/users", "/admin/users", &[("login", "ann")]).good();
    assert_eq!(shown.headers["cache-control"], "no-store");
    let html = shown.text();
    let link = html.split_once("http://registry.test/sign-in/link?code=").unwrap().1;
    let code = link[..68].to_owned();
    let mut ann = Browser::new(&registry);
    let fields = [("code", code.as_str()), ("password", PASSWORD), ("repeated", PASSWORD)];
    assert_eq!(place(&send(&mut ann, &format!("/sign-in/link?code={code}"), "/sign-in/link", &fields)), "/me");
    let html = root.get("/admin/users").good().text();
    assert!(html.contains("/admin/users/ann") && !html.contains("scl_"), "{html}");
    for (login, status) in [("Ann", StatusCode::CONFLICT), ("no login", StatusCode::BAD_REQUEST)] {
        assert_eq!(send(&mut root, "/admin/users", "/admin/users", &[("login", login)]).status, status);
    }
    assert_eq!(
        logged(&registry, &["user-create", "sign-in-link"])[..2],
        ["sign-in-link by root of ann", "user-create by root of ann"]
    );
}

#[test]
fn roles_are_given_and_taken_at_once() {
    let registry = TestRegistry::new();
    let mut root = admin(&registry, "root");
    let ann = registry.user("ann");
    ann.publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    let mut of_ann = set_password(&registry, "ann", PASSWORD);
    let mut give = |role: &str| send(&mut root, "/admin/users/ann", "/admin/users/ann/role", &[("role", role)]);
    assert_eq!(place(&give("read-only")), "/admin/users/ann?notice=role");
    assert_eq!(ann.yank("demo", "1.0.0").status, StatusCode::FORBIDDEN);
    assert_eq!(place(&give("read-only")), "/admin/users/ann?notice=same");
    assert_eq!(place(&give("auditor")), "/admin/users/ann?notice=role");
    assert!(of_ann.get("/admin/audit").good().text().contains("demo"));
    assert_eq!(of_ann.get("/admin/users").status, StatusCode::FORBIDDEN);
    assert_eq!(place(&give("admin")), "/admin/users/ann?notice=role");
    of_ann.get("/admin/users").good();
    assert_eq!(place(&give("member")), "/admin/users/ann?notice=role");
    assert_eq!(of_ann.get("/admin/audit").status, StatusCode::FORBIDDEN);
    ann.yank("demo", "1.0.0").good();
    registry.run_jobs();
    assert_eq!(give("owner").status, StatusCode::BAD_REQUEST);
    assert_eq!(
        logged(&registry, &["user-role", "user-promote", "user-demote"]),
        [
            "user-demote by root of ann",
            "user-promote by root of ann",
            "user-role by root of ann",
            "user-role by root of ann",
            "user-role by root of ann",
        ]
    );
}

#[test]
fn a_disabled_user_has_neither_session_nor_token_until_enabled() {
    let registry = TestRegistry::new();
    let mut root = admin(&registry, "root");
    let ann = registry.user("ann");
    let mut of_ann = set_password(&registry, "ann", PASSWORD);
    let is_in = |browser: &mut Browser<'_>| browser.get("/").good().text().contains("Signed in as ann");
    assert!(is_in(&mut of_ann));
    let before = super::link(&registry, "ann");
    assert_eq!(
        place(&send(&mut root, "/admin/users/ann", "/admin/users/ann/disable", &[])),
        "/admin/users/ann?notice=disabled"
    );
    assert!(!is_in(&mut of_ann));
    assert_eq!(ann.get("/api/v1/me").status, StatusCode::FORBIDDEN);
    assert_eq!(send(&mut root, "/admin/users/ann", "/admin/users/ann/sign-in-link", &[]).status, StatusCode::CONFLICT);
    assert_eq!(
        place(&send(&mut root, "/admin/users/ann", "/admin/users/ann/enable", &[])),
        "/admin/users/ann?notice=enabled"
    );
    ann.get("/api/v1/me").good();
    let opens = |link: &str| Browser::new(&registry).get(link).status == StatusCode::OK;
    assert!(!opens(&before), "the link of before");
    // The sessions, and a link, are ended for good by another change.
    let link = super::link(&registry, "ann");
    assert!(opens(&link));
    assert_eq!(
        place(&send(&mut root, "/admin/users/ann", "/admin/users/ann/sign-out", &[])),
        "/admin/users/ann?notice=signed-out"
    );
    assert!(!is_in(&mut of_ann) && !opens(&link));
}

#[test]
fn nobody_changes_the_own_user_and_the_last_admin_stays() {
    let registry = TestRegistry::new();
    let mut root = admin(&registry, "root");
    for path in ["/admin/users/root/disable", "/admin/users/root/role", "/admin/users/ROOT/sign-out"] {
        assert_eq!(
            send(&mut root, "/admin/users/root", path, &[("role", "member")]).status,
            StatusCode::CONFLICT,
            "{path}"
        );
    }
    // Root is the last: the other one was demoted after the page was shown.
    let mut other = admin(&registry, "other");
    let html = other.get("/admin/users/root").good().text();
    let form_token = field(html.split_once("<main").unwrap().1, "form_token");
    assert_eq!(
        place(&send(&mut root, "/admin/users/other", "/admin/users/other/role", &[("role", "member")])),
        "/admin/users/other?notice=role"
    );
    let refused = other.post("/admin/users/root/disable", &[("form_token", &form_token)]);
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(root.get("/admin/users").status, StatusCode::OK);
}

/// The rights were read when the request began, and are read again in the transaction of the change.
#[test]
fn an_admin_who_is_demoted_while_the_form_arrives_changes_nothing() {
    use axum::body::{Body, Bytes};
    use axum::http::Request;
    let registry = TestRegistry::new();
    admin(&registry, "root");
    let mut other = admin(&registry, "other");
    registry.user("ann");
    let form_token = field(&other.get("/me").good().text(), "form_token");
    let pairs: Vec<_> = other.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    for (path, fields) in [
        ("/admin/users/root/disable", ""),
        ("/admin/users/root/role", "&role=member"),
        ("/admin/users/ann/role", "&role=admin"),
        ("/admin/users/ann/sign-in-link", ""),
        ("/admin/users", "&login=eve"),
    ] {
        let admins = |is_admin: bool| {
            let change = format!("UPDATE users SET is_admin = {is_admin} WHERE login = 'other'");
            let change = diesel::sql_query(change);
            registry.pool.with(|connection| diesel::RunQueryDsl::execute(change, connection).unwrap()).unwrap();
        };
        admins(true);
        let pool = registry.pool.clone();
        let form = format!("form_token={form_token}{fields}");
        let late = futures_util::stream::once(async move {
            let demote = diesel::sql_query("UPDATE users SET is_admin = false WHERE login = 'other'");
            pool.with(|connection| diesel::RunQueryDsl::execute(demote, connection).unwrap()).unwrap();
            Ok::<_, std::io::Error>(Bytes::from(form))
        });
        let request = Request::post(path).header("cookie", pairs.join("; "));
        let refused = registry.anonymous().send(request.body(Body::from_stream(late)).unwrap());
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}: {}", refused.text());
        assert!(refused.text().contains("is not an admin"), "{path}: {}", refused.text());
    }
    assert!(
        logged(&registry, &["user-disable", "user-demote", "user-promote", "user-create", "sign-in-link"]).is_empty()
    );
}

/// A stolen token of an admin must not create users that stay when it is revoked, and neither must a stolen session.
#[test]
fn a_token_and_an_old_session_change_no_users() {
    let registry = TestRegistry::new();
    let token = registry.admin("root").token.unwrap();
    registry.user("ann");
    let mut by_token = Browser::new(&registry);
    by_token.sign_in(&token);
    by_token.get("/admin/users").good();
    let paths = [
        "/admin/users",
        "/admin/users/ann/role",
        "/admin/users/ann/sign-in-link",
        "/admin/users/ann/sign-out",
        "/admin/users/ann/disable",
        "/admin/users/ann/enable",
    ];
    for path in paths {
        let form_token = field(&by_token.get("/admin/users").good().text(), "form_token");
        let refused = by_token.post(path, &[("form_token", form_token.as_str()), ("login", "eve"), ("role", "admin")]);
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        assert!(
            refused.text().contains("which does not suffice for this")
                || refused.text().contains("which does not suffice for this"),
            "{path}: {}",
            refused.text()
        );
    }
    // Nor does it become a session without a token.
    for path in ["/me/password", "/me/password/remove", "/me/accounts/connect", "/me/accounts/1/disconnect"] {
        let form_token = field(&by_token.get("/me").good().text(), "form_token");
        let refused = by_token.post(
            path,
            &[("form_token", form_token.as_str()), ("provider", "x"), ("password", PASSWORD), ("repeated", PASSWORD)],
        );
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
    let mut root = set_password(&registry, "root", PASSWORD);
    let pass = "UPDATE web_sessions SET proven_at = proven_at - interval '11 minutes'";
    registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(pass), connection).unwrap())
        .unwrap();
    for path in paths {
        let answer = send(&mut root, "/admin/users", path, &[("login", "eve"), ("role", "admin")]);
        assert!(place(&answer).starts_with("/sign-in/again?to=%2Fadmin%2Fusers"), "{path}");
    }
    assert_eq!(root.get("/admin/users/eve").status, StatusCode::NOT_FOUND);
    assert!(logged(&registry, &["user-role", "user-create", "sign-in-link"]).is_empty());
}

#[test]
fn nobody_else_sees_these_pages() {
    let registry = TestRegistry::new();
    registry.user("ann");
    let mut ann = set_password(&registry, "ann", PASSWORD);
    let mut nobody = Browser::new(&registry);
    for path in ["/admin/users", "/admin/users/ann", "/admin/users/nobody", "/admin/audit", "/admin/audit/export"] {
        assert_eq!(ann.get(path).status, StatusCode::FORBIDDEN, "{path}");
        assert!(place(&nobody.get(path)).starts_with("/sign-in?to="), "{path}");
    }
    assert!(!ann.get("/").good().text().contains("/admin/users"));
}

#[test]
fn users_are_found_by_login_and_name() {
    let registry = TestRegistry::new();
    let mut root = admin(&registry, "root");
    for login in ["ann", "bob"] {
        registry.user(login);
    }
    let name = "UPDATE users SET name = 'Ann <b>Example</b>' WHERE login = 'ann'";
    registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(name), connection).unwrap())
        .unwrap();
    let mut found = |query: &str| {
        let html = root.get(&format!("/admin/users?q={query}")).good().text();
        assert!(!html.contains("<b>"), "{html}");
        ["ann", "bob"].into_iter().filter(|login| html.contains(&format!("/admin/users/{login}\""))).collect::<Vec<_>>()
    };
    assert_eq!(found(""), ["ann", "bob"]);
    assert_eq!(found("EXAMPLE"), ["ann"]);
    assert_eq!(found("bo"), ["bob"]);
    assert_eq!(found("carol"), Vec::<&str>::new());
    assert_eq!(root.get("/admin/users?page=x").status, StatusCode::BAD_REQUEST);
    root.get("/admin/users?page=99999999999").good();
}

#[test]
fn the_log_is_filtered_and_exported() {
    let registry = TestRegistry::new();
    let mut root = admin(&registry, "root");
    registry.user("ann").publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    let mut shown = |query: &str| root.get(&format!("/admin/audit{query}")).good().text();
    assert!(shown("").contains("publish demo 1.0.0") || shown("").contains("demo"));
    let html = shown("?action=publish&crate=Demo&actor=ANN&days=1");
    assert!(html.contains("1.0.0") && !html.contains("<td class=\"wrap\">sign-in"), "{html}");
    assert!(shown("?actor=bob").contains("No entry matches"));
    let lines = root.get("/admin/audit/export?action=publish").good();
    assert_eq!(lines.headers["content-disposition"], "attachment; filename=\"audit.jsonl\"");
    let lines: Vec<serde_json::Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["crate"]), (1, &"demo".into()));
    for wrong in ["?action=x", "?crate=..", "?days=0", "?days=x", "?before=x"] {
        assert_eq!(root.get(&format!("/admin/audit{wrong}")).status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}
