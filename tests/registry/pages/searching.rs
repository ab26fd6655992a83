//! Searching and narrowing on pages.

use super::{Browser, page, said};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

fn keyworded(name: &str, keyword: &str, category: &str) -> Package {
    let lines = format!("keywords = [\"{keyword}\"]\ncategories = [\"{category}\"]\n");
    Package::new(name, "1.0.0")
        .manifest(&lines)
        .metadata("keywords", serde_json::json!([keyword]))
        .metadata("categories", serde_json::json!([category]))
}

/// Crates of ann and bob, with keywords and categories.
fn registry() -> TestRegistry {
    let registry = TestRegistry::new();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    ann.publish(&keyworded("alpha", "parser", "parsing")).good();
    ann.publish(&keyworded("beta", "network", "network-programming")).good();
    bob.publish(&keyworded("gamma", "parser", "parsing")).good();
    registry.run_jobs();
    registry
}

/// The crates of a list, in its order.
fn listed(html: &str) -> Vec<String> {
    let items = html.split("<li class=\"crate\">").skip(1);
    items
        .map(|item| item.split_once("class=\"name\" href=\"/crates/").unwrap().1.split('"').next().unwrap().to_owned())
        .collect()
}

#[test]
fn a_list_is_narrowed_by_owner_keyword_and_category_together() {
    let registry = registry();
    let found = |query: &str| listed(&page(&registry, &format!("/search?sort=alpha&{query}")));
    assert_eq!(found(""), ["alpha", "beta", "gamma"]);
    assert_eq!(found("owner=ann"), ["alpha", "beta"]);
    assert_eq!(found("keyword=parser"), ["alpha", "gamma"]);
    assert_eq!(found("keyword=parser&owner=ANN"), ["alpha"]);
    assert_eq!(found("keyword=parser&owner=bob&category=parsing"), ["gamma"]);
    assert_eq!(found("q=gamma&keyword=parser"), ["gamma"]);
    assert_eq!(found("category=network-programming&owner=bob"), [""; 0]);
    let html = page(&registry, "/search?keyword=parser&owner=ann");
    // Each condition can be removed by itself.
    assert!(html.contains("href=\"/search?sort=recent-downloads&amp;owner=ann\""), "{html}");
    let unknown = page(&registry, "/search?owner=team:nobody");
    assert!(unknown.contains("There is no user or team"), "{unknown}");
}

#[test]
fn a_fragment_has_the_results_alone() {
    let registry = registry();
    let mut browser = Browser::new(&registry);
    let fragment = browser.get("/search?q=alpha&fragment=1").good();
    assert_eq!(fragment.headers["cache-control"], "no-store");
    let html = fragment.text();
    assert!(html.starts_with("<h1 data-title=\"Search for alpha · supercargo\">") && !html.contains("<html"), "{html}");
    assert_eq!(listed(&html), ["alpha"]);
    let whole = browser.get("/search?q=alpha").good().text();
    assert!(whole.contains(&html), "{whole}");
    assert!(whole.contains("id=\"q\" type=\"search\" name=\"q\" value=\"alpha\""), "{whole}");
}

#[test]
fn what_is_not_found_says_how_to_publish_it() {
    let registry = registry();
    let html = page(&registry, "/search?q=zzzzzz");
    assert!(html.contains("Nothing found") && html.contains("cargo publish --registry supercargo"), "{html}");
}

#[test]
fn long_lists_have_pages() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for number in 0..23 {
        ann.publish(&Package::new(&format!("crate-{number:02}"), "1.0.0")).good();
    }
    registry.run_jobs();
    let first = page(&registry, "/search?sort=alpha");
    assert_eq!(listed(&first).len(), 20);
    assert!(first.contains("rel=\"next\" href=\"/search?sort=alpha&amp;page=2\""), "{first}");
    let second = page(&registry, "/search?sort=alpha&page=2");
    assert_eq!(listed(&second), ["crate-20", "crate-21", "crate-22"]);
    let refused = Browser::new(&registry).get("/search?page=x");
    assert_eq!(refused.status, 400);
    assert!(said(&refused.text()).contains("The query parameter `page` is `x`"), "{}", refused.text());
}

#[test]
fn keywords_and_categories_lead_to_their_crates() {
    let registry = registry();
    let keywords = page(&registry, "/keywords");
    assert!(keywords.contains("href=\"/search?keyword=parser\">") && keywords.contains("2 crates"), "{keywords}");
    let categories = page(&registry, "/categories");
    assert!(categories.contains("href=\"/search?category=parsing\">"), "{categories}");
}
