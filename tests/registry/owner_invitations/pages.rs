//! Invitations on `/me`, and on the settings of a crate.

use axum::http::StatusCode;
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::scope::Scope;

use super::{add, execute, foo, invitations, inviting, owners};
use crate::pages::{Browser, field};
use crate::sign_in::{place, send, set_password};

const PASSWORD: &str = "correct horse battery staple";
const SETTINGS: &str = "/crates/foo/settings";

#[test]
fn invitations_are_answered_on_the_page_of_the_user_and_withdrawn_on_that_of_the_crate() {
    let registry = inviting();
    let (mut ann, mut bob) = (set_password(&registry, "ann", PASSWORD), set_password(&registry, "bob", PASSWORD));
    let owner = |browser: &mut Browser<'_>, change: &str| {
        place(&send(browser, SETTINGS, &format!("{SETTINGS}/owners"), &[("change", change), ("owner", "bob")]))
            .to_owned()
    };
    assert!(!bob.get("/me").good().text().contains("id=\"invitations\""));
    assert_eq!(owner(&mut ann, "add"), "/crates/foo/settings?notice=invited");
    let settings = ann.get("/crates/foo/settings?notice=invited").good().text();
    assert!(settings.contains("The user is invited") && settings.contains("Withdraw"), "{settings}");
    let html = bob.get("/me").good().text();
    assert!(html.contains("invites you to own") && html.contains("Accept") && html.contains("Decline"), "{html}");
    let foo = foo(&registry);
    let answer =
        |browser: &mut Browser<'_>, what: &str| send(browser, "/me", &format!("/me/invitations/{foo}/{what}"), &[]);
    assert_eq!(place(&answer(&mut bob, "decline")), "/me?notice=declined");
    assert!(bob.get("/me?notice=declined").good().text().contains("You have declined"));
    assert_eq!(owner(&mut ann, "add"), "/crates/foo/settings?notice=invited");
    assert_eq!(owner(&mut ann, "remove"), "/crates/foo/settings?notice=done");
    assert!(!ann.get(SETTINGS).good().text().contains("Withdraw"));
    assert_eq!(answer(&mut bob, "accept").status, StatusCode::NOT_FOUND);
    assert_eq!(owner(&mut ann, "add"), "/crates/foo/settings?notice=invited");

    // Without a fresh proof nothing is changed, and without the form's token neither.
    execute(&registry, "UPDATE web_sessions SET proven_at = proven_at - interval '11 minutes'");
    for what in ["accept", "decline"] {
        let again = answer(&mut bob, what);
        assert_eq!(place(&again), "/sign-in/again?to=%2Fme&unsent=true");
        assert_eq!(bob.post(&format!("/me/invitations/{foo}/{what}"), &[]).status, StatusCode::FORBIDDEN);
    }
    assert_eq!((owners(&registry).len(), invitations(&registry.user("bob")).len()), (1, 1));
    execute(&registry, "UPDATE web_sessions SET proven_at = now()");
    assert_eq!(place(&answer(&mut bob, "accept")), "/me?notice=accepted");
    assert!(bob.get("/me?notice=accepted").good().text().contains("/crates/foo"));
    assert_eq!(owners(&registry), ["ann", "bob"]);
    assert_eq!(answer(&mut bob, "x").status, StatusCode::NOT_FOUND);
    assert_eq!(send(&mut bob, "/me", "/me/invitations/x/accept", &[]).status, StatusCode::NOT_FOUND);

    // A session of a token sees and answers what the token permits.
    let restricted = NewToken { scopes: Some(vec![Scope::Yank]), ..NewToken::named("ci") };
    let token = registry.user_with("cid", restricted).token.unwrap();
    add(&registry.user("ann"), "cid");
    let mut cid = Browser::new(&registry);
    cid.sign_in(&token);
    execute(&registry, "UPDATE web_sessions SET proven_at = now()");
    let html = cid.get("/me").good().text();
    assert!(!html.contains("invites you"), "{html}");
    let form_token = field(&html, "form_token");
    let refused = cid.post(&format!("/me/invitations/{foo}/accept"), &[("form_token", &form_token)]);
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text().contains("needs the scope"), "{}", refused.text());
    assert_eq!(owners(&registry), ["ann", "bob"]);
}

#[test]
fn a_user_of_another_role_sees_no_buttons() {
    let registry = inviting();
    let mut bob = set_password(&registry, "bob", PASSWORD);
    add(&registry.user("ann"), "bob");
    execute(&registry, "UPDATE users SET role = 'read-only' WHERE login = 'bob'");
    let html = bob.get("/me").good().text();
    assert!(html.contains("invites you to own") && html.contains("You cannot answer"), "{html}");
    assert!(!html.contains("Accept"), "{html}");
}
