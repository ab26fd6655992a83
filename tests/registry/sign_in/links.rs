//! Links with which a user signs in once.

use axum::http::StatusCode;

use super::{link, logged, place, send, set_password};
use crate::pages::Browser;
use crate::support::harness::TestRegistry;

const PASSWORD: &str = "correct horse battery staple";

fn code(link: &str) -> String {
    link.split_once('=').unwrap().1.to_owned()
}

#[test]
fn a_link_sets_a_password_and_is_used_up_by_that_and_not_by_looking() {
    let registry = TestRegistry::new();
    let link = link(&registry, "ann");
    let mut browser = Browser::new(&registry);
    for _ in 0..3 {
        assert!(browser.get(&link).good().text().contains("Sign in as ann"));
    }
    let code = code(&link);
    let mut set = |password: &str, repeated: &str| {
        send(&mut browser, &link, "/sign-in/link", &[("code", &code), ("password", password), ("repeated", repeated)])
    };
    assert!(set("too short", "too short").text().contains("has 9 characters, and needs 15"));
    assert!(set(PASSWORD, "another").text().contains("two passwords differ"));
    assert_eq!(place(&set(PASSWORD, PASSWORD)), "/me");
    assert!(browser.get("/me").good().text().contains("Signed in as ann"));
    let used = browser.get(&link);
    assert_eq!(used.status, StatusCode::FORBIDDEN);
    assert!(used.text().contains("has expired or was used"), "{}", used.text());
    assert_eq!(
        logged(&registry, &["password-set", "sign-in"]),
        ["password-set by ann of ann", "sign-in by ann of ann"]
    );
}

#[test]
fn a_new_password_by_a_link_ends_the_sessions_of_before() {
    let registry = TestRegistry::new();
    let mut thief = set_password(&registry, "ann", PASSWORD);
    let mut with_token = Browser::new(&registry);
    with_token.sign_in(registry.user("ann").token.as_ref().unwrap());
    assert!(thief.get("/me").good().text().contains("Signed in as ann"));
    let mut ann = set_password(&registry, "ann", "another horse battery staple");
    for ended in [&mut thief, &mut with_token] {
        assert!(!ended.get("/").good().text().contains("Signed in as"));
    }
    assert!(ann.get("/me").good().text().contains("Signed in as ann"));
}

#[test]
fn a_link_ends_with_its_time_with_the_next_one_and_with_its_user() {
    let registry = TestRegistry::new();
    let first = link(&registry, "ann");
    let second = link(&registry, "ann");
    let mut browser = Browser::new(&registry);
    assert_eq!(browser.get(&first).status, StatusCode::FORBIDDEN);
    browser.get(&second).good();
    let change = |statement: &str| {
        let statement = diesel::sql_query(statement);
        registry.pool.with(|connection| diesel::RunQueryDsl::execute(statement, connection).unwrap()).unwrap();
    };
    let code = code(&second);
    let fields = [("code", code.as_str()), ("password", PASSWORD), ("repeated", PASSWORD)];
    let html = browser.get(&second).good().text();
    let form_token = crate::pages::field(&html, "form_token");
    change("UPDATE users SET disabled_at = now() WHERE login = 'ann'");
    let refused = browser.post("/sign-in/link", &[&[("form_token", form_token.as_str())][..], &fields].concat());
    assert!(refused.text().contains("is disabled"), "{}", refused.text());
    change("UPDATE users SET disabled_at = NULL WHERE login = 'ann'");
    browser.get(&second).good();
    change("UPDATE one_time_links SET expires_at = now()");
    assert_eq!(browser.get(&second).status, StatusCode::FORBIDDEN);
    let refused = browser.post("/sign-in/link", &[&[("form_token", form_token.as_str())][..], &fields].concat());
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    for wrong in ["/sign-in/link", "/sign-in/link?code=", "/sign-in/link?code=scl_0", "/sign-in/link?code=%00"] {
        assert_eq!(browser.get(wrong).status, StatusCode::FORBIDDEN, "{wrong}");
    }
}

#[test]
fn a_link_works_once_in_however_many_browsers_it_was_opened() {
    use supercargo::database::sign_in::links::LinkSecret;
    let registry = TestRegistry::new();
    let link = link(&registry, "ann");
    let code = code(&link);
    let fields = [("code", code.as_str()), ("password", PASSWORD), ("repeated", PASSWORD)];
    let opened = |_| {
        let mut browser = Browser::new(&registry);
        let form_token = crate::pages::field(&browser.get(&link).good().text(), "form_token");
        (browser, form_token)
    };
    let browsers: Vec<_> = (0..4).map(opened).collect();
    let statuses: Vec<_> = browsers
        .into_iter()
        .map(|(mut browser, form_token)| {
            let own = [("form_token", form_token.as_str())];
            browser.post("/sign-in/link", &[&own, &fields[..]].concat()).status
        })
        .collect();
    let (used, late) = (StatusCode::SEE_OTHER, StatusCode::FORBIDDEN);
    assert_eq!(statuses, [used, late, late, late]);
    // Of two that have found it at the same time, one uses it up.
    let secret = LinkSecret::parse(&super::link(&registry, "bob")["/sign-in/link?code=".len()..]).unwrap();
    registry
        .pool
        .with(|connection| {
            assert_eq!(secret.user(connection).unwrap().unwrap().login, "bob");
            assert!(secret.use_up(connection).unwrap());
            assert!(!secret.use_up(connection).unwrap());
        })
        .unwrap();
}
