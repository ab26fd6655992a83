//! Crates with large index lines, and many of them.

use std::thread;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use supercargo::package::Limits;

use crate::support::harness::{Answer, Client, TestRegistry};
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

/// A version with so many features, whose names have so many characters.
fn with_features(version: &str, count: usize, length: usize) -> Package {
    let names: Vec<String> = (0..count).map(|number| format!("f{number:0>width$}", width = length - 1)).collect();
    let manifest: String = names.iter().map(|name| format!("{name} = []\n")).collect();
    let features: serde_json::Map<String, Value> = names.into_iter().map(|name| (name, json!([]))).collect();
    Package::new("big", version).manifest(&format!("[features]\n{manifest}")).metadata("features", json!(features))
}

fn crate_files(registry: &TestRegistry) -> usize {
    let directories = std::fs::read_dir(registry.directory.path().join("crates")).into_iter().flatten();
    let files = directories.filter_map(|entry| std::fs::read_dir(entry.unwrap().path()).ok());
    files.flatten().filter(|file| file.as_ref().unwrap().path().extension().is_some()).count()
}

fn refused(answer: &Answer, text: &str) {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
    assert!(answer.detail().contains(text), "{}", answer.detail());
}

fn list(client: &Client<'_>, path: &str) -> Value {
    client.get(&format!("/api/v1/crates/big{path}")).good().json()
}

// rule: 15
#[test]
fn a_version_whose_index_line_would_be_too_long_is_refused_before_its_file_is_stored() {
    let registry = TestRegistry::new();
    let ann = registry.user("large-lines");
    refused(&ann.publish(&with_features("1.0.0", 290, 400)), "above the limit of 65536 bytes");
    assert_eq!((crate_files(&registry), registry.pending()), (0, 0));
    // As many features as a publish may have, with names of two hundred characters.
    ann.publish(&with_features("1.0.0", 300, 200)).good();
    registry.run_jobs();
    assert!(registry.index_file("3/b/big").len() > 60_000);
}

// rule: 15
#[test]
fn a_crate_whose_index_file_would_be_too_large_takes_no_version_until_one_is_deleted() {
    let line = |length: usize| Limits { max_index_file: 3 * length as u64, ..Limits::default() };
    let length = {
        let registry = TestRegistry::new();
        registry.user("large-files").publish(&with_features("1.0.0", 10, 20)).good();
        registry.run_jobs();
        registry.index_file("3/b/big").len()
    };
    let registry = TestRegistry::with_limits(line(length));
    let ann = registry.user("large-files");
    for number in 0..3 {
        ann.publish(&with_features(&format!("1.{number}.0"), 10, 20)).good();
    }
    let text = format!("would have {} bytes, above the limit of {} bytes", 4 * length, 3 * length);
    refused(&ann.publish(&with_features("1.3.0", 10, 20)), &text);
    assert_eq!(crate_files(&registry), 3);
    // It is the crate's limit and nobody else's, and a yank is no version.
    ann.publish(&Package::new("other", "1.0.0")).good();
    ann.yank("big", "1.0.0").good();
    let root = registry.admin("large-files-root");
    root.request(Method::DELETE, "/api/v1/crates/big/1.1.0?reason=too%20many", "").good();
    ann.publish(&with_features("1.3.0", 10, 20)).good();
    registry.run_jobs();
    assert_eq!(registry.index_file("3/b/big").lines().count(), 3);
}

// rule: 18
#[test]
fn versions_that_are_published_at_once_do_not_pass_the_limit_of_the_file_together() {
    let served = Served::start(&["--max-index-file-size", "3000", "--publish-wait", "30s"]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &with_features("1.0.0", 10, 40)).good();
    let taken: usize = thread::scope(|scope| {
        let publishers: Vec<_> = (1..=12)
            .map(|number| {
                let (url, token) = (&served.url, &token);
                scope.spawn(move || http::publish(url, token, &with_features(&format!("1.{number}.0"), 10, 40)))
            })
            .collect();
        let answers = publishers.into_iter().map(|publisher| publisher.join().unwrap());
        answers.filter(|answer| answer.status == 200).count()
    });
    let file = http::get(&format!("{}/index/3/b/big", served.url)).good().body;
    assert!(file.len() <= 3000 && taken >= 2, "{taken} taken, {} bytes", file.len());
    assert_eq!(file.iter().filter(|byte| **byte == b'\n').count(), taken + 1);
}

// rule: 14
#[test]
fn a_text_that_would_make_lists_long_is_refused() {
    let registry = TestRegistry::new();
    let ann = registry.user("large-texts");
    let url = |length: usize| format!("https://a.b/{}", "x".repeat(length - "https://a.b/".len()));
    for field in ["homepage", "documentation", "repository"] {
        let package = |length| Package::new("big", "1.0.0").manifest(&format!("{field} = \"{}\"\n", url(length)));
        refused(&ann.publish(&package(2049)), &format!("`{field}` has 2049 characters: shorten it to at most 2048"));
    }
    let texts = [
        ("license-file = \"X\"\n", 1024),
        ("links = \"X\"\n", 256),
        ("authors = [\"X\"]\n", 1000),
        ("readme = \"X\"\n", 1024),
    ];
    for (text, limit) in texts {
        let value = "x".repeat(limit + 1);
        let mut package = Package::new("big", "1.0.0").manifest(&text.replace('X', &value));
        if text.starts_with("links") {
            package = package.metadata("links", json!(value));
        }
        refused(&ann.publish(&package), &format!("has {} characters: shorten it to at most {limit}", limit + 1));
    }
    ann.publish(&Package::new("big", "1.0.0").manifest(&format!("repository = \"{}\"\n", url(2048)))).good();
    registry.run_jobs();
}

#[test]
fn lists_of_versions_have_pages_and_leave_the_features_out() {
    let registry = TestRegistry::new();
    let ann = registry.user("large-lists");
    for number in 0..103 {
        ann.publish(&with_features(&format!("1.{number}.0"), 5, 400)).good();
    }
    registry.run_jobs();
    let answer = list(&ann, "");
    let versions = answer["versions"].as_array().unwrap();
    assert_eq!((versions.len(), &versions[0]["num"], &versions[99]["num"]), (100, &json!("1.102.0"), &json!("1.3.0")));
    assert_eq!(
        (&answer["crate"]["num_versions"], answer["crate"]["versions"].as_array().unwrap().len()),
        (&json!(103), 100)
    );
    assert!(versions.iter().all(|version| version["features"] == json!({})));
    assert!(answer.to_string().len() < 150_000, "{}", answer.to_string().len());
    // The rest is where it says.
    assert_eq!(answer["crate"]["links"]["versions"], "/api/v1/crates/big/versions");
    let first = list(&ann, "/versions");
    assert_eq!((first["versions"].as_array().unwrap().len(), &first["meta"]["total"]), (100, &json!(103)));
    let rest = list(&ann, &format!("/versions{}", first["meta"]["next_page"].as_str().unwrap()));
    let nums: Vec<_> =
        rest["versions"].as_array().unwrap().iter().map(|version| version["num"].as_str().unwrap()).collect();
    assert_eq!((nums, &rest["meta"]["next_page"]), (vec!["1.2.0", "1.1.0", "1.0.0"], &Value::Null));
    let by_date = list(&ann, "/versions?sort=date&per_page=2&page=52");
    assert_eq!((by_date["versions"].as_array().unwrap().len(), &by_date["versions"][0]["num"]), (1, &json!("1.0.0")));
    // What is left out stands in the answer about the version itself.
    let alone = list(&ann, "/1.7.0");
    assert_eq!(alone["version"]["features"].as_object().unwrap().len(), 5);
}
