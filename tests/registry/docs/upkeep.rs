//! Documentation in S3, in backups and in verifications, and what a killed upload leaves.

use chrono::{TimeDelta, Utc};
use diesel::RunQueryDsl;
use diesel::sql_types::BigInt;
use serde_json::Value;
use supercargo::crate_store::CrateStore;
use supercargo::database::Pool;
use supercargo::database::upkeep::backup;
use supercargo::jobs::unused_files;
use supercargo::package::Checksum;

use super::{sample, zip};
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, succeeded};
use crate::support::s3::{S3Server, path_of};

fn with_docs(served: &Served, zip: &[u8]) -> Value {
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    http::put_bytes_as(&format!("{}/api/v1/crates/foo/1.0.0/docs", served.url), &token, zip).good().json()
}

fn place(answer: &Value) -> String {
    let checksum = answer["checksum"].as_str().unwrap();
    format!("{}/{checksum}.crate", &checksum[..2])
}

/// Content that no compression makes smaller.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

fn verified(served: &Served, more: &[&str]) -> Value {
    let output = served.command("verify").args(["--json"]).args(more).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn large_documentation_is_stored_in_parts_in_s3_read_by_range_and_removed() {
    let server = S3Server::start();
    let arguments = server.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let served = Served::start(&arguments);
    let content = noise(20_000_000);
    let archive = zip(&[("foo/index.html", b"<p>foo"), ("foo/large.bin", &content)]);
    let answer = with_docs(&served, &archive);
    let object = server.objects().join("registry").join(place(&answer));
    assert!(std::fs::read(&object).unwrap() == archive);
    assert_eq!(http::get(&format!("{}/docs/foo/1.0.0/foo/", served.url)).good().text(), "<p>foo");
    assert!(http::get(&format!("{}/docs/foo/1.0.0/foo/large.bin", served.url)).good().body == content);
    assert_eq!(verified(&served, &arguments)["differences"], serde_json::json!([]));
    http::delete_as(&format!("{}/api/v1/crates/foo/1.0.0/docs", served.url), &served.token("ann")).good();
    wait_until("the object is removed", || !object.exists());
}

#[test]
fn a_verification_finds_lost_and_damaged_documentation_and_restores_it_from_the_quarantine() {
    let served = Served::start(&[]);
    let file = served.data_dir().join("crates").join(place(&with_docs(&served, &sample("one"))));
    let content = std::fs::read(&file).unwrap();
    assert_eq!(verified(&served, &[])["differences"], serde_json::json!([]));
    let mut damaged = content.clone();
    damaged[50] ^= 1;
    std::fs::write(&file, &damaged).unwrap();
    assert_eq!(verified(&served, &[])["differences"][0]["kind"], "damaged-docs");
    let left = verified(&served, &["--repair"]);
    assert!(left["differences"][0]["left"].as_str().unwrap().contains("upload the documentation again"), "{left:#}");
    let lost = verified(&served, &[]);
    assert_eq!(lost["differences"][0]["kind"], "missing-docs", "{lost:#}");
    assert_eq!(
        (&lost["differences"][0]["crate"], &lost["differences"][0]["version"]),
        (&"foo".into(), &"1.0.0".into())
    );
    let quarantine = served.data_dir().join("crates/quarantine");
    let name = file.file_name().unwrap().to_str().unwrap();
    std::fs::write(quarantine.join(format!("20261129T000000.000000Z-{name}")), &content).unwrap();
    let repaired = verified(&served, &["--repair"]);
    assert!(repaired["differences"][0]["repaired"].as_str().unwrap().contains("restored from"), "{repaired:#}");
    assert_eq!(http::get(&format!("{}/docs/foo/1.0.0/foo/inner/", served.url)).good().text(), "<p>inner");
}

#[test]
fn a_backup_contains_documentation_and_a_restored_registry_serves_it() {
    let mut served = Served::start(&[]);
    with_docs(&served, &sample("one"));
    let directory = tempfile::tempdir().unwrap();
    succeeded(served.command("backup").arg(directory.path()).output().unwrap());
    served.stop();
    let mut restored = Served::nothing(&[]);
    succeeded(restored.command("restore").arg(directory.path()).output().unwrap());
    restored.start_again();
    assert_eq!(http::get(&format!("{}/docs/foo/1.0.0/foo/inner/", restored.url)).good().text(), "<p>inner");
    assert_eq!(verified(&restored, &[])["differences"], serde_json::json!([]));
}

/// Rows of documentation are replaced, so that a backup may need a file that has no row any longer.
#[test]
fn a_file_without_a_row_is_kept_while_a_backup_is_being_made() {
    let served = Served::stopped();
    let (mut session, pool) = (served.database.connect(), Pool::live(&served.database.url(), 2));
    let directory = tempfile::tempdir().unwrap();
    let store = CrateStore::local(directory.path()).unwrap();
    let checksum = Checksum::of(b"replaced");
    let put = || store.put(checksum, "replaced".into()).unwrap();
    put();
    let mut backing_up = served.database.connect();
    assert!(backup::keep_files(&mut backing_up).unwrap());
    let now = Utc::now() + TimeDelta::hours(1);
    let tidied = || unused_files::tidy(&pool, &store, (now, now), &|| false).unwrap().quarantined.len();
    assert!(!unused_files::remove_docs(&mut session, &store, checksum).unwrap());
    assert_eq!(tidied(), 0);
    assert_eq!(store.size(checksum).unwrap(), Some(8));
    assert!(backup::release_files(&mut backing_up).unwrap());
    assert!(unused_files::remove_docs(&mut session, &store, checksum).unwrap());
    put();
    assert_eq!(tidied(), 1);
}

#[test]
fn a_removal_that_lost_its_session_keeps_what_was_uploaded_again() {
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let end_sessions = "SELECT count(pg_terminate_backend(pid)) AS count FROM pg_locks
                        WHERE locktype = 'advisory' AND classid = 1718185061 AND mode = 'ExclusiveLock' AND granted
                        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let served = Served::start_with_fail_points("error", &[]);
    let archive = sample("one");
    let file = served.data_dir().join("crates").join(place(&with_docs(&served, &archive)));
    let (url, token) = (format!("{}/api/v1/crates/foo/1.0.0/docs", served.url), served.token("ann"));
    served.arm("unused.set_aside=stall(5s)");
    http::delete_as(&url, &token).good();
    served.wait_until_passed();
    // The job sleeps with the file set aside. Its session ends, and so does its lock.
    assert!(!file.exists());
    wait_until("the session of the removal", || {
        let ended: Count = diesel::sql_query(end_sessions).get_result(&mut served.database.connect()).unwrap();
        ended.count > 0
    });
    http::put_bytes_as(&url, &token, &archive).good();
    let quarantine = served.data_dir().join("crates/quarantine");
    wait_until("the file is put back", || std::fs::read_dir(&quarantine).unwrap().count() == 0);
    assert!(std::fs::read(&file).unwrap() == archive);
    assert_eq!(http::get(&format!("{}/docs/foo/1.0.0/foo/inner/", served.url)).good().text(), "<p>inner");
}

#[test]
fn an_upload_that_is_killed_leaves_nothing_that_is_served() {
    for (point, is_there) in [
        ("request.file_stored=abort", false),
        ("request.before_commit=abort", false),
        ("request.committed=abort", true),
    ] {
        let mut served = Served::start_with_fail_points("error", &[]);
        let token = served.token("ann");
        http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
        served.arm(point);
        let url = format!("{}/api/v1/crates/foo/1.0.0/docs", served.url);
        let (sender, body) = (token.clone(), sample("one"));
        // The answer does not come.
        let sent = std::thread::spawn(move || std::panic::catch_unwind(|| http::put_bytes_as(&url, &sender, &body)));
        wait_until("the process has ended", || served.has_ended());
        let _ = sent.join();
        served.start_again_after_death();
        let status = http::get(&format!("{}/docs/foo/1.0.0/foo/", served.url)).status;
        assert_eq!(status == 200, is_there, "{point}");
        let url = format!("{}/api/v1/crates/foo/1.0.0/docs", served.url);
        http::put_bytes_as(&url, &token, &sample("two")).good();
        assert!(http::get(&format!("{}/docs/foo/1.0.0/foo/", served.url)).good().text().contains("twotwo"));
    }
}

#[test]
fn a_version_that_is_deleted_during_an_upload_gets_no_documentation() {
    let served = Served::start_with_fail_points("error", &[]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    let archive = sample("one");
    let file = served.data_dir().join("crates").join(path_of(&archive));
    served.arm("request.file_stored=stall(2s)");
    let url = format!("{}/api/v1/crates/foo/1.0.0/docs", served.url);
    let (sender, body) = (token.clone(), archive.clone());
    let sent = std::thread::spawn(move || http::put_bytes_as(&url, &sender, &body));
    served.wait_until_passed();
    assert!(file.exists());
    served.run("admin version delete", &["foo", "1.0.0", "--reason", "a secret leaked"]);
    let refused = sent.join().unwrap();
    assert!(refused.status == 404 && refused.text().contains("was deleted"), "{}", refused.text());
    assert!(!file.exists());
}
