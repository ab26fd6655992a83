//! Answers of a provider that must not sign anybody in, as a table. A certified provider gives none of these, so this one is of the
//! tests' own.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

use super::{away, come_back, of_issuers, place};
use crate::pages::Browser;
use crate::support::harness::{Answer, BASE_URL, TestRegistry};
use crate::support::issuer::{Issuer, Key, merge, unsigned};

/// A registry with this issuer as its provider.
fn with(issuer: &Issuer) -> TestRegistry {
    let endpoint = |path: &str| format!("{}{path}", issuer.url);
    issuer.put(
        "/.well-known/openid-configuration",
        json!({
            "issuer": issuer.url, "jwks_uri": endpoint("/jwks"), "authorization_endpoint": endpoint("/auth"),
            "token_endpoint": endpoint("/token"), "userinfo_endpoint": endpoint("/me"),
        }),
    );
    let providers = of_issuers(&[(&issuer.url, "acme", "new-users = \"create\"")]);
    TestRegistry::with(|settings| settings.sign_in.providers = providers)
}

/// What the provider was asked for.
struct Begun {
    state: String,
    nonce: String,
}

fn begin(browser: &mut Browser<'_>) -> Begun {
    let asked = Url::parse(&away(browser.get("/sign-in/with/acme?to=/me"))).unwrap();
    let parameter = |wanted: &str| asked.query_pairs().find(|(name, _)| name == wanted).unwrap().1.into_owned();
    assert_eq!(parameter("code_challenge_method"), "S256");
    Begun { state: parameter("state"), nonce: parameter("nonce") }
}

/// The claims of an account that is fine.
fn claims(issuer: &Issuer, begun: &Begun) -> Value {
    let mut claims = issuer.claims("registry");
    merge(&mut claims, &json!({ "sub": "1", "nonce": begun.nonce, "preferred_username": "ann", "jti": null }));
    claims
}

/// Comes back with a code, for which the provider gives this.
fn finish(issuer: &Issuer, browser: &mut Browser<'_>, begun: &Begun, token_answer: Value) -> Answer {
    issuer.put("/token", token_answer);
    come_back(browser, &format!("{BASE_URL}/sign-in/from/acme?code=c&state={}", begun.state))
}

fn token(id_token: String) -> Value {
    json!({ "id_token": id_token, "access_token": "a", "token_type": "Bearer" })
}

#[test]
fn an_answer_in_order_signs_in() {
    let issuer = Issuer::new("");
    let registry = with(&issuer);
    for (number, userinfo) in [json!({ "sub": "1" }), json!({ "sub": "1", "name": "Ann", "preferred_username": "eve" })]
        .into_iter()
        .enumerate()
    {
        issuer.put("/me", userinfo);
        let mut browser = Browser::new(&registry);
        let begun = begin(&mut browser);
        let answer = finish(&issuer, &mut browser, &begun, token(issuer.key.sign(&claims(&issuer, &begun))));
        assert_eq!(place(&answer), "/me", "{number}");
        // What is signed wins.
        assert!(browser.get("/me").good().text().contains("Signed in as ann"));
    }
}

#[test]
fn no_other_answer_signs_anybody_in() {
    let issuer = Issuer::new("");
    let registry = with(&issuer);
    issuer.put("/me", json!({ "sub": "1" }));
    let other = Key::new("other", "RS256");
    let now = Utc::now().timestamp();
    let hmac = |message: &str| {
        let keyed = Hmac::<Sha256>::new_from_slice(&issuer.key.pem()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(keyed.chain_update(message).finalize().into_bytes()))
    };
    type Made<'a> = Box<dyn Fn(&Begun) -> Value + 'a>;
    let changed = |changes: Value| -> Made<'_> {
        let issuer = &issuer;
        Box::new(move |begun| {
            let mut claims = claims(issuer, begun);
            merge(&mut claims, &changes);
            token(issuer.key.sign(&claims))
        })
    };
    let signed_as = |sign: &'static str| -> Made<'_> {
        let (issuer, other, hmac) = (&issuer, &other, &hmac);
        Box::new(move |begun| {
            let claims = claims(issuer, begun);
            let kid = &issuer.key.kid;
            token(match sign {
                "none" => format!("{}.", unsigned(&json!({ "alg": "none", "kid": kid }), &claims)),
                "hmac" => hmac(&unsigned(&json!({ "alg": "HS256", "kid": kid }), &claims)),
                "other key" => other.sign_as(&json!({ "alg": "RS256", "kid": kid }), &claims),
                "unknown key" => other.sign(&claims),
                "no key" => issuer.key.sign_as(&json!({ "alg": "RS256" }), &claims),
                "cut" => issuer.key.sign(&claims).rsplit_once('.').unwrap().0.to_owned(),
                other => other.to_owned(),
            })
        })
    };
    let plain = |answer: Value| -> Made<'_> { Box::new(move |_| answer.clone()) };
    let rows: Vec<(&str, Made<'_>, &str)> = vec![
        ("of another sign-in", changed(json!({ "nonce": "0".repeat(64) })), "belongs to another sign-in"),
        ("of no sign-in", changed(json!({ "nonce": null })), "belongs to another sign-in"),
        ("for another client", changed(json!({ "aud": "other" })), "not for the client `registry`"),
        ("for nobody", changed(json!({ "aud": null })), "`aud`"),
        ("issued to another client", changed(json!({ "azp": "other" })), "issued to another client"),
        ("issued to a number", changed(json!({ "azp": 1 })), "issued to another client"),
        ("for several, issued to nobody", changed(json!({ "aud": ["registry", "other"] })), "for several clients"),
        ("of another issuer", changed(json!({ "iss": "https://evil.test" })), "belongs to another sign-in"),
        ("expired", changed(json!({ "exp": now - 90 })), "has expired"),
        ("valid later", changed(json!({ "nbf": now + 120 })), "is not valid yet"),
        ("without an end", changed(json!({ "exp": null })), "`exp`"),
        ("without an account", changed(json!({ "sub": null })), "`sub`"),
        ("of an empty account", changed(json!({ "sub": "" })), "another sign-in"),
        ("of a long account", changed(json!({ "sub": "s".repeat(256) })), "another sign-in"),
        ("with a NUL", changed(json!({ "preferred_username": "a\u{0}" })), "cannot be read"),
        (
            "a login of another type",
            changed(json!({ "preferred_username": ["ann"] })),
            "has no claim `preferred_username`",
        ),
        ("a login of 9 kB", changed(json!({ "preferred_username": "a".repeat(9_000) })), "cannot be one here"),
        ("a login that is markup", changed(json!({ "preferred_username": "<b>ann</b>" })), "cannot be one here"),
        ("unsigned", signed_as("none"), "signed with none"),
        ("signed with the public key", signed_as("hmac"), "signed with HS256"),
        ("signed with another key", signed_as("other key"), "is not that of its issuer"),
        ("signed with an unknown key", signed_as("unknown key"), "is not among the keys"),
        ("without a key", signed_as("no key"), "does not name its key"),
        ("without a signature", signed_as("cut"), "cannot be read"),
        ("no token", signed_as("x"), "cannot be read"),
        ("a token of 100 kB", signed_as(Box::leak("x".repeat(100_000).into_boxed_str())), "is longer than"),
        ("no ID token", plain(json!({ "access_token": "a" })), "has no ID token"),
        (
            "an error",
            plain(json!({ "error": "invalid_client", "error_description": "<b>" })),
            "did not accept this registry",
        ),
        ("another type", plain(json!([1])), "cannot be used now"),
        ("a redirect", plain(json!("https://evil.test/token")), "cannot be used now"),
        ("600 kB", plain(json!({ "id_token": "x".repeat(600_000) })), "cannot be used now"),
    ];
    let count = rows.len();
    for (what, made, problem) in rows {
        let mut browser = Browser::new(&registry);
        let begun = begin(&mut browser);
        let answer = finish(&issuer, &mut browser, &begun, made(&begun));
        let html = answer.text();
        println!("{what}: {}", answer.status);
        assert!(
            answer.status.is_client_error() || [502, 503].contains(&answer.status.as_u16()),
            "{what}: {}",
            answer.status
        );
        let said = crate::pages::said(&html);
        assert!(said.contains(problem), "{what}: {said}");
        assert!(!html.contains("<b>"), "{what}: {html}");
        assert!(!browser.get("/").good().text().contains("Signed in as"), "{what}");
    }
    println!("{count} answers");
    let users =
        registry.pool.with(|connection| supercargo::database::access::users::list(connection).unwrap()).unwrap();
    assert!(users.is_empty(), "{users:?}");
}

/// The userinfo endpoint has more claims, and could have those of somebody else.
#[test]
fn what_the_userinfo_endpoint_says_is_of_the_same_account() {
    let issuer = Issuer::new("");
    let registry = with(&issuer);
    for (userinfo, status) in [
        (json!({ "sub": "2", "groups": ["admins"] }), StatusCode::FORBIDDEN),
        (json!({ "groups": ["admins"] }), StatusCode::FORBIDDEN),
        (json!([]), StatusCode::SERVICE_UNAVAILABLE),
        (json!("https://evil.test/me"), StatusCode::SERVICE_UNAVAILABLE),
        (json!({ "sub": "1", "x": "y".repeat(600_000) }), StatusCode::SERVICE_UNAVAILABLE),
    ] {
        issuer.put("/me", userinfo);
        let mut browser = Browser::new(&registry);
        let begun = begin(&mut browser);
        let answer = finish(&issuer, &mut browser, &begun, token(issuer.key.sign(&claims(&issuer, &begun))));
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

/// Endpoints of this machine, and of other protocols, are none of a provider elsewhere; nor is a discovery document of another issuer.
#[test]
fn a_discovery_document_leads_nowhere_else() {
    let issuer = Issuer::new("");
    for (changes, problem) in [
        (json!({ "authorization_endpoint": "javascript:alert(1)" }), "has to be at https"),
        (json!({ "authorization_endpoint": "http://evil.test/auth" }), "has to be at https"),
        (json!({ "authorization_endpoint": null }), "has to be at https"),
        (json!({ "issuer": "https://evil.test" }), "cannot be used now"),
    ] {
        let registry = with(&issuer);
        let mut document = json!({
            "issuer": issuer.url, "jwks_uri": format!("{}/jwks", issuer.url),
            "authorization_endpoint": format!("{}/auth", issuer.url), "token_endpoint": format!("{}/token", issuer.url),
        });
        merge(&mut document, &changes);
        issuer.put("/.well-known/openid-configuration", document);
        let refused = Browser::new(&registry).get("/sign-in/with/acme");
        assert!(refused.status.is_server_error() && refused.text().contains(problem), "{problem}: {}", refused.text());
    }
}

/// The same for the endpoints that the registry asks itself.
#[test]
fn an_endpoint_elsewhere_is_not_asked() {
    for endpoint in ["token_endpoint", "userinfo_endpoint"] {
        let issuer = Issuer::new("");
        let registry = with(&issuer);
        let path = |path: &str| format!("{}{path}", issuer.url);
        let mut document = json!({
            "issuer": issuer.url, "jwks_uri": path("/jwks"), "authorization_endpoint": path("/auth"),
            "token_endpoint": path("/token"), "userinfo_endpoint": path("/me"),
        });
        document[endpoint] = "http://evil.test/".into();
        issuer.put("/.well-known/openid-configuration", document);
        let mut browser = Browser::new(&registry);
        let begun = begin(&mut browser);
        let refused = finish(&issuer, &mut browser, &begun, token(issuer.key.sign(&claims(&issuer, &begun))));
        assert_eq!(refused.status, StatusCode::BAD_GATEWAY, "{endpoint}: {}", refused.text());
        let said = crate::pages::said(&refused.text());
        assert!(said.contains(&format!("`{endpoint}` is")) && said.contains("has to be at https"), "{said}");
    }
}

/// Accounts are compared to the byte, and logins have ASCII letters: of others, some become these in lower case.
#[test]
fn no_account_becomes_another_by_its_spelling() {
    let issuer = Issuer::new("");
    let registry = with(&issuer);
    issuer.put("/me", json!({}));
    let sign_in = |subject: &str, login: &str| {
        let mut browser = Browser::new(&registry);
        let begun = begin(&mut browser);
        issuer.put("/me", json!({ "sub": subject }));
        let mut claims = claims(&issuer, &begun);
        merge(&mut claims, &json!({ "sub": subject, "preferred_username": login }));
        finish(&issuer, &mut browser, &begun, token(issuer.key.sign(&claims)))
    };
    assert_eq!(place(&sign_in("s", "kate")), "/me");
    for (subject, login) in [("s ", "kate"), ("\u{a0}s", "kate"), ("s\n", "kate"), ("t", "\u{212a}ate"), ("t", "KATE")]
    {
        assert_eq!(sign_in(subject, login).status, StatusCode::FORBIDDEN, "{subject:?} {login}");
    }
    let providers = of_issuers(&[(&issuer.url, "acme", "existing-users = \"by-login\"")]);
    let by_login = TestRegistry::with(|settings| settings.sign_in.providers = providers);
    by_login.user("mike");
    let mut browser = Browser::new(&by_login);
    let begun = begin(&mut browser);
    issuer.put("/me", json!({ "sub": "m" }));
    let mut of_mike = claims(&issuer, &begun);
    merge(&mut of_mike, &json!({ "sub": "m", "preferred_username": "mi\u{212a}e" }));
    let refused = finish(&issuer, &mut browser, &begun, token(issuer.key.sign(&of_mike)));
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
}

/// Names from a provider are shown on terminals as well.
#[test]
fn hidden_characters_of_names_are_kept_as_numbers() {
    let issuer = Issuer::new("");
    let registry = with(&issuer);
    issuer.put("/me", json!({ "sub": "1" }));
    let mut browser = Browser::new(&registry);
    let begun = begin(&mut browser);
    let mut odd = claims(&issuer, &begun);
    merge(&mut odd, &json!({ "name": "a\u{202e}b\u{200b}\u{1b}[31m" }));
    assert_eq!(place(&finish(&issuer, &mut browser, &begun, token(issuer.key.sign(&odd)))), "/me");
    let user = registry.anonymous().get("/api/v1/users/ann").good().json();
    assert_eq!(user["user"]["name"], "a\\u{202e}b\\u{200b}\\u{1b}[31m");
}
