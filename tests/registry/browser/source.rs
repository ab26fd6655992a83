//! Source files and their lines.

use serde_json::json;
use thirtyfour::Key;

use super::Browser;
use super::site::Site;

const FILE: &str = "/crates/harbor/1.2.0/source/src/client.rs";

/// The numbers of the lines that stand out.
fn chosen(browser: &Browser) -> Vec<String> {
    let marked = "return [...document.querySelectorAll('pre.source .chosen')].map((one) => one.id)";
    serde_json::from_value(browser.script(marked, [])).unwrap()
}

#[test]
fn a_line_and_a_range_of_lines_have_links() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.open(FILE);
    browser.click("#L9 > a");
    browser.wait_for_path(&format!("{FILE}#L9"));
    assert_eq!(chosen(&browser), ["L9"]);
    let background = |line: &str| {
        browser.script("return getComputedStyle(document.getElementById(arguments[0])).backgroundColor", [json!(line)])
    };
    assert_ne!(background("L9"), background("L10"));
    let end = browser.find("#L12 > a");
    browser.run(async {
        let chain = browser.session().action_chain();
        chain.key_down(Key::Shift).click_element(&end).key_up(Key::Shift).perform().await
    });
    browser.wait_for_path(&format!("{FILE}#L9-L12"));
    assert_eq!(chosen(&browser), ["L9", "L10", "L11", "L12"]);
    browser.reload();
    browser.wait_until_holds("document.querySelectorAll('pre.source .chosen').length === 4");
    // The link to a line far below shows it.
    browser.open("/crates/harbor/1.2.0/source/src/reasons.rs#L2000-L2010");
    browser.wait_until_holds(
        "(() => { const line = document.getElementById('L2000').getBoundingClientRect(); \
         return line.top >= 0 && line.bottom <= innerHeight })()",
    );
    assert_eq!(chosen(&browser).len(), 11);
}

#[test]
fn files_are_found_by_the_tree_and_read_by_keyboard() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.open("/crates/harbor/1.2.0/source");
    browser.click("table.files a[href$='/source/src']");
    browser.wait_for_path("/crates/harbor/1.2.0/source/src");
    browser.click("table.files a[href$='/src/reasons.rs']");
    browser.wait_for_path("/crates/harbor/1.2.0/source/src/reasons.rs");
    browser.click(".tree a[href$='/src/client.rs']");
    browser.wait_for_path(FILE);
    assert_eq!(browser.texts(".tree [aria-current]"), ["client.rs"]);
    // Lines that are too long are scrolled to by keys.
    browser.look(super::Look { width: super::NARROW, is_dark: false });
    browser.script("document.querySelector('pre.source').focus()", []);
    browser.press(Key::Right + Key::Right);
    browser.wait_until_holds("document.querySelector('pre.source').scrollLeft > 0");
    browser.click(".crumbs a[href$='/source/src']");
    browser.wait_for_path("/crates/harbor/1.2.0/source/src");
}
