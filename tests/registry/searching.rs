//! Search and lists, as cargo and clients of crates.io use them.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::harness::{Answer, TestRegistry};
use crate::support::package::Package;

/// A package with a description and keywords.
fn described(name: &str, description: &str, keywords: &[&str]) -> Package {
    let quoted: Vec<String> = keywords.iter().map(|word| format!("\"{word}\"")).collect();
    Package::new(name, "1.0.0")
        .described(description)
        .manifest(&format!("keywords = [{}]\n", quoted.join(", ")))
        .metadata("keywords", json!(keywords))
}

fn with(packages: &[Package]) -> TestRegistry {
    let registry = TestRegistry::new();
    for package in packages {
        registry.user("ann").publish(package).good();
    }
    registry.run_jobs();
    registry
}

fn search(registry: &TestRegistry, query: &str) -> Answer {
    registry.anonymous().get(&format!("/api/v1/crates?{query}"))
}

fn names(registry: &TestRegistry, query: &str) -> Vec<String> {
    names_of(&search(registry, query).good().json())
}

fn names_of(answer: &Value) -> Vec<String> {
    answer["crates"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

// protocol: 66
#[test]
fn a_search_returns_what_cargo_reads_and_the_total() {
    let packages: Vec<Package> =
        (0..12).map(|number| described(&format!("web-{number}"), "Serves pages", &[])).collect();
    let registry = with(&packages);
    let answer = search(&registry, "q=serves&per_page=5").good().json();
    assert_eq!((answer["crates"].as_array().unwrap().len(), &answer["meta"]["total"]), (5, &json!(12)));
    let first = &answer["crates"][0];
    assert!(first["name"].is_string() && first["max_version"] == "1.0.0" && first["description"] == "Serves pages");
    assert!(answer["meta"]["next_page"].as_str().unwrap().starts_with("?q=serves&per_page=5&seek="), "{answer}");
    let numbered = search(&registry, "q=serves&per_page=5&page=1").good().json();
    assert_eq!(numbered["meta"]["next_page"], "?q=serves&per_page=5&page=2");
    let mut all = names_of(&answer);
    for page in 2..=3 {
        all.extend(names(&registry, &format!("q=serves&per_page=5&page={page}")));
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 12);
    assert_eq!(search(&registry, "q=serves&per_page=5&page=3").json()["meta"]["next_page"], Value::Null);
}

// protocol: 50
#[test]
fn a_parameter_that_cannot_be_read_is_refused_with_its_value_and_an_unknown_one_is_ignored() {
    let registry = TestRegistry::new();
    for (query, value) in [
        ("per_page=0", "`0`"),
        ("per_page=101", "`101`"),
        ("page=x", "`x`"),
        ("sort=best", "`best`"),
        ("sort=", "``"),
        ("user_id=a", "`a`"),
    ] {
        let refused = search(&registry, query);
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(refused.detail().contains(value), "{}", refused.detail());
    }
    search(&registry, "q=a&color=red").good();
}

// protocol: 67
#[test]
fn the_highest_version_by_semver_that_is_not_yanked_is_the_one_that_is_shown() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for version in ["1.10.0", "1.9.0", "2.0.0-rc.1", "1.2.0"] {
        ann.publish(&Package::new("foo", version)).good();
    }
    registry.run_jobs();
    let shown = || search(&registry, "q=foo").good().json()["crates"][0].clone();
    let versions = |shown: &Value| {
        ["max_version", "max_stable_version", "default_version", "newest_version"].map(|field| shown[field].clone())
    };
    assert_eq!(versions(&shown()), ["2.0.0-rc.1", "1.10.0", "1.10.0", "1.2.0"]);
    for version in ["2.0.0-rc.1", "1.10.0", "1.2.0"] {
        ann.yank("foo", version).good();
    }
    registry.run_jobs();
    assert_eq!(versions(&shown()), ["1.9.0", "1.9.0", "1.9.0", "1.9.0"]);
    assert_eq!(shown()["yanked"], false);
    ann.yank("foo", "1.9.0").good();
    registry.run_jobs();
    assert_eq!(versions(&shown()), [json!("2.0.0-rc.1"), Value::Null, json!("1.10.0"), json!("1.2.0")]);
    assert_eq!((&shown()["yanked"], &shown()["num_versions"]), (&json!(true), &json!(4)));
}

#[test]
fn a_crate_that_the_index_does_not_show_yet_is_not_found() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    for query in ["q=foo", "", "sort=downloads", "ids[]=foo"] {
        assert_eq!(search(&registry, query).good().json()["meta"]["total"], 0, "{query}");
    }
    assert_eq!(registry.anonymous().get("/api/v1/crates/foo").status, StatusCode::NOT_FOUND);
    registry.run_jobs();
    for query in ["q=foo", "", "sort=downloads", "ids[]=foo"] {
        assert_eq!(search(&registry, query).good().json()["meta"]["total"], 1, "{query}");
    }
}

#[test]
fn the_exact_name_comes_first_in_any_spelling() {
    let registry = with(&[
        described("json", "json json json", &["json", "serde"]),
        described("serde", "Serialization", &[]),
        described("Serde_Json", "Text", &[]),
        described("serde-json-extra", "serde json with json for serde", &["serde", "json"]),
    ]);
    for query in ["serde-json", "SERDE_JSON", "serde%20json", "serde_json"] {
        let found = search(&registry, &format!("q={query}")).good().json();
        assert_eq!(names_of(&found)[0], "Serde_Json", "{query}");
        assert_eq!(
            (&found["crates"][0]["exact_match"], &found["crates"][1]["exact_match"]),
            (&json!(true), &json!(false))
        );
    }
}

#[test]
fn a_name_is_found_by_its_beginning_by_a_part_and_misspelt() {
    let registry = with(&[described("tokio-stream", "Runs tasks", &[]), described("hyper", "Speaks", &[])]);
    for query in ["tok", "toki", "kio_str", "tokoi-stream", "tokio-sream", "tokyo-stream", "tokiostream"] {
        assert_eq!(names(&registry, &format!("q={query}")), ["tokio-stream"], "{query}");
    }
    assert_eq!(names(&registry, "q=hyepr"), ["hyper"]);
    assert!(names(&registry, "q=zzzzqqqq").is_empty());
}

#[test]
fn words_are_found_in_keywords_description_and_readme_and_count_in_this_order() {
    let registry = with(&[
        Package::new("three", "1.0.0").described("Nothing").metadata("readme", json!("# All about parsing\n")),
        described("two", "A parser of text", &[]),
        described("one", "Nothing", &["parser"]),
        described("parser-of-zero", "Nothing", &[]),
    ]);
    assert_eq!(names(&registry, "q=parser"), ["parser-of-zero", "one", "two"]);
    assert_eq!(names(&registry, "q=parsing"), ["three"]);
}

#[test]
fn odd_queries_find_nothing() {
    let registry = with(&[described("foo", "A crate", &[])]);
    let long = "a".repeat(10_000);
    let words = "word+".repeat(2_000);
    let odd = [
        "%00",
        "%25",
        "%27",
        "%5C",
        "%3A*%26%7C!",
        "%F0%9F%A6%80",
        "%ff%fe",
        "gr%C3%B6%C3%9Fe",
        "%E6%97%A5%E6%9C%AC",
        "the",
        "_",
        "__%25",
        "%22",
        "--",
        "a%20%26%20!b",
        "%28",
        &long,
        &words,
    ];
    for query in odd {
        let shown = &query[..query.len().min(20)];
        for sort in ["", "&sort=downloads", "&sort=alpha"] {
            let answer = search(&registry, &format!("q={query}{sort}"));
            assert_eq!(answer.status, StatusCode::OK, "{shown}: {}", answer.text());
            assert_eq!(answer.json()["meta"]["total"], 0, "{shown}");
        }
        for parameter in ["keyword", "category", "ids[]"] {
            assert_eq!(search(&registry, &format!("{parameter}={query}")).good().json()["meta"]["total"], 0, "{shown}");
        }
    }
    // Without conditions, everything is found.
    assert_eq!(names(&registry, "q="), ["foo"]);
    assert_eq!(names(&registry, "q=%20"), ["foo"]);
}

#[test]
fn large_readmes_are_searched() {
    let readmes = [
        "x".repeat(500_000),
        "<".repeat(100_000),
        "a-".repeat(100_000),
        "😀 \u{202e}\u{fffd}\u{1} ".repeat(20_000),
        (0..50_000).map(|number| format!("word{number} ")).collect(),
        "é".repeat(300_000),
    ];
    let packages: Vec<Package> = readmes
        .iter()
        .enumerate()
        .map(|(number, readme)| Package::new(&format!("crate-{number}"), "1.0.0").metadata("readme", json!(readme)))
        .collect();
    let registry = with(&packages);
    assert_eq!(search(&registry, "q=crate&per_page=100").good().json()["meta"]["total"], 6);
}

#[test]
fn lists_are_in_the_requested_order() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for name in ["b", "a", "c"] {
        ann.publish(&Package::new(name, "1.0.0")).good();
        registry.run_jobs();
    }
    registry.count_downloads(&[("b", "1.0.0", 3), ("c", "1.0.0", 5)]);
    assert_eq!(names(&registry, ""), ["a", "b", "c"]);
    assert_eq!(names(&registry, "sort=alpha"), ["a", "b", "c"]);
    for sort in ["downloads", "recent-downloads"] {
        assert_eq!(names(&registry, &format!("sort={sort}")), ["c", "b", "a"], "{sort}");
        assert_eq!(names(&registry, &format!("sort={sort}&q=crate")), ["c", "b", "a"], "{sort}");
    }
    // Of one transaction, so of one time.
    assert_eq!(names(&registry, "sort=new"), ["c", "a", "b"]);
    assert_eq!(names(&registry, "sort=recent-updates&per_page=1&page=2"), ["a"]);
    assert_eq!(names(&registry, "page=100"), Vec::<String>::new());
}

#[test]
fn lists_are_narrowed_by_keyword_category_owner_and_name() {
    let with_category = described("one", "x", &["Web"])
        .manifest("categories = [\"parsing\"]\n")
        .metadata("categories", json!(["parsing"]));
    let registry = with(&[with_category, described("two", "x", &["web", "http"])]);
    registry.user("bob").publish(&described("three", "x", &[])).good();
    registry.run_jobs();
    assert_eq!(names(&registry, "keyword=WEB"), ["one", "two"]);
    assert_eq!(names(&registry, "keyword=http"), ["two"]);
    assert_eq!(names(&registry, "keyword=web&category=parsing"), ["one"]);
    assert_eq!(names(&registry, "keyword=web&q=two"), ["two"]);
    assert_eq!(names(&registry, "ids[]=Three&ids[]=one&ids[]=none&sort=alpha"), ["one", "three"]);
    let bob = registry.anonymous().get("/api/v1/users/bob").good().json()["user"]["id"].clone();
    assert_eq!(names(&registry, &format!("user_id={bob}")), ["three"]);
}

#[test]
fn a_job_that_runs_again_changes_no_response() {
    let registry = with(&[described("foo", "A crate", &["web"])]);
    let shown = || {
        let mut answer = registry.anonymous().get("/api/v1/crates/foo").good().json();
        // Each request is one more action, whatever its job does.
        assert!(answer["versions"][0]["audit_actions"].take().is_array());
        answer
    };
    let before = shown();
    let ann = registry.user("ann");
    // Both in one batch, which has nothing to do, and one after the other, the second of which restores everything.
    ann.yank("foo", "1.0.0").good();
    ann.unyank("foo", "1.0.0").good();
    registry.run_jobs();
    assert_eq!(shown(), before);
    ann.yank("foo", "1.0.0").good();
    registry.run_jobs();
    assert_ne!(shown(), before);
    ann.unyank("foo", "1.0.0").good();
    registry.run_jobs();
    assert_eq!(shown(), before);
}
