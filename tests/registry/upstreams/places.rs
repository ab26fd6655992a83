//! The paths of upstreams, and who may read them.

use super::{ALWAYS_FRESH, OLD, index, index_url, refused, through};
use crate::support::faulty_upstream::FaultyUpstream;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

const PATHS: [&str; 6] = [
    "/upstream/other/index/config.json",
    "/upstream/other/index/",
    "/upstream/other/index/3/f/foo",
    "/upstream/other/index/3/b/bar",
    "/upstream/other/api/v1/crates/foo/1.0.0/download",
    "/upstream/none/index/config.json",
];

#[test]
fn an_unknown_name_is_a_404_that_lists_the_names() {
    let upstream = FaultyUpstream::start();
    let [one, two] = ["one", "two"].map(|name| format!("{name}={}", upstream.sparse()));
    let served = Served::start(&["--upstream", &one, "--upstream", &two]);
    for path in ["index", "index/", "index/config.json", "index/3/f/foo", "api/v1/crates/foo/1.0.0/download"] {
        let missing = http::get(&format!("{}/upstream/three/{path}", served.url));
        let said = (missing.status, missing.text());
        assert_eq!(said, (404, "there is no upstream three: there is one, two\n".to_owned()), "{path}");
    }
    let none = Served::start(&[]);
    let missing = http::get(&format!("{}/upstream/one/index/config.json", none.url));
    assert_eq!(missing.text(), "there is no upstream one: this registry has none\n");
    assert_eq!(upstream.log().len(), 0);
}

#[test]
fn config_json_leads_to_the_downloads_here() {
    let (upstream, served) = through(&[]);
    let config = index(&served, "config.json").good();
    let api = format!("{}/upstream/other", served.url);
    assert_eq!(config.json(), serde_json::json!({ "dl": format!("{api}/api/v1/crates"), "api": api }));
    assert_eq!(config.header("content-type"), "application/json");
    let about = index(&served, "").good().text();
    assert!(about.contains("config.toml in $CARGO_HOME (~/.cargo)"), "{about}");
    let (index, proxy) = (upstream.sparse(), index_url(&served, ""));
    let lines = format!(
        "[source.other]\nregistry = \"{index}\"\nreplace-with = \"other-proxy\"\n\n[registries.other]\nindex = \"{index}\"\n\n\
         [registries.other-proxy]\nindex = \"sparse+{proxy}\""
    );
    assert!(about.contains(&lines), "{about}");
    assert!(about.contains(&format!("index = \"sparse+{}\"", index_url(&served, ""))), "{about}");
}

#[test]
fn a_misplaced_path_is_that_of_its_crate_or_of_nothing() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    let right = index(&served, "3/f/foo").good().text();
    for path in ["3/F/Foo", "3/x/foo", "fo/o/foo", "1/foo"] {
        assert_eq!(index(&served, path).good().text(), right, "{path}");
    }
    for path in
        ["foo", "info/refs", "3/f/foo/", "3/f/foo/x", "a/b/c/foo", "3/f/..%2Ffoo", "3/f/..%2f..%2f..%2fetc", "%ff"]
    {
        let refused = index(&served, path);
        assert_eq!(refused.status, 404, "{path}");
        assert!(refused.text().starts_with("no such file in the index: "), "{}", refused.text());
    }
    assert_eq!(upstream.log().len(), 1);
}

#[test]
fn an_upstream_is_for_reading() {
    let (upstream, served) = through(&[]);
    let ann = served.token("ann");
    let api = format!("{}/upstream/other/api/v1/crates", served.url);
    let publish = http::publish(&format!("{}/upstream/other", served.url), &ann, &Package::new("bar", "1.0.0"));
    let others = [
        http::delete_as(&format!("{api}/foo/1.0.0/yank"), &ann),
        http::put_as(&format!("{api}/foo/1.0.0/unyank"), &ann),
        http::get(&format!("{api}?q=foo")),
    ];
    for refused in [publish].into_iter().chain(others) {
        assert_eq!(refused.status, 404);
        assert!(refused.text().contains("upstreams are for reading"), "{}", refused.text());
    }
    assert_eq!(upstream.log().len(), 0);
    assert_eq!(http::index_lines(&served.url, "3/b/bar").len(), 0);
}

#[test]
fn the_index_of_an_upstream_is_not_the_own_one() {
    let (_upstream, served) = through(&[]);
    index(&served, "3/f/foo").good();
    assert_eq!(http::get(&format!("{}/index/3/f/foo", served.url)).status, 404);
    assert_eq!(http::get(&format!("{}/api/v1/crates/foo", served.url)).status, 404);
    http::publish(&served.url, &served.token("ann"), &Package::new("mine", "1.0.0")).good();
    assert_eq!(index(&served, "mi/ne/mine").status, 404);
}

#[test]
fn a_private_registry_shows_an_upstream_to_its_users_alone() {
    let upstream = FaultyUpstream::start();
    upstream.add(&Package::new("foo", "1.0.0"), OLD);
    upstream.add(&Package::new("bar", "1.0.0"), OLD);
    let served = super::served(&upstream, &["--auth-required"]);
    for path in PATHS {
        for refused in
            [http::get(&format!("{}{path}", served.url)), http::get_as(&format!("{}{path}", served.url), "x")]
        {
            assert_eq!(refused.status, 401, "{path}");
            assert!(refused.header("www-authenticate").starts_with("Cargo login_url="), "{path}");
        }
    }
    assert_eq!(upstream.log().len(), 0);
    let ann = served.token("ann");
    for path in &PATHS[..5] {
        let reply = http::get_as(&format!("{}{path}", served.url), &ann).good();
        let cached = reply.header("cache-control");
        assert!(!cached.contains("public"), "{path}: {cached}");
    }
    let config = http::get_as(&format!("{}{}", served.url, PATHS[0]), &ann).good();
    assert_eq!(config.json()["auth-required"], true);
    // The token of this registry is nothing for the upstream.
    assert!(upstream.log().iter().all(|request| request.find("authorization").is_none()));
}

#[test]
fn a_registry_is_no_upstream_of_itself() {
    for (base, index) in [
        ("http://127.0.0.1:4711", "http://127.0.0.1:4711/index/"),
        ("http://127.0.0.1:4711/cargo", "http://127.0.0.1:4711/cargo/upstream/me/index"),
        ("https://crates.example", "https://CRATES.example:443/index/"),
    ] {
        let said = refused(&["--public-url", base, "--upstream", &format!("me=sparse+{index}")]);
        assert!(said.contains("--upstream: me is this registry itself"), "{said}");
    }
}
