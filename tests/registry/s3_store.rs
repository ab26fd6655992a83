//! Crate files in S3: all that a directory does, and what a network adds to it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use supercargo::crate_store::CrateStore;
use supercargo::package::Checksum;

use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, failed, supercargo};
use crate::support::s3::{S3Server, SECRET_KEY, path_of};

fn serve(server: &S3Server, more: &[&str]) -> Served {
    let arguments = server.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Served::start(&arguments)
}

fn download(served: &Served, version: &str) -> String {
    format!("{}/api/v1/crates/foo/{version}/download", served.url)
}

fn store(server: &S3Server) -> CrateStore {
    CrateStore::s3(&server.settings("files")).unwrap()
}

#[test]
fn a_registry_with_its_files_in_s3_publishes_serves_and_deletes_them() {
    let server = S3Server::start();
    let served = serve(&server, &[]);
    let token = served.token("ann");
    let package = Package::new("foo", "1.0.0").file("src/data.bin", &[7; 300_000]);
    let content = package.crate_file();
    http::publish(&served.url, &token, &package).good();
    let object = server.objects().join("registry").join(path_of(&content));
    assert_eq!(std::fs::read(&object).unwrap(), content);
    assert!(!served.data_dir().join("crates").exists());
    assert_eq!(http::get(&download(&served, "1.0.0")).good().body, content);
    let part = http::get_part(&download(&served, "1.0.0"), "bytes=100000-100009");
    assert_eq!((part.status, &part.body[..]), (206, &content[100_000..100_010]));
    http::delete_as(&format!("{}/api/v1/crates/foo/1.0.0/yank", served.url), &token).good();
    assert_eq!(http::get(&download(&served, "1.0.0")).good().body, content);
    served.run("admin version delete", &["foo", "1.0.0", "--reason", "a secret leaked"]);
    wait_until("the object is removed", || !object.exists());
    assert_eq!(http::get(&download(&served, "1.0.0")).status, 404);
}

#[test]
fn without_its_store_a_registry_answers_503_and_the_same_publish_is_good_afterwards() {
    let mut server = S3Server::start();
    let served = serve(&server, &["--s3-timeout", "3s"]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    server.stop();
    let second = Package::new("foo", "1.1.0");
    let refused = http::publish(&served.url, &token, &second);
    assert_eq!((refused.status, refused.retry_after), (503, Some(2)), "{}", refused.text());
    assert_eq!(http::get(&download(&served, "1.0.0")).status, 503);
    // The index needs no store.
    assert_eq!(http::index_lines(&served.url, "3/f/foo").len(), 1);
    server.start_again();
    http::publish(&served.url, &token, &second).good();
    assert_eq!(http::get(&download(&served, "1.1.0")).good().body, second.crate_file());
    assert_eq!(http::index_lines(&served.url, "3/f/foo").len(), 2);
}

fn refusal(server: &S3Server, change: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let database = crate::support::cluster::Database::fresh();
    let mut command = supercargo();
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--log",
        "error",
        "--database-url",
        &database.url(),
        "--data-dir",
    ]);
    command.arg(directory.path().join("data"));
    // Of a flag that is given here, what the test says counts.
    let usual = server.arguments();
    let mut usual = usual.iter().map(String::as_str).peekable();
    while let Some(flag) = usual.next() {
        let value = usual.next_if(|next| !next.starts_with("--"));
        if !change.contains(&flag) && !change.contains(&&*format!("no{flag}")) {
            command.arg(flag).args(value);
        }
    }
    command.args(change.iter().filter(|one| !one.starts_with("no--")));
    let said = failed(command.output().unwrap(), 1);
    assert!(!said.contains(SECRET_KEY) && !said.contains("AKIDEXAMPLE"), "{said}");
    said.replace(&server.endpoint(), "ENDPOINT").replace(server.credentials().to_str().unwrap(), "CREDENTIALS")
}

#[test]
fn a_bucket_is_listed_read_and_tidied() {
    let server = S3Server::start();
    let store = store(&server);
    let root = server.objects().join("files");
    // Copied there by hand: a directory and a bucket have the same layout.
    let checksums: Vec<Checksum> = (0..300)
        .map(|number: u32| {
            let content = number.to_le_bytes();
            let path = root.join(path_of(&content));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
            Checksum::of(&content)
        })
        .collect();
    let mut listed: Vec<_> = (0..=u8::MAX).flat_map(|byte| store.list(byte).unwrap()).collect();
    listed.sort_by_key(|file| file.checksum);
    let mut expected = checksums.clone();
    expected.sort();
    assert_eq!(listed.iter().map(|file| file.checksum.unwrap()).collect::<Vec<_>>(), expected);
    assert!(listed.iter().all(|file| file.size == 4));
    let seven = 7u32.to_le_bytes();
    assert_eq!(store.digest(checksums[7]).unwrap(), Some((checksums[7], 4)));
    assert_eq!(store.read(checksums[7]).unwrap().as_deref(), Some(&seven[..]));
    let moved = store.quarantine(&CrateStore::place(checksums[7]), chrono::Utc::now()).unwrap();
    assert!(root.join(&moved).exists(), "{moved}");
    assert_eq!(store.size(checksums[7]).unwrap(), None);
    store.put(checksums[7], Bytes::copy_from_slice(&seven)).unwrap();
    store.put(checksums[7], Bytes::copy_from_slice(&seven)).unwrap();
    assert_eq!(std::fs::read(root.join(path_of(&seven))).unwrap(), seven);
    store.delete(checksums[7]).unwrap();
    store.delete(checksums[7]).unwrap();
    assert_eq!(store.size(checksums[7]).unwrap(), None);
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn a_silent_store_holds_no_request_longer_than_its_limit() {
        let server = S3Server::start();
        let served = serve(&server, &["--s3-timeout", "1s"]);
        let token = served.token("ann");
        http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
        server.proxy.stall();
        let second = Package::new("foo", "1.1.0");
        let start = Instant::now();
        assert_eq!(http::publish(&served.url, &token, &second).status, 503);
        assert_eq!(http::get(&download(&served, "1.0.0")).status, 503);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        server.proxy.recover();
        server.proxy.cut();
        http::publish(&served.url, &token, &second).good();
        assert_eq!(http::get(&download(&served, "1.0.0")).good().body, Package::new("foo", "1.0.0").crate_file());
    }

    /// More requests than may wait for the store at once, and the index is read beside them.
    #[test]
    fn requests_that_wait_for_a_silent_store_leave_room_for_the_others() {
        let server = S3Server::start();
        let served = serve(&server, &["--s3-timeout", "20s"]);
        let token = served.token("ann");
        http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
        server.proxy.stall();
        let asked = server.proxy.accepted();
        let refused = &AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let downloads: Vec<_> = (0..80)
                .map(|_| {
                    scope.spawn(|| {
                        let status = http::get(&download(&served, "1.0.0")).status;
                        refused.fetch_add(usize::from(status == 503), Ordering::SeqCst);
                        status
                    })
                })
                .collect();
            wait_until("many downloads wait", || server.proxy.accepted() >= asked + 39);
            let start = Instant::now();
            assert_eq!(http::get(&format!("{}/api/v1/crates/foo", served.url)).status, 200);
            assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
            // Those beyond the limit are refused while the store is silent.
            wait_until("one has been refused", || refused.load(Ordering::SeqCst) > 0);
            server.proxy.recover();
            server.proxy.cut();
            let answers: Vec<u16> = downloads.into_iter().map(|one| one.join().unwrap()).collect();
            assert!(answers.iter().all(|status| matches!(status, 200 | 503)), "{answers:?}");
            assert!(answers.contains(&200) && answers.contains(&503), "{answers:?}");
        });
    }

    #[test]
    fn a_start_with_a_store_that_is_described_wrongly_says_what_to_change() {
        let server = S3Server::start();
        insta::assert_snapshot!(refusal(&server, &["--crate-store", "s3://other/registry"]), @r#"supercargo: cannot use the crate store s3://other/registry: HTTP status 404 NoSuchBucket: create the bucket "other", or name another with --crate-store; if it is elsewhere, correct --s3-endpoint or --s3-url-style"#);
        insta::assert_snapshot!(refusal(&server, &["no--s3-allow-http"]), @"supercargo: the S3 endpoint ENDPOINT (--s3-endpoint) is plain HTTP, which is not encrypted: use https://, or allow it with --s3-allow-http");
        insta::assert_snapshot!(refusal(&server, &["no--s3-credentials-file"]), @"supercargo: no S3 credentials: set SUPERCARGO_S3_ACCESS_KEY_ID and SUPERCARGO_S3_SECRET_ACCESS_KEY, or use --s3-credentials-file");
        server.write_credentials("AKIDOTHER", SECRET_KEY);
        insta::assert_snapshot!(refusal(&server, &[]), @"supercargo: cannot use the crate store s3://crates/registry: HTTP status 403 NotSignedUp: the access key is unknown there; correct SUPERCARGO_S3_ACCESS_KEY_ID or the credentials file");
        server.write_credentials("AKIDEXAMPLE", "wrong");
        insta::assert_snapshot!(refusal(&server, &[]), @"supercargo: cannot use the crate store s3://crates/registry: HTTP status 403 SignatureDoesNotMatch: correct SUPERCARGO_S3_SECRET_ACCESS_KEY or the credentials file, and check that --s3-region is the bucket's region");
        std::fs::write(server.credentials(), "nothing").unwrap();
        insta::assert_snapshot!(refusal(&server, &[]), @"supercargo: CREDENTIALS (--s3-credentials-file) has no credentials: add the lines aws_access_key_id = … and aws_secret_access_key = …");
    }

    #[test]
    fn a_registry_starts_without_its_store_and_finds_it_later() {
        let mut server = S3Server::start();
        server.stop();
        let arguments = server.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(["--s3-timeout", "2s"]).collect();
        let served = Served::start_with_log("info", &arguments);
        assert!(served.log().contains("cannot reach the crate store"), "{}", served.log());
        assert!(!served.log().contains(SECRET_KEY));
        let token = served.token("ann");
        assert_eq!(http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).status, 503);
        server.start_again();
        http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    }
}
