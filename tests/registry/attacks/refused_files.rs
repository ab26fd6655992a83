//! Crate files of publishes that are refused or abandoned.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::time::{Duration, SystemTime};

use chrono::{TimeDelta, Utc};
use diesel::RunQueryDsl;
use diesel::sql_types::BigInt;
use supercargo::crate_store::CrateStore;
use supercargo::database::Pool;
use supercargo::jobs::unused_files;
use supercargo::package::Checksum;

use crate::support::event::wait_until;
use crate::support::http;
use crate::support::other_user::{NOBODY, as_user, is_root};
use crate::support::package::Package;
use crate::support::process::Served;
use crate::support::s3::S3Server;

/// The crate files in a store, and what is in its quarantine.
fn files_in(crates: &Path) -> Vec<PathBuf> {
    let directories = fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path());
    let files = directories.filter(|path| path.is_dir()).flat_map(|directory| fs::read_dir(directory).unwrap());
    files.map(|entry| entry.unwrap().path()).collect()
}

fn crates_of(served: &Served) -> PathBuf {
    served.data_dir().join("crates")
}

fn place_of(served: &Served, package: &Package) -> PathBuf {
    crates_of(served).join(CrateStore::place(Checksum::of(&package.crate_file())))
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

fn versions_of(served: &Served) -> usize {
    let query = diesel::sql_query("SELECT count(*) AS count FROM versions");
    let found: Count = query.get_result(&mut served.database.connect()).unwrap();
    usize::try_from(found.count).unwrap()
}

fn everything_below(directory: &Path) -> Vec<PathBuf> {
    let (mut found, mut directories) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { directories.push(path) } else { found.push(path) }
        }
    }
    found
}

/// Sends a whole publish, and reads no answer.
fn send_publish(served: &Served, token: &str, body: &[u8]) -> TcpStream {
    let mut connection = TcpStream::connect(served.address()).unwrap();
    let head = format!(
        "PUT /api/v1/crates/new HTTP/1.1\r\nhost: registry\r\nauthorization: {token}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(&[head.as_bytes(), body].concat()).unwrap();
    connection
}

#[test]
fn twenty_five_publishes_with_one_admitted_leave_one_file() {
    let served = Served::start(&["--rate-limit", "publish-new=1/10h"]);
    let token = served.token("ann");
    let together = Barrier::new(25);
    let mut answers: Vec<u16> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..25)
            .map(|number| {
                let (served, token, together) = (&served, &token, &together);
                scope.spawn(move || {
                    together.wait();
                    http::publish(&served.url, token, &Package::new(&format!("crate-{number}"), "1.0.0")).status
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    answers.sort_unstable();
    assert_eq!((answers[0], &answers[1..]), (200, &[429; 24][..]));
    assert_eq!(files_in(&crates_of(&served)).len(), 1);
}

#[test]
fn clients_that_hang_up_after_the_last_byte_leave_no_files() {
    let mut served = Served::start(&[]);
    let token = served.token("ann");
    // What is stored is spread over directories, so the first files take longest; each of these would stay.
    for number in 0..60 {
        let body = Package::new(&format!("crate-{number}"), "1.0.0").file("padding", &[7; 20_000]).body();
        let _connection = send_publish(&served, &token, &body);
        // From at once to 6 ms later: before, during and after the file is stored.
        std::thread::sleep(Duration::from_micros(100 * number));
    }
    for number in 0..5 {
        http::publish(&served.url, &token, &Package::new(&format!("patient-{number}"), "1.0.0")).good();
    }
    wait_until("the requests to end", || files_in(&crates_of(&served)).len() == versions_of(&served));
    served.stop();
    assert_eq!(files_in(&crates_of(&served)).len(), versions_of(&served));
}

#[test]
fn a_client_that_hung_up_before_the_file_was_stored_has_none_stored() {
    let served = Served::start_with_fail_points("supercargo=debug", &[]);
    let token = served.token("ann");
    let body = Package::new("foo", "1.0.0").body();
    served.arm("request.read=stall(2s)");
    let abandoned = send_publish(&served, &token, &body);
    served.wait_until_passed();
    drop(abandoned);
    // The next fail point is where a file has been stored: nobody may pass it.
    served.arm("request.file_stored=abort");
    let allowed = Package::new("bar", "1.0.0");
    wait_until("the end of the stall", || {
        served.log().contains("the client disconnected before its crate file was stored")
    });
    fs::remove_file(served.fail_point()).unwrap();
    http::publish(&served.url, &token, &allowed).good();
    assert_eq!(files_in(&crates_of(&served)), [place_of(&served, &allowed)]);
}

#[test]
fn a_user_uploads_no_more_in_a_day_than_allowed_and_refused_publishes_do_not_count() {
    let package = |number: usize| Package::new(&format!("crate-{number}"), "1.0.0");
    let size = u64::try_from(package(0).crate_file().len()).unwrap();
    let served = Served::start_with_fail_points("error", &["--upload-allowance", &(3 * size).to_string()]);
    let (ann, bob) = (served.token("ann"), served.token("bob"));
    for number in 0..3 {
        served.arm("request.before_commit=error");
        let refused = http::publish(&served.url, &ann, &package(number));
        assert_eq!(refused.status, 503, "{}", refused.text());
    }
    for number in 0..3 {
        http::publish(&served.url, &ann, &package(number)).good();
    }
    let limited = http::publish(&served.url, &ann, &package(3));
    assert_eq!(limited.status, 429, "{}", limited.text());
    assert!(
        limited.retry_after.is_some_and(|seconds| (28_000..=28_801).contains(&seconds)),
        "{:?}",
        limited.retry_after
    );
    let said = limited.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
    let begin = format!(
        "rate limit exceeded (`ann` may upload {} of crate files a day): try again in ",
        supercargo::package::limits::ByteSize(3 * size)
    );
    assert!(said.starts_with(&begin), "{said}");
    assert_eq!(files_in(&crates_of(&served)).len(), 3);
    http::publish(&served.url, &bob, &package(4)).good();
}

#[test]
fn uploads_at_the_same_time_are_no_more_than_allowed_together() {
    let package = |number: usize| Package::new(&format!("crate-{number}"), "1.0.0");
    let size = u64::try_from(package(0).crate_file().len()).unwrap();
    let served = Served::start_with_fail_points("error", &["--upload-allowance", &(3 * size).to_string()]);
    let token = served.token("ann");
    // Their files are stored before the first one draws from the allowance.
    let barrier = Barrier::new(6);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let publishes: Vec<_> = (0..6)
            .map(|number| {
                let (barrier, served, token) = (&barrier, &served, &token);
                scope.spawn(move || {
                    barrier.wait();
                    http::publish(&served.url, token, &package(number)).status
                })
            })
            .collect();
        publishes.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(200), count(429)), (3, 3), "{statuses:?}");
    assert_eq!(files_in(&crates_of(&served)).len(), 3);
}

/// As if the process that stored it had been killed at that time.
fn age(path: &Path, hours: u64) {
    let then = SystemTime::now() - Duration::from_secs(hours * 60 * 60);
    fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
}

#[test]
fn the_file_of_a_killed_publish_goes_to_the_quarantine_and_then_for_good() {
    let mut served = Served::start_with_fail_points("info", &[]);
    let token = served.token("ann");
    let (kept, orphan, young) =
        (Package::new("kept", "1.0.0"), Package::new("orphan", "1.0.0"), Package::new("young", "1.0.0"));
    http::publish(&served.url, &token, &kept).good();
    let store = CrateStore::attach(&crates_of(&served)).unwrap();
    for package in [&orphan, &young] {
        store.put(Checksum::of(&package.crate_file()), package.crate_file().into()).unwrap();
    }
    age(&place_of(&served, &kept), 13);
    age(&place_of(&served, &orphan), 13);
    let pool = Pool::live(&served.database.url(), 2);
    let (now, hours) = (Utc::now(), TimeDelta::hours);
    let tidied = unused_files::tidy(&pool, &store, (now - hours(12), now - hours(24)), &|| false).unwrap();
    assert_eq!((tidied.quarantined.len(), tidied.expired.len()), (1, 0));
    assert!(crates_of(&served).join(&tidied.quarantined[0]).exists());
    let in_place = [&kept, &orphan, &young].map(|package| place_of(&served, package).exists());
    assert_eq!(in_place, [true, false, true]);
    // By schedule, and for good.
    served.stop();
    served.set_arguments(&["--quarantine-retention", "50ms"]);
    served.start_again();
    age(&place_of(&served, &young), 13);
    let removed = |package: &Package| {
        let name = format!("{}.crate", Checksum::of(&package.crate_file()));
        let is_about =
            |line: &str| line.contains("removed an expired file from the quarantine") && line.contains(&name);
        served.log().lines().any(is_about)
    };
    wait_until("the files to go", || removed(&orphan) && removed(&young));
    assert_eq!(files_in(&crates_of(&served)), [place_of(&served, &kept)]);
    served.stop();
}

#[test]
fn a_quarantine_of_another_user_keeps_no_refused_file_and_does_not_end_tidying() {
    if !is_root() {
        return;
    }
    let served = Served::stopped();
    let (mut session, pool) = (served.database.connect(), Pool::live(&served.database.url(), 2));
    let directory = tempfile::tempdir().unwrap();
    let chown = |path: &Path| std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    chown(directory.path());
    let quarantine = directory.path().join("quarantine");
    fs::create_dir(&quarantine).unwrap();
    fs::set_permissions(&quarantine, PermissionsExt::from_mode(0o700)).unwrap();
    let (refused, orphan) = (Checksum::of(b"refused"), Checksum::of(b"orphan"));
    as_user(NOBODY, || {
        let store = CrateStore::local(directory.path()).unwrap();
        for (checksum, content) in [(refused, "refused"), (orphan, "orphan")] {
            store.put(checksum, content.into()).unwrap();
        }
        // It can be put back, as in the quarantine.
        let aside = store.set_aside(refused).unwrap().unwrap();
        assert_eq!(store.size(refused).unwrap(), None);
        store.put_back(&aside).unwrap();
        assert_eq!(store.size(refused).unwrap(), Some(7));
        assert!(unused_files::remove(&mut session, &store, refused).unwrap());
        let now = Utc::now() + TimeDelta::hours(1);
        let tidied = unused_files::tidy(&pool, &store, (now, now), &|| false).unwrap();
        assert_eq!((tidied.quarantined.len(), tidied.expired.len()), (0, 0));
    });
    let left = || everything_below(directory.path());
    assert_eq!(left(), [directory.path().join(CrateStore::place(orphan))]);
    // With the remedy.
    chown(&quarantine);
    as_user(NOBODY, || {
        let store = CrateStore::local(directory.path()).unwrap();
        let now = Utc::now() + TimeDelta::hours(1);
        let tidied = unused_files::tidy(&pool, &store, (now, now), &|| false).unwrap();
        assert_eq!(tidied.quarantined.len(), 1);
        assert_eq!(left(), [directory.path().join(&tidied.quarantined[0])]);
    });
}

#[test]
fn the_quarantine_is_made_by_the_process_that_stores() {
    let directory = tempfile::tempdir().unwrap();
    CrateStore::local(directory.path()).unwrap();
    assert!(directory.path().join("quarantine").is_dir());
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn a_refused_publish_does_not_take_the_file_of_another_with_the_same_bytes() {
        let served = Served::start_with_fail_points("warn", &[]);
        let token = served.token("ann");
        let package = Package::new("foo", "1.0.0");
        // The first one has stored its file, and its version is not inserted yet.
        served.arm("request.file_stored=stall(5s)");
        std::thread::scope(|scope| {
            let first = scope.spawn(|| http::publish(&served.url, &token, &package));
            served.wait_until_passed();
            // The second one stores the same file, fails, and removes it.
            served.arm("request.before_commit=error");
            assert_eq!(http::publish(&served.url, &token, &package).status, 503);
            assert!(!place_of(&served, &package).exists(), "the refused publish left its file");
            first.join().unwrap().good();
        });
        assert_eq!(http::get(&format!("{}/api/v1/crates/foo/1.0.0/download", served.url)).status, 200);
        assert_eq!(files_in(&crates_of(&served)), [place_of(&served, &package)]);
    }

    #[test]
    fn a_refused_publish_waits_for_one_of_the_same_bytes_that_is_being_accepted() {
        let served = Served::start_with_fail_points("warn", &[]);
        let token = served.token("ann");
        let package = Package::new("foo", "1.0.0");
        // The first one has seen its file, and its version is not committed yet.
        served.arm("request.before_commit=stall(3s)");
        std::thread::scope(|scope| {
            let first = scope.spawn(|| http::publish(&served.url, &token, &package));
            served.wait_until_passed();
            served.arm("request.file_stored=error");
            assert_eq!(http::publish(&served.url, &token, &package).status, 503);
            first.join().unwrap().good();
        });
        assert_eq!(http::get(&format!("{}/api/v1/crates/foo/1.0.0/download", served.url)).status, 200);
        assert_eq!(files_in(&crates_of(&served)), [place_of(&served, &package)]);
    }

    #[test]
    fn a_removal_that_lost_its_lock_puts_the_file_back() {
        let served = Served::start_with_fail_points("warn", &[]);
        let token = served.token("ann");
        let package = Package::new("foo", "1.0.0");
        let end_sessions = "SELECT count(pg_terminate_backend(pid)) AS count FROM pg_locks
                            WHERE locktype = 'advisory' AND classid = 1718185061 AND mode = 'ExclusiveLock' AND granted
                            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        served.arm("request.file_stored=stall(5s)");
        let abandoned = send_publish(&served, &token, &package.body());
        served.wait_until_passed();
        // Nobody waits for it any more, so that it is refused, and its file is removed.
        drop(abandoned);
        served.arm("unused.set_aside=stall(5s)");
        served.wait_until_passed();
        // The removal sleeps with the file set aside. Its session ends, and so does its lock.
        wait_until("the removal's session", || {
            let ended: Count = diesel::sql_query(end_sessions).get_result(&mut served.database.connect()).unwrap();
            ended.count > 0
        });
        // Another publish finds no file, stores it and is accepted, before the sleeper wakes up.
        http::publish(&served.url, &token, &package).good();
        wait_until("the end of the removal", || served.log().contains("stays until the crate store is tidied"));
        assert_eq!(http::get(&format!("{}/api/v1/crates/foo/1.0.0/download", served.url)).status, 200);
        assert_eq!(files_in(&crates_of(&served)), [place_of(&served, &package)]);
    }

    #[test]
    fn a_refused_publish_leaves_nothing_in_a_bucket() {
        let server = S3Server::start();
        let arguments = server.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let served = Served::start_with_fail_points("warn", &arguments);
        let token = served.token("ann");
        let (refused, accepted) = (Package::new("foo", "1.0.0"), Package::new("bar", "1.0.0"));
        served.arm("request.before_commit=error");
        assert_eq!(http::publish(&served.url, &token, &refused).status, 503);
        http::publish(&served.url, &token, &accepted).good();
        let objects = everything_below(&server.objects());
        let crates: Vec<_> = objects.iter().filter(|path| path.extension().is_some_and(|end| end == "crate")).collect();
        assert_eq!(crates.len(), 1, "{objects:?}");
        assert!(crates[0].ends_with(CrateStore::place(Checksum::of(&accepted.crate_file()))), "{crates:?}");
    }

    /// The same version sent four times at once: one is accepted, and the others are refused after they stored the same file.
    #[test]
    fn publishes_of_the_same_bytes_at_once_never_lose_the_file() {
        let served = Served::start(&[]);
        let token = served.token("ann");
        let together = Barrier::new(4);
        for round in 0..40 {
            let package = Package::new("foo", &format!("1.0.{round}"));
            let mut answers: Vec<u16> = std::thread::scope(|scope| {
                let clients: Vec<_> = (0..4)
                    .map(|_| {
                        scope.spawn(|| {
                            together.wait();
                            http::publish(&served.url, &token, &package).status
                        })
                    })
                    .collect();
                clients.into_iter().map(|client| client.join().unwrap()).collect()
            });
            answers.sort_unstable();
            assert_eq!(answers, [200, 409, 409, 409], "round {round}");
            assert!(place_of(&served, &package).exists(), "round {round}");
        }
        assert_eq!(files_in(&crates_of(&served)).len(), 40);
    }
}
