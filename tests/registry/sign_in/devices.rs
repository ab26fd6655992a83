//! Devices that get a token, as OAuth 2.0 describes it.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::Value;

use super::{logged, place, send, set_password};
use crate::pages::{Browser, field};
use crate::support::harness::{Answer, TestRegistry};
use crate::support::package::Package;

const PASSWORD: &str = "correct horse battery staple";
const CLIENT: (&str, &str) = ("client_id", "cargo-credential-supercargo");

fn form(registry: &TestRegistry, path: &str, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    registry.anonymous().send(request.body(Body::from(body)).unwrap())
}

fn begin(registry: &TestRegistry, scope: &str) -> Value {
    form(registry, "/api/v1/oauth/device", &[CLIENT, ("scope", scope), ("device_name", "cargo on laptop")])
        .good()
        .json()
}

fn ask(registry: &TestRegistry, code: &str) -> Answer {
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    form(registry, "/api/v1/oauth/token", &[grant, CLIENT, ("device_code", code)])
}

fn renew(registry: &TestRegistry, secret: &str) -> Answer {
    form(registry, "/api/v1/oauth/token", &[("grant_type", "refresh_token"), CLIENT, ("refresh_token", secret)])
}

fn error(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.json()["error"].as_str().unwrap().to_owned()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name}: {value}"))
}

fn decide(browser: &mut Browser<'_>, request: &Value, decision: &str) -> Answer {
    let page = format!("/oauth/device?user_code={}", text(request, "user_code"));
    send(browser, &page, "/oauth/device", &[("user_code", text(request, "user_code")), ("decision", decision)])
}

fn let_pass(registry: &TestRegistry, statement: &str) {
    registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(statement), connection).unwrap())
        .unwrap();
}

/// A token of a device of ann, who has allowed it.
fn granted(registry: &TestRegistry, browser: &mut Browser<'_>, scope: &str) -> Value {
    let request = begin(registry, scope);
    assert!(decide(browser, &request, "allow").good().text().contains("Allowed"));
    ask(registry, text(&request, "device_code")).good().json()
}

#[test]
fn a_device_gets_a_token_when_its_user_has_allowed_it_and_once() {
    let registry = TestRegistry::new();
    let mut ann = set_password(&registry, "ann", PASSWORD);
    let request = begin(&registry, "publish-new publish-update");
    assert_eq!((request["expires_in"].as_i64(), request["interval"].as_i64()), (Some(600), Some(2)));
    let page = text(&request, "verification_uri_complete").strip_prefix("http://registry.test").unwrap().to_owned();
    let code = text(&request, "device_code").to_owned();
    assert_eq!(error(&ask(&registry, &code)), "authorization_pending");
    assert_eq!(error(&ask(&registry, &code)), "slow_down");
    let shown = ann.get(&page).good().text();
    assert!(shown.contains("cargo on laptop") && shown.contains("publish-new, publish-update"), "{shown}");
    assert!(decide(&mut ann, &request, "allow").good().text().contains("Allowed"));
    let token = ask(&registry, &code).good().json();
    assert_eq!((text(&token, "token_type"), token["expires_in"].as_i64()), ("Bearer", Some(12 * 60 * 60)));
    assert_eq!(text(&token, "scope"), "publish-new publish-update");
    assert_eq!(error(&ask(&registry, &code)), "invalid_grant");
    let cargo = registry.with_token(text(&token, "access_token"));
    cargo.publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    assert_eq!(cargo.yank("demo", "1.0.0").status, StatusCode::FORBIDDEN);
    let html = ann.get("/me").good().text();
    assert!(html.contains("cargo on laptop") && html.contains("renewed when it is used"), "{html}");
    assert_eq!(
        logged(&registry, &["device-allow", "token-create", "publish"]),
        ["publish by ann of -", "token-create by ann of cargo on laptop", "device-allow by ann of cargo on laptop"]
    );
}

#[test]
fn a_renewed_token_replaces_the_one_before_until_it_is_revoked() {
    let registry = TestRegistry::new();
    let mut ann = set_password(&registry, "ann", PASSWORD);
    let first = granted(&registry, &mut ann, "");
    assert!(first.get("scope").is_none());
    let second = renew(&registry, text(&first, "refresh_token")).good().json();
    let valid =
        |token: &Value| registry.with_token(text(token, "access_token")).get("/api/v1/me").status == StatusCode::OK;
    assert!(!valid(&first) && valid(&second));
    assert_eq!(error(&renew(&registry, text(&first, "refresh_token"))), "invalid_grant");
    // After its twelve hours it can be renewed, and after thirty days without that it cannot.
    let_pass(
        &registry,
        "UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE renewal_sha256 IS NOT NULL",
    );
    assert!(!valid(&second));
    let third = renew(&registry, text(&second, "refresh_token")).good().json();
    assert!(valid(&third));
    let_pass(&registry, "UPDATE users SET disabled_at = now() WHERE login = 'ann'");
    assert_eq!(error(&renew(&registry, text(&third, "refresh_token"))), "invalid_grant");
    let_pass(&registry, "UPDATE users SET disabled_at = NULL WHERE login = 'ann'");
    assert!(valid(&third), "the token is not renewed for a disabled user");
    let_pass(&registry, "UPDATE api_tokens SET renewable_until = now() WHERE renewal_sha256 IS NOT NULL");
    assert_eq!(error(&renew(&registry, text(&third, "refresh_token"))), "invalid_grant");
    let other = granted(&registry, &mut ann, "yank");
    let own = registry.with_token(text(&other, "access_token"));
    assert_eq!(own.request(axum::http::Method::DELETE, "/api/v1/tokens/current", "").status, StatusCode::NO_CONTENT);
    assert_eq!(error(&renew(&registry, text(&other, "refresh_token"))), "invalid_grant");
}

#[test]
fn a_device_that_is_denied_or_comes_late_gets_nothing() {
    let registry = TestRegistry::new();
    let mut ann = set_password(&registry, "ann", PASSWORD);
    let request = begin(&registry, "");
    assert!(decide(&mut ann, &request, "deny").good().text().contains("Denied"));
    let allow = |browser: &mut Browser<'_>, request: &Value| {
        send(browser, "/me", "/oauth/device", &[("user_code", text(request, "user_code")), ("decision", "allow")])
            .status
    };
    assert_eq!(allow(&mut ann, &request), StatusCode::NOT_FOUND, "it is decided once");
    assert_eq!(error(&ask(&registry, text(&request, "device_code"))), "access_denied");
    let late = begin(&registry, "");
    let_pass(&registry, "UPDATE device_requests SET expires_at = now()");
    assert_eq!(allow(&mut ann, &late), StatusCode::NOT_FOUND);
    assert_eq!(error(&ask(&registry, text(&late, "device_code"))), "expired_token");
    let page = format!("/oauth/device?user_code={}", text(&late, "user_code"));
    assert_eq!(ann.get(&page).status, StatusCode::NOT_FOUND);
    // The session in which it was allowed has ended: somebody may have stolen it.
    let request = begin(&registry, "");
    decide(&mut ann, &request, "allow").good();
    assert_eq!(place(&send(&mut ann, "/me", "/sign-out", &[])), "/");
    assert_eq!(error(&ask(&registry, text(&request, "device_code"))), "access_denied");
    for code in ["", "scd_0", "\u{0}"] {
        assert_eq!(error(&ask(&registry, code)), "invalid_grant", "{code:?}");
        assert_eq!(error(&renew(&registry, code)), "invalid_grant", "{code:?}");
    }
    let tokens = registry.user("ann").get("/api/v1/me/tokens").good().text();
    assert!(!tokens.contains("laptop"), "{tokens}");
}

#[test]
fn only_a_user_who_has_just_signed_in_allows_a_device() {
    let registry = TestRegistry::new();
    let mut ann = set_password(&registry, "ann", PASSWORD);
    let request = begin(&registry, "");
    let page = format!("/oauth/device?user_code={}", text(&request, "user_code"));
    let html = ann.get(&page).good().text();
    let form_token = field(html.split_once("<main").unwrap().1, "form_token");
    let sent = [("user_code", text(&request, "user_code")), ("decision", "allow")];
    assert_eq!(ann.post("/oauth/device", &[&[("form_token", "0")][..], &sent].concat()).status, StatusCode::FORBIDDEN);
    let_pass(&registry, "UPDATE web_sessions SET proven_at = proven_at - interval '11 minutes'");
    assert!(place(&ann.get(&page)).starts_with("/sign-in/again?to=%2Foauth%2Fdevice%3Fuser_code%3D"));
    let late = ann.post("/oauth/device", &[&[("form_token", form_token.as_str())][..], &sent].concat());
    assert!(place(&late).starts_with("/sign-in/again"));
    // A restricted token does not become one with more rights.
    let restricted = supercargo::database::access::new_token::NewToken {
        scopes: Some(vec![supercargo::database::access::scope::Scope::Yank]),
        ..supercargo::database::access::new_token::NewToken::named("ci")
    };
    let token = registry.user_with("ann", restricted).token.unwrap();
    let mut by_token = Browser::new(&registry);
    by_token.sign_in(&token);
    assert_eq!(by_token.get(&page).status, StatusCode::FORBIDDEN);
    // Nor one with an end to one that is renewed without an end.
    let ends = supercargo::database::access::new_token::NewToken {
        expires_at: Some(chrono::Utc::now() + chrono::TimeDelta::hours(1)),
        ..supercargo::database::access::new_token::NewToken::named("for an hour")
    };
    by_token.sign_in(&registry.user_with("ann", ends).token.unwrap());
    assert_eq!(by_token.get(&page).status, StatusCode::FORBIDDEN);
    assert!(place(&Browser::new(&registry).get(&page)).starts_with("/sign-in?to="));
    assert_eq!(error(&ask(&registry, text(&request, "device_code"))), "authorization_pending");
}

#[test]
fn what_cannot_be_asked_for_is_said() {
    let registry = TestRegistry::with(|settings| settings.auth_required = true);
    let device = |fields: &[(&str, &str)]| error(&form(&registry, "/api/v1/oauth/device", fields));
    assert_eq!(device(&[]), "invalid_client");
    assert_eq!(device(&[("client_id", "other")]), "invalid_client");
    assert_eq!(device(&[CLIENT, ("scope", "publish own")]), "invalid_scope");
    let token = |fields: &[(&str, &str)]| error(&form(&registry, "/api/v1/oauth/token", fields));
    assert_eq!(token(&[]), "unsupported_grant_type");
    assert_eq!(token(&[("grant_type", "password")]), "unsupported_grant_type");
    // Hidden characters of a name are shown as such.
    let named = form(&registry, "/api/v1/oauth/device", &[CLIENT, ("device_name", "a\u{202e}b\n<b>")]).good().json();
    let mut ann = set_password(&registry, "ann", PASSWORD);
    let page = ann.get(&format!("/oauth/device?user_code={}", text(&named, "user_code"))).good().text();
    assert!(page.contains("a\\u{202e}b") && !page.contains("<b>"), "{page}");
    assert_eq!(ann.get("/oauth/device?user_code=ABC").status, StatusCode::NOT_FOUND);
    ann.get("/oauth/device").good();
    let perhaps = decide(&mut ann, &named, "perhaps");
    assert_eq!(perhaps.status, StatusCode::BAD_REQUEST);
}

#[test]
fn devices_of_an_address_are_limited() {
    let registry = TestRegistry::new();
    for _ in 0..200 {
        begin(&registry, "");
    }
    let refused = form(&registry, "/api/v1/oauth/device", &[CLIENT]);
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text());
    assert!(refused.headers.contains_key("retry-after"));
}
