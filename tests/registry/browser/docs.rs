//! Documentation as `cargo doc` writes it, in its sandbox.

use std::process::Command;

use serde_json::json;

use super::Browser;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, succeeded};

/// A registry in which `foo` has documentation, and the token of its owner.
fn documented(arguments: &[&str]) -> (Served, String) {
    let served = Served::start(arguments);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::create_dir_all(at.join("src")).unwrap();
    std::fs::write(at.join("Cargo.toml"), "[package]\nname = \"foo\"\nversion = \"1.0.0\"\n[workspace]\n").unwrap();
    // What rustdoc lets an author write, and what a page may try with it.
    let code = "//! Of foo. <script>window.ran = true</script>\n\n/// A boat.\npub struct Boat;\n";
    std::fs::write(at.join("src/lib.rs"), code).unwrap();
    let mut cargo = Command::new("cargo");
    cargo.args(["doc", "--no-deps", "--offline"]).current_dir(at).env("CARGO_TARGET_DIR", at.join("target"));
    succeeded(cargo.output().unwrap());
    let mut zip = std::io::Cursor::new(Vec::new());
    supercargo::docs_archive::pack(&at.join("target/doc"), &mut zip, |_, _| {}).unwrap();
    let url = format!("{}/api/v1/crates/foo/1.0.0/docs", served.url);
    http::put_bytes_as(&url, &token, &zip.into_inner()).good();
    (served, token)
}

/// What a script of the page gets of a path with all that it can send along.
fn fetched(browser: &Browser, path: &str) -> String {
    let script = "return fetch(arguments[0], { credentials: 'include' }) \
                  .then((answer) => answer.text().then((text) => `${answer.status} ${text}`)).catch(() => 'refused')";
    browser.script(script, [json!(path)]).as_str().unwrap().to_owned()
}

fn assert_search_works(browser: &Browser) {
    browser.wait_until_holds(
        "[...document.querySelectorAll('.search-results a')].some((result) => result.textContent.includes('Boat'))",
    );
}

#[test]
fn documentation_works_in_its_sandbox_and_its_scripts_have_no_session() {
    let (served, token) = documented(&[]);
    let browser = Browser::start(&served.url);
    browser.open("/sign-in");
    browser.sign_in(&token);
    browser.open("/crates/foo");
    browser.click("a[href='/docs/foo/1.0.0/']");
    browser.wait_for_path("/docs/foo/1.0.0/foo/");
    browser.wait_until_holds("window.ran === true");
    assert_eq!(browser.script("return self.origin", []), "null");
    let cookie = "try { return document.cookie } catch (error) { return error.name }";
    assert_eq!(browser.script(cookie, []), "SecurityError");
    assert_eq!(
        browser.script("try { return localStorage.length } catch (error) { return error.name }", []),
        "SecurityError"
    );
    // The style and the fonts of rustdoc are there.
    browser.wait_until_holds("getComputedStyle(document.body).fontFamily.includes('Source Serif')");
    let fonts = "return document.fonts.load('16px \"Source Serif 4\"').then((fonts) => fonts.length)";
    assert_eq!(browser.script(fonts, []), 1);
    for (path, secret) in [("/me", "Sign out"), ("/api/v1/me", "\"login\"")] {
        let found = fetched(&browser, path);
        assert!(!found.contains(secret) && !found.starts_with("200 "), "{path}: {found}");
    }
    browser.open("/docs/foo/1.0.0/foo/?search=Boat");
    assert_search_works(&browser);
    browser.open("/docs/foo/1.0.0/foo/");
    browser.click("a.struct[href='struct.Boat.html']");
    browser.wait_for_path("/docs/foo/1.0.0/foo/struct.Boat.html");
    // Where scripts are the registry's own, the session is still there.
    browser.open("/me");
    assert!(fetched(&browser, "/me").contains("Sign out"));
}

#[test]
fn documentation_of_a_private_registry_works_by_its_grant() {
    let (served, token) = documented(&["--auth-required"]);
    let browser = Browser::start(&served.url);
    browser.open("/docs/foo/latest/");
    browser.sign_in_from(&token, "/docs/~");
    browser.wait_until_holds("location.pathname.endsWith('/foo/latest/foo/')");
    browser.wait_until_holds("window.ran === true && document.readyState === 'complete'");
    browser.click("a.struct[href='struct.Boat.html']");
    browser.wait_until_holds("/^\\/docs\\/~[^/]+\\/foo\\/latest\\/foo\\/struct.Boat.html$/.test(location.pathname)");
    let here = browser.path();
    browser.open(&here.replace("struct.Boat.html", "?search=Boat"));
    assert_search_works(&browser);
    assert!(!fetched(&browser, "/docs/foo/latest/search.js").starts_with("200 "));
    // A path whose grant has ended leads to the registry, which knows the session, and back.
    browser.open("/docs/~0-AAAA/foo/latest/foo/index.html");
    browser.wait_until_holds(
        "location.pathname.endsWith('/foo/latest/foo/index.html') && !location.pathname.includes('~0-')",
    );
}
