//! What changed between two versions.

use super::Browser;
use super::site::Site;

const DIFF: &str = "/crates/harbor/diff/1.1.1...1.2.0";

#[test]
fn two_versions_are_chosen_from_the_list() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.open("/crates/harbor/versions");
    let button = "#compare button[type=submit]";
    assert!(browser.holds("document.querySelector('#compare button[type=submit]').disabled"));
    for version in ["1.0.0", "1.1.1", "1.2.0"] {
        browser.click(&format!("input[value='{version}']"));
    }
    // The third takes the place of one.
    let chosen = "return [...document.querySelectorAll('#compare input:checked')].map((one) => one.value)";
    let chosen: Vec<String> = serde_json::from_value(browser.script(chosen, [])).unwrap();
    assert_eq!(chosen, ["1.2.0", "1.0.0"]);
    browser.click("input[value='1.0.0']");
    assert!(browser.holds("document.querySelector('#compare button[type=submit]').disabled"));
    browser.click("input[value='1.1.1']");
    browser.click(button);
    browser.wait_for_path(DIFF);
    assert!(browser.text(".review").contains("tracing"), "{}", browser.text(".review"));
}

#[test]
fn lines_are_shown_below_each_other_and_side_by_side() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.open(DIFF);
    assert!(browser.has("table.diff tr.add mark") && !browser.has("table.diff.split"));
    browser.run(async { browser.session().find(thirtyfour::By::LinkText("Side by side")).await?.click().await });
    browser.wait_for_path(&format!("{DIFF}?view=split"));
    assert!(browser.has("table.diff.split td.del + td.n.add, table.diff.split td.del + td.add"));
    assert_eq!(browser.texts(".sorts [aria-current]"), ["Side by side"]);
    // The list of files leads to their changes.
    browser.click("table.files a[href='#f0']");
    browser.wait_for_path(&format!("{DIFF}?view=split#f0"));
}

#[test]
fn a_long_file_is_loaded_by_itself() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.open(DIFF);
    browser.script("window.isTheSamePage = true", []);
    let before = browser.texts(".file-diff h3");
    browser.click("a.load");
    browser.wait_until_holds("document.querySelectorAll('.file-diff tr.add').length > 2400");
    assert!(browser.holds("window.isTheSamePage") && browser.path() == DIFF);
    // The focus is on what came, and the outline of the page is the same.
    assert!(browser.holds("document.activeElement.matches('.file-diff h3') && document.activeElement.id"));
    assert_eq!(browser.texts(".file-diff h3"), before);
}
