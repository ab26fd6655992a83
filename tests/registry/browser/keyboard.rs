//! The pages without a mouse.

use serde_json::{Value, json};
use thirtyfour::Key;

use super::Browser;
use super::places::visit_all;
use super::site::Site;

/// Everything on the page that does something. Numbers of lines are left out: there are thousands, and the address of the page
/// does the same.
const INTERACTIVE: &str = "
    window.interactive = [...document.querySelectorAll(
        'a[href], button, input, select, textarea, summary, iframe, [tabindex], [contenteditable]'
    )].filter((one) => one.checkVisibility({visibilityProperty: true}) && !one.disabled && one.type !== 'hidden'
        && one.id !== 'content' && !one.matches('pre.source a[tabindex=\"-1\"], .file-diff h3'));
    window.reached = [];
    addEventListener('focusin', (event) => {
        const style = getComputedStyle(event.target);
        const isSeen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
        window.reached.push([window.interactive.indexOf(event.target), isSeen, event.target.outerHTML.slice(0, 120)]);
    });
    // The next stop is the first one of the page.
    const start = document.createElement('span');
    start.tabIndex = -1;
    document.body.prepend(start);
    start.focus();
    start.remove();
    window.reached = [];
    return window.interactive.length;";

#[test]
fn the_tab_key_reaches_everything_in_its_order_and_shows_where_it_is() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    let mut found = Vec::new();
    visit_all(&site, &browser, |place| {
        let count = usize::try_from(browser.script(INTERACTIVE, []).as_u64().unwrap()).unwrap();
        assert!(count > 8, "{}: {count}", place.path);
        browser.press(String::from(Key::Tab.value()).repeat(count));
        let reached = browser.script("return window.reached", []);
        let reached: Vec<(i64, bool, String)> = serde_json::from_value(reached).unwrap();
        for (place_of, (at, is_seen, element)) in reached.iter().enumerate() {
            if usize::try_from(*at) != Ok(place_of) || !is_seen {
                found.push(format!("{}: number {place_of} is {at}, seen: {is_seen}: {element}", place.path));
                break;
            }
        }
        if reached.len() != count {
            found.push(format!("{}: {} of {count} reached", place.path, reached.len()));
        }
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn focused(browser: &Browser) -> Value {
    browser.script("return document.activeElement.id", [])
}

#[test]
fn a_slash_moves_to_the_search_field_except_where_it_is_typed() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    for path in ["/", "/crates/harbor", "/crates/harbor/diff/1.1.1...1.2.0"] {
        browser.open(path);
        browser.press("/");
        assert_eq!(focused(&browser), "q", "{path}");
        assert_eq!(browser.script("return document.getElementById('q').value", []), "", "{path}");
        browser.press("a/b");
        assert_eq!(browser.script("return document.getElementById('q').value", []), "a/b", "{path}");
    }
    browser.open("/search?q=harbor&keyword=http");
    browser.script("document.getElementById('owner').focus()", []);
    browser.press("/");
    assert_eq!(focused(&browser), "owner");
}

#[test]
fn the_first_tab_stop_skips_to_the_content() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.open("/crates/harbor");
    browser.press(Key::Tab);
    assert!(browser.holds("document.activeElement.matches('.skip')"));
    let box_of =
        browser.script("const box = document.activeElement.getBoundingClientRect(); return [box.left, box.top]", []);
    assert!(box_of[0].as_f64().unwrap() >= 0.0 && box_of[1].as_f64().unwrap() >= 0.0, "{box_of}");
    browser.press(Key::Enter);
    browser.wait_for_path("/crates/harbor#content");
    browser.press(Key::Tab);
    let inside = "document.querySelector('main').contains(document.activeElement)";
    assert!(browser.holds(inside), "{}", browser.script("return document.activeElement.outerHTML", []));
}

#[test]
fn two_versions_are_compared_and_a_session_begins_by_keys_alone() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.open("/sign-in");
    assert_eq!(focused(&browser), "login");
    // The password, the button, and what is folded.
    for _ in 0..3 {
        browser.press(Key::Tab);
    }
    browser.press(Key::Enter);
    browser.press(Key::Tab);
    assert_eq!(focused(&browser), "token");
    browser.press(site.ann.clone());
    browser.press(Key::Enter);
    crate::support::event::wait_until("a session", || browser.has(".out button"));
    browser.open("/crates/harbor/versions");
    for version in ["1.1.1", "1.2.0"] {
        browser.script("document.querySelector(`input[value='${arguments[0]}']`).focus()", [json!(version)]);
        browser.press(" ");
    }
    browser.press(Key::Enter);
    browser.wait_for_path("/crates/harbor/diff/1.1.1...1.2.0");
}
