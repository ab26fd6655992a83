//! Signing in at an identity provider.

use axum::http::StatusCode;
use serde_json::json;

use super::{Site, away, come_back, described, know, link, logged, place, send};
use crate::pages::{Browser, field};
use crate::support::harness::TestRegistry;
use crate::support::oidc_provider::{OidcProvider, ProviderCookies, Setup};

#[test]
fn a_new_user_is_created_at_the_first_sign_in_and_found_at_the_next() {
    let site = Site::new("new-users = \"create\"");
    site.account("248289761001", "ann", &[]);
    let (mut browser, answer) = site.sign_in("248289761001");
    assert_eq!(place(&answer), "/me");
    let html = browser.get("/me").good().text();
    assert!(html.contains("ann Example") && html.contains("acme SSO as <strong>"), "{html}");
    let ann = site.user("ann").unwrap();
    assert!(!ann.is_admin);
    let (_, answer) = site.sign_in("248289761001");
    assert_eq!(place(&answer), "/me");
    assert_eq!(site.user("ann").unwrap().id, ann.id);
    assert_eq!(
        logged(&site.registry, &["sign-in", "user-create"]),
        ["sign-in by ann of ann", "sign-in by ann of ann", "user-create by ann of ann"]
    );
}

#[test]
fn whoever_has_another_number_is_another_user_and_a_new_name_changes_nothing() {
    let site = Site::new("new-users = \"create\"");
    site.account("1", "ann", &[]);
    assert_eq!(place(&site.sign_in("1").1), "/me");
    let ann = site.user("ann").unwrap();
    // Ann is called otherwise at the provider, and somebody else gets her old name there.
    site.account("1", "ann-smith", &[]);
    site.account("2", "ann", &[]);
    assert_eq!(place(&site.sign_in("1").1), "/me");
    assert!(site.user("ann-smith").is_none());
    let refused = site.sign_in("2").1;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let text = refused.text();
    assert!(crate::pages::said(&text).contains("he login `ann` is taken by a user"), "{text}");
    let (mut browser, _) = site.sign_in("1");
    assert!(browser.get("/me").good().text().contains("ann-smith"));
    assert_eq!(site.user("ann").unwrap().id, ann.id);
}

#[test]
fn only_users_who_are_here_sign_in_unless_the_file_says_otherwise() {
    let site = Site::new("");
    site.account("1", "ann", &[]);
    let (mut browser, refused) = site.sign_in("1");
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text().contains("o user of this registry has the account"), "{}", refused.text());
    assert!(site.user("ann").is_none());
    assert!(!browser.get("/").good().text().contains("Signed in as"));
    // The link is for bob, whatever the account is called.
    let link = link(&site.registry, "bob");
    let code = link.split_once('=').unwrap().1.to_owned();
    let continue_as = |browser: &mut Browser<'_>, subject: &str| {
        let fields = [("code", code.as_str()), ("provider", "acme")];
        let leads = send(browser, &link, "/sign-in/link", &fields).good().text();
        let there = leads.split_once("0;url=").unwrap().1.split('"').next().unwrap().replace("&amp;", "&");
        let back = site.provider.sign_in(&mut ProviderCookies::default(), &there, subject);
        come_back(browser, &back)
    };
    // Two browsers have the link.
    let (mut browser, mut other) = (Browser::new(&site.registry), Browser::new(&site.registry));
    let html = other.get(&link).good().text();
    assert_eq!(place(&continue_as(&mut browser, "1")), "/me");
    assert!(browser.get("/me").good().text().contains("Signed in as bob"));
    // It worked once.
    site.account("2", "eve", &[]);
    let form_token = field(html.split_once("<main").unwrap().1, "form_token");
    let late = other.post("/sign-in/link", &[("form_token", &form_token), ("code", &code), ("provider", "acme")]);
    assert!(late.text().contains("has expired or was used"), "{}", late.text());
    // Another site leads nobody through a link.
    let plain = away(other.get(&format!("/sign-in/with/acme?code={code}")));
    let back = site.provider.sign_in(&mut ProviderCookies::default(), &plain, "2");
    assert!(come_back(&mut other, &back).text().contains("o user of this registry has the account"));
    assert_eq!(place(&site.sign_in("1").1), "/me");
    assert_eq!(site.sign_in("2").1.status, StatusCode::FORBIDDEN);
}

#[test]
fn a_user_who_is_here_is_found_by_login_if_the_file_says_so() {
    let site = Site::new("existing-users = \"by-login\"");
    site.registry.user("ann");
    site.account("1", "Ann", &[]);
    assert_eq!(place(&site.sign_in("1").1), "/me");
    // The login of somebody who has an account there was given to somebody else.
    site.account("2", "ann", &[]);
    let refused = site.sign_in("2").1;
    assert!(refused.text().contains("with whom the account"), "{}", refused.text());
    // Without `new-users`, nobody is created.
    site.account("3", "carol", &[]);
    assert_eq!(site.sign_in("3").1.status, StatusCode::FORBIDDEN);
    assert!(site.user("carol").is_none());
}

#[test]
fn a_disabled_or_removed_user_cannot_sign_in_and_is_not_created_again() {
    let site = Site::new("new-users = \"create\"");
    site.account("1", "ann", &[]);
    let (mut browser, _) = site.sign_in("1");
    let change = |statement: &str| {
        let statement = diesel::sql_query(statement);
        site.registry.pool.with(|connection| diesel::RunQueryDsl::execute(statement, connection).unwrap()).unwrap();
    };
    change("UPDATE users SET disabled_at = now() WHERE login = 'ann'");
    assert!(!browser.get("/").good().text().contains("Signed in as"));
    let refused = site.sign_in("1").1;
    assert!(refused.text().contains("is disabled"), "{}", refused.text());
    change("UPDATE users SET removed_at = now() WHERE login = 'ann'");
    assert!(site.sign_in("1").1.text().contains("is removed"));
    change("UPDATE users SET removed_at = NULL, disabled_at = NULL WHERE login = 'ann'");
    assert_eq!(place(&site.sign_in("1").1), "/me");
}

#[test]
fn an_answer_is_of_the_browser_and_the_sign_in_that_it_was_asked_in() {
    let site = Site::new("new-users = \"create\"");
    site.account("1", "ann", &[]);
    let mut browser = Browser::new(&site.registry);
    let begun = away(browser.get("/sign-in/with/acme"));
    let back = site.provider.sign_in(&mut ProviderCookies::default(), &begun, "1");
    // Another browser, which has begun a sign-in as well.
    let mut other = Browser::new(&site.registry);
    away(other.get("/sign-in/with/acme"));
    let refused = come_back(&mut other, &back);
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text().contains("was begun in another browser"), "{}", refused.text());
    // A state that was changed, and none.
    let state = back.split_once("state=").unwrap().1.split('&').next().unwrap().to_owned();
    for changed in [back.replace(&state, &"0".repeat(64)), back.replace(&format!("state={state}"), "")] {
        let kept = browser.cookies.clone();
        assert_eq!(come_back(&mut browser, &changed).status, StatusCode::FORBIDDEN, "{changed}");
        browser.cookies = kept;
    }
    // An answer that says it is of another issuer, and one that does not say of which.
    let issuer = back.split_once("iss=").unwrap().1.split('&').next().unwrap().to_owned();
    for changed in [back.replace(&issuer, "https%3A%2F%2Fevil.example"), back.replace(&format!("iss={issuer}"), "")] {
        let kept = browser.cookies.clone();
        let refused = come_back(&mut browser, &changed);
        assert!(refused.text().contains("belongs to another sign-in"), "{changed}: {}", refused.text());
        browser.cookies = kept;
    }
    assert_eq!(place(&come_back(&mut browser, &back)), "/");
    // It is over.
    let again = come_back(&mut browser, &back);
    assert!(again.text().contains("once_more=1"), "{}", again.text());
    assert_eq!(come_back(&mut browser, &format!("{back}&once_more=1")).status, StatusCode::FORBIDDEN);
}

#[test]
fn a_code_is_worth_nothing_in_another_sign_in_of_the_same_browser() {
    let site = Site::new("new-users = \"create\"");
    site.account("1", "ann", &[]);
    site.account("2", "eve", &[]);
    let mut eve = Browser::new(&site.registry);
    let begun = away(eve.get("/sign-in/with/acme"));
    let of_eve = site.provider.sign_in(&mut ProviderCookies::default(), &begun, "2");
    let code = of_eve.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned();
    let mut ann = Browser::new(&site.registry);
    let begun = away(ann.get("/sign-in/with/acme"));
    let of_ann = site.provider.sign_in(&mut ProviderCookies::default(), &begun, "1");
    let own = of_ann.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned();
    // The verifier of PKCE is another.
    let refused = come_back(&mut ann, &of_ann.replace(&own, &code));
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text().contains("belongs to another sign-in"), "{}", refused.text());
    assert!(!ann.get("/").good().text().contains("Signed in as"));
}

/// A browser sends no cookie with the redirect of another site.
#[test]
fn coming_back_without_a_cookie_asks_once_more_from_here() {
    let site = Site::new("new-users = \"create\"");
    site.account("1", "ann", &[]);
    let mut browser = Browser::new(&site.registry);
    let begun = away(browser.get("/sign-in/with/acme?to=/crates/a"));
    let back = site.provider.sign_in(&mut ProviderCookies::default(), &begun, "1");
    let kept = std::mem::take(&mut browser.cookies);
    assert!(kept.iter().any(|(name, _)| name == "supercargo_flow"), "{kept:?}");
    let asks = come_back(&mut browser, &back).good();
    assert_eq!(asks.headers["cache-control"], "no-store");
    let html = asks.text();
    let there = html.split_once("0;url=").unwrap().1.split('"').next().unwrap().replace("&amp;", "&");
    browser.cookies = kept;
    assert_eq!(place(&browser.get(&there)), "/crates/a");
    // It leads nowhere else.
    for there in ["//evil.example", "https://evil.example", "/\\evil.example"] {
        let mut browser = Browser::new(&site.registry);
        let link = format!("/sign-in/with/acme?to={}", there.replace('/', "%2F").replace('\\', "%5C"));
        assert_eq!(place(&site.sign_in_with(&mut browser, &link, "1")), "/", "{there}");
    }
}

#[test]
fn a_provider_has_new_keys_from_time_to_time() {
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let site = Site::with(Setup { algorithm, id_token_has_claims: true }, "new-users = \"create\"");
        site.account("1", "ann", &[]);
        assert_eq!(place(&site.sign_in("1").1), "/me", "{algorithm}");
        let before = site.provider.requests("/jwks");
        assert_eq!(place(&site.sign_in("1").1), "/me", "{algorithm}");
        assert_eq!(site.provider.requests("/jwks"), before, "keys are kept");
    }
    // Keys are asked for at most once a minute, so the rotation comes before the first sign-in that sees the new key.
    let site = Site::new("new-users = \"create\"");
    site.account("1", "ann", &[]);
    site.provider.rotate_keys();
    assert_eq!(place(&site.sign_in("1").1), "/me");
    site.provider.rotate_keys();
    let refused = site.sign_in("1").1;
    assert_eq!(refused.status, StatusCode::BAD_GATEWAY);
    assert!(refused.text().contains("is not among the keys of"), "{}", refused.text());
}

#[test]
fn clocks_may_differ_by_a_minute() {
    let site = Site::new("new-users = \"create\"");
    site.account("1", "ann", &[]);
    for (seconds, works) in [(45, true), (-45, true), (200, false)] {
        site.provider.set_clock_skew(seconds);
        let answer = site.sign_in("1").1;
        assert_eq!(answer.status == StatusCode::SEE_OTHER, works, "{seconds}: {}", answer.text());
        assert!(works || answer.text().contains("compare the clocks"), "{}", answer.text());
    }
}

#[test]
fn sessions_go_on_while_the_provider_is_away() {
    let mut site = Site::new("new-users = \"create\"");
    site.account("1", "ann", &[]);
    let (browser, _) = site.sign_in("1");
    let cookies = browser.cookies.clone();
    drop(browser);
    let mut before = Browser::new(&site.registry);
    let begun = away(before.get("/sign-in/with/acme"));
    let back = site.provider.sign_in(&mut ProviderCookies::default(), &begun, "1");
    let flow = before.cookies.clone();
    drop(before);
    site.provider.stop();
    let mut browser = Browser::new(&site.registry);
    browser.cookies = cookies;
    assert!(browser.get("/me").good().text().contains("Signed in as ann"));
    let mut returning = Browser::new(&site.registry);
    returning.cookies = flow;
    let refused = come_back(&mut returning, &back);
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.text().contains("cme SSO cannot be used now"), "{}", refused.text());
    // A registry that never reached it says so on the page with the other ways to sign in.
    let providers = described(&[(&site.provider, "acme", "")]);
    let registry = TestRegistry::with(|settings| settings.sign_in.providers = providers);
    let refused = Browser::new(&registry).get("/sign-in/with/acme");
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.text().contains("name=\"password\""), "{}", refused.text());
    site.provider.start_again();
    assert_eq!(place(&site.sign_in("1").1), "/me");
}

#[test]
fn what_the_provider_refuses_is_said() {
    let site = Site::new("new-users = \"create\"");
    let mut browser = Browser::new(&site.registry);
    let begun = away(browser.get("/sign-in/with/acme"));
    let back = site.provider.refuse(&mut ProviderCookies::default(), &begun);
    let refused = come_back(&mut browser, &back);
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(
        crate::pages::said(&refused.text()).contains("cme SSO refused the sign-in: `access_denied`"),
        "{}",
        refused.text()
    );
    // The secret of the client is another.
    site.account("1", "ann", &[]);
    let uri = format!("{}/sign-in/from/acme", crate::support::harness::BASE_URL);
    site.provider.client("registry", &json!({ "client_secret": "another secret", "redirect_uris": [uri] }));
    let refused = site.sign_in("1").1;
    assert_eq!(refused.status, StatusCode::BAD_GATEWAY);
    assert!(refused.text().contains("an admin of the registry has to compare"), "{}", refused.text());
    assert!(!refused.text().contains("a secret of the client"), "{}", refused.text());
    assert_eq!(Browser::new(&site.registry).get("/sign-in/with/other").status, StatusCode::NOT_FOUND);
}

#[test]
fn several_providers_are_offered_and_none_answers_for_another() {
    let (one, other) = (OidcProvider::start(Setup::default()), OidcProvider::start(Setup::default()));
    let providers = described(&[(&one, "one", "new-users = \"create\""), (&other, "other", "new-users = \"create\"")]);
    let registry = TestRegistry::with(|settings| settings.sign_in.providers = providers);
    know(&one, "one");
    know(&other, "other");
    one.account("1", &json!({ "preferred_username": "ann" }));
    other.account("1", &json!({ "preferred_username": "bob" }));
    let mut browser = Browser::new(&registry);
    let html = browser.get("/sign-in?to=/crates/a").good().text();
    assert!(html.contains("Sign in with one SSO") && html.contains("/sign-in/with/other?to=%2Fcrates%2Fa"), "{html}");
    // The same number at another provider is another account.
    for (provider, name, login) in [(&one, "one", "ann"), (&other, "other", "bob")] {
        let mut browser = Browser::new(&registry);
        let begun = away(browser.get(&format!("/sign-in/with/{name}")));
        let back = provider.sign_in(&mut ProviderCookies::default(), &begun, "1");
        assert_eq!(place(&come_back(&mut browser, &back)), "/");
        assert!(browser.get("/me").good().text().contains(&format!("Signed in as {login}")));
    }
    // An answer of one that is brought to the other.
    let mut browser = Browser::new(&registry);
    let begun = away(browser.get("/sign-in/with/one"));
    let back = one.sign_in(&mut ProviderCookies::default(), &begun, "1");
    let refused = come_back(&mut browser, &back.replace("/from/one", "/from/other"));
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
    assert!(refused.text().contains("was begun in another browser"), "{}", refused.text());
    assert_eq!(other.requests("/token"), 1, "the other one is not asked");
}

#[test]
fn a_sign_in_that_has_begun_asks_the_provider_only_so_often() {
    let site = Site::new("new-users = \"create\"");
    site.account("1", "ann", &[]);
    let mut browser = Browser::new(&site.registry);
    let begun = away(browser.get("/sign-in/with/acme"));
    let back = site.provider.sign_in(&mut ProviderCookies::default(), &begun, "1");
    let code = back.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned();
    let forged = back.replace(&code, "x");
    let kept = browser.cookies.clone();
    for _ in 0..50 {
        browser.cookies = kept.clone();
        assert_eq!(come_back(&mut browser, &forged).status, StatusCode::FORBIDDEN);
    }
    let asked = site.provider.requests("/token");
    browser.cookies = kept;
    assert_eq!(come_back(&mut browser, &forged).status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(site.provider.requests("/token"), asked);
}
