//! The page of a crate.

use axum::http::StatusCode;
use serde_json::json;

use super::{Browser, page, with_readme};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

#[test]
fn it_shows_the_readme_the_facts_and_how_to_use_the_crate() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let rest = "rust-version = \"1.70\"\nrepository = \"https://a.example/foo\"\nhomepage = \"http://a.example\"\n";
    let package =
        with_readme("foo", "1.0.0", "# Hello\n\n[file](src/lib.rs) ![logo](logo.png) ![far](https://b.example/c.png)");
    let package = package
        .manifest(rest)
        .metadata("rust_version", "1.70".into())
        .metadata("repository", "https://a.example/foo".into())
        .metadata("homepage", "http://a.example".into())
        .file("logo.png", b"x");
    ann.publish(&package).good();
    registry.run_jobs();
    registry.count_downloads(&[("foo", "1.0.0", 3)]);
    let html = page(&registry, "/crates/foo");
    for shown in [
        "<h2 id=\"readme-hello\">Hello</h2>",
        "href=\"/crates/foo/1.0.0/source/src/lib.rs\"",
        "src=\"/crates/foo/1.0.0/raw/logo.png\"",
        "href=\"https://b.example/c.png\"",
        "cargo add --registry supercargo foo<",
        "foo = { version = &quot;1.0.0&quot;, registry = &quot;supercargo&quot; }",
        "pkg:cargo/foo@1.0.0?repository_url=http%3A%2F%2Fregistry.test",
        "1.70",
        "not encrypted",
        "href=\"/search?owner=ann\"",
        "aria-label=\"Downloads a day in the last ninety days: 3 in all, at most 3 a day\"",
        "MIT",
        "href=\"/crates/foo/feed.atom\"",
    ] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    assert!(!html.contains("src=\"https://"), "{html}");
    // What is kept is the same.
    assert_eq!(page(&registry, "/crates/foo"), html);
}

#[test]
fn one_of_something_is_in_the_singular() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    registry.count_downloads(&[("foo", "1.0.0", 1)]);
    let html = page(&registry, "/search?q=foo");
    assert!(html.contains("1 download<"), "{html}");
    let html = page(&registry, "/crates/foo");
    assert!(html.contains("<dt>Versions</dt><dd><a href=\"/crates/foo/versions\">1</a></dd>"), "{html}");
}

/// A package whose README links to a file that it has and to what only the repository has.
fn linking(version: &str, with_commit: bool) -> Package {
    let readme = "[lib](src/lib.rs) [all](src) [guide](docs/guide.md#x) ![logo](logo.png) [licence](../../LICENSE) \
                  ![picture](../../a.png) [back](../foo/src/lib.rs) [root](../..) [none](../../../x) [odd](a%0d%0ab)";
    let package = with_readme("foo", version, readme)
        .manifest("repository = \"https://github.com/o/r\"\n")
        .metadata("repository", "https://github.com/o/r".into());
    let vcs = json!({ "git": { "sha1": "0123456789abcdef0123456789abcdef01234567" }, "path_in_vcs": "crates/foo" });
    if with_commit { package.file(".cargo_vcs_info.json", vcs.to_string().as_bytes()) } else { package }
}

#[test]
fn links_of_a_readme_lead_to_the_repository_where_the_package_lacks_the_file() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&linking("1.0.0", true)).good();
    ann.publish(&linking("2.0.0", false)).good();
    registry.run_jobs();
    let html = page(&registry, "/crates/foo/1.0.0");
    let root = "https://github.com/o/r/blob/0123456789abcdef0123456789abcdef01234567";
    let there = format!("{root}/crates/foo");
    for shown in [
        "href=\"/crates/foo/1.0.0/source/src/lib.rs\"",
        "href=\"/crates/foo/1.0.0/source/src\"",
        &format!("href=\"{there}/docs/guide.md#x\""),
        &format!("class=\"image\" href=\"{there}/logo.png\""),
        &format!("href=\"{root}/LICENSE\""),
        &format!("class=\"image\" href=\"{root}/a.png\""),
        "href=\"/crates/foo/1.0.0/source/src/lib.rs\" rel=\"nofollow noopener\">back</a>",
        "href=\"https://github.com/o/r/tree/0123456789abcdef0123456789abcdef01234567\"",
        "<a rel=\"nofollow noopener\">none</a>",
        "<a rel=\"nofollow noopener\">odd</a>",
    ] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    assert!(!html.contains("src=\"https://"), "{html}");
    assert_eq!(page(&registry, "/crates/foo/1.0.0"), html);
    // Without a commit nothing says where the repository has the file.
    let html = page(&registry, "/crates/foo/2.0.0");
    assert!(html.contains("href=\"/crates/foo/2.0.0/source/docs/guide.md#x\""), "{html}");
    assert!(html.contains("<a rel=\"nofollow noopener\">licence</a>"), "{html}");
}

#[test]
fn a_yanked_a_queued_a_prerelease_and_an_older_version_say_so() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for version in ["1.0.0", "1.1.0", "2.0.0-rc.1"] {
        ann.publish(&Package::new("foo", version)).good();
    }
    registry.run_jobs();
    let older = page(&registry, "/crates/foo/1.0.0");
    assert!(
        older.contains("There is a newer version") && older.contains("cargo add --registry supercargo foo@=1.0.0"),
        "{older}"
    );
    let prerelease = page(&registry, "/crates/foo/2.0.0-rc.1");
    assert!(prerelease.contains("This is a pre-release"), "{prerelease}");
    ann.request(
        axum::http::Method::PATCH,
        "/api/v1/crates/foo/1.0.0",
        json!({"version": {"yanked": true, "yank_message": "Broken <b>"}}).to_string(),
    )
    .good();
    let pending = page(&registry, "/crates/foo/1.0.0");
    assert!(
        pending.contains("A yank was requested, and cargo does not see it yet.")
            && pending.contains("Broken &lt;b&gt;"),
        "{pending}"
    );
    registry.run_jobs();
    let yanked = page(&registry, "/crates/foo/1.0.0");
    assert!(yanked.contains("<strong>Yanked.</strong>") && yanked.contains("Broken &lt;b&gt;"), "{yanked}");
    assert!(yanked.contains("<dt>Published</dt>") && !yanked.contains("cargo add --registry"), "{yanked}");
    ann.publish(&Package::new("bar", "0.1.0")).good();
    let queued = page(&registry, "/crates/bar");
    assert!(
        queued.contains("<strong>Queued.</strong>")
            && queued.contains("/crates/bar/0.1.0/status\">Follow its status</a>"),
        "{queued}"
    );
    assert!(queued.contains("<dt>Accepted</dt>") && queued.contains(", not in the index yet"), "{queued}");
    assert!(!queued.contains("Published") && !queued.contains("cargo add --registry"), "{queued}");
    assert!(queued.contains("cargo finds this version as soon as it is in the index"), "{queued}");
    registry.run_jobs();
    let shown = page(&registry, "/crates/bar");
    assert!(!shown.contains("Queued.") && !shown.contains("not in the index yet"), "{shown}");
    assert!(shown.contains("<dt>Published</dt>") && shown.contains("cargo add --registry supercargo bar"), "{shown}");
}

#[test]
fn features_dependencies_and_dependents_lead_to_their_crates() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("base", "1.0.0")).good();
    let dependency = |name: &str, registry: serde_json::Value| json!({"name": name, "version_req": "^1", "features": ["x"], "optional": true, "default_features": false, "target": "cfg(unix)", "kind": "normal", "registry": registry, "explicit_name_in_toml": null});
    let here = "registry-index = \"sparse+http://registry.test/index/\", ";
    let lines = format!(
        "\n[features]\ndefault = [\"std\"]\nstd = []\n\
         [target.'cfg(unix)'.dependencies]\nbase = {{ version = \"^1\", {here}features = [\"x\"], optional = true, default-features = false }}\n\
         serde = {{ version = \"^1\", features = [\"x\"], optional = true, default-features = false }}\n"
    );
    let package = Package::new("top", "1.0.0")
        .manifest(&lines)
        .metadata("features", json!({"default": ["std"], "std": []}))
        .metadata(
            "deps",
            json!([
                dependency("base", serde_json::Value::Null),
                dependency("serde", "https://github.com/rust-lang/crates.io-index".into())
            ]),
        );
    ann.publish(&package).good();
    registry.run_jobs();
    for path in ["/crates/top", "/crates/top/1.0.0/dependencies"] {
        let html = page(&registry, path);
        assert!(
            html.contains("href=\"/crates/base\"") && html.contains("href=\"https://crates.io/crates/serde\""),
            "{path}: {html}"
        );
        assert!(html.contains("cfg(unix)") && html.contains("without default"), "{path}: {html}");
    }
    for path in ["/crates/top", "/crates/top/1.0.0/features"] {
        let html = page(&registry, path);
        assert!(html.contains("What each feature enables") && html.contains("optional dependency"), "{path}: {html}");
    }
    for path in ["/crates/base", "/crates/base/dependents"] {
        let html = page(&registry, path);
        assert!(html.contains("href=\"/crates/top\""), "{path}: {html}");
    }
}

#[test]
fn the_log_of_changes_and_the_token_s_name_are_for_owners_and_admins() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let seen = |token: Option<String>| {
        let mut browser = Browser::new(&registry);
        if let Some(token) = token {
            assert_eq!(browser.sign_in(&token).status, StatusCode::SEE_OTHER);
        }
        let html = browser.get("/crates/foo").good().text();
        (html.contains("Log of changes"), html.contains("with the token"))
    };
    assert_eq!(seen(None), (false, false));
    assert_eq!(seen(registry.user("bob").token), (false, false));
    assert_eq!(seen(ann.token.clone()), (true, true));
    assert_eq!(seen(registry.admin("root").token), (true, true));
}

#[test]
fn another_spelling_leads_to_the_crate() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo-bar", "1.0.0")).good();
    registry.run_jobs();
    let moved = Browser::new(&registry).get("/crates/Foo_Bar");
    assert_eq!(
        (moved.status, &moved.headers["location"]),
        (StatusCode::MOVED_PERMANENTLY, &"/crates/foo-bar".parse().unwrap())
    );
    let moved = Browser::new(&registry).get("/crates/foo_bar/1.0.0");
    assert_eq!(moved.headers["location"], "/crates/foo-bar/1.0.0");
}
