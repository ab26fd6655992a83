//! Processes killed in the middle of eight clients' work: what was answered holds, what was not can be sent again, and
//! nothing is left behind.

use std::process::{Child, Command, Stdio};

use diesel::prelude::*;
use nix::sys::signal::Signal;
use supercargo::postgres::embedded;
use supercargo::queue::inspection::{self, Selection};

use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, supercargo, wait_for_url};
use crate::support::publishers::{CLIENTS, Publishers};

/// The moments are told by answers, and a little more or less of them each time.
const MOMENTS: [usize; 3] = [3 * CLIENTS + 1, 5 * CLIENTS + 3, 2 * CLIENTS + 6];

#[test]
fn a_serve_killed_three_times_loses_nothing_it_answered() {
    let mut served = Served::start(&["--publish-wait", "1s", "--rate-limit", "none"]);
    let publishers = Publishers::new(&served.url, &served.token("ann"));
    let changes = publishers.run(|publishers| {
        for moment in MOMENTS {
            publishers.wait_for_answers(moment);
            served.kill();
            served.start_again();
            publishers.moved_to(&served.url);
        }
        publishers.wait_for_answers(2 * CLIENTS);
    });
    changes.assert_fulfilled(&served.url, &served.database.url());
    println!("{}", changes.summary());
    served.stop();
}

#[test]
fn workers_killed_three_times_leave_nothing_undone() {
    let mut served = Served::start(&["--no-worker", "--publish-wait", "50ms", "--rate-limit", "none"]);
    let mut workers = Vec::new();
    let publishers = Publishers::new(&served.url, &served.token("ann"));
    let start = |served: &Served| served.command("worker").stdout(Stdio::null()).spawn().unwrap();
    let changes = publishers.run(|publishers| {
        for moment in MOMENTS {
            // Two at once: one works and one stands by, and takes over.
            workers.push(start(&served));
            workers.push(start(&served));
            publishers.wait_for_answers(moment);
            kill(workers.remove(0));
            publishers.wait_for_answers(CLIENTS);
        }
    });
    changes.assert_fulfilled(&served.url, &served.database.url());
    println!("{}", changes.summary());
    workers.into_iter().for_each(kill);
    served.stop();
}

/// With its own PostgreSQL, which dies with it.
#[test]
fn a_serve_killed_with_its_own_database_loses_nothing_it_answered() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let data_dir = directory.path().join("data");
    let start = || {
        let _ = std::fs::remove_file(data_dir.join("url"));
        let mut command = supercargo();
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data-dir"]).arg(&data_dir);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let url = wait_for_url(&mut child, &data_dir);
        (child, url)
    };
    let (mut serving, mut url) = start();
    let token = std::fs::read_to_string(data_dir.join("admin-token")).unwrap();
    let changes = Publishers::new(&url, token.trim()).run(|publishers| {
        for moment in MOMENTS {
            publishers.wait_for_answers(moment);
            serving.kill().unwrap();
            serving.wait().unwrap();
            (serving, url) = start();
            publishers.moved_to(&url);
        }
        publishers.wait_for_answers(2 * CLIENTS);
    });
    changes.assert_fulfilled(&url, &embedded::attach(&data_dir).unwrap().unwrap());
    println!("{}", changes.summary());
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(serving.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert!(serving.wait().unwrap().success());
    assert_eq!(embedded::attach(&data_dir).unwrap(), None);
}

#[test]
fn a_serve_told_to_stop_finishes_what_it_has_begun() {
    let mut served = Served::start(&["--publish-wait", "1s", "--rate-limit", "none"]);
    let publishers = Publishers::new(&served.url, &served.token("ann"));
    let changes = publishers.run(|publishers| {
        publishers.wait_for_answers(2 * CLIENTS);
        served.stop();
        served.start_again();
        publishers.moved_to(&served.url);
        publishers.wait_for_answers(2 * CLIENTS);
    });
    changes.assert_fulfilled(&served.url, &served.database.url());
    // Requests that came too late were refused at the door; none was cut off after it had been accepted.
    assert_eq!(changes.had_been_accepted, 0, "{}", changes.summary());
}

/// Sessions of the database ended under everybody's feet, again and again.
#[test]
fn a_database_that_ends_its_sessions_costs_requests_and_nothing_else() {
    use diesel::connection::SimpleConnection;
    let served = Served::start(&["--publish-wait", "1s", "--rate-limit", "none"]);
    let mut operator = served.database.connect();
    let publishers = Publishers::new(&served.url, &served.token("ann"));
    let changes = publishers.run(|publishers| {
        for moment in MOMENTS {
            publishers.wait_for_answers(moment);
            operator
                .batch_execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()",
                )
                .unwrap();
        }
        publishers.wait_for_answers(2 * CLIENTS);
    });
    changes.assert_fulfilled(&served.url, &served.database.url());
    println!("{}", changes.summary());
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_git_program_can_read_what_was_left_at_any_kill() {
    let mut served = Served::start(&["--publish-wait", "1s", "--rate-limit", "none"]);
    let publishers = Publishers::new(&served.url, &served.token("ann"));
    publishers.run(|publishers| {
        publishers.wait_for_answers(4 * CLIENTS);
        served.kill();
        let fsck = Command::new("git")
            .args(["-c", "safe.directory=*", "fsck", "--full", "--strict"])
            .current_dir(served.data_dir().join("index.git"))
            .output()
            .unwrap();
        assert!(fsck.status.success(), "{}", String::from_utf8_lossy(&fsck.stderr));
        served.start_again();
        publishers.moved_to(&served.url);
    });
}

/// The job has failed and is undone, and its failure is not recorded yet. The start counts, as of a worker that is gone.
#[test]
fn a_worker_killed_between_undoing_a_job_and_recording_its_failure_leaves_a_job_that_is_done_by_another() {
    let mut served = Served::start(&["--no-worker", "--publish-wait", "0s"]);
    http::publish(&served.url, &served.token("ann"), &Package::new("foo", "1.0.0")).good();
    let mut dying = served.command("worker");
    dying.env("SUPERCARGO_FAIL_POINTS", "job.effective_noted=error;queue.undone=abort").stdout(Stdio::null());
    assert!(!dying.spawn().unwrap().wait().unwrap().success());
    let mut connection = served.database.connect();
    let left = inspection::list(&mut connection, Selection::Pending, 2).unwrap();
    let [job] = &left[..] else { panic!("{left:?}") };
    assert_eq!((job.attempts, job.error.as_deref()), (1, None));
    assert_eq!(effective_yanked(&mut connection), None, "what it wrote is rolled back");
    served.start_worker();
    wait_until("the job to be done", || inspection::count(&mut connection).unwrap() == (0, 0));
    let outcomes: Vec<_> = inspection::receipts(&mut connection, job.id).unwrap();
    assert_eq!(outcomes.into_iter().map(|receipt| receipt.outcome).collect::<Vec<_>>(), ["lost", "done"]);
    assert_eq!(effective_yanked(&mut connection), Some(false));
    assert_eq!(http::index_lines(&served.url, "3/f/foo").len(), 1);
    served.stop();
}

fn effective_yanked(connection: &mut PgConnection) -> Option<bool> {
    use supercargo::database::schema::versions;
    versions::table.select(versions::effective_yanked).first(connection).unwrap()
}
