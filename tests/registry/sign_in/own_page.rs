//! The page of a user: tokens, sessions, ways to sign in.

use axum::http::{Method, StatusCode};

use super::{Site, away, come_back, logged, place, send, set_password};
use crate::pages::{Browser, field};
use crate::support::harness::TestRegistry;
use crate::support::oidc_provider::ProviderCookies;
use crate::support::package::Package;

const PASSWORD: &str = "correct horse battery staple";

/// Creates a token on the page, and returns what is shown.
fn create(browser: &mut Browser<'_>, fields: &[(&str, &str)]) -> crate::support::harness::Answer {
    send(browser, "/me/tokens/new", "/me/tokens/new", fields)
}

fn token_in(html: &str) -> String {
    let start = html.find("sct_").unwrap_or_else(|| panic!("no token: {html}"));
    html[start..start + 68].to_owned()
}

#[test]
fn a_token_that_is_created_publishes_and_is_shown_once() {
    let registry = TestRegistry::new();
    let mut browser = set_password(&registry, "ann", PASSWORD);
    let shown = create(&mut browser, &[("name", "laptop"), ("everything", "true"), ("days", "")]).good();
    assert_eq!(shown.headers["cache-control"], "no-store");
    let token = token_in(&shown.text());
    registry.with_token(&token).publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    let html = browser.get("/me").good().text();
    assert!(html.contains("laptop") && html.contains("/crates/demo") && !html.contains("sct_"), "{html}");
    assert_eq!(
        logged(&registry, &["token-create", "publish"]),
        ["publish by ann of -", "token-create by ann of laptop"]
    );
    // A session that signs in otherwise than with a token creates tokens that are valid longer than the session.
    assert!(html.contains("never"), "{html}");
}

#[test]
fn a_token_has_what_was_chosen_and_nothing_more() {
    let registry = TestRegistry::new();
    let mut browser = set_password(&registry, "ann", PASSWORD);
    let shown = create(
        &mut browser,
        &[("name", "ci"), ("scope", "publish-update"), ("scope", "yank"), ("crates", "acme-* demo"), ("days", "30")],
    );
    let ci = registry.with_token(&token_in(&shown.good().text()));
    let own: serde_json::Value = ci.get("/api/v1/me").good().json();
    assert_eq!(own["user"]["login"], "ann");
    assert_eq!(ci.publish(&Package::new("demo", "1.0.0")).status, StatusCode::FORBIDDEN);
    let html = browser.get("/me").good().text();
    assert!(html.contains("publish-update, yank") && html.contains("acme-*, demo"), "{html}");
    let shown = create(&mut browser, &[("name", "reader"), ("scope", "read"), ("days", "7")]).good();
    assert!(shown.text().contains("It may only read"), "{}", shown.text());
    let reader = registry.with_token(&token_in(&shown.text()));
    reader.get("/api/v1/me").good();
    assert_eq!(reader.publish(&Package::new("demo", "1.0.0")).status, StatusCode::FORBIDDEN);
    for (fields, problem) in [
        (&[("name", " "), ("everything", "true")][..], "is not a valid token name"),
        (&[("name", "x"), ("everything", "true"), ("scope", "yank")], "choose one or the other"),
        (&[("name", "x"), ("scope", "own")], "is not a scope"),
        (&[("name", "x"), ("days", "7")], "nothing is chosen"),
        (&[("name", "x"), ("scope", "yank"), ("crates", "a*b")], "a*b"),
        (&[("name", "x"), ("scope", "yank"), ("days", "-1")], "is no number of days"),
    ] {
        let refused = create(&mut browser, fields);
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{fields:?}");
        let text = crate::pages::said(&refused.text()).to_lowercase();
        assert!(text.contains(&problem.to_lowercase()), "{fields:?}: {text}");
    }
}

#[test]
fn a_token_is_revoked_with_what_was_created_with_it() {
    let registry = TestRegistry::new();
    let mut browser = set_password(&registry, "ann", PASSWORD);
    let token = registry.with_token(&token_in(
        &create(&mut browser, &[("name", "laptop"), ("everything", "true"), ("days", "")]).good().text(),
    ));
    let made: serde_json::Value = token
        .request(Method::PUT, "/api/v1/me/tokens", serde_json::json!({ "api_token": { "name": "child" } }).to_string())
        .good()
        .json();
    let child = registry.with_token(made["api_token"]["token"].as_str().unwrap());
    child.get("/api/v1/me").good();
    let html = browser.get("/me").good().text();
    let place_of = |name: &str| {
        let row = html.split("<tr>").find(|row| row.contains(&format!(">{name}<"))).unwrap_or_else(|| panic!("{html}"));
        row.split("href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let revoke = place_of("laptop");
    assert!(browser.get(&revoke).good().text().contains("child"));
    assert_eq!(place(&send(&mut browser, &revoke, &revoke, &[("descendants", "true")])), "/me?notice=revoked");
    for revoked in [&token, &child] {
        assert_eq!(revoked.get("/api/v1/me").status, StatusCode::FORBIDDEN);
    }
    assert_eq!(browser.get(&revoke).status, StatusCode::NOT_FOUND);
    // Nobody revokes the token of somebody else.
    let mut eve = set_password(&registry, "eve", PASSWORD);
    registry.user("ann").get("/api/v1/me").good();
    let html = browser.get("/me").good().text();
    let foreign = html
        .split("href=\"")
        .map(|rest| rest.split('"').next().unwrap())
        .find(|link| link.ends_with("/revoke"))
        .unwrap();
    assert_eq!(eve.get(foreign).status, StatusCode::NOT_FOUND);
    assert_eq!(send(&mut eve, "/me", foreign, &[]).status, StatusCode::NOT_FOUND);
}

#[test]
fn sessions_are_listed_and_ended() {
    let registry = TestRegistry::new();
    let mut one = set_password(&registry, "ann", PASSWORD);
    let again = |registry| {
        let mut browser = Browser::new(registry);
        assert_eq!(place(&super::passwords::attempt(&mut browser, "ann", PASSWORD)), "/me");
        browser
    };
    let mut two = again(&registry);
    let mut three = again(&registry);
    let is_in = |browser: &mut Browser<'_>| browser.get("/").good().text().contains("Signed in as ann");
    let html = one.get("/me").good().text();
    assert_eq!(html.matches("/end\"").count(), 2, "{html}");
    assert!(html.contains("this one"));
    let end = html
        .split("action=\"")
        .map(|rest| rest.split('"').next().unwrap())
        .find(|path| path.ends_with("/end"))
        .unwrap();
    // Somebody else cannot end it.
    let mut eve = set_password(&registry, "eve", PASSWORD);
    assert_eq!(send(&mut eve, "/me", end, &[]).status, StatusCode::NOT_FOUND);
    assert!(is_in(&mut two) && is_in(&mut three));
    assert_eq!(place(&send(&mut one, "/me", end, &[])), "/me?notice=ended");
    assert!(is_in(&mut two) != is_in(&mut three));
    assert_eq!(place(&send(&mut one, "/me", "/me/sessions/end-others", &[])), "/me?notice=ended-others");
    assert!(is_in(&mut one) && !is_in(&mut two) && !is_in(&mut three));
    assert!(eve.get("/").good().text().contains("Signed in as eve"));
    assert_eq!(logged(&registry, &["session-end"]), ["session-end by ann of ann", "session-end by ann of ann"]);
}

#[test]
fn an_admin_who_has_just_signed_in_creates_a_token_that_administers() {
    let registry = TestRegistry::new();
    registry.admin("root");
    let mut root = set_password(&registry, "root", PASSWORD);
    let fields = [("name", "terraform"), ("scope", "administer"), ("days", "30")];
    let shown = create(&mut root, &fields).good();
    let token = registry.with_token(&token_in(&shown.text()));
    token.request(Method::POST, "/api/v1/admin/users", r#"{"login": "new"}"#).good();
    assert_eq!(logged(&registry, &["user-create"]), ["user-create by root of new"]);
    let eleven_minutes_later = "UPDATE web_sessions SET proven_at = proven_at - interval '11 minutes'";
    registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(eleven_minutes_later), connection).unwrap())
        .unwrap();
    let html = root.get("/me").good().text();
    let form_token = field(&html, "form_token");
    let late = root.post("/me/tokens/new", &[&[("form_token", form_token.as_str())][..], &fields].concat());
    assert!(place(&late).starts_with("/sign-in/again"), "{}", place(&late));
    let tokens = registry.user("root").get("/api/v1/me/tokens").good().json();
    let count = tokens["api_tokens"].as_array().unwrap().iter().filter(|token| token["name"] == "terraform").count();
    assert_eq!(count, 1);
    // It is of no use to others, who are not asked.
    let mut ann = set_password(&registry, "ann", PASSWORD);
    assert!(!ann.get("/me/tokens/new").good().text().contains("administer"));
    assert_eq!(create(&mut ann, &fields).status, StatusCode::FORBIDDEN);
}

#[test]
fn a_session_that_has_ended_changes_nothing_any_more() {
    let registry = TestRegistry::new();
    let mut browser = set_password(&registry, "ann", PASSWORD);
    let html = browser.get("/me/tokens/new").good().text();
    let form_token = field(&html, "form_token");
    let ended = "UPDATE api_tokens SET revoked_at = now() WHERE sign_in IS NOT NULL";
    registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(ended), connection).unwrap())
        .unwrap();
    let sent = [("form_token", form_token.as_str()), ("name", "late"), ("everything", "true"), ("days", "7")];
    let refused = browser.post("/me/tokens/new", &sent);
    assert!(
        refused.status == StatusCode::SEE_OTHER || refused.status == StatusCode::UNAUTHORIZED,
        "{}",
        refused.status
    );
    let tokens = registry.user("ann").get("/api/v1/me/tokens").good().text();
    assert!(!tokens.contains("late"), "{tokens}");
}

#[test]
fn the_tokens_of_sessions_are_no_tokens_for_programs() {
    let registry = TestRegistry::new();
    set_password(&registry, "ann", PASSWORD);
    let own: serde_json::Value = registry.user("ann").get("/api/v1/me/tokens").good().json();
    let names: Vec<_> =
        own["api_tokens"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["test"]);
}

#[test]
fn an_account_is_connected_and_disconnected() {
    let site = Site::new("");
    site.account("1", "ann-at-acme", &[]);
    let mut browser = set_password(&site.registry, "ann", PASSWORD);
    let leads = send(&mut browser, "/me", "/me/accounts/connect", &[("provider", "acme")]).good().text();
    let there = leads.split_once("0;url=").unwrap().1.split('"').next().unwrap().replace("&amp;", "&");
    let back = site.provider.sign_in(&mut ProviderCookies::default(), &there, "1");
    assert_eq!(place(&come_back(&mut browser, &back)), "/me?notice=connected");
    let (mut other, answer) = site.sign_in("1");
    assert_eq!(place(&answer), "/me");
    let html = other.get("/me").good().text();
    assert!(html.contains("Signed in as ann") && html.contains("ann-at-acme"), "{html}");
    // Another user cannot have it as well.
    let mut eve = set_password(&site.registry, "eve", PASSWORD);
    let leads = send(&mut eve, "/me", "/me/accounts/connect", &[("provider", "acme")]).good().text();
    let there = leads.split_once("0;url=").unwrap().1.split('"').next().unwrap().replace("&amp;", "&");
    let back = site.provider.sign_in(&mut ProviderCookies::default(), &there, "1");
    let refused = come_back(&mut eve, &back);
    assert!(refused.text().contains("is connected with another user"), "{}", refused.text());
    let html = browser.get("/me").good().text();
    let disconnect = html
        .split("action=\"")
        .map(|rest| rest.split('"').next().unwrap())
        .find(|path| path.ends_with("/disconnect"))
        .unwrap();
    assert_eq!(send(&mut eve, "/me", disconnect, &[]).status, StatusCode::NOT_FOUND);
    assert_eq!(place(&send(&mut browser, "/me", disconnect, &[])), "/me?notice=disconnected");
    assert!(!other.get("/").good().text().contains("Signed in as"), "the session that began with it");
    assert_eq!(site.sign_in("1").1.status, StatusCode::FORBIDDEN);
    assert_eq!(
        logged(&site.registry, &["identity-add", "identity-remove"]),
        ["identity-remove by ann of ann", "identity-add by ann of ann"]
    );
}

#[test]
fn connecting_needs_a_form_of_this_session_and_a_fresh_proof() {
    let site = Site::new("");
    let mut browser = set_password(&site.registry, "ann", PASSWORD);
    let refused = browser.post("/me/accounts/connect", &[("form_token", "0"), ("provider", "acme")]);
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let pass = "UPDATE web_sessions SET proven_at = proven_at - interval '11 minutes'";
    site.registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(pass), connection).unwrap())
        .unwrap();
    for path in ["/me/accounts/connect", "/me/accounts/1/disconnect", "/me/password", "/me/password/remove"] {
        let answer =
            send(&mut browser, "/me", path, &[("provider", "acme"), ("password", PASSWORD), ("repeated", PASSWORD)]);
        assert!(place(&answer).starts_with("/sign-in/again?to="), "{path}");
    }
    // A session that somebody has begun for an account at the provider does not connect it.
    let mut other = Browser::new(&site.registry);
    site.account("1", "eve", &[]);
    let begun = away(other.get("/sign-in/with/acme?connect=true"));
    let back = site.provider.sign_in(&mut ProviderCookies::default(), &begun, "1");
    assert_eq!(come_back(&mut other, &back).status, StatusCode::FORBIDDEN);
}

#[test]
fn a_password_is_changed_and_removed() {
    let registry = TestRegistry::new();
    let mut browser = set_password(&registry, "ann", PASSWORD);
    let mut other = Browser::new(&registry);
    assert_eq!(place(&super::passwords::attempt(&mut other, "ann", PASSWORD)), "/me");
    let new = "another horse battery staple";
    let fields = [("password", new), ("repeated", new)];
    assert_eq!(place(&send(&mut browser, "/me/password", "/me/password", &fields)), "/me?notice=password-set");
    assert!(!other.get("/").good().text().contains("Signed in as"));
    assert_eq!(super::passwords::attempt(&mut other, "ann", PASSWORD).status, StatusCode::FORBIDDEN);
    assert_eq!(place(&super::passwords::attempt(&mut other, "ann", new)), "/me");
    // Without another way to sign in it stays.
    let refused = send(&mut browser, "/me", "/me/password/remove", &[]);
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text().contains("the only way in which you sign in"), "{}", refused.text());
    let account =
        "INSERT INTO identities (user_id, issuer, subject, label) SELECT id, 'https://id.test', '1', 'a' FROM users";
    registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(account), connection).unwrap())
        .unwrap();
    let link = super::link(&registry, "ann");
    assert_eq!(place(&send(&mut browser, "/me", "/me/password/remove", &[])), "/me?notice=password-removed");
    assert_eq!(super::passwords::attempt(&mut Browser::new(&registry), "ann", new).status, StatusCode::FORBIDDEN);
    // Sessions that it has begun have ended, but for this one.
    assert!(!other.get("/").good().text().contains("Signed in as"));
    // A new one makes a link of before void, which somebody may have seen.
    browser.get(&link).good();
    assert_eq!(place(&send(&mut browser, "/me/password", "/me/password", &fields)), "/me?notice=password-set");
    assert_eq!(browser.get(&link).status, StatusCode::FORBIDDEN);
    assert_eq!(
        logged(&registry, &["password-set", "password-remove"]),
        [
            "password-set by ann of ann",
            "password-remove by ann of ann",
            "password-set by ann of ann",
            "password-set by ann of ann",
        ]
    );
}

/// A restricted token must not become an unrestricted one by way of a page.
#[test]
fn a_session_of_a_restricted_token_changes_nothing_of_the_user() {
    let registry = TestRegistry::new();
    let restricted = supercargo::database::access::new_token::NewToken {
        scopes: Some(vec![supercargo::database::access::scope::Scope::Yank]),
        ..supercargo::database::access::new_token::NewToken::named("ci")
    };
    let token = registry.user_with("ann", restricted).token.unwrap();
    let mut browser = Browser::new(&registry);
    browser.sign_in(&token);
    let html = browser.get("/me").good().text();
    assert!(html.contains("cannot show or create tokens") && !html.contains("id=\"sessions\""), "{html}");
    for path in ["/me/tokens/new", "/me/password"] {
        assert_eq!(browser.get(path).status, StatusCode::FORBIDDEN, "{path}");
    }
    let form_token = field(&html, "form_token");
    for (path, fields) in [
        ("/me/tokens/new", &[("name", "x"), ("everything", "true"), ("days", "")][..]),
        ("/me/password", &[("password", PASSWORD), ("repeated", PASSWORD)]),
        ("/me/password/remove", &[]),
        ("/me/accounts/connect", &[("provider", "acme")]),
        ("/me/accounts/1/disconnect", &[]),
        ("/me/tokens/1/revoke", &[]),
        ("/me/sessions/end-others", &[]),
        ("/me/invitations/1/accept", &[]),
        ("/me/invitations/1/decline", &[]),
        ("/oauth/device", &[("user_code", "BCDF-GHJK"), ("decision", "allow")]),
    ] {
        let fields = [&[("form_token", form_token.as_str())][..], fields].concat();
        assert_eq!(browser.post(path, &fields).status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[test]
fn the_oldest_session_ends_when_there_are_too_many() {
    let registry = TestRegistry::new();
    let mut first = set_password(&registry, "ann", PASSWORD);
    let is_in = |browser: &mut Browser<'_>| browser.get("/").good().text().contains("Signed in as ann");
    let mut others = Vec::new();
    for _ in 0..19 {
        let mut browser = Browser::new(&registry);
        assert_eq!(place(&super::passwords::attempt(&mut browser, "ann", PASSWORD)), "/me");
        others.push(browser);
    }
    assert!(is_in(&mut first));
    let mut last = Browser::new(&registry);
    assert_eq!(place(&super::passwords::attempt(&mut last, "ann", PASSWORD)), "/me");
    assert!(!is_in(&mut first) && is_in(&mut others[0]) && is_in(&mut last));
    assert_eq!(last.get("/me").good().text().matches("/end\"").count(), 19);
}

#[test]
fn a_sign_in_takes_the_place_of_the_session_before_and_a_sign_out_is_logged() {
    let registry = TestRegistry::new();
    let mut browser = set_password(&registry, "ann", PASSWORD);
    let before = browser.cookies.clone();
    assert_eq!(place(&super::passwords::attempt(&mut browser, "ann", PASSWORD)), "/me");
    let mut old = Browser::new(&registry);
    old.cookies = before;
    assert!(!old.get("/").good().text().contains("Signed in as"));
    assert_eq!(place(&send(&mut browser, "/me", "/sign-out", &[])), "/");
    assert_eq!(logged(&registry, &["session-end"]), ["session-end by ann of ann"]);
}

#[test]
fn a_removed_user_returns_without_password_link_and_role() {
    use supercargo::database::access::administrator::Administrator;
    use supercargo::database::access::audit::Actor;
    use supercargo::database::access::role::Role;
    use supercargo::database::access::users;
    use supercargo::jobs::leaving;
    let registry = TestRegistry::new();
    set_password(&registry, "ann", PASSWORD);
    let link = super::link(&registry, "ann");
    let user = || registry.pool.with(|connection| users::find(connection, "ann").unwrap().unwrap()).unwrap();
    let ann = user();
    registry
        .pool
        .with(|connection| {
            users::set_role(connection, ann.id, Role::Auditor).unwrap();
            let operator = Actor::operator("root@host".to_owned());
            let removal = leaving::remove(connection, &ann, &[], Administrator::Operator(&operator)).unwrap().unwrap();
            // That of the session is none that its user had.
            assert_eq!(removal.tokens.len(), 0);
            assert!(users::enable(connection, ann.id).unwrap());
        })
        .unwrap();
    assert_eq!(user().role, Role::Member);
    let mut browser = Browser::new(&registry);
    assert_eq!(browser.get(&link).status, StatusCode::FORBIDDEN);
    assert_eq!(super::passwords::attempt(&mut browser, "ann", PASSWORD).status, StatusCode::FORBIDDEN);
}
