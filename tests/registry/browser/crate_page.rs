//! The page of a crate, and the buttons that copy.

use serde_json::json;

use super::Browser;
use super::site::Site;
use crate::support::event::wait_until;

fn clipboard(browser: &Browser) -> String {
    browser.script("return navigator.clipboard.readText()", []).as_str().unwrap().to_owned()
}

fn permit(browser: &Browser, name: &str, setting: &str) {
    let permission = json!({"origin": browser.url, "permission": {"name": name}, "setting": setting});
    browser.command("Browser.setPermission", permission);
}

/// Notes the texts of a button and of the status whenever something of the page changes.
const NOTE_TEXTS: &str = "
    const button = document.querySelector(`button[data-copy=${arguments[0]}]`);
    const status = document.querySelector('[role=status].aside');
    window.noted = [];
    const note = () => window.noted.push(`${button.textContent}, ${status.textContent}`);
    new MutationObserver(note).observe(document.body, { childList: true, characterData: true, subtree: true });";

#[test]
fn every_copy_button_copies_what_it_stands_beside() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    for name in ["clipboard-read", "clipboard-write"] {
        permit(&browser, name, "granted");
    }
    for (path, count, part) in [
        ("/", 4, "[registries.supercargo]"),
        ("/crates/harbor", 3, "cargo add --registry supercargo harbor"),
        ("/crates/harbor-cli", 1, "cargo install --locked --registry supercargo harbor-cli"),
        ("/me", 3, "cargo login"),
    ] {
        browser.open(path);
        browser.script("document.querySelectorAll('details').forEach((one) => { one.open = true })", []);
        let ids =
            browser.script("return [...document.querySelectorAll('button.copy')].map((one) => one.dataset.copy)", []);
        let ids: Vec<String> = serde_json::from_value(ids).unwrap();
        assert!(ids.len() >= count, "{path}: {ids:?}");
        let mut copied = String::new();
        for id in ids {
            // Both texts are there for two seconds, so they are noted as they appear.
            browser.script(NOTE_TEXTS, [json!(id)]);
            browser.click(&format!("button[data-copy={id}]"));
            wait_until("what is said", || browser.script("return noted.includes('Copied, Copied')", []) == true);
            let beside = browser.script("return document.getElementById(arguments[0]).textContent", [json!(id)]);
            assert_eq!(clipboard(&browser), beside, "{path} {id}");
            copied += beside.as_str().unwrap();
        }
        assert!(copied.contains(part), "{path}: {copied}");
    }
}

#[test]
fn a_button_that_may_not_copy_selects_the_text() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    permit(&browser, "clipboard-write", "denied");
    browser.open("/crates/harbor");
    let button = browser.script("return document.querySelector('button.copy').dataset.copy", []);
    browser.click("button.copy");
    browser.wait_for_text("button.copy", "Press Ctrl+C");
    let beside = browser.script("return document.getElementById(arguments[0]).textContent", [button]);
    assert_eq!(browser.script("return getSelection().toString()", []), beside);
}

#[test]
fn the_readme_shows_packaged_images_and_links_to_others() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.open("/crates/harbor");
    browser.wait_until_holds("document.querySelector('.readme img[src*=\"/raw/assets/harbor.svg\"]').naturalWidth > 0");
    assert!(browser.has(".readme a[href='https://badges.example/coverage.svg']"));
    assert!(!browser.has("img[src^='http']"));
    // Hidden lines of examples stay hidden, and code has its colours.
    assert!(!browser.text(".readme pre").contains("fn main"));
    assert!(browser.holds("getComputedStyle(document.querySelector('.readme pre .k')).color !== getComputedStyle(document.querySelector('.readme pre')).color"));
}

#[test]
fn the_pages_of_a_crate_lead_to_each_other() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.open("/crates/Harbor");
    browser.wait_for_path("/crates/harbor");
    for (tab, path, part) in [
        ("Versions", "/crates/harbor/versions", "5 versions"),
        ("Dependencies", "/crates/harbor/1.2.0/dependencies", "harbor-macros"),
        ("Features", "/crates/harbor/1.2.0/features", "compression"),
        ("Dependents", "/crates/harbor/dependents", "harbor-cli"),
        ("Source", "/crates/harbor/1.2.0/source", "Cargo.toml.orig"),
        ("Overview", "/crates/harbor", "What is retried"),
    ] {
        browser.run(async { browser.session().find(thirtyfour::By::LinkText(tab)).await?.click().await });
        browser.wait_for_path(path);
        assert!(browser.text("main").contains(part), "{path}: {}", browser.text("main"));
        assert_eq!(browser.texts(".tabs [aria-current]"), [tab]);
    }
    // The plot can be read as a table.
    browser.click("main details summary");
    browser.wait_until_holds("document.querySelector('main details table').checkVisibility()");
    assert!(browser.text("main details table caption").contains("Downloads by version"));
}
