//! The index of an upstream: what is passed on, and when the upstream is asked.

use super::{ALWAYS_FRESH, FOO, NEVER_FRESH, OLD, asked_again, at_once, download, index, index_url, through};
use crate::support::event::wait_until;
use crate::support::faulty_upstream::Behaviour;
use crate::support::http;
use crate::support::package::Package;

#[test]
fn an_index_file_is_passed_on_byte_by_byte() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let content = format!(
        "{{\"vers\":\"1.0.0\", \"name\":\"Foo\",\"cksum\":\"{sum}\",\"new\":{{\"a\":[1, 2]}},\"yanked\":true}}\n\n\
         {{\"name\":\"Foo\",\"vers\":\"1.1.0\",\"cksum\":\"{sum}\",\"v\":2,\"features2\":{{\"x\":[\"dep:y\"]}},\
         \"pubtime\":\"2025-11-12T19:30:12Z\",\"yanked\":false}}"
    );
    upstream.set(FOO, Behaviour::file(content.clone()));
    assert_eq!(index(&served, "3/f/foo").good().text(), content);
    // A long one is compressed for who can read that.
    let line = |number| format!("{{\"name\":\"long\",\"vers\":\"1.0.{number}\",\"cksum\":\"{sum}\"}}\n");
    let long: String = (0..50).map(line).collect();
    upstream.set("/index/lo/ng/long", Behaviour::file(long.clone()));
    assert_eq!(index(&served, "lo/ng/long").good().text(), long);
    let coded = http::get_with(&index_url(&served, "lo/ng/long"), &[("accept-encoding", "zstd")]).good();
    assert_eq!((coded.header("content-encoding"), coded.header("vary")), ("zstd", "Accept-Encoding"));
    assert!(coded.body.len() < long.len() / 10);
}

/// The memory for files is one for all of them: a part for each of many would have no room for a large one.
#[test]
fn a_very_large_file_is_kept_in_memory() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    let padding = "x".repeat(10_000);
    let sum = "ab".repeat(32);
    let line = |number| {
        format!("{{\"name\":\"huge\",\"vers\":\"1.0.{number}\",\"cksum\":\"{sum}\",\"padding\":\"{padding}\"}}\n")
    };
    let huge: String = (0..2_000).map(line).collect();
    upstream.set("/index/hu/ge/huge", Behaviour::file(huge.clone()));
    for _ in 0..3 {
        assert_eq!(index(&served, "hu/ge/huge").good().body.len(), huge.len());
    }
    assert_eq!(upstream.count("/index/hu/ge/huge"), 1);
    // Not from the disk, either.
    let kept = served.data_dir().join("upstream-index/other/hu/ge/huge");
    std::fs::remove_file(kept).unwrap();
    index(&served, "hu/ge/huge").good();
    assert_eq!(upstream.count("/index/hu/ge/huge"), 1);
}

#[test]
fn a_fresh_file_is_served_without_asking_the_upstream() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    let first = index(&served, "3/f/foo").good();
    upstream.add(&Package::new("foo", "1.1.0"), OLD);
    for _ in 0..5 {
        assert_eq!(index(&served, "3/f/foo").good().text(), first.text());
    }
    assert_eq!(upstream.count(FOO), 1);
}

#[test]
fn the_upstream_is_asked_whether_a_file_has_changed_and_its_304_keeps_it() {
    let (upstream, served) = through(&NEVER_FRESH);
    let first = index(&served, "3/f/foo").good();
    let again = asked_again(&upstream, &served, "3/f/foo", |_| {});
    assert_eq!(again.good().text(), first.text());
    let requests = upstream.requests(FOO);
    assert_eq!(requests[0].find("if-none-match"), None);
    let tag = requests[1].header("if-none-match").to_owned();
    assert!(tag.starts_with('"'), "{tag}");
    let agent = requests[0].header("user-agent");
    assert!(agent.starts_with("supercargo/") && agent.contains(&served.url), "{agent}");
    upstream.add(&Package::new("foo", "1.1.0"), OLD);
    let changed = asked_again(&upstream, &served, "3/f/foo", |_| {}).good();
    assert_eq!(changed.text().lines().count(), 2);
    // The next request has the tag of the changed file.
    asked_again(&upstream, &served, "3/f/foo", |reply| assert_eq!(reply.body, changed.body));
    assert_ne!(upstream.requests(FOO).last().unwrap().header("if-none-match"), tag);
}

#[test]
fn a_file_without_a_tag_is_asked_for_by_its_date() {
    let (upstream, served) = through(&NEVER_FRESH);
    let date = "Thu, 01 Jan 2026 00:00:00 GMT";
    let body = index(&served, "3/f/foo").good().body;
    upstream.set(FOO, Behaviour::File(vec![("last-modified", date.to_owned())], body.clone()));
    asked_again(&upstream, &served, "3/f/foo", |_| {});
    let again = asked_again(&upstream, &served, "3/f/foo", |_| {});
    assert_eq!(again.good().body, body);
    let request = upstream.requests(FOO).last().unwrap().clone();
    assert_eq!((request.find("if-modified-since"), request.find("if-none-match")), (Some(date), None));
}

#[test]
fn many_clients_at_the_same_time_make_one_request() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    upstream.add(&Package::new("bar", "1.0.0"), OLD);
    let file = index(&served, "3/b/bar").good().body;
    let path = "/index/3/b/baz";
    let file = String::from_utf8(file).unwrap().replace("\"bar\"", "\"baz\"");
    upstream.set(path, Behaviour::Stall);
    let replies = at_once(
        20,
        || index(&served, "3/b/baz"),
        || {
            wait_until("the clients to be connected", || served.count_clients() >= 20);
            wait_until("the request", || upstream.count(path) > 0);
            upstream.set(path, Behaviour::file(file.clone()));
        },
    );
    for reply in replies {
        assert_eq!(reply.good().text(), file);
    }
    assert_eq!(upstream.count(path), 1);
}

#[test]
fn a_client_that_has_the_file_is_answered_with_304() {
    let (upstream, served) = through(&NEVER_FRESH);
    let tag = index(&served, "3/f/foo").good().header("etag").to_owned();
    let again = || http::get_with(&index_url(&served, "3/f/foo"), &[("if-none-match", &tag)]);
    let unchanged = again();
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    assert_eq!(unchanged.header("cache-control"), "no-cache");
    upstream.add(&Package::new("foo", "1.1.0"), OLD);
    wait_until("the changed file", || again().status == 200);
    assert_ne!(again().header("etag"), tag);
}

#[test]
fn what_the_upstream_lacks_is_a_404_that_is_remembered() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    for status in [404, 410, 451] {
        let path = format!("ab/se/absent{status}");
        upstream.set(&format!("/index/{path}"), Behaviour::status(status));
        for _ in 0..3 {
            let absent = index(&served, &path);
            assert_eq!((absent.status, absent.header("cache-control")), (404, "no-store"));
            assert!(absent.text().contains(&path), "{}", absent.text());
        }
        assert_eq!(upstream.count(&format!("/index/{path}")), 1, "{status}");
    }
    // A file without a line is that of a crate without a version.
    upstream.set("/index/em/pt/empty", Behaviour::file(""));
    assert_eq!(index(&served, "em/pt/empty").status, 404);
}

/// Some hosts of crate files tell upper from lower case.
#[test]
fn a_crate_file_is_asked_for_by_the_name_of_the_index() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    upstream.add(&Package::new("Foo-Bar", "1.0.0"), super::OLD);
    super::download(&served, "foo-bar", "1.0.0").good();
    assert_eq!((upstream.count("/dl/Foo-Bar/1.0.0"), upstream.count("/dl/foo-bar/1.0.0")), (1, 0));
}

#[test]
fn a_kept_file_survives_one_404() {
    let (upstream, served) = through(&["--upstream-fresh", "1s"]);
    let kept = index(&served, "3/f/foo").good().body;
    let file = Behaviour::tagged("\"again\"", kept.clone());
    for _ in 0..2 {
        upstream.remove(FOO);
        let first = asked_again(&upstream, &served, "3/f/foo", |reply| assert_eq!(reply.body, kept));
        assert_eq!((first.status, &first.body), (200, &kept));
        upstream.set(FOO, file.clone());
        asked_again(&upstream, &served, "3/f/foo", |reply| assert_eq!(reply.body, kept));
    }
    // Absent for as long as a file is fresh, it is gone.
    upstream.remove(FOO);
    let before = upstream.count(FOO);
    wait_until("the file to be gone", || index(&served, "3/f/foo").status == 404);
    assert!(upstream.count(FOO) >= before + 2);
    assert_eq!(index(&served, "3/f/foo").status, 404);
}

#[test]
fn a_version_that_the_kept_file_lacks_is_found_before_the_file_is_old() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    download(&served, "foo", "1.0.0").good();
    let new = Package::new("foo", "1.1.0");
    upstream.add(&new, OLD);
    wait_until("the new version", || download(&served, "foo", "1.1.0").status == 200);
    assert_eq!(upstream.count(FOO), 2);
    assert_eq!(download(&served, "foo", "1.1.0").good().body, new.crate_file());
}
