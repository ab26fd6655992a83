//! With a synchronous standby nothing that was answered is lost.

use std::time::Instant;

use serde_json::Value;

use super::registry::Registry;
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::publishers::{CLIENTS, Publishers};
use crate::support::standby::{PASSWORD, Pair, Replication};

#[test]
fn the_promoted_standby_has_every_change_that_was_answered() {
    let pair = Pair::start(Replication::Synchronous);
    let mut registry = Registry::start(&pair, &["--publish-wait", "5s"]);
    registry.start_worker();
    let publishers = Publishers::new(&registry.url, &registry.token("ann"));
    let changes = publishers.run(|publishers| {
        publishers.wait_for_answers(4 * CLIENTS);
        wait_until("the registry to be ready", || is_ready(&registry));
        pair.primary.kill();
        let killed = Instant::now();
        wait_until("the registry to notice", || !is_ready(&registry));
        let noticed = killed.elapsed();
        pair.standby.run("ALTER SYSTEM RESET synchronous_standby_names");
        pair.promote();
        let promoted = Instant::now();
        publishers.wait_for_answers(1);
        let (answered, began) = (promoted.elapsed(), Instant::now());
        publishers.wait_for_answers(4 * CLIENTS);
        println!(
            "not ready {noticed:.1?} after the kill, promoted {:.1?} after it; the first answer {answered:.1?} after the \
             promotion, {} more in {:.1?}",
            promoted.duration_since(killed),
            4 * CLIENTS,
            began.elapsed()
        );
        wait_until("the registry to be ready", || is_ready(&registry));
    });
    println!("{}", changes.summary());
    changes.assert_fulfilled(&registry.url, &pair.url());
    let report: Value = serde_json::from_str(&registry.run("verify", &["--json"])).unwrap();
    assert_eq!(report["agreement"], true, "{report:#}");
    let versions: usize = changes.crates.values().map(Vec::len).sum();
    assert_eq!(report["counts"]["versions"], versions, "{report:#}");

    let log = registry.log();
    let failed_over = format!(
        "the database has failed over: the primary is now 127.0.0.1:{} (timeline 2), and was 127.0.0.1:{} (timeline 1)",
        pair.standby.port(),
        pair.primary.port()
    );
    assert!(log.contains(&failed_over), "{log}");
    assert!(log.contains("the registry is not ready: database: failed ("), "{log}");
    assert!(!log.contains(PASSWORD), "{log}");
    let metrics = http::get(&format!("{}/metrics", registry.url)).good().text();
    assert!(metrics.contains("\nsupercargo_database_failovers_total 1\n"), "{metrics}");
}

fn is_ready(registry: &Registry) -> bool {
    http::get(&format!("{}/health/ready", registry.url)).status == 200
}
