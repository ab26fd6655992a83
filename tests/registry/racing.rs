//! Several at once: publishes of one version, and writers of the index whose lock on the queue is bypassed.

use std::sync::Barrier;
use std::time::Duration;

use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection;
use serde_json::Value;
use supercargo::client_connection::ClientConnection;
use supercargo::crate_store::CrateStore;
use supercargo::database::Pool;
use supercargo::database::access::caller::Caller;
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::users;
use supercargo::index::Index;
use supercargo::jobs::yank::{self, YankState};
use supercargo::jobs::{self, Admission, Environment};
use supercargo::package::Checksum;
use supercargo::queue::listener::Listener;
use supercargo::queue::{Completions, Runner, Wakeups, inspection};
use supercargo::upstream::guarded::Guarded;

use crate::queue::waking::assert_woken;
use crate::support::cluster::Database;
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

// rule: 18
// protocol: 57
#[test]
fn of_eight_publishes_of_one_version_exactly_one_wins_and_everything_is_the_winners() {
    const ROUNDS: usize = 5;
    let served = Served::start(&[]);
    let token = served.token("ann");
    for round in 0..ROUNDS {
        let name = format!("race{round}");
        let barrier = Barrier::new(8);
        let replies: Vec<_> = std::thread::scope(|scope| {
            let racing: Vec<_> = (0..8_u8)
                .map(|racer| {
                    let (barrier, name, served, token) = (&barrier, &name, &served, &token);
                    scope.spawn(move || {
                        let package = Package::new(name, "1.0.0").file("racer", &[racer]);
                        barrier.wait();
                        (http::publish(&served.url, token, &package), package.crate_file())
                    })
                })
                .collect();
            racing.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|(reply, _)| reply.status == 200);
        assert_eq!(won.len(), 1, "{replies:?}");
        for (reply, _) in lost {
            assert_eq!(reply.status, 409, "{}", reply.text());
            assert!(reply.text().contains("is already uploaded"), "{}", reply.text());
        }
        let winner = &won[0].1;
        let lines = http::index_lines(&served.url, &format!("ra/ce/{name}"));
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["cksum"], Checksum::of(winner).to_string());
        let api = format!("{}/api/v1/crates/{name}/1.0.0", served.url);
        assert_eq!(&http::get(&format!("{api}/download")).good().body, winner);
        assert_eq!(http::get(&api).json()["version"]["checksum"], Checksum::of(winner).to_string());
    }
}

/// Somebody who knows nothing of locks moves the branch after the head was read and before the batch is written.
#[test]
fn a_head_that_moved_is_read_again_and_the_batch_is_written_in_the_same_attempt() {
    let mut served = Served::start(&["--no-worker", "--publish-wait", "0s"]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    let path = served.data_dir().join("index.git");
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "safe.directory=*", "-c", "user.name=x", "-c", "user.email=x@localhost"]).args(arguments);
        crate::support::process::succeeded(command.current_dir(&path).output().unwrap()).trim().to_owned()
    };
    let mut operator = served.database.connect();
    // Between the head and the wanted rows stands the table of the latter.
    operator.batch_execute("BEGIN; LOCK TABLE versions IN ACCESS EXCLUSIVE MODE").unwrap();
    let pool = Pool::live(&served.database.url(), 2);
    let environment = Environment {
        index: Index::open_or_init(&path).unwrap(),
        crate_store: CrateStore::attach(&served.data_dir().join("crates")).unwrap(),
        webhooks: Guarded::new(Vec::new()),
        smtp: None,
        index_export: None,
    };
    let (wakeups, completions) = (Wakeups::default(), Completions::default());
    let runner = Runner::new(jobs::registry().unwrap(), environment, pool, "racer", wakeups, completions);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| runner.drain().unwrap());
        let mut watching = served.database.connect();
        wait_until("the job to wait for its wanted rows", || {
            let blocked = "SELECT pid FROM pg_stat_activity
                           WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0";
            diesel::sql_query(blocked).execute(&mut watching).unwrap() == 1
        });
        let moved = git(&["commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "by another hand"]);
        git(&["update-ref", "refs/heads/main", &moved]);
        operator.batch_execute("COMMIT").unwrap();
        let drained = running.join().unwrap();
        assert_eq!((drained.done.len(), drained.failed.len()), (1, 0));
    });
    assert_eq!(git(&["log", "--format=%s", "-2"]), "Publish foo 1.0.0\nby another hand");
    let done = inspection::list(&mut operator, inspection::Selection::Done, 10).unwrap();
    assert_eq!((done.len(), done[0].attempts), (1, 1));
    served.stop();
}

#[test]
fn a_worker_of_another_process_makes_a_publish_visible_before_it_is_answered() {
    let mut served = Served::start(&["--no-worker", "--publish-wait", "60s"]);
    served.start_worker();
    let token = served.token("ann");
    let begin = std::time::Instant::now();
    for number in 0..3 {
        let reply = http::publish(&served.url, &token, &Package::new(&format!("crate{number}"), "1.0.0")).good();
        assert_eq!(reply.advice(), [""; 0]);
    }
    // Had nobody told the serving process, the answers would have waited for the whole minute.
    assert!(begin.elapsed() < Duration::from_secs(60));
    served.stop();
}

#[test]
fn a_process_without_workers_tells_others_of_a_job_after_its_commit() {
    let served = Served::start(&["--no-worker", "--publish-wait", "0s"]);
    let token = served.token("ann");
    let wakeups = Wakeups::default();
    let before = wakeups.ticket(jobs::QUEUE);
    let queues = [jobs::QUEUE];
    let _listener = Listener::start(&served.database.url(), &queues, wakeups.clone(), Completions::default()).unwrap();
    // It wakes everybody once when it listens.
    assert_woken(&wakeups, before);
    for change in ["publish", "yank", "unyank"] {
        let before = wakeups.ticket(jobs::QUEUE);
        let version = format!("{}/api/v1/crates/foo/1.0.0", served.url);
        match change {
            "publish" => http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good(),
            "yank" => http::delete_as(&format!("{version}/yank"), &token).good(),
            _ => http::put_as(&format!("{version}/unyank"), &token).good(),
        };
        assert_woken(&wakeups, before);
    }
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    /// Two programs at a deploy: neither knows of the other, and each thinks the queue is its own.
    #[test]
    fn two_writers_at_once_leave_index_and_database_at_the_last_desired_state() {
        const ROUNDS: usize = 40;
        let database = Database::fresh();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.git");
        let pool = Pool::live(&database.url(), 4);
        let ann = pool
            .with(|connection| {
                let user = users::create(connection, "ann", None).unwrap();
                let (token, _) = NewToken::named("test").create(connection, user.id).unwrap();
                Caller {
                    user,
                    token,
                    address: None,
                    connection: ClientConnection::default(),
                    request_id: None,
                    proven_at: None,
                }
            })
            .unwrap();
        let admission = Admission::default();
        database
            .connect()
            .batch_execute(&format!(
                "INSERT INTO crates (name) VALUES ('foo');
                 INSERT INTO crate_owners (crate_id, user_id) SELECT crates.id, {} FROM crates;
                 INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, metadata)
                 SELECT id, '1.0.0', '1.0.0', sha256('x'), 1, '{{\"name\":\"foo\",\"vers\":\"1.0.0\",\"yanked\":false}}', '{{}}' FROM crates",
                ann.user.id
            ))
            .unwrap();
        let runner = || {
            let environment = Environment {
                index: Index::open_or_init(&path).unwrap(),
                crate_store: CrateStore::local(&directory.path().join("crates")).unwrap(),
                webhooks: Guarded::new(Vec::new()),
                smtp: None,
                index_export: None,
            };
            let (wakeups, completions) = (Wakeups::default(), Completions::default());
            Runner::new(jobs::registry().unwrap(), environment, pool.clone(), "racer", wakeups, completions)
        };
        let (name, num) = ("foo".parse().unwrap(), "1.0.0".parse().unwrap());
        let index = Index::open_or_init(&path).unwrap();
        let runners = [runner(), runner()];
        for round in 0..ROUNDS {
            let barrier = Barrier::new(3);
            let yanked = round % 2 == 0;
            std::thread::scope(|scope| {
                for runner in &runners {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        // Until both jobs have run, in either runner.
                        for _ in 0..20 {
                            assert!(runner.drain().unwrap().failed.is_empty());
                        }
                    });
                }
                barrier.wait();
                for wanted in [!yanked, yanked] {
                    let requester = (&ann, &admission);
                    pool.with(|connection| {
                        yank::request_as(
                            connection,
                            (&name, &num),
                            YankState::of(wanted),
                            requester,
                            &Completions::default(),
                        )
                        .unwrap();
                    })
                    .unwrap();
                }
            });
            // A claim between its two steps when the other looked would come due after its gap.
            database.connect().batch_execute("UPDATE jobs SET run_at = clock_timestamp()").unwrap();
            runners[0].drain().unwrap();
            assert_eq!(inspection::count(&mut database.connect()).unwrap(), (0, 0));
            let file = index.read(&index.head().unwrap(), "3/f/foo").unwrap().unwrap();
            let line: Value = serde_json::from_slice(&file.content).unwrap();
            assert_eq!(line["yanked"], yanked, "round {round}");
            let effective = pool.with(|connection| {
                let krate = supercargo::database::catalog::crates::find(connection, &name).unwrap().unwrap();
                supercargo::database::catalog::versions::find(connection, krate.id, &num)
                    .unwrap()
                    .unwrap()
                    .effective_yanked
            });
            assert_eq!(effective.unwrap(), Some(yanked), "round {round}");
        }
    }

    #[test]
    fn both_protocols_can_be_read_while_batches_are_written() {
        let served = Served::start(&[]);
        let token = served.token("ann");
        let done = std::sync::atomic::AtomicBool::new(false);
        let clones = std::thread::scope(|scope| {
            let reading = scope.spawn(|| {
                let mut clones = 0;
                while !done.load(std::sync::atomic::Ordering::SeqCst) {
                    let directory = tempfile::tempdir().unwrap();
                    let url = format!("{}/git/index", served.url);
                    let clone = std::process::Command::new("git")
                        .args(["clone", "-q", &url, "index"])
                        .current_dir(directory.path())
                        .output()
                        .unwrap();
                    assert!(clone.status.success(), "{}", String::from_utf8_lossy(&clone.stderr));
                    assert_eq!(String::from_utf8_lossy(&clone.stderr), "");
                    http::get(&format!("{}/index/config.json", served.url)).good();
                    clones += 1;
                }
                clones
            });
            for number in 0..60 {
                let name = format!("crate{number}");
                assert_eq!(http::publish(&served.url, &token, &Package::new(&name, "1.0.0")).good().advice(), [""; 0]);
                assert_eq!(http::index_lines(&served.url, &format!("cr/at/{name}")).len(), 1);
            }
            done.store(true, std::sync::atomic::Ordering::SeqCst);
            reading.join().unwrap()
        });
        assert!(clones > 0);
    }
}
