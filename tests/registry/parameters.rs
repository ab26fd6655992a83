//! The query parameters that crates.io knows: each is implemented as there, or refused with what to use instead.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Value, json};
use supercargo::database::access::teams;
use supercargo::database::access::users;

use crate::support::harness::{Answer, TestRegistry};
use crate::support::package::Package;

use Kind::{Implemented, Refused};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Implemented,
    Refused,
}

/// The parameters of crates.io for calls that this registry has: the route, the parameter, and a value.
const OF_CRATES_IO: &[(&str, &str, &str, Kind)] = &[
    ("/crates", "q", "foo", Implemented),
    ("/crates", "sort", "downloads", Implemented),
    ("/crates", "page", "1", Implemented),
    ("/crates", "per_page", "5", Implemented),
    ("/crates", "seek", "eyJOYW1lIjoiYSJ9", Implemented),
    ("/crates", "category", "web", Implemented),
    ("/crates", "include_yanked", "no", Implemented),
    ("/crates", "all_keywords", "a%20b", Implemented),
    ("/crates", "keyword", "a", Implemented),
    ("/crates", "letter", "f", Implemented),
    ("/crates", "user_id", "1", Implemented),
    ("/crates", "team_id", "1", Implemented),
    ("/crates", "ids[]", "foo", Implemented),
    ("/crates", "following", "1", Refused),
    ("/crates/{crate}", "include", "full", Implemented),
    ("/crates/{crate}/versions", "include", "release_tracks", Implemented),
    ("/crates/{crate}/versions", "sort", "date", Implemented),
    ("/crates/{crate}/versions", "nums[]", "1.0.0", Implemented),
    ("/crates/{crate}/versions", "per_page", "5", Implemented),
    ("/crates/{crate}/versions", "seek", "eyJTZW12ZXIiOlsiMS4wLjAiLDFdfQ", Implemented),
    ("/crates/{crate}/downloads", "include", "versions", Implemented),
    ("/crates/{crate}/reverse_dependencies", "page", "1", Implemented),
    ("/crates/{crate}/reverse_dependencies", "per_page", "5", Implemented),
    ("/crates/{crate}/reverse_dependencies", "seek", "x", Refused),
    ("/crates/{crate}/{version}/downloads", "before_date", "2030-01-31", Implemented),
    ("/keywords", "sort", "crates", Implemented),
    ("/keywords", "page", "1", Implemented),
    ("/keywords", "per_page", "5", Implemented),
    ("/keywords", "seek", "x", Refused),
    ("/categories", "sort", "crates", Implemented),
    ("/categories", "page", "1", Implemented),
    ("/categories", "per_page", "5", Implemented),
    ("/categories", "seek", "x", Refused),
];

/// Parameters that crates.io does not have for the call.
const OWN: [(&str, &str); 1] = [("/crates/{crate}/versions", "page")];

fn registry() -> TestRegistry {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    registry
}

fn get(registry: &TestRegistry, path: &str) -> Answer {
    registry.anonymous().get(&format!("/api/v1{path}"))
}

#[test]
fn every_parameter_of_crates_io_is_implemented_and_described_or_refused() {
    let registry = registry();
    let description = registry.anonymous().get("/api/openapi.json").good().json();
    let documented = include_str!("../../docs/api.md");
    let described: BTreeSet<(&str, &str)> = OF_CRATES_IO
        .iter()
        .map(|(route, ..)| *route)
        .flat_map(|route| {
            let parameters = description["paths"][format!("/api/v1{route}")]["get"]["parameters"].as_array().unwrap();
            let in_query = parameters.iter().filter(|one| one["in"] == "query");
            in_query.map(move |one| (route, one["name"].as_str().unwrap()))
        })
        .collect();
    let implemented = OF_CRATES_IO.iter().filter(|one| one.3 == Implemented).map(|one| (one.0, one.1));
    assert_eq!(described, implemented.chain(OWN).collect());
    for &(route, name, value, kind) in OF_CRATES_IO {
        let path = route.replace("{crate}", "foo").replace("{version}", "1.0.0");
        let answer = get(&registry, &format!("{path}?{name}={value}"));
        match kind {
            Implemented => drop(answer.good()),
            Refused => {
                assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{route} {name}");
                assert!(answer.detail().contains(&format!("`{name}`")), "{}", answer.detail());
            }
        }
        let row = documented.lines().find(|line| line.starts_with(&format!("| `{route}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/api.md has no row for {route}"));
        assert!(row.contains(&format!("`{name}`")), "docs/api.md does not have `{name}` in the row of {route}");
    }
    // One that nobody knows is ignored.
    get(&registry, "/crates/foo/versions?color=red").good();
}

#[test]
fn a_refusal_says_what_to_use() {
    let registry = registry();
    let refused = |path: &str| {
        let answer = get(&registry, path);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        answer.detail()
    };
    insta::assert_snapshot!(refused("/crates?following=1"), @"the query parameter `following` is not supported here: this registry does not record who follows what, so list crates by `ids[]`");
    insta::assert_snapshot!(refused("/keywords?seek=abc"), @"the query parameter `seek` is not supported here: this list has numbered pages, so use `page`");
    insta::assert_snapshot!(refused("/crates/foo/versions?include=release_tracks,x"), @"the query parameter `include` is `x`: it must be a list, separated by commas, of release_tracks");
    insta::assert_snapshot!(refused("/crates/foo/1.0.0/downloads?before_date=soon"), @"the query parameter `before_date` is `soon`: it must be a day such as 2030-01-31");
    insta::assert_snapshot!(refused("/crates?letter="), @"the query parameter `letter` is ``: it must be a letter, with which the names begin");
    for path in [
        "/crates?team_id=x",
        "/crates?seek=x",
        "/crates?seek=eyJOYW1lIjoiYSJ9&page=1",
        // Of a list in another order, of a search, of a list, with a name and a time that no crate has.
        "/crates?sort=new&seek=eyJOYW1lIjoiYSJ9",
        "/crates?q=a&seek=eyJOYW1lIjoiYSJ9",
        "/crates?seek=eyJNYXRjaGVzIjoxfQ",
        "/crates?seek=eyJOYW1lIjoiYVx1MDAwMCJ9",
        "/crates?sort=new&seek=eyJOZXciOls5MjIzMzcyMDM2ODU0Nzc1ODA3LDFdfQ",
        "/crates/foo/versions?sort=date&seek=eyJTZW12ZXIiOlsiMS4wLjAiLDFdfQ",
        "/crates/foo/versions?seek=eyJTZW12ZXIiOlsib25lIiwxXX0",
        "/crates/foo/1.0.0/downloads?before_date=%2B200000-01-01",
        "/crates/foo/downloads?include=owners",
    ] {
        assert!(!refused(path).is_empty());
    }
}

/// The names on all pages, following `meta.next_page`, and the number of pages.
fn followed(registry: &TestRegistry, path: &str, query: &str, list: &str, field: &str) -> (Vec<String>, usize) {
    let (mut names, mut pages, mut query) = (Vec::new(), 0, format!("?{query}"));
    loop {
        let answer = get(registry, &format!("{path}{query}")).good().json();
        let items = answer[list].as_array().unwrap();
        names.extend(items.iter().map(|one| one[field].as_str().unwrap().to_owned()));
        pages += 1;
        assert_eq!(answer["meta"]["prev_page"], Value::Null);
        match answer["meta"]["next_page"].as_str() {
            Some(next) => {
                assert!(next.contains("seek=") && !next.contains("&page="), "{next}");
                query = next.to_owned();
            }
            None => return (names, pages),
        }
    }
}

fn all(registry: &TestRegistry, path: &str, list: &str, field: &str) -> Vec<String> {
    let answer = get(registry, path).good().json();
    answer[list].as_array().unwrap().iter().map(|one| one[field].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_list_of_crates_is_followed_by_seek_in_every_order() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for name in ["b-1", "a", "c", "B2", "d"] {
        ann.publish(&Package::new(name, "1.0.0").described("Serves pages")).good();
    }
    registry.run_jobs();
    registry.count_downloads(&[("c", "1.0.0", 2), ("a", "1.0.0", 1), ("d", "1.0.0", 1)]);
    for query in [
        "sort=alpha",
        "sort=new",
        "sort=recent-updates",
        "sort=downloads",
        "sort=recent-downloads",
        "sort=downloads&include_yanked=no",
        "sort=new&include_yanked=no",
        "q=serves",
        "q=serves&sort=downloads",
    ] {
        let whole = all(&registry, &format!("/crates?{query}"), "crates", "name");
        assert_eq!(whole.len(), 5, "{query}");
        let in_pages = followed(&registry, "/crates", &format!("{query}&per_page=2"), "crates", "name");
        assert_eq!(in_pages, (whole, 3), "{query}");
    }
    // Full pages have no empty one behind them.
    assert_eq!(followed(&registry, "/crates", "per_page=5", "crates", "name").1, 1);
}

#[test]
fn a_crate_that_comes_between_two_pages_moves_nothing() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for name in ["b", "c", "d"] {
        ann.publish(&Package::new(name, "1.0.0")).good();
    }
    registry.run_jobs();
    let first = get(&registry, "/crates?per_page=2").good().json();
    ann.publish(&Package::new("a", "1.0.0")).good();
    registry.run_jobs();
    let next = first["meta"]["next_page"].as_str().unwrap();
    assert_eq!(all(&registry, &format!("/crates{next}"), "crates", "name"), ["d"]);
}

#[test]
fn versions_are_followed_by_seek_and_selected_by_number() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for version in ["1.10.0", "0.4.1", "1.9.0", "2.0.0-rc.1", "0.4.0+b", "0.0.3", "3.0.0"] {
        ann.publish(&Package::new("foo", version)).good();
    }
    ann.yank("foo", "3.0.0").good();
    registry.run_jobs();
    for (sort, expected) in [
        ("semver", ["3.0.0", "2.0.0-rc.1", "1.10.0", "1.9.0", "0.4.1", "0.4.0+b", "0.0.3"]),
        ("date", ["3.0.0", "0.0.3", "0.4.0+b", "2.0.0-rc.1", "1.9.0", "0.4.1", "1.10.0"]),
    ] {
        let (versions, pages) =
            followed(&registry, "/crates/foo/versions", &format!("sort={sort}&per_page=3"), "versions", "num");
        assert_eq!((&versions[..], pages), (&expected.map(str::to_owned)[..], 3), "{sort}");
    }
    let selected =
        get(&registry, "/crates/foo/versions?nums[]=1.9.0&nums[]=0.4.0%2Bb&nums[]=9.9.9&nums[]=0.4.0").good();
    let nums: Vec<Value> =
        selected.json()["versions"].as_array().unwrap().iter().map(|one| one["num"].clone()).collect();
    assert_eq!((nums, &selected.json()["meta"]["total"]), (vec![json!("1.9.0"), json!("0.4.0+b")], &json!(2)));
    assert!(selected.json()["meta"].get("release_tracks").is_none());
    // Of all versions, whatever the page has.
    let tracks = get(&registry, "/crates/foo/versions?include=release_tracks&per_page=1&nums[]=1.9.0").good().json();
    assert_eq!(
        tracks["meta"]["release_tracks"],
        json!({ "0.0": { "highest": "0.0.3" }, "0.4": { "highest": "0.4.1" }, "1": { "highest": "1.10.0" } })
    );
}

#[test]
fn crates_are_selected_as_on_crates_io() {
    let registry = TestRegistry::new();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    let labelled = |name: &str, keywords: &[&str], categories: &[&str]| {
        Package::new(name, "1.0.0")
            .manifest(&format!("keywords = {}\ncategories = {}\n", json!(keywords), json!(categories)))
            .metadata("keywords", json!(keywords))
            .metadata("categories", json!(categories))
    };
    ann.publish(&labelled("web-one", &["Web", "http"], &["web::server"])).good();
    ann.publish(&labelled("web-two", &["web"], &["web"])).good();
    ann.publish(&labelled("Zebra", &["http"], &["web-assembly"])).good();
    bob.publish(&labelled("x", &[], &["web::server::fast"])).good();
    registry.run_jobs();
    let found = |query: &str| {
        let names = all(&registry, &format!("/crates?{query}"), "crates", "name");
        let total = get(&registry, &format!("/crates?{query}")).good().json()["meta"]["total"].clone();
        assert_eq!(total, names.len(), "{query}");
        names
    };
    assert_eq!(found("category=web"), ["web-one", "web-two", "x"]);
    assert_eq!(found("category=WEB::server"), ["web-one", "x"]);
    assert_eq!(found("category=web::server&q=x"), ["x"]);
    assert_eq!(found("category=we"), Vec::<String>::new());
    assert_eq!(found("all_keywords=HTTP%20web"), ["web-one"]);
    assert_eq!(found("letter=w"), ["web-one", "web-two"]);
    assert_eq!(found("letter=Zzz"), ["Zebra"]);
    for letter in ["q", "%25", "_", "%C3%84"] {
        assert_eq!(found(&format!("letter={letter}")), Vec::<String>::new(), "{letter}");
    }
    let (bob_id, team) = registry
        .pool
        .with(|connection| {
            let team = teams::create(connection, "devs").unwrap();
            let bob = users::find(connection, "bob").unwrap().unwrap();
            assert!(teams::add_member(connection, team.id, bob.id).unwrap());
            (bob.id, team.id)
        })
        .unwrap();
    let owners = json!({ "users": ["team:devs"] }).to_string();
    ann.request(axum::http::Method::PUT, "/api/v1/crates/Zebra/owners", owners).good();
    assert_eq!(found(&format!("team_id={team}")), ["Zebra"]);
    assert_eq!(found("team_id=0"), Vec::<String>::new());
    // The first of them counts, whatever their order.
    assert_eq!(found(&format!("ids[]=Zebra&team_id={team}&user_id={bob_id}&letter=w")), ["web-one", "web-two"]);
    assert_eq!(found(&format!("ids[]=Zebra&team_id={team}&user_id={bob_id}")), ["x"]);
    assert_eq!(found("keyword=web&all_keywords=http"), ["web-one", "Zebra"]);
    // The others narrow it.
    ann.yank("web-two", "1.0.0").good();
    registry.run_jobs();
    assert_eq!(found("letter=w&category=web&include_yanked=no"), ["web-one"]);
    assert_eq!(found("letter=w&include_yanked=yes"), ["web-one", "web-two"]);
    assert_eq!(found("q=web&include_yanked=no"), ["web-one"]);
}

#[test]
fn downloads_are_shown_with_versions_and_until_a_day() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for minor in 0..6 {
        ann.publish(&Package::new("foo", &format!("1.{minor}.0"))).good();
    }
    registry.run_jobs();
    registry.count_downloads(&[("foo", "1.5.0", 2)]);
    let of_crate = |query: &str| get(&registry, &format!("/crates/foo/downloads{query}")).good().json();
    assert!(of_crate("").get("versions").is_none() && of_crate("?include=").get("versions").is_none());
    let with_versions = of_crate("?include=versions");
    let versions: Vec<&Value> = with_versions["versions"].as_array().unwrap().iter().map(|one| &one["num"]).collect();
    assert_eq!(versions, ["1.5.0", "1.4.0", "1.3.0", "1.2.0", "1.1.0"]);
    assert_eq!(with_versions["version_downloads"][0]["version"], with_versions["versions"][0]["id"]);
    let counted: chrono::NaiveDate = with_versions["version_downloads"][0]["date"].as_str().unwrap().parse().unwrap();
    let until = |days: i64| {
        let day = counted + chrono::TimeDelta::days(days);
        let answer = get(&registry, &format!("/crates/foo/1.5.0/downloads?before_date={day}")).good().json();
        answer["version_downloads"].as_array().unwrap().len()
    };
    // Ninety days, the last one included.
    assert_eq!([-1, 0, 89, 90].map(until), [0, 1, 1, 0]);
    assert_eq!(
        get(&registry, "/crates/foo/1.5.0/downloads?before_date=0001-01-01").good().json()["version_downloads"],
        json!([])
    );
}
