//! A webhook whose receiver fails, hangs and breaks off, while the registry is killed: each event arrives, in order.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{PgConnection, RunQueryDsl};
use supercargo::database::webhooks::{deliveries, outbox};

use crate::support::event::wait_until;
use crate::support::process::Served;
use crate::support::publishers::{CLIENTS, Publishers};
use crate::support::webhook_receiver::{BROKEN, GOOD, Got, Reaction, WebhookReceiver};

/// What its receiver does, again and again.
const TROUBLE: [Reaction; 7] = [GOOD, BROKEN, GOOD, Reaction::Close, GOOD, Reaction::Hang, GOOD];
/// Answers between two kills.
const MOMENTS: [usize; 4] = [2 * CLIENTS + 1, 3 * CLIENTS + 2, CLIENTS + 5, 2 * CLIENTS + 3];

/// Each event for the first time, in the order of these.
fn first_times(got: &[Got]) -> Vec<Got> {
    let mut seen = BTreeSet::new();
    got.iter().filter(|one| seen.insert(one.id().to_owned())).cloned().collect()
}

/// The ids of all events of the webhook, in the order of their deliveries.
fn in_order(served: &Served) -> Vec<String> {
    let mut found = deliveries::list(&mut served.database.connect(), 1, None, 10_000).unwrap();
    found.reverse();
    found.into_iter().map(|one| one.public_id).collect()
}

#[test]
fn every_event_arrives_in_order_though_receiver_and_registry_fail() {
    let arguments = ["--webhook-allow", "127.0.0.1", "--publish-wait", "1s", "--rate-limit", "none"];
    let mut served = Served::start_with_fail_points("warn", &arguments);
    let receiver = WebhookReceiver::start();
    let token = served.token("ann");
    served.run("webhook add", &[&receiver.url, "--events", "version.*,webhook.test"]);
    let publishers = Publishers::new(&served.url, &token);
    let mut killed_at = Vec::new();
    let changes = publishers.run(|publishers| {
        for (moment, point) in MOMENTS.into_iter().zip([
            Some("webhook.answered=abort"),
            None,
            Some("webhook.before_relay_commit=abort"),
            None,
        ]) {
            // What hangs takes its time, and once is enough.
            receiver.then(if moment == MOMENTS[0] { &TROUBLE } else { &TROUBLE[..TROUBLE.len() - 2] });
            publishers.wait_for_answers(moment);
            // A backoff is not waited for.
            wait_until("the trouble", || {
                hurry(&served);
                receiver.is_calm()
            });
            match point {
                Some(point) => {
                    served.arm(point);
                    wait_until(point, || {
                        hurry(&served);
                        served.has_ended()
                    });
                    killed_at.push(point);
                    served.start_again_after_death();
                }
                None => {
                    served.kill();
                    served.start_again();
                }
            }
            publishers.moved_to(&served.url);
        }
        publishers.wait_for_answers(CLIENTS);
    });
    receiver.only(GOOD);
    let mut connection = served.database.connect();
    let backlog = receiver.got().len();
    let mut arrived = 0;
    while !is_all_delivered(&mut connection) {
        // A backlog takes its time; no single delivery does.
        wait_until("the next delivery", || {
            hurry(&served);
            let before = std::mem::replace(&mut arrived, receiver.got().len());
            arrived > before || is_all_delivered(&mut connection)
        });
    }
    changes.assert_fulfilled(&served.url, &served.database.url());
    let got = receiver.got();
    let told = first_times(&got);
    let order = in_order(&served);
    assert_eq!(told.iter().map(Got::id).collect::<Vec<_>>(), order);
    // What is repeated was not accepted, or its registry was killed before it knew.
    let accepted: Vec<usize> = got
        .iter()
        .filter(|one| one.is_accepted)
        .map(|one| order.iter().position(|id| id == one.id()).unwrap())
        .collect();
    assert!(accepted.is_sorted(), "{accepted:?}");
    // Two or three refusals before each kill.
    assert!(got.len() - accepted.len() > 2 * MOMENTS.len(), "{} of {}", accepted.len(), got.len());
    let mut by_version: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for one in told.iter().filter(|one| one.kind() != "webhook.test") {
        let data = &one.json()["data"];
        let text = |name: &str| data[name].as_str().unwrap().to_owned();
        by_version.entry((text("crate"), text("version"))).or_default().push(one.kind());
    }
    let mut published = 0;
    for (name, versions) in &changes.crates {
        for (version, is_yanked) in versions {
            let kinds = by_version.remove(&(name.clone(), version.clone())).unwrap_or_default();
            assert_eq!(kinds.first().map(String::as_str), Some("version.published"), "{name}@{version}: {kinds:?}");
            let last = kinds.iter().rfind(|kind| *kind != "version.published").map(String::as_str);
            assert_eq!(last == Some("version.yanked"), *is_yanked, "{name}@{version}: {kinds:?}");
            published += 1;
        }
    }
    assert!(by_version.is_empty() && killed_at.len() == 2, "{by_version:?}");
    println!(
        "{published} versions; {} events, sent {} times, {backlog} of these before the end of the trouble, accepted {} times; lost 0, \
         out of order 0",
        told.len(),
        got.len(),
        accepted.len()
    );
    served.stop();
}

/// Ends the backoff of deliveries.
fn hurry(served: &Served) {
    let statement = "UPDATE jobs SET run_at = now() WHERE kind = 'deliver_webhook' AND last_failed_at >= claimed_at";
    diesel::sql_query(statement).execute(&mut served.database.connect()).unwrap();
}

/// Whether everything was passed on and has arrived.
fn is_all_delivered(connection: &mut PgConnection) -> bool {
    let standing = deliveries::standings(connection, &[1]).unwrap().pop().unwrap();
    standing.waiting == 0 && !outbox::any(connection).unwrap().entries
}
