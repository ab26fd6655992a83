//! Sessions, and registries that need one.

use super::Browser;
use super::site::Site;
use crate::support::event::wait_until;

#[test]
fn who_signs_in_sees_more_until_the_sign_out() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.open("/crates/harbor");
    assert!(!browser.text("main").contains("Log of changes"));
    browser.click("nav a[href^='/sign-in']");
    browser.click("details:has(#token) summary");
    browser.type_into("#token", "sct_no-such-token");
    browser.click("form:has(#token) button[type=submit]");
    browser.wait_for_text("[role=alert]", "That did not work.");
    browser.sign_in(&site.ann);
    assert_eq!(browser.script("return document.cookie", []), "");
    browser.open("/crates/harbor");
    assert!(browser.text("main").contains("Log of changes"));
    browser.click(".out button");
    wait_until("the end of the session", || !browser.has(".out button"));
    browser.open("/crates/harbor");
    assert!(!browser.text("main").contains("Log of changes"));
    // The page of the session is not shown again.
    browser.back();
    browser.back();
    assert!(!browser.text("main").contains("Log of changes"));
}

#[test]
fn a_private_registry_leads_to_the_sign_in_and_back() {
    let site = Site::start(&["--auth-required"]);
    let browser = Browser::start(&site.served.url);
    browser.open("/");
    assert!(!browser.has("#q") && !browser.text("body").contains("harbor"));
    browser.open("/crates/harbor/diff/1.1.1...1.2.0?view=split");
    assert!(browser.path().starts_with("/sign-in?to="), "{}", browser.path());
    browser.sign_in(&site.ann);
    browser.wait_for_path("/crates/harbor/diff/1.1.1...1.2.0?view=split");
    browser.open("/search");
    browser.type_into("#q", "cli");
    browser.wait_for_text("#results", "harbor-cli");
    browser.click(".out button");
    wait_until("the end of the session", || !browser.has(".out button"));
    // A search without its session leads to the sign-in as well.
    browser.open("/search");
    assert!(browser.path().starts_with("/sign-in?to="), "{}", browser.path());
}

#[test]
fn a_session_that_ends_while_somebody_types_leads_to_the_sign_in() {
    let site = Site::start(&["--auth-required"]);
    let browser = Browser::start(&site.served.url);
    browser.open("/search");
    browser.sign_in(&site.ann);
    browser.wait_for_path("/search");
    browser.command("Network.clearBrowserCookies", serde_json::json!({}));
    browser.type_into("#q", "harbor");
    wait_until("the sign-in", || browser.path().starts_with("/sign-in?to="));
    browser.sign_in(&site.ann);
    browser.wait_for_path("/search?q=harbor");
}
