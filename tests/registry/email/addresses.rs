//! Addresses on the pages, and the links in mails.

use axum::http::{Method, StatusCode};
use diesel::RunQueryDsl;
use serde_json::json;
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::scope::Scope;
use supercargo::database::access::users;
use supercargo::database::email::recipients::{self, EmailSecret};

use super::{Post, subjects};
use crate::pages::Browser;
use crate::sign_in::{away, come_back, described, know, send, set_password};
use crate::support::harness::{Answer, BASE_URL, TestRegistry};
use crate::support::mail_server::Mail;
use crate::support::oidc_provider::{OidcProvider, ProviderCookies, Setup};
use crate::support::package::Package;
use crate::webhooks::execute;

const PASSWORD: &str = "correct horse battery staple";

fn enter<'a>(browser: &mut Browser<'a>, address: &str) -> Answer {
    send(browser, "/me/email", "/me/email", &[("address", address)])
}

/// The words of a page.
fn words(html: &str) -> String {
    let parts = html.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text);
    parts.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The path of a link of the registry in a mail.
fn path(mail: &Mail, place: &str) -> String {
    let link = mail.link(place);
    link.strip_prefix(BASE_URL).unwrap_or_else(|| panic!("{link} is not of this registry")).to_owned()
}

/// Ends the minute between two links.
fn a_minute_later(registry: &TestRegistry) {
    let statement = "UPDATE audit_log SET at = at - interval '2 minutes' WHERE action = 'email-set'";
    registry.pool.with(|connection| diesel::sql_query(statement).execute(connection).unwrap()).unwrap();
}

#[test]
fn an_address_gets_mail_when_its_link_was_opened_and_sent() {
    let post = Post::new();
    let mut browser = set_password(&post.registry, "ann", PASSWORD);
    assert!(browser.get("/me").good().text().contains("/me/email"));
    assert!(words(&browser.get("/me/email").good().text()).contains("You have entered no address"));
    assert_eq!(enter(&mut browser, "ann@example.com").status, StatusCode::SEE_OTHER);
    let mails = post.deliver();
    assert_eq!(subjects(&mails), ["ann@example.com: Confirm your e-mail address"]);
    assert!(mails[0].header("List-Unsubscribe").is_none());
    let link = path(&mails[0], "/email/confirm?key=");
    // Nothing is noted before, though others get mail, and looking at the page of the link confirms nothing.
    post.user("bob");
    let ann = post.registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    post.registry.run_jobs();
    let stranger = post.registry.anonymous();
    let page = stranger.get(&link).good().text();
    assert!(words(&page).contains("ann gets mail at ann@example.com"), "{page}");
    assert!(post.deliver().is_empty());
    assert_eq!(post.query("SELECT count(*)::int AS number FROM email_notices"), 0);
    assert!(words(&browser.get("/me/email").good().text()).contains("as soon as you have opened the link"));
    // The link confirms, in any browser, and once.
    assert!(words(&stranger.request(Method::POST, &link, "").good().text()).contains("The address is confirmed"));
    for method in [Method::GET, Method::POST] {
        let again = stranger.request(method, &link, "");
        assert_eq!(again.status, StatusCode::NOT_FOUND);
        assert!(again.text().contains("this link was used, has expired, or was replaced"), "{}", again.text());
    }
    ann.publish(&Package::new("foo", "1.1.0")).good();
    post.registry.run_jobs();
    assert_eq!(subjects(&post.deliver()), ["ann@example.com: foo 1.1.0 was published by ann"]);
    assert!(words(&browser.get("/me/email").good().text()).contains("You get mail at ann@example.com."));
    assert_eq!(
        crate::sign_in::logged(&post.registry, &["email-set", "email-confirm"]),
        ["email-confirm by supercargo of ann", "email-set by ops@host of bob", "email-set by ann of ann"]
    );
}

#[test]
fn a_link_that_has_expired_or_is_of_another_address_confirms_nothing() {
    let post = Post::new();
    let mut browser = set_password(&post.registry, "ann", PASSWORD);
    enter(&mut browser, "ann@example.com");
    let first = path(&post.deliver()[0], "/email/confirm?key=");
    // Somebody who enters address after address fills mailboxes.
    let soon = enter(&mut browser, "other@example.com");
    assert_eq!(soon.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(words(&soon.text()).contains("wait a minute"), "{}", soon.text());
    a_minute_later(&post.registry);
    enter(&mut browser, "other@example.com");
    let second = path(&post.deliver()[0], "/email/confirm?key=");
    let stranger = post.registry.anonymous();
    assert_eq!(stranger.request(Method::POST, &first, "").status, StatusCode::NOT_FOUND);
    let expire = "UPDATE email_recipients SET confirmation_until = now() - interval '1 second'";
    post.registry.pool.with(|connection| diesel::sql_query(expire).execute(connection).unwrap()).unwrap();
    assert_eq!(stranger.request(Method::POST, &second, "").status, StatusCode::NOT_FOUND);
    for wrong in ["", "sce_", "sct_0000", "x'; --"] {
        let answer = stranger.get(&format!("/email/confirm?key={}", wrong.replace(['\'', ' ', ';'], "+")));
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{wrong}");
    }
}

#[test]
fn only_an_unrestricted_token_reads_the_own_address() {
    let post = Post::new();
    post.user("ann");
    let own = |token: NewToken| post.registry.user_with("ann", token).get("/api/v1/me").good().json()["user"].clone();
    let user = own(NewToken::named("all"));
    let of_mail =
        ["email", "email_verified", "email_verification_sent", "publish_notifications"].map(|name| &user[name]);
    assert_eq!(of_mail, [&json!("ann@example.com"), &json!(true), &json!(true), &json!(true)]);
    let reads = own(NewToken { scopes: Some(vec![Scope::Read]), ..NewToken::named("reads") });
    assert_eq!((&reads["email"], &reads["email_verified"]), (&json!(null), &json!(false)));
    let mut browser = set_password(&post.registry, "bob", PASSWORD);
    enter(&mut browser, "bob@example.com");
    let unconfirmed = post.registry.user("bob").get("/api/v1/me").good().json()["user"].clone();
    let of_mail = ["email_verified", "email_verification_sent", "publish_notifications"].map(|name| &unconfirmed[name]);
    assert_eq!(of_mail, [&json!(false), &json!(true), &json!(false)]);
    post.deliver();
}

#[test]
fn the_former_address_gets_word() {
    let post = Post::new();
    let mut browser = set_password(&post.registry, "ann", PASSWORD);
    post.user("ann");
    post.clear();
    enter(&mut browser, "new@example.com");
    assert_eq!(
        subjects(&post.deliver()),
        ["ann@example.com: Your e-mail address was changed", "new@example.com: Confirm your e-mail address"]
    );
}

#[test]
fn a_wrong_address_is_named_and_nothing_is_sent() {
    let post = Post::new();
    let mut browser = set_password(&post.registry, "ann", PASSWORD);
    for wrong in ["", "ann", "ann@example.com, bob@example.com", "ann@example.com\r\nBcc: bob@example.com"] {
        let answer = enter(&mut browser, wrong);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong:?}");
        assert!(words(&answer.text()).contains("is no e-mail address: use one such as"), "{}", answer.text());
    }
    assert!(post.deliver().is_empty());
}

#[test]
fn the_address_is_changed_with_a_form_of_the_session_and_a_fresh_proof_only() {
    let post = Post::new();
    let mut browser = set_password(&post.registry, "ann", PASSWORD);
    for place in ["/me/email", "/me/email/choice", "/me/email/remove"] {
        let foreign = browser.post(place, &[("address", "eve@example.com"), ("form_token", "wrong")]);
        assert_eq!(foreign.status, StatusCode::FORBIDDEN, "{place}");
        let anonymous = post.registry.anonymous().request(Method::POST, place, "address=eve@example.com");
        assert_eq!(anonymous.status, StatusCode::UNAUTHORIZED, "{place}");
    }
    let old = "UPDATE web_sessions SET proven_at = now() - interval '11 minutes'";
    post.registry.pool.with(|connection| diesel::sql_query(old).execute(connection).unwrap()).unwrap();
    for (place, fields) in [("/me/email", &[("address", "eve@example.com")][..]), ("/me/email/remove", &[])] {
        let unproven = send(&mut browser, "/me/email", place, fields);
        assert_eq!(unproven.status, StatusCode::SEE_OTHER);
        let place = unproven.headers["location"].to_str().unwrap();
        assert!(place.contains("/sign-in/again"), "{place}");
    }
    assert!(post.deliver().is_empty());
}

#[test]
fn mail_ends_with_the_link_in_it_without_a_session() {
    let post = Post::new();
    post.user("ann");
    post.clear();
    let ann = post.registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    post.registry.run_jobs();
    let link = path(&post.deliver()[0], "/email/unsubscribe?key=");
    let stranger = post.registry.anonymous();
    // Programs that show previews of links look at them.
    assert!(words(&stranger.get(&link).good().text()).contains("No more mail"));
    ann.publish(&Package::new("foo", "1.1.0")).good();
    post.registry.run_jobs();
    assert_eq!(post.deliver().len(), 1);
    // As RFC 8058 says, from a mail server.
    let one_click = stranger.request(Method::POST, &link, "List-Unsubscribe=One-Click").good();
    assert_eq!(one_click.text(), "No more mail is sent to this address.\n");
    ann.publish(&Package::new("foo", "1.2.0")).good();
    post.registry.run_jobs();
    assert!(post.deliver().is_empty());
    assert_eq!(stranger.request(Method::POST, "/email/unsubscribe?key=sce_1", "").status, StatusCode::NOT_FOUND);
}

#[test]
fn a_user_chooses_of_what_there_is_mail() {
    let post = Post::new();
    let mut browser = set_password(&post.registry, "ann", PASSWORD);
    post.user("ann");
    post.clear();
    let chosen = send(&mut browser, "/me/email", "/me/email/choice", &[("group", "owner"), ("group", "token")]);
    assert_eq!(chosen.status, StatusCode::SEE_OTHER);
    let html = browser.get("/me/email").good().text();
    let is_checked = |group: &str| html.contains(&format!("value=\"{group}\" checked"));
    assert!(is_checked("owner") && is_checked("token") && !is_checked("version"), "{html}");
    post.registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    post.registry.run_jobs();
    assert!(post.deliver().is_empty());
    let removed = send(&mut browser, "/me/email", "/me/email/remove", &[]);
    assert_eq!(removed.status, StatusCode::SEE_OTHER);
    assert_eq!(subjects(&post.deliver()), ["ann@example.com: Your e-mail address was changed"]);
    assert!(words(&browser.get("/me/email").good().text()).contains("You have entered no address"));
}

#[test]
fn a_registry_without_a_mail_server_has_no_such_pages() {
    let registry = TestRegistry::new();
    let mut browser = set_password(&registry, "ann", PASSWORD);
    assert!(!browser.get("/me").good().text().contains("/me/email"));
    let answer = browser.get("/me/email");
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.text().contains("This registry sends no mail"), "{}", answer.text());
}

/// The first mail to the address that is entered now has been sent, and is noted, after another was entered.
#[test]
fn the_link_of_a_former_address_does_not_confirm_the_one_after_it() {
    let post = Post::new();
    let mut browser = set_password(&post.registry, "ann", PASSWORD);
    enter(&mut browser, "first@example.com");
    post.deliver();
    a_minute_later(&post.registry);
    enter(&mut browser, "second@example.com");
    let secret = EmailSecret::random().unwrap();
    let confirmable = post.registry.pool.with(|connection| {
        let ann = users::find(connection, "ann").unwrap().unwrap();
        recipients::set_confirmation(connection, ann.id, "first@example.com", &secret).unwrap();
        recipients::to_confirm(connection, &secret).unwrap()
    });
    assert_eq!(confirmable.unwrap(), None);
    post.deliver();
}

#[test]
fn a_new_user_of_a_provider_has_the_address_that_it_has_verified() {
    let provider = OidcProvider::start(Setup::default());
    let providers = described(&[(&provider, "acme", "new-users = \"create\"")]);
    let registry = TestRegistry::with(|settings| {
        settings.sign_in.providers = providers;
        settings.sends_mail = true;
    });
    know(&provider, "acme");
    let sign_in = |subject: &str, verified: bool| {
        let email = format!("{subject}@acme.example");
        let claims = json!({ "preferred_username": subject, "email": email, "email_verified": verified });
        provider.account(subject, &claims);
        let mut browser = Browser::new(&registry);
        let away = away(browser.get("/sign-in/with/acme?to=/me"));
        let back = provider.sign_in(&mut ProviderCookies::default(), &away, subject);
        come_back(&mut browser, &back);
        words(&browser.get("/me/email").good().text())
    };
    assert!(sign_in("ann", true).contains("You get mail at ann@acme.example."));
    assert!(sign_in("bob", false).contains("You have entered no address"));
    // It is the user's to change.
    let removed = registry.pool.with(|connection| {
        let ann = users::find(connection, "ann").unwrap().unwrap();
        recipients::remove(connection, ann.id).unwrap()
    });
    assert!(removed.unwrap());
    assert!(sign_in("ann", true).contains("You have entered no address"));
}

/// Neither the removal of an address nor patience make a server of somebody else's mailbox.
#[test]
fn a_user_sends_few_links() {
    let post = Post::new();
    let mut browser = set_password(&post.registry, "ann", PASSWORD);
    assert_eq!(enter(&mut browser, "0@example.com").status, StatusCode::SEE_OTHER);
    send(&mut browser, "/me/email", "/me/email/remove", &[]);
    assert_eq!(enter(&mut browser, "1@example.com").status, StatusCode::TOO_MANY_REQUESTS);
    for number in 1..10 {
        a_minute_later(&post.registry);
        assert_eq!(enter(&mut browser, &format!("{number}@example.com")).status, StatusCode::SEE_OTHER, "{number}");
    }
    a_minute_later(&post.registry);
    let refused = enter(&mut browser, "10@example.com");
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(words(&refused.text()).contains("enter another address tomorrow"), "{}", refused.text());
    execute(&post.registry, "DELETE FROM jobs");
}

#[test]
fn an_address_that_is_confirmed_already_gets_no_link_and_another_one_gets_mail_again() {
    let post = Post::new();
    let mut browser = set_password(&post.registry, "ann", PASSWORD);
    post.user("ann");
    post.clear();
    let same = enter(&mut browser, "ann@example.com");
    assert_eq!(same.headers["location"], "/me/email?notice=same");
    assert!(post.deliver().is_empty());
    let none = "UPDATE email_recipients SET unwanted = '{*}'";
    execute(&post.registry, none);
    enter(&mut browser, "new@example.com");
    assert_eq!(post.query("SELECT cardinality(unwanted) AS number FROM email_recipients"), 0);
    execute(&post.registry, "DELETE FROM jobs");
}
