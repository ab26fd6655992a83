//! The user of a session proves once more to be that user.

use axum::http::{Method, StatusCode};

use super::{Site, away, come_back, place, send, set_password};
use crate::pages::{Browser, field};
use crate::support::harness::TestRegistry;
use crate::support::oidc_provider::ProviderCookies;
use crate::support::package::Package;

const PASSWORD: &str = "correct horse battery staple";

/// The proof of every session is of eleven minutes ago.
fn let_it_pass(registry: &TestRegistry) {
    let pass = "UPDATE web_sessions SET proven_at = proven_at - interval '11 minutes'";
    registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(pass), connection).unwrap())
        .unwrap();
}

/// Whether the form of a new token is shown.
fn may_create(browser: &mut Browser<'_>) -> bool {
    let answer = browser.get("/me/tokens/new");
    if answer.status == StatusCode::OK {
        return true;
    }
    assert_eq!(place(&answer), "/sign-in/again?to=%2Fme%2Ftokens%2Fnew");
    false
}

#[test]
fn a_sign_in_is_a_proof_for_ten_minutes() {
    let registry = TestRegistry::new();
    let mut browser = set_password(&registry, "ann", PASSWORD);
    assert!(may_create(&mut browser));
    let html = browser.get("/me/tokens/new").good().text();
    let form_token = field(&html, "form_token");
    let_it_pass(&registry);
    assert!(!may_create(&mut browser));
    // The form of before creates nothing.
    let sent = [("form_token", form_token.as_str()), ("name", "late"), ("everything", "true"), ("days", "7")];
    assert!(place(&browser.post("/me/tokens/new", &sent)).starts_with("/sign-in/again"));
    assert!(!browser.get("/me").good().text().contains("late"));
}

#[test]
fn the_password_proves_it_and_the_session_gets_a_new_secret() {
    let registry = TestRegistry::new();
    let mut browser = set_password(&registry, "ann", PASSWORD);
    let_it_pass(&registry);
    let stolen = browser.cookies.clone();
    let page = "/sign-in/again?to=/me/tokens/new";
    let refused = send(&mut browser, page, "/sign-in/again", &[("to", "/me/tokens/new"), ("password", "wrong")]);
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(!may_create(&mut browser));
    let proven = send(&mut browser, page, "/sign-in/again", &[("to", "/me/tokens/new"), ("password", PASSWORD)]);
    assert_eq!(place(&proven), "/me/tokens/new");
    assert!(may_create(&mut browser));
    let mut thief = Browser::new(&registry);
    thief.cookies = stolen;
    assert!(!thief.get("/").good().text().contains("Signed in as"));
}

#[test]
fn a_session_of_a_token_is_proven_by_that_token() {
    let registry = TestRegistry::new();
    let (token, other) = (registry.user("ann").token.unwrap(), registry.user("ann").token.unwrap());
    let mut browser = Browser::new(&registry);
    browser.sign_in(&token);
    assert!(may_create(&mut browser));
    let_it_pass(&registry);
    for wrong in [other.as_str(), "sct_0", ""] {
        let refused = send(&mut browser, "/sign-in/again", "/sign-in/again", &[("to", "/me"), ("token", wrong)]);
        assert!(refused.status.is_client_error(), "{wrong}");
        assert!(!may_create(&mut browser));
    }
    assert_eq!(
        place(&send(&mut browser, "/sign-in/again", "/sign-in/again", &[("to", "/me"), ("token", &token)])),
        "/me"
    );
    assert!(may_create(&mut browser));
}

#[test]
fn the_provider_proves_it_by_signing_the_user_in_again() {
    let site = Site::new("new-users = \"create\"");
    site.account("1", "ann", &[]);
    site.account("2", "eve", &[]);
    let mut cookies = ProviderCookies::default();
    let mut browser = Browser::new(&site.registry);
    let begun = away(browser.get("/sign-in/with/acme"));
    let back = site.provider.sign_in(&mut cookies, &begun, "1");
    assert_eq!(place(&come_back(&mut browser, &back)), "/");
    let_it_pass(&site.registry);
    assert!(!may_create(&mut browser));
    let html = browser.get("/sign-in/again?to=/me/tokens/new").good().text();
    assert!(html.contains("Confirm with acme SSO") && !html.contains("name=\"password\""), "{html}");
    let link = "/sign-in/with/acme?again=true&to=/me/tokens/new";
    let asked = away(browser.get(link));
    assert!(asked.contains("prompt=login") && asked.contains("max_age=0"), "{asked}");
    // The session at the provider does not suffice.
    assert!(site.provider.answer_at_once(&mut cookies, &asked).is_none());
    // Another account does not, either.
    let back = site.provider.sign_in(&mut ProviderCookies::default(), &asked, "2");
    let refused = come_back(&mut browser, &back);
    assert!(refused.text().contains("which is not connected with your user"), "{}", refused.text());
    assert!(!may_create(&mut browser));
    let asked = away(browser.get(link));
    let back = site.provider.sign_in(&mut cookies, &asked, "1");
    assert_eq!(place(&come_back(&mut browser, &back)), "/me/tokens/new");
    assert!(may_create(&mut browser));
}

/// Whoever has the session, and the session at the provider, leaves out what asks for a sign-in there.
#[test]
fn an_old_sign_in_at_the_provider_proves_nothing() {
    let site = Site::new("new-users = \"create\"");
    site.account("1", "ann", &[]);
    let mut cookies = ProviderCookies::default();
    let mut browser = Browser::new(&site.registry);
    let begun = away(browser.get("/sign-in/with/acme"));
    // The sign-in at the provider is of two minutes ago, by its clock.
    site.provider.set_clock_skew(-120);
    let back = site.provider.sign_in(&mut cookies, &begun, "1");
    assert_eq!(place(&come_back(&mut browser, &back)), "/");
    site.provider.set_clock_skew(0);
    let_it_pass(&site.registry);
    let asked = away(browser.get("/sign-in/with/acme?again=true"));
    let asked = asked.replace("prompt=login", "x=y").replace("max_age=0", "max_age=3600");
    let back = site.provider.answer_at_once(&mut cookies, &asked).unwrap();
    let refused = come_back(&mut browser, &back);
    assert!(refused.text().contains("did not ask you to sign in again"), "{}", refused.text());
    assert!(!may_create(&mut browser));
    // The ID token does not say when it was.
    let asked = away(browser.get("/sign-in/with/acme?again=true"));
    let asked = asked.replace("prompt=login", "x=y").replace("max_age=0", "z=y");
    let back = site.provider.answer_at_once(&mut cookies, &asked).unwrap();
    let refused = come_back(&mut browser, &back);
    assert!(refused.text().contains("did not ask you to sign in again"), "{}", refused.text());
    assert!(!may_create(&mut browser));
}

/// What an approval of a set sends.
fn approve(browser: &mut Browser<'_>) -> crate::support::harness::Answer {
    let html = browser.get("/release-sets/next").good().text();
    let revision = field(&html, "revision");
    send(browser, "/release-sets/next", "/release-sets/next/approve", &[("revision", &revision)])
}

#[test]
fn an_approval_needs_a_proof_and_outlives_its_session() {
    let registry = TestRegistry::new();
    let stager = registry.user("stager");
    stager.publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    for owner in ["ann", "bob"] {
        registry.user(owner);
        let owners = serde_json::json!({ "users": [owner] }).to_string();
        stager.request(Method::PUT, "/api/v1/crates/demo/owners", owners).good();
    }
    let rule = "INSERT INTO staging_rules (subject, canonical, is_prefix, approvals, by_another)
                VALUES ('demo', 'demo', false, 2, true)";
    registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(rule), connection).unwrap())
        .unwrap();
    stager.request(Method::PUT, "/stage/next/api/v1/crates/new", Package::new("demo", "1.1.0").body()).good();
    let mut ann = set_password(&registry, "ann", PASSWORD);
    let_it_pass(&registry);
    assert_eq!(place(&approve(&mut ann)), "/sign-in/again?to=%2Frelease-sets%2Fnext&unsent=true");
    let shown = stager.get("/api/v1/release-sets/next").good().text();
    assert!(shown.contains("\"approved_by\":[]"), "{shown}");
    send(&mut ann, "/sign-in/again", "/sign-in/again", &[("password", PASSWORD)]);
    assert_eq!(place(&approve(&mut ann)), "/release-sets/next");
    assert_eq!(place(&send(&mut ann, "/me", "/sign-out", &[])), "/");
    // Long after it, somebody else signs in, which removes old tokens of sessions.
    let old = "UPDATE api_tokens SET expires_at = now() - interval '8 days' WHERE sign_in IS NOT NULL";
    registry.pool.with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(old), connection).unwrap()).unwrap();
    let mut bob = set_password(&registry, "bob", PASSWORD);
    let shown = stager.get("/api/v1/release-sets/next").good().text();
    assert!(shown.contains("\"approved_by\":[\"ann\"]"), "{shown}");
    assert_eq!(place(&approve(&mut bob)), "/release-sets/next");
    registry.run_jobs();
    let published = registry.anonymous().get("/api/v1/crates/demo/1.1.0").good().json();
    assert_eq!(published["version"]["num"], "1.1.0");
}

/// A sign-in that was made by hand, as begun so many minutes ago: its cookie, and what comes back from the provider, for an account.
fn forged(site: &Site, purpose: &str, minutes: i64, subject: &str) -> ((String, String), String) {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use supercargo::database::access::sessions::SessionSecret;
    let secret = SessionSecret::random().unwrap();
    let at = chrono::Utc::now() - chrono::TimeDelta::minutes(minutes);
    let content = serde_json::json!({ "provider": "acme", "purpose": purpose, "to": "/me", "at": at });
    let content = URL_SAFE_NO_PAD.encode(content.to_string());
    let sealed = |name: &str| secret.seal(&format!("{name} {content}"));
    // The provider is asked with what the forged cookie will be held against.
    let asked = away(Browser::new(&site.registry).get("/sign-in/with/acme"));
    let mut asked = url::Url::parse(&asked).unwrap();
    let challenge = URL_SAFE_NO_PAD.encode(<sha2::Sha256 as sha2::Digest>::digest(sealed("verifier")));
    let pairs: Vec<(String, String)> = asked
        .query_pairs()
        .map(|(name, value)| match &*name {
            "state" => (name.into_owned(), sealed("state")),
            "nonce" => (name.into_owned(), sealed("nonce")),
            "code_challenge" => (name.into_owned(), challenge.clone()),
            _ => (name.into_owned(), value.into_owned()),
        })
        .collect();
    asked.query_pairs_mut().clear().extend_pairs(pairs);
    let back = site.provider.sign_in(&mut ProviderCookies::default(), asked.as_str(), subject);
    (("supercargo_flow".to_owned(), format!("{}.{content}", secret.reveal())), back)
}

#[test]
fn a_sign_in_takes_half_an_hour_at_most() {
    let site = Site::new("new-users = \"create\"");
    site.account("1", "ann", &[]);
    for (minutes, is_in_time) in [(29, true), (31, false), (-2, false)] {
        let (cookie, back) = forged(&site, "SignIn", minutes, "1");
        let mut browser = Browser::new(&site.registry);
        browser.cookies.push(cookie);
        let answer = come_back(&mut browser, &back);
        assert_eq!(answer.status == StatusCode::SEE_OTHER, is_in_time, "{minutes}: {}", answer.text());
        assert!(is_in_time || answer.text().contains("took longer than half an hour"), "{minutes}: {}", answer.text());
    }
    // What a session has noted ends as well.
    let (mut ann, _) = site.sign_in("1");
    for (minutes, is_in_time) in [(31, false), (29, true)] {
        let asked = away(ann.get("/sign-in/with/acme?again=true&to=/me"));
        let back = site.provider.sign_in(&mut ProviderCookies::default(), &asked, "1");
        let pass = format!("UPDATE web_sessions SET flow_at = flow_at - interval '{minutes} minutes'");
        let pass = diesel::sql_query(pass);
        site.registry.pool.with(|connection| diesel::RunQueryDsl::execute(pass, connection).unwrap()).unwrap();
        let answer = come_back(&mut ann, &back);
        assert_eq!(answer.status == StatusCode::SEE_OTHER, is_in_time, "{minutes}: {}", answer.text());
    }
}

/// Somebody who has stolen the cookie of a session can make what the browser has of a sign-in at a provider, but has not begun one in
/// the session.
#[test]
fn a_forged_sign_in_neither_proves_nor_connects() {
    let site = Site::new("new-users = \"create\"");
    site.account("1", "ann", &[]);
    site.account("2", "eve", &[]);
    let (mut ann, answer) = site.sign_in("1");
    assert_eq!(place(&answer), "/me");
    let_it_pass(&site.registry);
    for (purpose, subject) in [("Connect", "2"), ("Connect", "1"), ("Again", "1")] {
        let (cookie, back) = forged(&site, purpose, 20, subject);
        ann.cookies.push(cookie);
        let refused = come_back(&mut ann, &back);
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{purpose}");
        assert!(refused.text().contains("not begun in this session"), "{purpose}: {}", refused.text());
        assert!(!may_create(&mut ann), "{purpose}");
        ann.cookies.retain(|(name, _)| name != "supercargo_flow");
    }
    assert!(!ann.get("/me").good().text().contains("<bdi>eve"));
}

/// What one user has begun in a browser ends with the session of that user.
#[test]
fn what_was_begun_in_another_session_of_the_browser_ends_there() {
    let site = Site::new("");
    site.account("1", "at-acme", &[]);
    let mut browser = set_password(&site.registry, "ann", PASSWORD);
    let leads = send(&mut browser, "/me", "/me/accounts/connect", &[("provider", "acme")]).good().text();
    let there = leads.split_once("0;url=").unwrap().1.split('"').next().unwrap().replace("&amp;", "&");
    let back = site.provider.sign_in(&mut ProviderCookies::default(), &there, "1");
    set_password(&site.registry, "bob", PASSWORD);
    let flow = browser.cookies.iter().find(|(name, _)| name == "supercargo_flow").unwrap().clone();
    assert_eq!(place(&super::passwords::attempt(&mut browser, "bob", PASSWORD)), "/me");
    browser.cookies.push(flow);
    assert_eq!(come_back(&mut browser, &back).status, StatusCode::FORBIDDEN);
    assert!(!browser.get("/me").good().text().contains("at-acme"));
}
