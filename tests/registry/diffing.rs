//! What changed from one version to another, as a page and as JSON.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

use crate::support::harness::TestRegistry;
use crate::support::package::Package;

const LIB: &str = "//! One.\n\npub fn one() -> u32 {\n    1\n}\n\npub fn two() -> u32 {\n    2\n}\n";

fn before() -> Package {
    Package::new("foo", "1.0.0")
        .file("src/old_name.rs", LIB.as_bytes())
        .file("README.md", b"# Foo\n")
        .file("gone.txt", b"a\nb\n")
}

fn after() -> Package {
    Package::new("foo", "1.1.0")
        .manifest("build = \"build.rs\"\n[features]\nextra = []\n")
        .metadata("features", json!({ "extra": [] }))
        .file("src/new_name.rs", LIB.replace("    2", "    unsafe { two_of() }").as_bytes())
        .file("README.md", b"# Foo <b>\n")
        .file("build.rs", b"fn main() {}\n")
        .file("tool.bin", b"\x7fELF\0")
}

fn registry() -> TestRegistry {
    let registry = TestRegistry::new();
    for package in [before(), after()] {
        registry.user("ann").publish(&package).good();
    }
    registry.run_jobs();
    registry
}

const PAGE: &str = "/crates/foo/diff/1.0.0...1.1.0";

#[test]
fn the_json_has_the_summary_and_the_files() {
    let registry = registry();
    let answer = registry.anonymous().get("/api/v1/crates/FOO/diff/1.0.0...1.1.0").good();
    insta::assert_snapshot!(serde_json::to_string_pretty(&answer.json()).unwrap(), @r#"
    {
      "diff": {
        "crate": "foo",
        "from": "1.0.0",
        "to": "1.1.0",
        "summary": {
          "manifest": {
            "dependencies_added": [],
            "dependencies_removed": [],
            "dependencies_changed": [],
            "features": [
              {
                "name": "extra",
                "before": null,
                "after": []
              }
            ],
            "fields": []
          },
          "manifest_error": null,
          "build_script": {
            "before": null,
            "after": "build.rs",
            "changed": false
          },
          "proc_macro": {
            "before": false,
            "after": false
          },
          "unsafe": [
            {
              "path": "src/new_name.rs",
              "before": 0,
              "after": 1
            }
          ],
          "files_not_searched": 0,
          "new_binary_files": [
            {
              "path": "tool.bin",
              "size": 5
            }
          ],
          "new_executable_files": []
        },
        "files": [
          {
            "path": "Cargo.toml",
            "status": "changed",
            "renamed_from": null,
            "similarity": null,
            "lines_added": 4,
            "lines_removed": 1,
            "size_before": 98,
            "size_after": 139,
            "binary": false
          },
          {
            "path": "README.md",
            "status": "changed",
            "renamed_from": null,
            "similarity": null,
            "lines_added": 1,
            "lines_removed": 1,
            "size_before": 6,
            "size_after": 10,
            "binary": false
          },
          {
            "path": "build.rs",
            "status": "added",
            "renamed_from": null,
            "similarity": null,
            "lines_added": 1,
            "lines_removed": 0,
            "size_before": null,
            "size_after": 13,
            "binary": false
          },
          {
            "path": "gone.txt",
            "status": "removed",
            "renamed_from": null,
            "similarity": null,
            "lines_added": 0,
            "lines_removed": 2,
            "size_before": 4,
            "size_after": null,
            "binary": false
          },
          {
            "path": "src/new_name.rs",
            "status": "renamed",
            "renamed_from": "src/old_name.rs",
            "similarity": 73,
            "lines_added": 1,
            "lines_removed": 1,
            "size_before": 71,
            "size_after": 89,
            "binary": false
          },
          {
            "path": "tool.bin",
            "status": "added",
            "renamed_from": null,
            "similarity": null,
            "lines_added": null,
            "lines_removed": null,
            "size_before": null,
            "size_after": 5,
            "binary": true
          }
        ],
        "changed_files": 6,
        "unchanged_files": 1,
        "lines_added": 7,
        "lines_removed": 5
      }
    }
    "#);
    assert_eq!(answer.headers["x-robots-tag"], "noindex, nofollow");
    let request =
        Request::get("/api/v1/crates/foo/diff/1.0.0...1.1.0").header("if-none-match", &answer.headers["etag"]);
    let again = registry.anonymous().send(request.body(Body::empty()).unwrap());
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let back = registry.anonymous().get("/api/v1/crates/foo/diff/1.1.0...1.0.0").good();
    assert_eq!(
        back.json()["diff"]["summary"]["unsafe"],
        json!([{ "path": "src/old_name.rs", "before": 1, "after": 0 }])
    );
    assert_ne!(back.headers["etag"], answer.headers["etag"]);
}

#[test]
fn the_page_shows_the_summary_and_each_file_in_both_views() {
    let registry = registry();
    let answer = registry.anonymous().get(PAGE).good();
    let page = answer.text();
    assert_eq!(answer.headers["x-robots-tag"], "noindex, nofollow");
    for expected in [
        "new: <code><bdi>build.rs</bdi></code>",
        "<bdi>tool.bin</bdi>",
        "<bdi>src/old_name.rs</bdi> → <bdi>src/new_name.rs</bdi>",
        "0 → 1 in 1 file",
        "<tr class=\"del\">",
        "&lt;b&gt;",
        "<mark>",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    assert!(!page.contains("<b>") && !page.contains("diff split"));
    let split = registry.anonymous().get(&format!("{PAGE}?view=split")).good().text();
    assert!(split.contains("<table class=\"diff split\">"), "{split}");
}

#[test]
fn one_file_is_a_page_and_a_fragment() {
    let registry = registry();
    let get = |query: &str| registry.anonymous().get(&format!("{PAGE}?{query}"));
    let page = get("file=src/new_name.rs").good().text();
    assert!(page.contains("<html") && page.contains("two_of") && !page.contains("tool.bin"), "{page}");
    assert!(get("file=src/old_name.rs").good().text().contains("two_of"), "by its former path");
    let fragment = get("file=README.md&fragment=1").good().text();
    assert!(fragment.starts_with("<section") && !fragment.contains("<html"), "{fragment}");
    assert!(get("file=tool.bin").good().text().contains("Binary file, 5 B"));
    for missing in ["file=nothing", "file=src/lib.rs", "file=../../etc/passwd", "file="] {
        assert_eq!(get(missing).status, StatusCode::NOT_FOUND, "{missing}");
    }
}

#[test]
fn versions_that_do_not_exist_are_named() {
    let registry = registry();
    for versions in [
        "1.0.0",
        "1.0.0...",
        "...1.0.0",
        "1.0.0..1.1.0",
        "1.0.0...9.0.0",
        "x...y",
        "1.0.0...1.1.0...1.1.0",
        "%00...%ff",
    ] {
        for base in ["/crates/foo/diff/", "/api/v1/crates/foo/diff/"] {
            let answer = registry.anonymous().get(&format!("{base}{versions}"));
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{base}{versions}: {}", answer.text());
        }
    }
    let same = registry.anonymous().get("/crates/foo/diff/1.0.0...1.0.0").good().text();
    assert!(same.contains("Nothing changed"), "{same}");
}

#[test]
fn what_is_too_long_for_the_page_is_a_link_to_a_page_of_its_own() {
    let registry = TestRegistry::new();
    let numbers = |from: u32| (from..from + 3000).map(|line| format!("{line}\n")).collect::<String>();
    let (one, other) = (numbers(0), numbers(10_000));
    let large = "x\n".repeat(800_000);
    registry
        .user("ann")
        .publish(&Package::new("foo", "1.0.0").file("long", one.as_bytes()).file("large", b"y\n"))
        .good();
    let after = Package::new("foo", "1.1.0").file("long", other.as_bytes()).file("large", large.as_bytes());
    registry.user("ann").publish(&after).good();
    registry.run_jobs();
    let page = registry.anonymous().get(PAGE).good().text();
    assert!(page.contains("class=\"load\" href=\"/crates/foo/diff/1.0.0...1.1.0?file=long\""), "{page}");
    assert!(page.len() < 60_000, "{}", page.len());
    assert!(page.contains("not counted") && page.contains("too large to be compared"), "{page}");
    let alone = registry.anonymous().get(&format!("{PAGE}?file=long")).good().text();
    assert!(alone.contains("12999"));
}

#[test]
fn a_private_registry_compares_nothing_without_a_token() {
    let registry = TestRegistry::with(|settings| settings.auth_required = true);
    let ann = registry.user("ann");
    for package in [before(), after()] {
        ann.publish(&package).good();
    }
    registry.run_jobs();
    for base in ["/crates/{}/diff/1.0.0...1.1.0", "/api/v1/crates/{}/diff/1.0.0...1.1.0"] {
        let [known, unknown] = ["foo", "bar"].map(|name| registry.anonymous().get(&base.replace("{}", name)));
        assert_eq!((known.status, unknown.status), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
        assert_eq!(known.text(), unknown.text());
        ann.get(&base.replace("{}", "foo")).good();
    }
}
