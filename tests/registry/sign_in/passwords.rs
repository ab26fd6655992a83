//! Signing in with a password.

use axum::http::StatusCode;

use super::{place, send, set_password};
use crate::pages::Browser;
use crate::support::harness::{Answer, TestRegistry};

const PASSWORD: &str = "correct horse battery staple";

pub fn attempt(browser: &mut Browser<'_>, login: &str, password: &str) -> Answer {
    send(browser, "/sign-in", "/sign-in/password", &[("to", "/me"), ("login", login), ("password", password)])
}

#[test]
fn a_password_signs_in_and_a_wrong_one_looks_like_none_at_all() {
    let registry = TestRegistry::new();
    registry.user("bob");
    set_password(&registry, "ann", PASSWORD);
    let mut browser = Browser::new(&registry);
    assert_eq!(place(&attempt(&mut browser, " Ann ", PASSWORD)), "/me");
    assert!(browser.get("/me").good().text().contains("Signed in as ann"));
    let texts = [("ann", "correct horse battery"), ("bob", PASSWORD), ("nobody", PASSWORD), ("ann", "")].map(
        |(login, password)| {
            let mut browser = Browser::new(&registry);
            let refused = attempt(&mut browser, login, password);
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{login}");
            assert!(!browser.get("/").good().text().contains("Signed in as"));
            let html = refused.text();
            html.split_once("role=\"alert\">").unwrap().1.split("</p>").next().unwrap().to_owned()
        },
    );
    assert!(texts.iter().all(|text| *text == texts[0] && text.contains("ogin or password is wrong")), "{texts:?}");
}

#[test]
fn attempts_are_limited_by_login_and_address_and_a_success_costs_nothing() {
    let registry = TestRegistry::new();
    set_password(&registry, "ann", PASSWORD);
    let mut browser = Browser::new(&registry);
    for _ in 0..12 {
        assert_eq!(place(&attempt(&mut browser, "ann", PASSWORD)), "/me");
    }
    for _ in 0..10 {
        assert_eq!(attempt(&mut browser, "ann", "wrong").status, StatusCode::FORBIDDEN);
    }
    let refused = attempt(&mut browser, "ANN", PASSWORD);
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.text().contains("wait two minutes"), "{}", refused.text());
    // Other logins from the same address, until there were too many of these, too.
    set_password(&registry, "bob", PASSWORD);
    assert_eq!(place(&attempt(&mut browser, "bob", PASSWORD)), "/me");
    for number in 0..40 {
        assert_eq!(attempt(&mut browser, &format!("user-{number}"), "wrong").status, StatusCode::FORBIDDEN, "{number}");
    }
    assert_eq!(attempt(&mut browser, "bob", PASSWORD).status, StatusCode::TOO_MANY_REQUESTS);
    // After a while one may try again.
    let pass = "UPDATE sign_in_failures SET filled_at = filled_at - interval '15 minutes'";
    registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(pass), connection).unwrap())
        .unwrap();
    assert_eq!(place(&attempt(&mut browser, "ann", PASSWORD)), "/me");
}

/// Many addresses together do not try one password after another.
#[test]
fn attempts_for_a_login_are_limited_from_all_addresses_together() {
    use supercargo::database::sign_in::attempts::Attempt;
    let registry = TestRegistry::new();
    let count = |login: &str, address: &str| {
        registry.pool.with(|connection| Attempt::new(login, address).count(connection).unwrap()).unwrap()
    };
    for number in 0..100 {
        assert!(count("ann", &format!("192.0.2.{number}")), "{number}");
    }
    assert!(!count("Ann", "198.51.100.1"));
    assert!(count("bob", "198.51.100.1"));
}

#[test]
fn a_disabled_user_learns_that_only_with_the_right_password() {
    let registry = TestRegistry::new();
    set_password(&registry, "ann", PASSWORD);
    let disable = "UPDATE users SET disabled_at = now() WHERE login = 'ann'";
    registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(disable), connection).unwrap())
        .unwrap();
    let mut browser = Browser::new(&registry);
    assert!(attempt(&mut browser, "ann", "wrong").text().contains("ogin or password is wrong"));
    let refused = attempt(&mut browser, "ann", PASSWORD);
    assert!(refused.text().contains("is disabled"), "{}", refused.text());
}

#[test]
fn a_registry_without_passwords_takes_none() {
    let registry = TestRegistry::with(|settings| settings.sign_in.password = false);
    let mut browser = Browser::new(&registry);
    let html = browser.get("/sign-in").good().text();
    assert!(!html.contains("name=\"password\"") && html.contains("name=\"token\""), "{html}");
    let refused = attempt(&mut browser, "ann", PASSWORD);
    assert!(refused.text().contains("takes no passwords"), "{}", refused.text());
    let registry = TestRegistry::with(|settings| settings.sign_in.token = false);
    let token = registry.user("ann").token.unwrap();
    let mut browser = Browser::new(&registry);
    let html = browser.get("/sign-in").good().text();
    assert!(html.contains("name=\"password\"") && !html.contains("name=\"token\""), "{html}");
    assert!(browser.sign_in(&token).text().contains("takes no tokens"));
}

#[test]
fn only_a_form_of_this_browser_signs_in() {
    let registry = TestRegistry::new();
    set_password(&registry, "ann", PASSWORD);
    let mut browser = Browser::new(&registry);
    let fields = [("login", "ann"), ("password", PASSWORD)];
    for form_token in ["", "0123456789abcdef0123456789abcdef"] {
        let fields = [&[("form_token", form_token)][..], &fields].concat();
        assert_eq!(browser.post("/sign-in/password", &fields).status, StatusCode::FORBIDDEN);
    }
    assert!(!browser.get("/").good().text().contains("Signed in as"));
}

/// The password is compared without a lock, and may be changed meanwhile.
#[test]
fn a_password_that_was_changed_meanwhile_begins_no_session() {
    use supercargo::database::access::sessions::Origin;
    use supercargo::database::access::users;
    use supercargo::database::sign_in::begin::{Arrival, begin_with_password};
    use supercargo::database::sign_in::passwords;
    let registry = TestRegistry::new();
    set_password(&registry, "ann", PASSWORD);
    let arrival = Arrival { from: (None, None), origin: Origin::default(), before: None };
    registry
        .pool
        .with(|connection| {
            let ann = users::find(connection, "ann").unwrap().unwrap().id;
            let compared = passwords::hash_of(connection, ann).unwrap().unwrap();
            assert!(begin_with_password(connection, ann, ("password", &compared), &arrival).unwrap().is_some());
            let other = "UPDATE passwords SET hash = hash || 'x'";
            diesel::RunQueryDsl::execute(diesel::sql_query(other), connection).unwrap();
            assert!(begin_with_password(connection, ann, ("password", &compared), &arrival).unwrap().is_none());
            assert!(passwords::remove(connection, ann).unwrap());
            assert!(begin_with_password(connection, ann, ("password", &compared), &arrival).unwrap().is_none());
        })
        .unwrap();
}

#[test]
fn wrong_passwords_do_not_keep_others_from_their_provider() {
    let site = super::Site::new("new-users = \"create\"");
    site.account("1", "ann", &[]);
    let mut browser = Browser::new(&site.registry);
    for number in 0..51 {
        attempt(&mut browser, &format!("user-{number}"), "wrong");
    }
    assert_eq!(attempt(&mut browser, "somebody", "wrong").status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(place(&site.sign_in("1").1), "/me");
}
