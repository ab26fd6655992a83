//! The exchange: keys, algorithms, providers, the token, and its revocation.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{AUDIENCE, TOKENS, accept, add, count, exchange, exchanged, execute, refusal, run, version, with_foo};
use supercargo::oidc::keys::IssuerKeys;

use crate::support::harness::TestRegistry;
use crate::support::issuer::{Issuer, Key, merge};
use crate::support::package::Package;

#[test]
fn the_token_publishes_for_half_an_hour() {
    let (registry, issuer) = with_foo();
    let answer = exchange(&registry, &issuer.key.sign(&issuer.of_github(AUDIENCE))).good();
    assert_eq!(answer.headers["cache-control"], "no-store");
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("sctp_") && token.len() == 5 + 32, "{token}");
    assert_eq!(answer.json().as_object().unwrap().len(), 1);
    let half_an_hour = "SELECT count(*) FROM api_tokens WHERE trusted IS NOT NULL
                        AND expires_at BETWEEN now() + interval '29 minutes' AND now() + interval '31 minutes'";
    assert_eq!(count(&registry, half_an_hour), 1);
    registry.with_token(&token).publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
    execute(&registry, "UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE trusted IS NOT NULL");
    let late = registry.with_token(&token).publish(&Package::new("foo", "1.2.0"));
    assert!(refusal(&late, StatusCode::FORBIDDEN).contains("has expired"), "{}", late.text());
    // It is removed a day later, by another exchange.
    execute(&registry, "UPDATE api_tokens SET expires_at = now() - interval '25 hours' WHERE trusted IS NOT NULL");
    run(&registry, &issuer);
    assert_eq!(count(&registry, "SELECT count(*) FROM api_tokens WHERE trusted IS NOT NULL"), 1);
}

#[test]
fn a_token_is_revoked_by_itself() {
    let (registry, issuer) = with_foo();
    let client = run(&registry, &issuer);
    let revoked = client.request(Method::DELETE, TOKENS, "");
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(client.publish(&Package::new("foo", "1.1.0")).status, StatusCode::FORBIDDEN);
    // As the official action expects: also one that is revoked, or was never there.
    assert_eq!(client.request(Method::DELETE, TOKENS, "").status, StatusCode::NO_CONTENT);
    for (token, status) in [
        ("sctp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", StatusCode::UNAUTHORIZED),
        ("sct_abc", StatusCode::UNAUTHORIZED),
        ("", StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(registry.with_token(token).request(Method::DELETE, TOKENS, "").status, status, "{token}");
    }
    // The token of a user is not revoked here.
    let ann = registry.user("ann");
    assert_eq!(ann.request(Method::DELETE, TOKENS, "").status, StatusCode::UNAUTHORIZED);
    ann.publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
    let log = registry.admin("root").get("/api/v1/admin/audit?action=token-revoke").good().json();
    let entries = log["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "only what changed something: {log}");
    assert!(entries[0]["actor"].as_str().unwrap().starts_with("github:acme/widgets@"), "{log}");
    assert_eq!(entries[0]["subject"], "acme/widgets release.yml run 1234567");
}

#[test]
fn keys_of_three_algorithms_are_accepted() {
    let (registry, issuer) = with_foo();
    let keys = ["RS256", "ES256", "EdDSA"].map(|algorithm| Key::new(algorithm, algorithm));
    let (curve, short) = (Key::new("ES384", "ES384"), Key::new("short", "RS256 of 1024 bits"));
    let mut encrypts = Key::new("encrypts", "RS256").public();
    encrypts["use"] = "enc".into();
    let mut documents: Vec<_> = keys.iter().chain([&curve, &short]).map(Key::public).collect();
    // Keys that nobody can use here disturb none of the others.
    let first = |changes: serde_json::Value| {
        let mut key = keys[0].public();
        merge(&mut key, &changes);
        key
    };
    documents.extend([
        encrypts,
        json!({ "kty": "oct", "k": "AAAA", "kid": "secret" }),
        json!(null),
        first(json!({ "kid": 5 })),
        first(json!({ "kid": "for-pss", "alg": "PS256" })),
        first(json!({ "kid": "encrypts-only", "key_ops": ["encrypt"] })),
        // Of the same name as another one.
        {
            let mut other = Key::new("RS256", "RS256").public();
            merge(&mut other, &json!({ "x5c": "none" }));
            other
        },
    ]);
    issuer.put("/jwks", json!({ "keys": documents }));
    for (place, key) in keys.iter().enumerate() {
        let client = exchanged(&registry, &key.sign(&issuer.of_github(AUDIENCE)));
        client.publish(&Package::new("foo", &format!("1.1.{place}"))).good();
    }
    registry.run_jobs();
    let of_other_curve = exchange(&registry, &curve.sign(&issuer.of_github(AUDIENCE)));
    assert!(of_other_curve.detail().contains("is signed with ES384"), "{}", of_other_curve.detail());
    for kid in ["for-pss", "encrypts-only", "secret"] {
        let header = json!({ "alg": "RS256", "kid": kid });
        let answer = exchange(&registry, &keys[0].sign_as(&header, &issuer.of_github(AUDIENCE)));
        assert!(answer.detail().contains("is not among the keys"), "{kid}: {}", answer.detail());
    }
    let of_short = exchange(&registry, &short.sign(&issuer.of_github(AUDIENCE)));
    assert!(of_short.detail().contains("not that of its issuer"), "{}", of_short.detail());
}

#[test]
fn unknown_keys_are_looked_for_once_a_minute() {
    let (registry, issuer) = with_foo();
    let asked_before = issuer.requests();
    run(&registry, &issuer);
    assert_eq!(issuer.requests() - asked_before, 2, "discovery and keys");
    run(&registry, &issuer);
    let unknown = Key::new("unknown", "RS256");
    for _ in 0..3 {
        let answer = exchange(&registry, &unknown.sign(&issuer.of_github(AUDIENCE)));
        assert!(refusal(&answer, StatusCode::BAD_REQUEST).contains("the key `unknown`"), "{}", answer.text());
    }
    assert_eq!(issuer.requests() - asked_before, 2);
}

#[test]
fn an_issuer_that_is_away_is_named() {
    let (registry, issuer) = with_foo();
    let jwt = || issuer.key.sign(&issuer.of_github(AUDIENCE));
    let elsewhere = Issuer::new("/_services/token");
    let path = "/_services/token/.well-known/openid-configuration";
    let failures = [
        (
            json!({ "issuer": "https://evil.test", "jwks_uri": "https://evil.test/jwks" }),
            "is about the issuer \"https://evil.test\"",
        ),
        (json!({ "issuer": issuer.url, "jwks_uri": "http://evil.test/jwks" }), "has to be at https"),
        (json!({ "issuer": issuer.url, "jwks_uri": "file:///etc/passwd" }), "has to be at https"),
        (json!({ "jwks_uri": "x" }), "missing field"),
        // A redirect is not followed.
        (json!(format!("{}/.well-known/openid-configuration", elsewhere.url)), "answered 302"),
        (json!({ "issuer": issuer.url, "jwks_uri": issuer.url, "x": "y".repeat(600_000) }), "more than 524288 bytes"),
    ];
    for (document, expected) in failures {
        issuer.put(path, document);
        // An attempt counts for a minute.
        let error = IssuerKeys::default().find(&issuer.url, "first").unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(&issuer.url), "{error}");
    }
    let other = TestRegistry::new();
    accept(&other, "github", &issuer);
    let answer = exchange(&other, &jwt());
    // What answers at other addresses is for the log.
    let detail = refusal(&answer, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        detail,
        format!("the keys of {} cannot be read now: try again in a minute. The server log has the reason", issuer.url)
    );
    assert_eq!(answer.headers["retry-after"], "60");
    assert_eq!(elsewhere.requests(), 0);
    issuer.put(path, json!({ "issuer": issuer.url, "jwks_uri": issuer.url.replace("/_services/token", "/jwks") }));
    exchange(&registry, &jwt()).good();
    // What is known is used while it is away.
    issuer.forget_all();
    exchange(&registry, &jwt()).good();
}

#[test]
fn a_private_registry_exchanges_without_another_token() {
    let registry = TestRegistry::with(|settings| settings.auth_required = true);
    let issuer = super::github(&registry);
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    super::trust(&ann, &issuer, "foo").good();
    let client = run(&registry, &issuer);
    // Cargo reads the index with it, too.
    client.get("/index/3/f/foo").good();
    assert_eq!(registry.anonymous().get("/index/3/f/foo").status, StatusCode::UNAUTHORIZED);
    client.publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
    assert_eq!(client.request(Method::DELETE, TOKENS, "").status, StatusCode::NO_CONTENT);
    assert_eq!(client.request(Method::DELETE, TOKENS, "").status, StatusCode::NO_CONTENT);
}

#[test]
fn a_pipeline_of_gitlab_pins_its_namespace() {
    let registry = TestRegistry::new();
    let issuer = Issuer::new("");
    accept(&registry, "gitlab", &issuer);
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let config = json!({
        "crate": "foo", "namespace": "acme/tools", "project": "widgets", "workflow_filepath": ".gitlab-ci.yml",
        "environment": null, "issuer": issuer.url,
    });
    let path = "/api/v1/trusted_publishing/gitlab_configs";
    let added = ann.request(Method::POST, path, json!({ "gitlab_config": config }).to_string()).good().json();
    assert_eq!(added["gitlab_config"]["namespace_id"], json!(null));
    let mut taken_over = issuer.of_gitlab(AUDIENCE);
    merge(&mut taken_over, &json!({ "namespace_id": "43" }));
    exchanged(&registry, &issuer.key.sign(&issuer.of_gitlab(AUDIENCE))).publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
    let list = ann.get(&format!("{path}?crate=foo")).good().json();
    assert_eq!((&list["gitlab_configs"][0]["namespace_id"], &list["meta"]["total"]), (&json!("42"), &json!(1)));
    let answer = exchange(&registry, &issuer.key.sign(&taken_over));
    assert!(answer.detail().contains("namespace_id has to be `42` and is `43`"), "{}", answer.detail());
    let shown = version(&registry, "foo", "1.1.0");
    let expected = json!({
        "provider": "gitlab", "project_path": "acme/tools/widgets", "job_id": "99",
        "sha": "0123456789abcdef0123456789abcdef01234567",
    });
    assert_eq!(shown["trustpub_data"], expected);
    let run_url = format!("{}/acme/tools/widgets/-/jobs/99", issuer.url);
    assert_eq!(shown["provenance"]["run_url"], json!(run_url));
}

/// The number under which an ID token without one is remembered.
fn used(issuer: &str, signed: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::new().chain_update(issuer).chain_update([0]).chain_update(signed).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn used_there(registry: &TestRegistry) -> String {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        sha256: String,
    }
    use diesel::RunQueryDsl;
    let query = diesel::sql_query("SELECT encode(sha256, 'hex') AS sha256 FROM used_id_tokens");
    registry.pool.with(|connection| query.get_result::<Row>(connection).unwrap()).unwrap().sha256
}

#[test]
fn a_repository_of_forgejo_is_one_of_its_server() {
    let registry = TestRegistry::new();
    let issuer = Issuer::new("/api/actions");
    accept(&registry, "forgejo", &issuer);
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let config =
        json!({ "crate": "foo", "provider": "forgejo", "repository": "acme/widgets", "workflow": "release.yml" });
    let added = add(&ann, &config).good().json();
    assert_eq!((&added["config"]["issuer"], &added["config"]["owner_id"]), (&json!(issuer.url), &json!(null)));
    // Its ID tokens have no number of their own, and the older ones none of the owner.
    let mut claims = issuer.of_github(AUDIENCE);
    merge(
        &mut claims,
        &json!({
            "workflow_ref": "acme/widgets/.forgejo/workflows/release.yml@refs/tags/v1.1.0", "jti": null,
            "repository_owner_id": null,
        }),
    );
    let jwt = issuer.key.sign(&claims);
    exchanged(&registry, &jwt).publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
    assert!(exchange(&registry, &jwt).detail().contains("was exchanged before"));
    // What is signed counts, since there may be another signature of it.
    let (signed, _) = jwt.rsplit_once('.').unwrap();
    assert_eq!(count(&registry, "SELECT count(*) FROM used_id_tokens"), 1);
    assert_eq!(used(&issuer.url, signed), used_there(&registry));
    let earlier = claims["iat"].as_i64().unwrap() - 1;
    merge(&mut claims, &json!({ "repository_owner_id": "42", "iat": earlier }));
    exchange(&registry, &issuer.key.sign(&claims)).good();
    merge(&mut claims, &json!({ "repository_owner_id": "43" }));
    let taken_over = exchange(&registry, &issuer.key.sign(&claims));
    assert!(taken_over.detail().contains("has to be `42` and is `43`"), "{}", taken_over.detail());
    let with_environment = json!({
        "crate": "foo", "provider": "forgejo", "repository": "acme/other", "workflow": "x.yml", "environment": "release",
    });
    assert!(add(&ann, &with_environment).detail().contains("name no environment"));
    let run_url = format!("{}/acme/widgets/actions/runs/10", issuer.url.trim_end_matches("/api/actions"));
    assert_eq!(version(&registry, "foo", "1.1.0")["provenance"]["run_url"], json!(run_url));
}

#[test]
fn any_issuer_is_trusted_by_its_claims() {
    let registry = TestRegistry::new();
    let issuer = Issuer::new("");
    accept(&registry, "oidc", &issuer);
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let config = json!({
        "crate": "foo", "provider": "oidc", "issuer": issuer.url, "name": "cluster/release",
        "claims": { "sub": "system:serviceaccount:ci:*", "team": "build" },
    });
    add(&ann, &config).good();
    let mut claims = issuer.claims(AUDIENCE);
    // Service accounts of older clusters have no number.
    merge(&mut claims, &json!({ "sub": "system:serviceaccount:ci:release", "team": ["lint", "build"], "jti": null }));
    let jwt = issuer.key.sign(&claims);
    exchanged(&registry, &jwt).publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
    assert!(exchange(&registry, &jwt).detail().contains("was exchanged before"));
    for changes in [json!({ "sub": "system:serviceaccount:other:release" }), json!({ "team": ["lint"] })] {
        let mut other = claims.clone();
        merge(&mut other, &changes);
        let answer = exchange(&registry, &issuer.key.sign(&other));
        assert!(answer.detail().contains("no trusted publisher is configured for the subject"), "{}", answer.detail());
    }
}

#[test]
fn the_machine_is_that_of_the_token_and_not_of_a_rule() {
    let registry = TestRegistry::new();
    let issuer = Issuer::new("");
    accept(&registry, "oidc", &issuer);
    let (ann, eve) = (registry.user("ann"), registry.user("eve"));
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    // Earlier, and for every token of the issuer.
    let rule = |crates: &str, name: &str, sub: &str| {
        json!({
            "crate": crates, "provider": "oidc", "issuer": issuer.url, "name": name, "claims": { "sub": sub },
        })
    };
    add(&eve, &rule("*", "eve/names-it", "s*")).good();
    add(&ann, &rule("foo", "ci/release", "system:release")).good();
    let token_of = |sub: &str| {
        let mut claims = issuer.claims(AUDIENCE);
        claims["sub"] = sub.into();
        exchanged(&registry, &issuer.key.sign(&claims))
    };
    let (release, stranger) = (token_of("system:release"), token_of("stranger"));
    let login =
        |client: &crate::support::harness::Client<'_>| client.get("/api/v1/me").good().json()["user"]["login"].clone();
    let host = issuer.url.trim_start_matches("http://");
    assert_eq!(login(&release), json!(format!("oidc:system:release@{host}")));
    assert_eq!(login(&stranger), json!(format!("oidc:stranger@{host}")));
    crate::staging::stage(&release, "next", &Package::new("foo", "1.1.0")).good();
    let rejected =
        stranger.request(Method::PUT, "/api/v1/release-sets/next/reject", json!({ "reason": "x" }).to_string());
    assert_eq!(rejected.status, StatusCode::FORBIDDEN, "{}", rejected.text());
    // Long and odd values have names of their own, too.
    assert!(login(&token_of(&format!("s{}", "x".repeat(300)))).as_str().unwrap().starts_with("oidc:sha256:"));
    assert!(login(&token_of("s@h")).as_str().unwrap().starts_with("oidc:sha256:"));
    let me = release.get("/api/v1/me").good().json();
    registry.anonymous().get(me["user"]["url"].as_str().unwrap().trim_start_matches("http://registry.test")).good();
}

#[test]
fn two_issuers_at_one_host_have_machines_of_their_own() {
    let registry = TestRegistry::new();
    let (issuer, below) = (Issuer::new(""), Issuer::new("/_services/token"));
    accept(&registry, "github", &issuer);
    accept(&registry, "github", &below);
    below.put("/api/v3/users/acme", json!({ "id": 42 }));
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    super::trust(&ann, &issuer, "foo").good();
    // What one issuer says is nothing for the publishers of the other.
    let foreign = exchange(&registry, &below.key.sign(&below.of_github(AUDIENCE)));
    assert!(refusal(&foreign, StatusCode::BAD_REQUEST).contains("no trusted publisher"), "{}", foreign.text());
    super::trust(&ann, &below, "foo").good();
    let login = |issuer: &Issuer| {
        run(&registry, issuer).get("/api/v1/me").good().json()["user"]["login"].as_str().unwrap().to_owned()
    };
    let first = login(&issuer);
    // As if both were at one host.
    let host = below.url.trim_start_matches("http://").trim_end_matches("/_services/token");
    let taken = format!("github:acme/widgets@{host}");
    assert_ne!(first, taken);
    execute(&registry, &format!("UPDATE users SET login = '{taken}' WHERE login = '{first}'"));
    let id = count(&registry, &format!("SELECT id::bigint AS count FROM trusted_issuers WHERE url = '{}'", below.url));
    assert_eq!(login(&below), format!("{taken}#{id}"));
    assert_eq!(login(&issuer), first, "its own login is free again");
}
