//! Documentation of private registries: by a token, or by a grant for one crate.

use super::{get, header, location, sample, upload, with_foo};
use crate::pages::Browser;
use crate::support::harness::TestRegistry;

fn private(url: Option<&str>) -> TestRegistry {
    TestRegistry::with(|settings| {
        settings.auth_required = true;
        settings.docs.url = url.map(str::to_owned);
    })
}

const HTML: (&str, &str) = ("accept", "text/html");

#[test]
fn a_program_reads_with_a_token_and_nobody_without() {
    let registry = private(None);
    let ann = with_foo(&registry);
    upload(&ann, "1.0.0", sample("one")).good();
    let page = ann.get("/docs/foo/1.0.0/foo/").good();
    assert_eq!(header(&page, "cache-control"), "private, no-cache");
    assert!(page.headers.get("link").is_none());
    for path in ["/docs/foo/1.0.0/foo/", "/docs/bar/1.0.0/", "/docs/foo/latest/search-index.js"] {
        assert_eq!(get(&registry.anonymous(), path, &[]).status, 401, "{path}");
        let asked = get(&registry.anonymous(), path, &[HTML]);
        assert!(asked.status == 303 && header(&asked, "location").starts_with("/sign-in?to="), "{path}");
    }
}

#[test]
fn a_session_gets_a_grant_in_the_path_that_is_good_for_this_crate_alone() {
    let registry = private(None);
    let ann = with_foo(&registry);
    upload(&ann, "1.0.0", sample("one")).good();
    let mut browser = Browser::new(&registry);
    browser.sign_in(ann.token.as_ref().unwrap());
    let granted = browser.get("/docs/foo/1.0.0/foo/");
    let granted = location(&granted).to_owned();
    assert!(granted.starts_with("/docs/~") && granted.ends_with("/foo/1.0.0/foo/"), "{granted}");
    // A sandbox sends no cookie.
    let anyone = registry.anonymous();
    let page = get(&anyone, &granted, &[HTML]).good();
    assert!(page.text().contains("oneone"));
    assert_eq!(header(&page, "content-security-policy"), "sandbox allow-scripts");
    assert_eq!(header(&page, "cache-control"), "private, no-cache");
    let grant = granted.split('/').nth(2).unwrap();
    get(&anyone, &format!("/docs/{grant}/foo/latest/search-index.js"), &[]).good();
    // The redirects keep it.
    assert_eq!(
        location(&get(&anyone, &format!("/docs/{grant}/FOO/1.0.0/"), &[])),
        format!("/docs/{grant}/FOO/1.0.0/foo/").replace("FOO/1.0.0/foo/", "foo/1.0.0/")
    );
    // It is for nothing else.
    for path in [
        format!("/docs/{grant}/bar/1.0.0/"),
        format!("/docs/{grant}x/foo/1.0.0/foo/"),
        "/docs/~0-AAAA/foo/1.0.0/foo/".to_owned(),
    ] {
        assert_eq!(get(&anyone, &path, &[]).status, 403, "{path}");
        let again = get(&anyone, &path, &[HTML]);
        assert!(
            location(&again).starts_with("http://registry.test/docs/") && !location(&again).contains('~'),
            "{path}"
        );
    }
    assert_eq!(get(&anyone, &format!("/crates/{grant}/foo"), &[]).status, 401);
}

#[test]
fn a_host_of_its_own_sends_people_to_the_registry_and_takes_their_grant() {
    let registry = private(Some("https://docs.test"));
    let ann = with_foo(&registry);
    upload(&ann, "1.0.0", sample("one")).good();
    let anyone = registry.anonymous();
    let on = |path: &str, headers: &[(&str, &str)]| get(&anyone, path, &[&[("host", "docs.test")], headers].concat());
    assert_eq!(location(&on("/foo/1.0.0/foo/", &[HTML])), "http://registry.test/docs/foo/1.0.0/foo/");
    assert_eq!(on("/foo/1.0.0/foo/", &[]).status, 401);
    let mut browser = Browser::new(&registry);
    browser.sign_in(ann.token.as_ref().unwrap());
    let granted = browser.get("/docs/foo/1.0.0/foo/");
    let granted = location(&granted).strip_prefix("https://docs.test").unwrap().to_owned();
    let page = on(&granted, &[HTML]).good();
    assert_eq!(header(&page, "content-security-policy"), "sandbox allow-scripts");
    let token = ann.token.as_ref().unwrap();
    on("/foo/1.0.0/foo/", &[("authorization", token)]).good();
    assert_eq!(on("/foo/1.0.0/foo/", &[("authorization", "sct_x")]).status, 403);
}
