//! Feeds, badges, the sitemap, and what search engines may read.

use axum::http::StatusCode;

use super::Browser;
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

fn with_foo(auth_required: bool) -> TestRegistry {
    let registry = TestRegistry::with(|settings| settings.auth_required = auth_required);
    let ann = registry.user("ann");
    for version in ["1.0.0", "1.1.0"] {
        ann.publish(&Package::new("foo", version).described("Does <things>")).good();
    }
    registry.run_jobs();
    registry
}

#[test]
fn feeds_name_what_is_new() {
    let registry = with_foo(false);
    let mut browser = Browser::new(&registry);
    let all = browser.get("/feeds/versions.atom").good();
    assert_eq!(all.headers["content-type"], "application/atom+xml; charset=utf-8");
    let text = all.text();
    assert!(
        text.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">"),
        "{text}"
    );
    let (newer, older) =
        (text.find("<title>foo 1.1.0</title>").unwrap(), text.find("<title>foo 1.0.0</title>").unwrap());
    assert!(newer < older, "{text}");
    assert!(
        text.contains("<id>http://registry.test/crates/foo/1.1.0</id>") && text.contains("<name>ann</name>"),
        "{text}"
    );
    assert!(text.contains("<summary>Does &lt;things&gt;</summary>"), "{text}");
    assert_eq!(browser.get("/feeds/crates.atom").good().text().matches("<entry>").count(), 1);
    assert_eq!(browser.get("/crates/foo/feed.atom").good().text().matches("<entry>").count(), 2);
    assert_eq!(browser.get("/crates/bar/feed.atom").status, StatusCode::NOT_FOUND);
}

#[test]
fn a_badge_shows_the_version_on_pages_of_other_hosts() {
    let registry = with_foo(false);
    let mut browser = Browser::new(&registry);
    let badge = browser.get("/badges/foo.svg").good();
    assert_eq!(badge.headers["content-type"], "image/svg+xml");
    assert_eq!(badge.headers["cross-origin-resource-policy"], "cross-origin");
    assert!(badge.text().contains(">v1.1.0</text>"), "{}", badge.text());
    let ann = registry.user("ann");
    for version in ["1.0.0", "1.1.0"] {
        ann.yank("foo", version).good();
    }
    registry.run_jobs();
    assert!(browser.get("/badges/foo.svg").good().text().contains(">yanked</text>"));
    assert_eq!(browser.get("/badges/bar.svg").status, StatusCode::NOT_FOUND);
}

#[test]
fn search_engines_find_the_crates_of_a_public_registry_alone() {
    let registry = with_foo(false);
    let mut browser = Browser::new(&registry);
    let robots = browser.get("/robots.txt").good().text();
    assert!(
        robots.contains("Disallow: /crates/*/*/source\n") && robots.contains("Disallow: /crates/*/diff\n"),
        "{robots}"
    );
    assert!(robots.contains("Sitemap: http://registry.test/sitemap.xml\n"), "{robots}");
    let sitemap = browser.get("/sitemap.xml").good().text();
    assert!(sitemap.contains("<loc>http://registry.test/crates/foo</loc>"), "{sitemap}");
    let description = browser.get("/opensearch.xml").good().text();
    assert!(description.contains("template=\"http://registry.test/search?q={searchTerms}\""), "{description}");

    drop(browser);
    // Two registries would wait for each other's users.
    drop(registry);
    let registry = with_foo(true);
    assert_eq!(Browser::new(&registry).get("/robots.txt").good().text(), "User-agent: *\nDisallow: /\n");
    let bob = registry.user("bob");
    assert_eq!(bob.get("/sitemap.xml").status, StatusCode::NOT_FOUND);
    // A feed reader sends its token.
    assert!(bob.get("/feeds/versions.atom").good().text().contains("foo 1.1.0"));
    assert_eq!(bob.get("/feeds/versions.atom").headers["cache-control"], "private, max-age=60");
}
