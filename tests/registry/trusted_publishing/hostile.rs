//! ID tokens that must not be exchanged, as a table.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{AUDIENCE, count, exchange, run, with_foo};
use crate::support::issuer::{Issuer, Key, merge, unsigned};
use crate::support::package::Package;

/// A run's claims with changes; null removes a claim.
fn changed(issuer: &Issuer, changes: &Value) -> Value {
    let mut claims = issuer.of_github(AUDIENCE);
    merge(&mut claims, changes);
    claims
}

fn hmac(key: &[u8], message: &str) -> String {
    let keyed = Hmac::<Sha256>::new_from_slice(key).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(keyed.chain_update(message).finalize().into_bytes()))
}

/// What is wrong with a token, the token, and what the refusal says.
type Row = (&'static str, String, &'static str);

/// Tokens whose claims are wrong, properly signed.
fn wrong_claims(issuer: &Issuer) -> Vec<Row> {
    let now = Utc::now().timestamp();
    let signed = |changes: Value| issuer.key.sign(&changed(issuer, &changes));
    vec![
        (
            "the audience of another registry",
            signed(json!({ "aud": "other.test" })),
            "is for the audience `other.test`",
        ),
        (
            "the audience with a scheme",
            signed(json!({ "aud": "http://registry.test" })),
            "with the audience `registry.test`",
        ),
        ("no audience", signed(json!({ "aud": null })), "claim `aud`"),
        (
            "audiences without this registry",
            signed(json!({ "aud": ["a", "b"] })),
            "is for the audience `[\"a\",\"b\"]`",
        ),
        ("expired", signed(json!({ "exp": now - 90 })), "has expired"),
        ("no end", signed(json!({ "exp": null })), "claim `exp`"),
        ("valid later", signed(json!({ "nbf": now + 120 })), "is not valid yet"),
        ("issued later", signed(json!({ "iat": now + 120 })), "is not valid yet"),
        ("never issued", signed(json!({ "iat": null })), "claim `iat`"),
        ("no subject", signed(json!({ "sub": null })), "claim `sub`"),
        ("no number", signed(json!({ "jti": null })), "claim `jti`"),
        ("an empty number", signed(json!({ "jti": "" })), "claim `jti`"),
        (
            "an issuer with a slash",
            signed(json!({ "iss": format!("{}/", issuer.url) })),
            "accepts no ID tokens of the issuer",
        ),
        (
            "another issuer",
            signed(json!({ "iss": "https://evil.test" })),
            "accepts no ID tokens of the issuer `https://evil.test`",
        ),
        (
            "the public GitHub",
            signed(json!({ "iss": "https://token.actions.githubusercontent.com.evil.test" })),
            "accepts no",
        ),
        ("a NUL", signed(json!({ "run_id": "1\0" })), "has a NUL character"),
        ("a NUL in the issuer", signed(json!({ "iss": "\0" })), "has a NUL character"),
        ("a time that is a text", signed(json!({ "nbf": "soon" })), "claim `nbf`"),
        ("no issuer", signed(json!({ "iss": null })), "claim `iss`"),
        ("a list of issuers", signed(json!({ "iss": [issuer.url] })), "claim `iss`"),
        (
            "an event of other people's code",
            signed(json!({ "event_name": "pull_request_target" })),
            "`pull_request_target`",
        ),
        ("an event after other people's code", signed(json!({ "event_name": "workflow_run" })), "`workflow_run`"),
        (
            "another repository",
            signed(json!({ "repository": "evil/widgets" })),
            "no trusted publisher is configured for the repository `evil/widgets`",
        ),
        ("a repository with more behind", signed(json!({ "repository": "acme/widgets/x" })), "no trusted publisher"),
        ("no repository", signed(json!({ "repository": null })), "no trusted publisher"),
        (
            "an account that was taken over",
            signed(json!({ "repository_owner_id": "43" })),
            "repository_owner_id has to be `42` and is `43`",
        ),
        (
            "no account",
            signed(json!({ "repository_owner_id": null })),
            "repository_owner_id has to be `42` and is none",
        ),
        (
            "another workflow",
            signed(json!({ "workflow_ref": "acme/widgets/.github/workflows/ci.yml@refs/heads/main" })),
            "the workflow has to be `release.yml` and is `ci.yml`",
        ),
        (
            "the workflow of another repository",
            signed(json!({ "workflow_ref": "evil/widgets/.github/workflows/release.yml@refs/heads/main" })),
            "the workflow has to be `release.yml` and is none",
        ),
        (
            "a workflow in the name of its branch",
            signed(
                json!({ "workflow_ref": "acme/widgets/.github/workflows/ci.yml@refs/heads/x/.github/workflows/release.yml@y" }),
            ),
            "is `ci.yml`",
        ),
    ]
}

/// Tokens whose signature is wrong.
fn wrong_signatures(issuer: &Issuer) -> Vec<Row> {
    let claims = issuer.of_github(AUDIENCE);
    let good = issuer.key.sign(&claims);
    let header = |alg: &str, kid: Value| json!({ "typ": "JWT", "alg": alg, "kid": kid });
    let first = || json!("first");
    let (message, signature) = good.rsplit_once('.').unwrap();
    let others = changed(issuer, &json!({ "repository": "acme/widgets", "sub": "x" })).to_string();
    let tampered = format!("{}.{}.{signature}", message.split('.').next().unwrap(), URL_SAFE_NO_PAD.encode(others));
    let confused = unsigned(&header("HS256", first()), &claims);
    let modulus = issuer.key.public()["n"].as_str().unwrap().to_owned();
    let foreign = Key::new("first", "RS256");
    vec![
        ("no signature at all", format!("{}.", unsigned(&header("none", first()), &claims)), "is signed with none"),
        ("none in capitals", format!("{}.", unsigned(&header("NONE", first()), &claims)), "is signed with NONE"),
        ("a cut signature", format!("{message}."), "not that of its issuer"),
        ("the public key as a secret", hmac(&issuer.key.pem(), &confused), "is signed with HS256"),
        ("the modulus as a secret", hmac(modulus.as_bytes(), &confused), "is signed with HS256"),
        ("an RSA key for ES256", issuer.key.sign_as(&header("ES256", first()), &claims), "not that of its issuer"),
        ("an RSA key for EdDSA", issuer.key.sign_as(&header("EdDSA", first()), &claims), "not that of its issuer"),
        (
            "an algorithm that is not accepted",
            issuer.key.sign_as(&header("RS512", first()), &claims),
            "is signed with RS512",
        ),
        ("PSS", issuer.key.sign_as(&header("PS256", first()), &claims), "is signed with PS256"),
        ("changed claims", tampered, "not that of its issuer"),
        ("another key of the same name", foreign.sign(&claims), "not that of its issuer"),
        ("another key", Key::new("second", "RS256").sign(&claims), "the key `second` of the ID token is not among"),
        ("no name of a key", issuer.key.sign_as(&json!({ "alg": "RS256" }), &claims), "needs `kid`"),
        ("an empty name of a key", issuer.key.sign_as(&header("RS256", json!("")), &claims), "needs `kid`"),
        (
            "a key that it brings along",
            foreign.sign_as(&json!({ "alg": "RS256", "kid": "first", "jwk": foreign.public() }), &claims),
            "not that of its issuer",
        ),
        (
            "keys elsewhere",
            foreign.sign_as(&json!({ "alg": "RS256", "kid": "first", "jku": "http://127.0.0.1:1/jwks" }), &claims),
            "not that of its issuer",
        ),
        ("two parts", message.to_owned(), "no ID token"),
        ("four parts", format!("{good}.x"), "no ID token"),
        ("nothing", String::new(), "no ID token"),
        ("dots", "..".to_owned(), "no ID token"),
        ("claims that are no object", issuer.key.sign(&json!([1])), "no ID token"),
        (
            "a huge one",
            issuer.key.sign(&changed(issuer, &json!({ "x": "y".repeat(30_000) }))),
            "longer than 16384 bytes",
        ),
    ]
}

#[test]
fn no_other_id_token_is_exchanged() {
    let (registry, issuer) = with_foo();
    let before = count(&registry, "SELECT count(*) FROM api_tokens");
    let rows: Vec<Row> = wrong_claims(&issuer).into_iter().chain(wrong_signatures(&issuer)).collect();
    for (what, jwt, expected) in &rows {
        let answer = exchange(&registry, jwt);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}: {}", answer.text());
        assert!(answer.detail().contains(expected), "{what}: {}", answer.detail());
        println!("{what:<40} {}", answer.detail());
    }
    assert_eq!(count(&registry, "SELECT count(*) FROM api_tokens"), before);
    assert_eq!(count(&registry, "SELECT count(*) FROM used_id_tokens"), 0);
    // The same claims, unchanged.
    run(&registry, &issuer).publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
}

#[test]
fn an_id_token_is_exchanged_once() {
    let (registry, issuer) = with_foo();
    let claims = issuer.of_github(AUDIENCE);
    let jwt = issuer.key.sign(&claims);
    exchange(&registry, &jwt).good();
    assert!(exchange(&registry, &jwt).detail().contains("was exchanged before"));
    // Another text with the same number is the same token.
    let again = issuer.key.sign_as(&json!({ "alg": "RS256", "kid": "first" }), &claims);
    assert_ne!(jwt, again);
    assert!(exchange(&registry, &again).detail().contains("was exchanged before"));
    // A refused exchange does not use it up.
    let mut later = issuer.of_github(AUDIENCE);
    merge(&mut later, &json!({ "repository": "acme/other" }));
    let jwt = issuer.key.sign(&later);
    assert!(exchange(&registry, &jwt).detail().contains("acme/other"));
    super::execute(
        &registry,
        "UPDATE trusted_publishers SET repository = 'acme/other', rule = rule || '{\"repository\": \"other\"}'",
    );
    merge(&mut later, &json!({ "workflow_ref": "acme/other/.github/workflows/release.yml@refs/heads/main" }));
    exchange(&registry, &issuer.key.sign(&later)).good();
    assert_eq!(count(&registry, "SELECT count(*) FROM used_id_tokens"), 2);
}

#[test]
fn a_used_id_token_is_remembered_for_as_long_as_it_is_accepted() {
    let (registry, issuer) = with_foo();
    let mut claims = issuer.of_github(AUDIENCE);
    // Expired, and within the leeway.
    merge(&mut claims, &json!({ "exp": Utc::now().timestamp() - 30 }));
    exchange(&registry, &issuer.key.sign(&claims)).good();
    let forgotten = "SELECT count(*) FROM used_id_tokens WHERE forget_at > now() + interval '25 seconds'";
    assert_eq!(count(&registry, forgotten), 1);
    run(&registry, &issuer);
    assert_eq!(count(&registry, "SELECT count(*) FROM used_id_tokens"), 2);
    assert!(exchange(&registry, &issuer.key.sign(&claims)).detail().contains("was exchanged before"));
    super::execute(&registry, "UPDATE used_id_tokens SET forget_at = now() - interval '1 second'");
    run(&registry, &issuer);
    assert_eq!(count(&registry, "SELECT count(*) FROM used_id_tokens"), 1);
}
