//! What is kept outlives the process.

use super::{FOO, NEVER_FRESH, OLD, asked_again, download, index, through};
use crate::support::event::wait_until;
use crate::support::faulty_upstream::Behaviour;
use crate::support::package::Package;

#[test]
fn what_is_kept_survives_a_kill_and_works_without_the_upstream() {
    let (mut upstream, mut served) = through(&NEVER_FRESH);
    let kept = (index(&served, "3/f/foo").good().body, download(&served, "foo", "1.0.0").good().body);
    served.kill();
    served.start_again();
    // The tag is kept as well.
    assert_eq!(index(&served, "3/f/foo").good().body, kept.0);
    let requests = upstream.requests(FOO);
    assert!(requests.last().unwrap().find("if-none-match").is_some(), "{requests:?}");
    upstream.stop();
    served.kill();
    served.start_again();
    assert_eq!((index(&served, "3/f/foo").good().body, download(&served, "foo", "1.0.0").good().body), kept);
    assert_eq!(index(&served, "3/b/bar").status, 503);
}

#[test]
fn a_kill_in_the_middle_of_a_transfer_leaves_nothing_in_its_way() {
    let (upstream, mut served) = through(&NEVER_FRESH);
    let file = Package::new("foo", "1.0.0").crate_file();
    upstream.set("/dl/foo/1.0.0", Behaviour::Halt(100, file.clone()));
    let url = super::download_url(&served, "foo", "1.0.0");
    std::thread::scope(|scope| {
        // Its connection ends without an answer.
        let client = scope.spawn(|| ureq::get(&url).call().is_err());
        wait_until("the request", || upstream.count("/dl/foo/1.0.0") == 1);
        served.kill();
        assert!(client.join().unwrap());
    });
    upstream.set("/dl/foo/1.0.0", Behaviour::file(file.clone()));
    served.start_again();
    assert_eq!(download(&served, "foo", "1.0.0").good().body, file);
}

#[test]
fn a_damaged_kept_index_file_is_fetched_again() {
    let (upstream, mut served) = through(&NEVER_FRESH);
    let kept = index(&served, "3/f/foo").good().body;
    served.kill();
    std::fs::write(served.data_dir().join("upstream-index/other/3/f/foo"), "{\"etag\":\"no").unwrap();
    served.start_again();
    assert_eq!(index(&served, "3/f/foo").good().body, kept);
    assert_eq!(upstream.requests(FOO)[1].find("if-none-match"), None);
}

#[test]
fn the_confirmation_of_a_kept_file_survives_a_kill() {
    let (mut upstream, mut served) = through(&NEVER_FRESH);
    let kept = index(&served, "3/f/foo").good().body;
    served.kill();
    // As if it had been sent eight days ago, a day longer than it is served without the upstream.
    let place = served.data_dir().join("upstream-index/other/3/f/foo");
    let text = std::fs::read_to_string(&place).unwrap();
    let (known, content) = text.split_once('\n').unwrap();
    let mut known: serde_json::Value = serde_json::from_str(known).unwrap();
    known["checked_at"] = serde_json::json!(chrono::Utc::now() - chrono::TimeDelta::days(8));
    std::fs::write(&place, format!("{known}\n{content}")).unwrap();
    served.start_again();
    asked_again(&upstream, &served, "3/f/foo", |reply| assert_eq!(reply.body, kept));
    assert!(upstream.requests(FOO).last().unwrap().find("if-none-match").is_some());
    upstream.stop();
    served.kill();
    served.start_again();
    assert_eq!(index(&served, "3/f/foo").good().body, kept);
}

#[test]
fn two_versions_are_kept_by_one_process_and_found_by_the_next() {
    let (mut upstream, mut served) = through(&NEVER_FRESH);
    index(&served, "3/f/foo").good();
    upstream.add(&Package::new("foo", "1.1.0"), OLD);
    wait_until("the new version", || index(&served, "3/f/foo").good().text().contains("1.1.0"));
    upstream.stop();
    served.kill();
    served.start_again();
    assert_eq!(index(&served, "3/f/foo").good().text().lines().count(), 2);
}
