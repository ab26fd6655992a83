//! Users who come, change and leave, and their tokens.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{logged, provisioner, refused, scoped};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

#[test]
fn a_user_comes_with_role_and_teams_or_not_at_all() {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    root.send_json(Method::POST, "teams", &json!({ "name": "devs" })).good();
    let new = json!({ "login": "Ann", "role": "auditor", "teams": ["team:Devs"] });
    let made = root.send_json(Method::POST, "users", &new).good().json();
    assert_eq!(made["user"]["role"], "auditor");
    assert_eq!(made["user"]["teams"], json!(["devs"]));
    assert_eq!(logged(&registry, 3), ["root user-create Ann", "root user-role Ann", "root team-member-add devs"]);

    let taken = refused(&root.send_json(Method::POST, "users", &json!({ "login": "ann" })), StatusCode::CONFLICT);
    insta::assert_snapshot!(taken, @r#"the user "ann" already exists (case is ignored): choose another login"#);
    for (body, status) in [
        (json!({ "login": "bob", "teams": ["devs", "none"] }), StatusCode::NOT_FOUND),
        (json!({ "login": "bob", "role": "king" }), StatusCode::BAD_REQUEST),
        (json!({ "login": "b ob" }), StatusCode::BAD_REQUEST),
        (json!({ "login": "" }), StatusCode::BAD_REQUEST),
        (json!({ "login": "bob", "is_admin": true }), StatusCode::BAD_REQUEST),
        (json!({}), StatusCode::BAD_REQUEST),
    ] {
        refused(&root.send_json(Method::POST, "users", &body), status);
    }
    assert_eq!(root.administer(Method::GET, "users/bob").status, StatusCode::NOT_FOUND);
    assert_eq!(logged(&registry, 1), ["root team-member-add devs"]);
}

#[test]
fn a_list_of_users_has_pages_and_a_search() {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    for login in ["bob", "Bella", "ann", "zoe"] {
        registry.user(login);
    }
    let logins = |query: &str| {
        let list = root.administer(Method::GET, &format!("users?{query}")).good().json();
        let logins: Vec<String> =
            list["users"].as_array().unwrap().iter().map(|user| user["login"].as_str().unwrap().to_owned()).collect();
        (logins, list["meta"]["total"].as_i64().unwrap(), list["meta"]["next_page"].clone())
    };
    assert_eq!(logins("").0, ["ann", "Bella", "bob", "root", "zoe"]);
    let (first, total, next) = logins("q=B&per_page=1");
    assert_eq!((first, total), (vec!["Bella".to_owned()], 2));
    assert_eq!(logins(next.as_str().unwrap().trim_start_matches('?')).0, ["bob"]);
    assert_eq!(logins("q=%25").0, Vec::<String>::new());
    assert_eq!(logins("q=%00").0, Vec::<String>::new());
    assert_eq!(root.administer(Method::GET, "users?per_page=101").status, StatusCode::BAD_REQUEST);
}

#[test]
fn a_user_changes_role_and_state() {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let change = |body: serde_json::Value| root.send_json(Method::PATCH, "users/ANN", &body);
    assert_eq!(change(json!({ "role": "admin" })).good().json()["user"]["role"], "admin");
    assert_eq!(change(json!({ "role": "member" })).good().json()["user"]["role"], "member");
    let disabled = change(json!({ "disabled": true })).good().json();
    assert_eq!((&disabled["user"]["state"], &disabled["user"]["only_owner_of"]), (&json!("disabled"), &json!(["foo"])));
    assert_eq!(ann.get("/api/v1/me").status, StatusCode::FORBIDDEN);
    refused(&change(json!({ "role": "auditor" })), StatusCode::CONFLICT);
    let back = change(json!({ "disabled": false, "role": "auditor" })).good().json();
    assert_eq!((&back["user"]["state"], &back["user"]["role"]), (&json!("active"), &json!("auditor")));
    ann.get("/api/v1/me").good();
    assert_eq!(
        logged(&registry, 5),
        [
            "root user-promote ann",
            "root user-demote ann",
            "root user-disable ann",
            "root user-enable ann",
            "root user-role ann"
        ]
    );
    refused(&change(json!({})), StatusCode::BAD_REQUEST);
    refused(&change(json!({ "role": "king" })), StatusCode::BAD_REQUEST);
    assert_eq!(logged(&registry, 1), ["root user-role ann"]);
}

#[test]
fn nobody_changes_the_own_user_and_the_last_admin_stays() {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    for answer in [
        root.send_json(Method::PATCH, "users/root", &json!({ "role": "member" })),
        root.send_json(Method::PATCH, "users/root", &json!({ "disabled": true })),
        root.administer(Method::DELETE, "users/root"),
        root.administer(Method::DELETE, "users/root/sessions"),
    ] {
        assert!(refused(&answer, StatusCode::CONFLICT).contains("your own user"), "{}", answer.text());
    }
    for answer in [
        root.send_json(Method::PATCH, "users/nobody", &json!({ "role": "member" })),
        root.administer(Method::DELETE, "users/nobody"),
        root.administer(Method::GET, "users/no%20body%00"),
        root.administer(Method::GET, "users/nobody/tokens"),
        root.send_json(Method::POST, "users/nobody/sign-in-link", &json!({})),
    ] {
        refused(&answer, StatusCode::NOT_FOUND);
    }
}

#[test]
fn a_user_who_leaves_gives_crates_to_others() {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    let ann = registry.user("ann");
    registry.user("bob");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    root.send_json(Method::POST, "teams", &json!({ "name": "devs", "members": ["ann", "bob"] })).good();
    let detail = refused(&root.administer(Method::DELETE, "users/ann"), StatusCode::CONFLICT);
    assert!(detail.contains("only active user among the owners of foo"), "{detail}");
    refused(&root.administer(Method::DELETE, "users/ann?to=nobody"), StatusCode::NOT_FOUND);
    let left = root.administer(Method::DELETE, "users/ann?to=bob&to=team:devs").good().json();
    assert_eq!((&left["changed"], &left["teams"], &left["crates"]), (&json!(true), &json!(["devs"]), &json!(["foo"])));
    assert_eq!(left["revoked_tokens"].as_array().unwrap().len(), 1);
    assert_eq!(ann.get("/api/v1/me").status, StatusCode::FORBIDDEN);
    let again = root.administer(Method::DELETE, "users/ann").good().json();
    assert_eq!(again, json!({ "changed": false, "revoked_tokens": [], "teams": [], "crates": [] }));
    let owners = root.get("/api/v1/crates/foo/owners").json();
    let logins: Vec<_> = owners["users"].as_array().unwrap().iter().map(|owner| owner["login"].clone()).collect();
    assert_eq!(logins, ["bob", "team:devs"]);
}

#[test]
fn a_sign_in_link_is_shown_once_and_ends() {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    registry.user("ann");
    let link = root.send_json(Method::POST, "users/ann/sign-in-link", &json!({ "expires_in_seconds": 60 })).good();
    assert_eq!(link.headers["cache-control"], "no-store");
    let url = link.json()["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("http://registry.test/sign-in/link?code="), "{url}");
    let code = url.rsplit('=').next().unwrap();
    registry.anonymous().get(&format!("/sign-in/link?code={code}")).good();
    let shown = root.administer(Method::GET, "users/ann").good().json();
    assert!(shown["user"]["sign_in_link_until"].is_string(), "{shown}");
    assert!(!shown.to_string().contains(code));
    let ended = root.administer(Method::DELETE, "users/ann/sessions").good().json();
    assert_eq!(ended, json!({ "ended": 0 }));
    assert!(root.administer(Method::GET, "users/ann").json()["user"]["sign_in_link_until"].is_null());
    for seconds in [0, 2_592_001] {
        let answer = root.send_json(Method::POST, "users/ann/sign-in-link", &json!({ "expires_in_seconds": seconds }));
        refused(&answer, StatusCode::BAD_REQUEST);
    }
    assert_eq!(logged(&registry, 2), ["root sign-in-link ann", "root session-end ann"]);
}

#[test]
fn tokens_are_created_for_service_accounts_and_revoked_for_everybody() {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    let ann = registry.user("ann");
    root.send_json(Method::POST, "users", &json!({ "login": "farm", "role": "service" })).good();
    let wanted =
        json!({ "api_token": { "name": "ci", "endpoint_scopes": ["publish-new"], "crate_scopes": ["acme-*"] } });
    let made = root.send_json(Method::POST, "users/farm/tokens", &wanted).good();
    assert_eq!(made.headers["cache-control"], "no-store");
    let token = made.json()["api_token"]["token"].as_str().unwrap().to_owned();
    registry.with_token(&token).publish(&Package::new("acme-one", "1.0.0")).good();
    registry.run_jobs();
    assert_eq!(registry.with_token(&token).publish(&Package::new("other", "1.0.0")).status, StatusCode::FORBIDDEN);
    let listed = root.administer(Method::GET, "users/farm/tokens").good().json();
    assert_eq!(listed["api_tokens"][0]["crate_scopes"], json!(["acme-*"]));
    assert!(!listed.to_string().contains(&token));

    let person = refused(&root.send_json(Method::POST, "users/ann/tokens", &wanted), StatusCode::CONFLICT);
    insta::assert_snapshot!(person, @"`ann` is no service account: people create their tokens themselves, on /me/tokens/new. Change the role to `service`, or create a sign-in link");
    let more = json!({ "api_token": { "name": "ci", "endpoint_scopes": ["administer"] } });
    refused(&root.send_json(Method::POST, "users/farm/tokens", &more), StatusCode::BAD_REQUEST);

    let id = root.administer(Method::GET, "users/ann/tokens").json()["api_tokens"][0]["id"].as_i64().unwrap();
    let revoked = root.administer(Method::DELETE, &format!("tokens/{id}?descendants=true")).good().json();
    assert_eq!(revoked["revoked"], json!([id]));
    assert_eq!(ann.get("/api/v1/me").status, StatusCode::FORBIDDEN);
    for path in [&format!("tokens/{id}"), "tokens/none", "tokens/-1", "tokens/99999999999999"] {
        refused(&root.administer(Method::DELETE, path), StatusCode::NOT_FOUND);
    }
    let log = logged(&registry, 3);
    assert_eq!(log, ["root token-create ci", "farm publish acme-one", "root token-revoke test"]);
}

#[test]
fn a_service_account_that_becomes_something_else_loses_its_tokens() {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    let wanted = json!({ "api_token": { "name": "ci" } });
    for role in ["admin", "member"] {
        root.send_json(Method::POST, "users", &json!({ "login": role, "role": "service" })).good();
        let made = root.send_json(Method::POST, &format!("users/{role}/tokens"), &wanted).good().json();
        let token = registry.with_token(made["api_token"]["token"].as_str().unwrap());
        token.get("/api/v1/me").good();
        root.send_json(Method::PATCH, &format!("users/{role}"), &json!({ "role": role })).good();
        assert_eq!(token.get("/api/v1/me").status, StatusCode::FORBIDDEN);
    }
}

#[test]
fn a_token_that_a_program_created_is_revoked_with_the_one_that_created_it() {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    root.send_json(Method::POST, "users", &json!({ "login": "farm", "role": "service" })).good();
    let wanted = json!({ "api_token": { "name": "ci" } });
    let made = root.send_json(Method::POST, "users/farm/tokens", &wanted).good().json();
    let token = registry.with_token(made["api_token"]["token"].as_str().unwrap());
    let maker = made["api_token"]["created_by_token"].as_i64().unwrap();
    let admin = registry.admin("other");
    registry
        .pool
        .with(|connection| {
            supercargo::database::access::revocation::revoke(connection, i32::try_from(maker).unwrap(), None).unwrap()
        })
        .unwrap();
    // It stays if nobody asks for it as well.
    token.get("/api/v1/me").good();
    assert_eq!(
        admin.administer(Method::GET, "users/farm/tokens").good().json()["api_tokens"][0]["created_by_token"],
        maker
    );
    let other = registry.user_with("other", scoped(&["administer"]));
    let revoked = other.administer(Method::DELETE, &format!("tokens/{maker}?descendants=true")).good().json();
    assert_eq!(revoked["revoked"], json!([made["api_token"]["id"]]));
    assert_eq!(token.get("/api/v1/me").status, StatusCode::FORBIDDEN);
}

#[test]
fn a_misplaced_restriction_creates_no_token() {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    root.send_json(Method::POST, "users", &json!({ "login": "farm", "role": "service" })).good();
    for wrong in [
        json!({ "api_token": { "name": "ci" }, "crate_scopes": ["acme-*"] }),
        json!({ "api_token": ["ci"] }),
        json!({ "api_token": ["ci", ["read"]] }),
        json!({ "api_token": { "name": "ci", "crates": ["acme-*"] } }),
        json!({ "name": "ci" }),
    ] {
        refused(&root.send_json(Method::POST, "users/farm/tokens", &wrong), StatusCode::BAD_REQUEST);
        let own = registry.user("ann").request(Method::PUT, "/api/v1/me/tokens", wrong.to_string());
        refused(&own, StatusCode::BAD_REQUEST);
    }
    assert_eq!(root.administer(Method::GET, "users/farm/tokens").good().json()["api_tokens"], json!([]));
    let misspelled = refused(&root.administer(Method::DELETE, "users/farm?To=ann"), StatusCode::BAD_REQUEST);
    insta::assert_snapshot!(misspelled, @"there is no query parameter `To`: use to");
}
