//! The pages in a real browser: Debian's chromium, driven by chromedriver.
//!
//! | file | content |
//! |---|---|
//! | [`driver`] | starts chromedriver and the browser |
//! | [`site`], [`site_text`] | a registry with crates of all kinds, served by a process of its own; what they say |
//! | [`places`] | every page, as a list |
//! | [`every_page`] | what holds on every page: accessibility, width, console, requests; takes the screenshots |
//!
//! The other files are one for each theme.

mod crate_page;
mod diff;
mod docs;
mod driver;
mod every_page;
mod keyboard;
mod live;
mod places;
mod search;
mod sessions;
mod sign_in;
mod site;
mod site_text;
mod source;
mod without_script;

use std::future::Future;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use thirtyfour::error::{WebDriverError, WebDriverErrorInner, WebDriverResult};
use thirtyfour::{By, WebDriver, WebElement};
use tokio::runtime::{Builder, Runtime};

use self::driver::Driver;
use crate::support::event::{wait_for, wait_until};

/// How a page is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub width: u32,
    pub is_dark: bool,
}

/// The widths of screenshots: a desktop's window, and a phone.
pub const WIDE: u32 = 1280;
pub const NARROW: u32 = 390;

/// Fonts that look the same on every machine that has Debian's fonts-liberation.
const FONTS: &str = r#"<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<dir>/usr/share/fonts</dir><cachedir>/var/cache/fontconfig</cachedir>
<alias binding="same"><family>system-ui</family><prefer><family>Liberation Sans</family></prefer></alias>
<alias binding="same"><family>sans-serif</family><prefer><family>Liberation Sans</family></prefer></alias>
<alias binding="same"><family>monospace</family><prefer><family>Liberation Mono</family></prefer></alias>
</fontconfig>"#;

/// A browser that looks at one registry. Everything waits for what it needs, and fails if that does not come.
pub struct Browser {
    /// None while it is dropped.
    session: Option<WebDriver>,
    runtime: Runtime,
    /// The URL of the registry, without a slash at its end.
    pub url: String,
    _driver: Driver,
    _home: tempfile::TempDir,
}

impl Browser {
    /// Opens one. Pages are wide and light.
    pub fn start(url: &str) -> Self {
        Self::open_one(url, true)
    }

    /// One whose user has switched JavaScript off.
    pub fn start_without_script(url: &str) -> Self {
        Self::open_one(url, false)
    }

    fn open_one(url: &str, has_script: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let fonts = home.path().join(".config/fontconfig");
        std::fs::create_dir_all(&fonts).unwrap();
        std::fs::write(fonts.join("fonts.conf"), FONTS).unwrap();
        let driver = Driver::start(home.path());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let session = runtime.block_on(driver.browser(home.path(), has_script));
        let session = session
            .unwrap_or_else(|error| panic!("chromium does not start ({error}): install it with script/setup --test"));
        let browser = Self { session: Some(session), runtime, url: url.to_owned(), _driver: driver, _home: home };
        browser.look(Look { width: WIDE, is_dark: false });
        browser
    }

    fn session(&self) -> &WebDriver {
        self.session.as_ref().expect("it is open until it is dropped")
    }

    fn run<T>(&self, future: impl Future<Output = WebDriverResult<T>>) -> T {
        self.runtime.block_on(future).unwrap()
    }

    /// Goes to a path of the registry, and waits until the page is loaded.
    pub fn open(&self, path: &str) {
        self.run(self.session().goto(format!("{}{path}", self.url)));
    }

    pub fn back(&self) {
        self.run(self.session().back());
    }

    pub fn reload(&self) {
        self.run(self.session().refresh());
    }

    /// Path, query and fragment of the page.
    pub fn path(&self) -> String {
        let url = self.run(self.session().current_url()).to_string();
        url.strip_prefix(&self.url).unwrap_or(&url).to_owned()
    }

    pub fn title(&self) -> String {
        self.run(self.session().title())
    }

    pub fn wait_for_path(&self, path: &str) {
        wait_until(&format!("{path}, from {}", self.path()), || self.path() == path);
    }

    /// The first element that a selector finds, which may come yet.
    pub fn find(&self, css: &str) -> WebElement {
        wait_for(css, || self.find_now(css))
    }

    pub fn find_now(&self, css: &str) -> Option<WebElement> {
        self.run(self.session().find_all(By::Css(css))).into_iter().next()
    }

    pub fn has(&self, css: &str) -> bool {
        self.find_now(css).is_some()
    }

    /// Clicks where the element is seen.
    pub fn click(&self, css: &str) {
        self.run(self.find(css).click());
    }

    /// The text of an element, as it is seen. The next page may take the place of this one between the search and the reading.
    pub fn text(&self, css: &str) -> String {
        let seen = || self.runtime.block_on(async { self.session().find(By::Css(css)).await?.text().await });
        wait_for(css, || match seen() {
            Ok(text) => Some(text),
            Err(error) if is_gone(&error) => None,
            Err(error) => panic!("the text of {css}: {error}"),
        })
    }

    pub fn texts(&self, css: &str) -> Vec<String> {
        self.run(self.session().find_all(By::Css(css))).iter().map(|one| self.run(one.text())).collect()
    }

    pub fn wait_for_text(&self, css: &str, text: &str) {
        wait_until(&format!("{text} in {css}"), || self.text(css).contains(text));
    }

    /// Types into a field after what is in it.
    pub fn type_into(&self, css: &str, text: &str) {
        self.run(self.find(css).send_keys(text));
    }

    /// Presses keys wherever the focus is.
    pub fn press(&self, keys: impl Into<thirtyfour::TypingData>) {
        self.run(
            self.session()
                .action_chain_with_delay(Some(Duration::ZERO), Some(Duration::ZERO))
                .send_keys(keys)
                .perform(),
        );
    }

    /// Runs a script on the page, beside the page's own, and answers what it returns. The page's policy does not stop it.
    pub fn script(&self, script: &str, arguments: impl Into<Vec<Value>>) -> Value {
        self.run(async { Ok(self.session().execute(script, arguments.into()).await?.json().clone()) })
    }

    /// Whether an expression of JavaScript holds on the page.
    pub fn holds(&self, expression: &str) -> bool {
        self.script(&format!("return !!({expression})"), []) == json!(true)
    }

    pub fn wait_until_holds(&self, expression: &str) {
        wait_until(expression, || self.holds(expression));
    }

    /// A command of the Chrome DevTools Protocol.
    pub fn command(&self, method: &str, parameters: Value) -> Value {
        self.run(async { self.session().cdp().send_raw(method, parameters).await })
    }

    /// Sets the width of the page and its colours.
    pub fn look(&self, look: Look) {
        let size = json!({"width": look.width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.command("Emulation.setDeviceMetricsOverride", size);
        let scheme = if look.is_dark { "dark" } else { "light" };
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// The page in its full height, as a PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        let size = self.script("const all = document.documentElement; return [all.clientWidth, all.scrollHeight]", []);
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1});
        self.screenshot_of(clip)
    }

    pub fn screenshot_of(&self, clip: Value) -> Vec<u8> {
        let wanted = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let taken = self.command("Page.captureScreenshot", wanted);
        BASE64_STANDARD.decode(taken["data"].as_str().unwrap()).unwrap()
    }

    /// What the console has got since it was read last.
    pub fn console(&self) -> Vec<String> {
        let entries = self.run(self.session().browser_log());
        entries.into_iter().map(|entry| format!("{}: {}", entry.level, entry.message)).collect()
    }

    /// The URLs that were requested since they were read last.
    pub fn requests(&self) -> Vec<String> {
        let entries = self.run(self.session().get_log("performance"));
        let events = entries.iter().map(|entry| serde_json::from_str::<Value>(&entry.message).unwrap());
        let requests = events.filter(|event| event["message"]["method"] == "Network.requestWillBeSent");
        requests.map(|event| event["message"]["params"]["request"]["url"].as_str().unwrap().to_owned()).collect()
    }

    fn submit_token(&self, token: &str) {
        // The form is folded if there are other ways to sign in.
        if self.has("details:not([open]) #token") {
            self.click("details:has(#token) summary");
        }
        self.type_into("#token", token);
        self.click("form:has(#token) button[type=submit]");
    }

    /// Signs in by the form, and waits until that has led to a path that begins like this.
    pub fn sign_in_from(&self, token: &str, beginning: &str) {
        self.submit_token(token);
        wait_until(&format!("{beginning}, from {}", self.path()), || self.path().starts_with(beginning));
    }

    /// Signs in by the form, and stays where that leads.
    pub fn sign_in(&self, token: &str) {
        self.submit_token(token);
        // Another session may have been there before.
        wait_until("a session", || !self.path().starts_with("/sign-in") && self.has(".out button"));
    }
}

/// Whether what was looked for is not there, or no longer.
fn is_gone(error: &WebDriverError) -> bool {
    matches!(**error, WebDriverErrorInner::NoSuchElement(_) | WebDriverErrorInner::StaleElementReference(_))
}

impl Drop for Browser {
    fn drop(&mut self) {
        let session = self.session.take().expect("it is open until it is dropped");
        // A browser that does not end is killed with its driver.
        let _ = self.runtime.block_on(session.quit());
    }
}
