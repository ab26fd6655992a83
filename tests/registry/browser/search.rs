//! Search as one types.

use thirtyfour::Key;

use super::Browser;
use super::site::Site;

#[test]
fn results_follow_what_is_typed_and_the_back_button_leads_to_what_was_there() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.open("/search?q=money");
    browser.script("window.isTheSamePage = true", []);
    browser.script("document.getElementById('q').select()", []);
    browser.type_into("#q", "harbor");
    browser.wait_for_path("/search?q=harbor");
    browser.wait_for_text("#results h1", "Search for harbor");
    browser.wait_for_text("#results .crates", "harbor-cli");
    assert!(browser.title().starts_with("Search for harbor"), "{}", browser.title());
    browser.type_into("#q", "-macros");
    browser.wait_for_path("/search?q=harbor-macros");
    browser.wait_for_text("#results h1", "Search for harbor-macros");
    assert!(!browser.text("#results .crates").contains("harbor-cli"));
    // Both changes are one step of the history.
    browser.back();
    browser.wait_for_path("/search?q=money");
    browser.wait_for_text("#results h1", "Search for money");
    assert_eq!(browser.script("return document.getElementById('q').value", []), "money");
    assert!(browser.holds("window.isTheSamePage"), "the page was loaded again");
}

#[test]
fn the_search_of_another_page_leads_to_the_results_and_back() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.open("/crates/money");
    browser.type_into("#q", "http");
    browser.press(Key::Enter);
    browser.wait_for_path("/search?q=http");
    browser.wait_for_text("#results", "harbor");
    browser.back();
    browser.wait_for_path("/crates/money");
    browser.open("/search?q=nothing-like-it");
    browser.wait_for_text("#results", "Nothing found.");
    // What comes while somebody types has its copy button as well.
    browser.open("/search");
    browser.type_into("#q", "nothing-like-it");
    browser.wait_for_text("#results .notice", "cargo publish --registry supercargo");
    assert!(browser.holds("!document.querySelector('#results button.copy').hidden"));
}

#[test]
fn a_list_is_sorted_narrowed_and_turned() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.open("/search?sort=alpha");
    let first = browser.texts(".crates .name");
    assert_eq!((first.len(), &*first[0]), (20, "a-crate-with-the-longest-name-that-a-registry-lets-people-choose"));
    browser.click(".pager a[rel=next]");
    browser.wait_until_holds("location.search.includes('page=2')");
    assert!(!browser.texts(".crates .name").contains(&first[0]));
    browser.click("main summary");
    browser.type_into("#keyword", "http");
    browser.click(".filters button");
    browser.wait_for_text(".chips", "http");
    assert_eq!(browser.texts(".crates .name"), ["harbor", "pilot"]);
    browser.click(".chips a");
    browser.wait_for_text("#results .muted", "28 crates");
}
