//! Tests that start several processes or take seconds. The inner loop leaves them out.

use std::process::Stdio;

use crate::support::event::wait_until;
use crate::support::http;

use super::{Exporting, arguments, with};

/// The points of an export at which it is killed.
const POINTS: [&str; 6] = [
    "export.begun",
    "export.object",
    "export.object_written",
    "export.written",
    "export.invalidated",
    "export.recorded",
];

/// At each point: a publish, a yank and a deletion of a crate, one of them killed, and the yank undone before the next export.
#[test]
fn a_kill_at_any_point_loses_nothing_and_brings_nothing_back() {
    let mut registry = Exporting::start(&[]);
    let all = arguments(&registry.server);
    for (number, point) in POINTS.into_iter().enumerate() {
        let (kept, removed) = (format!("kept{number}"), format!("removed{number}"));
        registry.publish(&kept, "1.0.0");
        registry.publish(&removed, "1.0.0");
        registry.wait_until_exported();
        registry.served.arm(&format!("{point}=abort"));
        // The answer may be lost with the process.
        let yank = format!("{}/api/v1/crates/{kept}/1.0.0/yank", registry.served.url);
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| std::panic::catch_unwind(|| http::delete_as(&yank, &registry.token).status));
            registry.served.wait_until_passed();
            let _ = asked.join();
        });
        registry.served.set_arguments(&[]);
        registry.served.start_again_after_death();
        let undo = format!("{}/api/v1/crates/{kept}/1.0.0/unyank", registry.served.url);
        http::put_as(&undo, &registry.token).good();
        registry.served.run("admin crate delete", &[&removed, "--reason", "a test"]);
        wait_until("the crate is deleted", || !registry.index().keys().any(|path| path.ends_with(&removed)));
        registry.served.kill();
        registry.served.set_arguments(&with(&all, &[]));
        registry.served.start_again();
        registry.wait_until_exported();
        let copy = registry.copy();
        let path = format!("ke/pt/{kept}");
        assert!(String::from_utf8_lossy(&copy[&path]).contains("\"yanked\":false"), "{point}");
        assert!(!copy.keys().any(|path| path.ends_with(&removed)), "{point}");
    }
}

/// `serve` and a `worker` export, and a command does so as well, while crates are published and yanked.
#[test]
fn several_processes_that_export_at_once_agree() {
    let mut registry = Exporting::start(&[]);
    let all = arguments(&registry.server);
    registry.served.start_worker_with(&with(&all, &[]));
    let registry = &registry;
    std::thread::scope(|scope| {
        let commands = scope.spawn(|| {
            for _ in 0..3 {
                let mut command = registry.served.command("index export");
                command.args(with(&all, &["--full"])).stdout(Stdio::null());
                assert!(command.status().unwrap().success());
            }
        });
        for number in 0..20 {
            registry.publish("foo", &format!("1.0.{number}"));
            registry.publish(&format!("other{number}"), "1.0.0");
            registry.yank("foo", &format!("1.0.{number}"));
        }
        commands.join().unwrap();
    });
    registry.wait_until_exported();
    assert_eq!(registry.copy().len(), 22);
}

/// The machine of `serve` freezes in the middle of an export; another one takes over, and the first one resumes.
#[test]
fn a_frozen_process_that_resumes_brings_nothing_back() {
    let registry = Exporting::start(&[]);
    let all = arguments(&registry.server);
    registry.publish("foo", "1.0.0");
    registry.wait_until_exported();
    registry.served.arm("export.object=stall(4s)");
    registry.publish("foo", "1.1.0");
    registry.served.wait_until_passed();
    // As the database does when the session of a frozen process is over.
    let mut connection = registry.served.database.connect();
    let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE pid IN (SELECT pid FROM pg_locks WHERE relation = 'index_exports'::regclass AND mode = 'RowExclusiveLock')";
    diesel::connection::SimpleConnection::batch_execute(&mut connection, ended).unwrap();
    registry.publish("foo", "1.2.0");
    registry.served.run("index export", &with(&all, &[]));
    assert_eq!(registry.copy()["3/f/foo"].iter().filter(|byte| **byte == b'\n').count(), 3);
    // The stalled one has ended when its worker exports the next crate, which does not touch this file.
    registry.publish("other", "1.0.0");
    wait_until("the next crate is exported", || registry.copy().contains_key("ot/he/other"));
    assert_eq!(registry.copy(), registry.index());
}
