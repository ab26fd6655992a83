//! What a token from an exchange may do, and what is known of the versions that it publishes.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{AUDIENCE, add, count, exchange, execute, refusal, run, trust, version, with_foo};
use crate::support::issuer::Issuer;
use crate::support::package::Package;

/// `release.yml` of acme/widgets for a pattern.
fn pattern(issuer: &Issuer, crates: &str) -> serde_json::Value {
    json!({
        "crate": crates, "provider": "github", "issuer": issuer.url, "repository": "acme/widgets", "workflow": "release.yml",
    })
}

#[test]
fn a_version_says_where_it_comes_from() {
    let (registry, issuer) = with_foo();
    run(&registry, &issuer).publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
    let shown = version(&registry, "foo", "1.1.0");
    let expected = json!({
        "provider": "github", "repository": "acme/widgets", "run_id": "1234567",
        "sha": "0123456789abcdef0123456789abcdef01234567",
    });
    assert_eq!((&shown["trustpub_data"], &shown["published_by"]), (&expected, &json!(null)));
    let server = issuer.url.trim_end_matches("/_services/token");
    let expected = json!({
        "provider": "github", "issuer": issuer.url, "subject": "repo:acme/widgets:ref:refs/tags/v1.1.0",
        "repository": "acme/widgets", "sha": "0123456789abcdef0123456789abcdef01234567", "ref": "refs/tags/v1.1.0",
        "workflow": "release.yml", "environment": null, "event": "push", "actor": "ann-at-github", "run_id": "1234567",
        "job_id": null, "run_url": format!("{server}/acme/widgets/actions/runs/1234567"),
    });
    assert_eq!(shown["provenance"], expected);
    let by_ann = version(&registry, "foo", "1.0.0");
    assert_eq!((&by_ann["trustpub_data"], &by_ann["provenance"]), (&json!(null), &json!(null)));
    assert_eq!(by_ann["published_by"]["login"], "ann");
    let page = registry.anonymous().get("/crates/foo/1.1.0").good().text();
    for part in ["Built from", "acme/widgets</bdi> at <code>", &format!("{server}/acme/widgets/actions/runs/1234567")] {
        assert!(page.contains(part), "{part}");
    }
    let host = server.trim_start_matches("http://");
    let log = registry.admin("root").get("/api/v1/admin/audit?crate=foo&action=publish").good().json();
    let entry = &log["entries"][0];
    assert_eq!(entry["actor"], json!(format!("github:acme/widgets@{host}")));
    assert_eq!(entry["token_name"], "acme/widgets release.yml run 1234567");
}

#[test]
fn it_publishes_the_crates_of_its_publishers_and_does_nothing_else() {
    let (registry, issuer) = with_foo();
    let ann = registry.user("ann");
    ann.publish(&Package::new("bar", "1.0.0")).good();
    registry.run_jobs();
    let client = run(&registry, &issuer);
    let forbidden = |answer: crate::support::harness::Answer, expected: &str| {
        let detail = refusal(&answer, StatusCode::FORBIDDEN);
        assert!(detail.contains(expected), "{detail}");
    };
    forbidden(client.publish(&Package::new("bar", "1.1.0")), "and not of the crate `bar`");
    forbidden(client.publish(&Package::new("new-one", "1.0.0")), "and not of the crate `new-one`");
    forbidden(client.yank("foo", "1.0.0"), "this needs the scope yank: use the token of a user");
    let owners = json!({ "users": ["bob"] }).to_string();
    forbidden(client.request(Method::PUT, "/api/v1/crates/foo/owners", owners), "this needs the scope change-owners");
    forbidden(
        client.request(Method::PUT, "/api/v1/me/tokens", json!({ "api_token": { "name": "x" } }).to_string()),
        "restricted to",
    );
    forbidden(trust(&client, &issuer, "foo"), "this needs the scope trusted-publishing");
    forbidden(
        client.request(Method::PATCH, "/api/v1/crates/foo", json!({ "crate": { "trustpub_only": false } }).to_string()),
        "this needs the scope trusted-publishing",
    );
    client.publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
}

#[test]
fn a_token_is_worth_what_its_publishers_are_now() {
    let (registry, issuer) = with_foo();
    let ann = registry.user("ann");
    let client = run(&registry, &issuer);
    let id =
        ann.get("/api/v1/trusted_publishing/github_configs?crate=foo").good().json()["github_configs"][0]["id"].clone();
    let path = format!("/api/v1/trusted_publishing/github_configs/{id}");
    assert_eq!(ann.request(Method::DELETE, &path, "").status, StatusCode::NO_CONTENT);
    // Its last publisher is gone: it reads no private registry, either.
    let removed = client.publish(&Package::new("foo", "1.1.0"));
    let detail = refusal(&removed, StatusCode::FORBIDDEN);
    assert!(detail.contains("was revoked: request a new ID token"), "{detail}");
    // Added again, it is another one.
    trust(&ann, &issuer, "foo").good();
    assert_eq!(client.publish(&Package::new("foo", "1.1.0")).status, StatusCode::FORBIDDEN);
    let client = run(&registry, &issuer);
    execute(&registry, "UPDATE users SET disabled_at = now() WHERE is_machine");
    let disabled = client.publish(&Package::new("foo", "1.1.0"));
    assert!(refusal(&disabled, StatusCode::FORBIDDEN).contains("is disabled"), "{}", disabled.text());
    let answer = exchange(&registry, &issuer.key.sign(&issuer.of_github(AUDIENCE)));
    assert!(refusal(&answer, StatusCode::BAD_REQUEST).contains("is disabled"), "{}", answer.text());
}

#[test]
fn one_publisher_that_is_removed_leaves_the_others() {
    let (registry, issuer) = with_foo();
    let ann = registry.user("ann");
    ann.publish(&Package::new("bar", "1.0.0")).good();
    registry.run_jobs();
    let bar = trust(&ann, &issuer, "bar").good().json()["github_config"]["id"].clone();
    let client = run(&registry, &issuer);
    let path = format!("/api/v1/trusted_publishing/github_configs/{bar}");
    assert_eq!(ann.request(Method::DELETE, &path, "").status, StatusCode::NO_CONTENT);
    let removed = client.publish(&Package::new("bar", "1.1.0"));
    assert!(
        refusal(&removed, StatusCode::FORBIDDEN).contains("no longer, a trusted publisher of the crate `bar`"),
        "{}",
        removed.text()
    );
    client.publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
}

#[test]
fn a_publisher_of_a_crate_stays_when_the_user_who_added_it_leaves() {
    let (registry, issuer) = with_foo();
    execute(&registry, "UPDATE users SET disabled_at = now() WHERE login = 'ann'");
    run(&registry, &issuer).publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
}

#[test]
fn the_name_of_a_deleted_crate_is_not_published_by_its_former_publisher() {
    let (registry, issuer) = with_foo();
    let root = registry.admin("root");
    let client = run(&registry, &issuer);
    root.request(Method::DELETE, "/api/v1/crates/foo?message=gone", "");
    registry.run_jobs();
    execute(&registry, "UPDATE crates SET name_released = true WHERE name = 'foo'");
    assert_eq!(count(&registry, "SELECT count(*) FROM crates WHERE name = 'foo' AND deleted_at IS NOT NULL"), 1);
    registry.user("eve").publish(&Package::new("foo", "2.0.0")).good();
    registry.run_jobs();
    let answer = client.publish(&Package::new("foo", "2.1.0"));
    assert!(refusal(&answer, StatusCode::FORBIDDEN).contains("was revoked"), "{}", answer.text());
    // Even a token that was not.
    execute(&registry, "UPDATE api_tokens SET revoked_at = NULL WHERE trusted IS NOT NULL");
    let answer = client.publish(&Package::new("foo", "2.1.0"));
    assert!(refusal(&answer, StatusCode::FORBIDDEN).contains("not, or no longer"), "{}", answer.text());
    let answer = exchange(&registry, &issuer.key.sign(&issuer.of_github(AUDIENCE)));
    assert!(answer.detail().contains("no trusted publisher"), "{}", answer.detail());
}

#[test]
fn a_pattern_covers_what_its_creator_owns() {
    let (registry, issuer) = with_foo();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    for (client, name) in [(&ann, "acme-one"), (&bob, "acme-bobs"), (&ann, "other")] {
        client.publish(&Package::new(name, "1.0.0")).good();
    }
    registry.run_jobs();
    let added = add(&ann, &pattern(&issuer, "Acme-*")).good().json();
    assert_eq!((&added["config"]["new_crates"], &added["config"]["created_by"]), (&json!(false), &json!("ann")));
    let client = run(&registry, &issuer);
    client.publish(&Package::new("acme-one", "1.1.0")).good();
    // By the publisher of the crate.
    client.publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
    for (name, expected) in [
        ("acme-bobs", "not, or no longer, a trusted publisher"),
        ("other", "and not of the crate `other`"),
        ("acme-new", "is new, and `github:"),
    ] {
        let answer = client.publish(&Package::new(name, "1.1.0"));
        assert!(refusal(&answer, StatusCode::FORBIDDEN).contains(expected), "{}", answer.text());
    }
    // It has no more rights than ann has now.
    bob.request(Method::PUT, "/api/v1/crates/acme-bobs/owners", json!({ "users": ["ann"] }).to_string()).good();
    client.publish(&Package::new("acme-bobs", "1.1.0")).good();
    registry.run_jobs();
    execute(&registry, "UPDATE users SET role = 'read-only' WHERE login = 'ann'");
    let answer = client.publish(&Package::new("acme-one", "1.9.0"));
    assert!(refusal(&answer, StatusCode::FORBIDDEN).contains("not, or no longer"), "{}", answer.text());
    execute(&registry, "UPDATE users SET role = 'member', disabled_at = now() WHERE login = 'ann'");
    let answer = client.publish(&Package::new("acme-one", "1.9.0"));
    assert!(refusal(&answer, StatusCode::FORBIDDEN).contains("not, or no longer"), "{}", answer.text());
}

#[test]
fn only_the_pattern_of_an_admin_publishes_new_crates() {
    let (registry, issuer) = with_foo();
    let (eve, root) = (registry.user("eve"), registry.admin("root"));
    registry.user("ann");
    // Somebody else's repository, whose new crates eve would like to own.
    add(&eve, &pattern(&issuer, "*")).good();
    let mut wanted = pattern(&issuer, "acme-*");
    wanted["owner"] = "ann".into();
    assert_eq!(add(&eve, &wanted).status, StatusCode::FORBIDDEN);
    let added = add(&root, &wanted).good().json();
    assert_eq!((&added["config"]["new_crates"], &added["config"]["created_by"]), (&json!(true), &json!("ann")));
    let client = run(&registry, &issuer);
    client.publish(&Package::new("acme-new", "1.0.0")).good();
    let answer = client.publish(&Package::new("eves-new", "1.0.0"));
    assert!(
        refusal(&answer, StatusCode::FORBIDDEN).contains("is not a trusted publisher of new crates"),
        "{}",
        answer.text()
    );
    registry.run_jobs();
    let owners = registry.anonymous().get("/api/v1/crates/acme-new/owner_user").good().json();
    assert_eq!((&owners["users"][0]["login"], owners["users"].as_array().unwrap().len()), (&json!("ann"), 1));
    client.publish(&Package::new("acme-new", "1.1.0")).good();
    registry.run_jobs();
    // Nor when the admin is none any longer.
    execute(&registry, "UPDATE users SET is_admin = false WHERE login = 'root'");
    let answer = client.publish(&Package::new("acme-newer", "1.0.0"));
    assert!(refusal(&answer, StatusCode::FORBIDDEN).contains("is not a trusted publisher of new crates"));
    execute(&registry, "UPDATE users SET is_admin = true WHERE login = 'root'");
    execute(&registry, "UPDATE users SET disabled_at = now() WHERE login = 'ann'");
    let answer = client.publish(&Package::new("acme-newer", "1.0.0"));
    assert!(
        refusal(&answer, StatusCode::FORBIDDEN).contains("is not a trusted publisher of new crates"),
        "{}",
        answer.text()
    );
    for (owner, expected) in [("nobody", "nobody"), ("ann", "is disabled")] {
        let mut wanted = pattern(&issuer, "b-*");
        wanted["owner"] = owner.into();
        assert!(add(&root, &wanted).detail().contains(expected), "{owner}");
    }
    let mut of_crate = pattern(&issuer, "foo");
    (of_crate["owner"], of_crate["workflow"]) = ("root".into(), "x.yml".into());
    assert!(refusal(&add(&root, &of_crate), StatusCode::BAD_REQUEST).contains("leave it out"));
}

#[test]
fn an_admin_allows_new_crates_where_only_admins_create_them() {
    use supercargo::jobs::NewCrates;
    let registry =
        crate::support::harness::TestRegistry::with(|settings| settings.admission.new_crates = NewCrates::Admins);
    let issuer = super::github(&registry);
    let root = registry.admin("root");
    registry.user("ann");
    let mut wanted = pattern(&issuer, "acme-*");
    wanted["owner"] = "ann".into();
    add(&root, &wanted).good();
    run(&registry, &issuer).publish(&Package::new("acme-new", "1.0.0")).good();
    registry.run_jobs();
}

#[test]
fn a_user_who_is_removed_leaves_no_pattern() {
    let (registry, issuer) = with_foo();
    let root = registry.admin("root");
    registry.user("bob");
    let mut wanted = pattern(&issuer, "acme-*");
    wanted["owner"] = "bob".into();
    add(&root, &wanted).good();
    registry
        .pool
        .with(|connection| {
            use supercargo::database::access::{administrator::Administrator, audit::Actor, users};
            let bob = users::find(connection, "bob").unwrap().unwrap();
            let operator = Actor::operator("op".to_owned());
            supercargo::jobs::leaving::remove(connection, &bob, &[], Administrator::Operator(&operator)).unwrap();
        })
        .unwrap();
    assert_eq!(super::count(&registry, "SELECT count(*) FROM trusted_publishers WHERE pattern IS NOT NULL"), 0);
}

#[test]
fn a_machine_is_given_nothing() {
    let (registry, issuer) = with_foo();
    let ann = registry.user("ann");
    let client = run(&registry, &issuer);
    let login = client.get("/api/v1/me").good().json()["user"]["login"].as_str().unwrap().to_owned();
    let owners = json!({ "users": [login] }).to_string();
    let answer = ann.request(Method::PUT, "/api/v1/crates/foo/owners", owners);
    assert!(answer.detail().contains("is a machine of trusted publishers"), "{}", answer.text());
    let mut browser = crate::pages::Browser::new(&registry);
    let refused = browser.sign_in(client.token.as_ref().unwrap());
    assert!(refused.text().contains("This token is of a machine"), "{}", refused.text());
    assert!(!browser.get("/").good().text().contains("Signed in as"));
    registry
        .pool
        .with(|connection| {
            use supercargo::database::access::{new_token::NewToken, users};
            let machine = users::find(connection, &login).unwrap().unwrap();
            assert!(machine.is_machine);
            let error = NewToken::named("x").create(connection, machine.id).err().unwrap();
            assert!(error.to_string().contains("is a machine of trusted publishers"), "{error}");
        })
        .unwrap();
}

#[test]
fn a_crate_may_be_published_by_trusted_publishers_only() {
    let (registry, issuer) = with_foo();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    ann.publish(&Package::new("bar", "1.0.0")).good();
    registry.run_jobs();
    let restrict = |client: &crate::support::harness::Client<'_>, name: &str, only: bool| {
        let body = json!({ "crate": { "trustpub_only": only } }).to_string();
        client.request(Method::PATCH, &format!("/api/v1/crates/{name}"), body)
    };
    let without = restrict(&ann, "bar", true);
    assert!(refusal(&without, StatusCode::BAD_REQUEST).contains("has no trusted publisher"), "{}", without.text());
    assert_eq!(restrict(&registry.user("eve"), "foo", true).status, StatusCode::FORBIDDEN);
    assert_eq!(restrict(&ann, "foo", true).good().json()["crate"]["trustpub_only"], true);
    assert_eq!(registry.anonymous().get("/api/v1/crates/foo").json()["crate"]["trustpub_only"], true);
    for client in [&ann, &root] {
        let answer = client.publish(&Package::new("foo", "1.1.0"));
        assert!(
            refusal(&answer, StatusCode::FORBIDDEN).contains("only trusted publishers may publish"),
            "{}",
            answer.text()
        );
        let staged = super::super::staging::stage(client, "next", &Package::new("foo", "1.1.0"));
        assert_eq!(staged.status, StatusCode::FORBIDDEN, "{}", staged.text());
    }
    // Nor does a stolen token of an owner name another repository.
    let of_other = |crates: &str| {
        let mut other = pattern(&issuer, crates);
        other["repository"] = "acme/evil".into();
        add(&ann, &other)
    };
    let answer = of_other("foo");
    assert!(
        refusal(&answer, StatusCode::FORBIDDEN).contains("a token of an owner cannot add one"),
        "{}",
        answer.text()
    );
    // A pattern is added, and gives nothing for the crate.
    of_other("f*").good();
    let mut evil = issuer.of_github(AUDIENCE);
    crate::support::issuer::merge(
        &mut evil,
        &json!({ "repository": "acme/evil", "workflow_ref": "acme/evil/.github/workflows/release.yml@refs/heads/main" }),
    );
    let evil = super::exchanged(&registry, &issuer.key.sign(&evil)).publish(&Package::new("foo", "1.1.0"));
    assert!(refusal(&evil, StatusCode::FORBIDDEN).contains("not, or no longer"), "{}", evil.text());
    // Yanks stay possible, since they are needed when something has gone wrong.
    ann.yank("foo", "1.0.0").good();
    run(&registry, &issuer).publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
    let undone = restrict(&ann, "foo", false);
    assert!(refusal(&undone, StatusCode::FORBIDDEN).contains("cannot undo that"), "{}", undone.text());
    restrict(&root, "foo", false).good();
    ann.publish(&Package::new("foo", "1.2.0")).good();
    registry.run_jobs();
}

#[test]
fn the_commit_of_the_package_is_that_of_the_id_token() {
    use supercargo::package::policy::WarnOrRefuse;
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let of = |num: &str, sha1: &str, dirty: bool| {
        let info = json!({ "git": { "sha1": sha1, "dirty": dirty }, "path_in_vcs": "" }).to_string();
        Package::new("foo", num).file(".cargo_vcs_info.json", info.as_bytes())
    };
    let (registry, issuer) = with_foo();
    let other = "f".repeat(40);
    let rows = [
        (of("1.1.0", commit, false), None),
        (of("1.2.0", &other, false), Some(format!("the package names {other}"))),
        (of("1.3.0", commit, true), Some("has changes that were not committed".to_owned())),
        (Package::new("foo", "1.4.0"), Some("the package names none".to_owned())),
    ];
    let client = run(&registry, &issuer);
    for (package, expected) in &rows {
        let warnings = client.publish(package).good().json()["warnings"]["other"].to_string();
        match expected {
            Some(expected) => assert!(warnings.contains(expected.as_str()), "{warnings}"),
            None => assert!(!warnings.contains("commit"), "{warnings}"),
        }
    }
    // Nobody knows where the versions of users come from.
    let warnings =
        registry.user("ann").publish(&of("1.5.0", &other, true)).good().json()["warnings"]["other"].to_string();
    assert!(!warnings.contains("commit"), "{warnings}");
    registry.run_jobs();

    let policy = supercargo::package::Policy { commit_mismatch: WarnOrRefuse::Refuse, ..Default::default() };
    let strict = crate::support::harness::TestRegistry::with_policy(policy);
    let issuer = super::github(&strict);
    let ann = strict.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    strict.run_jobs();
    trust(&ann, &issuer, "foo").good();
    let client = run(&strict, &issuer);
    for (package, expected) in &rows {
        let answer = client.publish(package);
        match expected {
            Some(expected) => assert!(refusal(&answer, StatusCode::BAD_REQUEST).contains(expected.as_str())),
            None => drop(answer.good()),
        }
    }
    strict.run_jobs();
}
