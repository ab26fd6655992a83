//! The pages without JavaScript.

use super::Browser;
use super::places::open_to_all;
use super::site::Site;
use crate::support::event::wait_until;

#[test]
fn everything_works_by_links_and_forms() {
    let site = Site::public();
    let browser = Browser::start_without_script(&site.served.url);
    browser.open("/");
    browser.type_into("#q", "harbor");
    browser.click(".find button");
    browser.wait_for_path("/search?q=harbor");
    assert!(browser.text("#results").contains("harbor-cli"));
    browser.click(".crates a[href='/crates/harbor']");
    browser.wait_for_path("/crates/harbor");
    browser.click("nav.tabs a[href$='/versions']");
    for version in ["1.1.1", "1.2.0"] {
        browser.click(&format!("input[value='{version}']"));
    }
    browser.click("#compare button[type=submit]");
    browser.wait_for_path("/crates/harbor/diff/1.1.1...1.2.0");
    browser.click("a.load");
    wait_until("the page of the file", || browser.path().contains("?file=src%2Freasons.rs"));
    assert!(browser.has("table.diff tr.add"));
    browser.open("/crates/harbor/1.2.0/source/src/client.rs");
    browser.click("#L9 > a");
    browser.wait_for_path("/crates/harbor/1.2.0/source/src/client.rs#L9");
    browser.click("nav a[href^='/sign-in']");
    browser.sign_in(&site.ann);
    browser.open("/crates/harbor");
    assert!(browser.text("main").contains("Log of changes"));
    browser.click(".out button");
    wait_until("the end of the session", || !browser.has(".out button"));
}

#[test]
fn no_page_shows_what_only_a_script_can_do() {
    let site = Site::public();
    let browser = Browser::start_without_script(&site.served.url);
    for place in open_to_all() {
        browser.open(&place.path);
        assert!(browser.has("main h1"), "{}", place.path);
        let buttons = browser.run(browser.session().find_all(thirtyfour::By::Css("button.copy")));
        for button in buttons {
            assert!(!browser.run(button.is_displayed()), "{}", place.path);
        }
    }
}
