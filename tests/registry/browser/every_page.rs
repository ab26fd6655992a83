//! What holds on every page. Each page is also photographed: into `target/browser/screenshots`, or where the variable
//! `BROWSER_SCREENSHOTS` leads.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::places::{Place, visit_all};
use super::site::Site;
use super::{Browser, Look, NARROW, WIDE};

/// What script/setup fetched: its version and its hash.
const AXE: &str = include_str!("../../../script/axe-core.pin");

/// axe-core, which finds what keeps people from using a page.
fn axe() -> String {
    let version = AXE.split(' ').next().unwrap();
    let path = target().join("axe-core").join(version).join("axe.min.js");
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: fetch axe-core with script/setup --test", path.display()))
}

/// The directory in which cargo builds.
fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

/// Where screenshots go.
fn screenshots() -> PathBuf {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        let asked = std::env::var_os("BROWSER_SCREENSHOTS").map(PathBuf::from);
        let directory = asked.unwrap_or_else(|| target().join("browser/screenshots"));
        std::fs::create_dir_all(&directory).unwrap();
        println!("screenshots: {}", directory.display());
        directory
    });
    DIRECTORY.clone()
}

/// The violations on the page as it looks now, one line for each element. With `colours`, only those of colours.
fn violations(browser: &Browser, colours: bool) -> Vec<String> {
    // Styles are read as the browser has them: axe would load them once more.
    let mut options = json!({"resultTypes": ["violations"], "preload": false});
    if colours {
        options["runOnly"] = json!(["color-contrast", "link-in-text-block"]);
    }
    let found = browser.script("return axe.run(document, arguments[0])", [options]);
    let least = if colours { 1 } else { 10 };
    let passes = found["passes"].as_array().map_or(0, Vec::len);
    assert!(passes >= least, "axe looked at nothing: {found}");
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut lines = Vec::new();
    for violation in found["violations"].as_array().unwrap() {
        for node in violation["nodes"].as_array().unwrap() {
            let why = text(&node["failureSummary"]).replace('\n', " ");
            lines.push(format!("{}: {} {}: {why}", text(&violation["id"]), node["target"], text(&node["html"])));
        }
    }
    lines
}

/// Looks at every page with these widths in both colours, and answers what axe finds.
fn looked_at(width: u32) -> Vec<String> {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    let (axe, directory) = (axe(), screenshots());
    let write = |name: String, picture: &[u8]| std::fs::write(directory.join(name), picture).unwrap();
    let mut found = Vec::new();
    visit_all(&site, &browser, |place| {
        browser.script(&axe, []);
        for is_dark in [false, true] {
            browser.look(Look { width, is_dark });
            let (size, colours) =
                (if width == WIDE { "wide" } else { "narrow" }, if is_dark { "dark" } else { "light" });
            // The other rules do not depend on colours.
            for line in violations(&browser, is_dark) {
                found.push(format!("{} {size} {colours}: {line}", place.path));
            }
            write(format!("{}-{size}-{colours}.png", place.name), &browser.screenshot());
            // What README shows: the upper part.
            if (width, is_dark) == (WIDE, false) && matches!(place.name, "crate" | "diff") {
                let clip = json!({"x": 0, "y": 0, "width": WIDE, "height": 900, "scale": 1});
                write(format!("readme-{}.png", place.name), &browser.screenshot_of(clip));
            }
        }
    });
    found
}

#[test]
fn on_a_wide_screen_axe_finds_no_violation() {
    let found = looked_at(WIDE);
    assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
}

#[test]
fn on_a_narrow_screen_axe_finds_no_violation() {
    let found = looked_at(NARROW);
    assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
}

/// What reaches beyond the width of the page; empty if the page does not scroll sideways. Elements that scroll by themselves
/// may hold longer lines.
const TOO_WIDE: &str = "
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const scrolls = (one) => one && (getComputedStyle(one).overflowX !== 'visible' || scrolls(one.parentElement));
    return [...document.body.querySelectorAll('*')]
        .filter((one) => one.getBoundingClientRect().right > width + 0.5 && !scrolls(one.parentElement))
        .map((one) => one.outerHTML.slice(0, 160));";

#[test]
fn no_page_is_wider_than_the_screen() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    let mut found = Vec::new();
    visit_all(&site, &browser, |place| {
        for width in [320, NARROW, 768, WIDE] {
            browser.look(Look { width, is_dark: false });
            for element in browser.script(TOO_WIDE, []).as_array().unwrap() {
                found.push(format!("{} at {width}: {element}", place.path));
            }
        }
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_page_has_an_error_or_asks_another_host() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.requests();
    let (mut said, mut asked) = (Vec::new(), Vec::new());
    visit_all(&site, &browser, |place| {
        // Lazy images are loaded when they are seen.
        browser.script("scrollTo(0, document.documentElement.scrollHeight)", []);
        let lines = browser.console().into_iter();
        said.extend(lines.filter(|line| !line.starts_with("DEBUG:") && !is_the_page_itself(place, line)));
        let requests = browser.requests();
        let path = place.path.split('#').next().unwrap();
        assert!(requests.iter().any(|url| url.ends_with(path)), "{}: {requests:?}", place.path);
        asked.extend(requests);
    });
    assert!(said.is_empty(), "{}", said.join("\n"));
    let elsewhere: Vec<_> = asked.iter().filter(|url| !url.starts_with(&format!("{}/", site.served.url))).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
    for kind in ["/assets/style-", "/assets/script-", "/assets/icon-", "/raw/assets/harbor.svg"] {
        assert!(asked.iter().any(|url| url.contains(kind)), "{kind}: {asked:?}");
    }
}

/// Chromium's console has each answer that is an error, the page's own included.
fn is_the_page_itself(place: &Place, line: &str) -> bool {
    place.status != 200
        && line.contains(&format!(
            "{} - Failed to load resource: the server responded with a status of {}",
            place.path, place.status
        ))
}
