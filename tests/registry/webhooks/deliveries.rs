//! What webhooks get, and in which order.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use diesel::RunQueryDsl;
use serde_json::json;
use supercargo::database::access::audit::{Action, Actor, Event};
use supercargo::database::webhooks::{deliveries, endpoints};
use supercargo::jobs::delete_crate;
use supercargo::jobs::webhooks::configure::{self, Update, Wanted, Who};
use supercargo::jobs::webhooks::relay;
use supercargo::webhook::Secret;

use crate::support::harness::TestRegistry;
use crate::support::package::Package;
use crate::support::webhook_receiver::{BROKEN, GOOD, Reaction, WebhookReceiver};

fn operator() -> Actor {
    Actor::operator("ops@host".to_owned())
}

/// A webhook that receives events of what `wanted` says, at a receiver; its number and its secret. The test that it gets is delivered.
fn hook(registry: &TestRegistry, receiver: &WebhookReceiver, wanted: Wanted) -> (i32, Secret) {
    let wanted = Wanted { url: receiver.url.clone(), ..wanted };
    let operator = operator();
    let added = registry.pool.with(|connection| configure::add(connection, &wanted, None, Who::Operator(&operator)));
    let (webhook, secret) = added.unwrap().unwrap();
    registry.run_jobs();
    assert_eq!(receiver.kinds(), ["webhook.test"]);
    (webhook.id, secret)
}

fn of_everything(registry: &TestRegistry, receiver: &WebhookReceiver) -> (i32, Secret) {
    hook(registry, receiver, Wanted::default())
}

/// Passes on what has settled; returns how many events some webhook receives events of.
fn relay(registry: &TestRegistry) -> usize {
    let url = Some("https://crates.example");
    registry.pool.with(|connection| relay::run(connection, url, &|| false).unwrap()).unwrap()
}

/// Passes on and delivers.
fn deliver(registry: &TestRegistry) {
    relay(registry);
    registry.run_jobs();
}

fn execute(registry: &TestRegistry, statement: &str) -> usize {
    registry.pool.with(|connection| diesel::sql_query(statement).execute(connection).unwrap()).unwrap()
}

fn as_operator<T>(registry: &TestRegistry, change: impl FnOnce(&mut diesel::PgConnection, Who<'_>) -> T) -> T {
    let operator = operator();
    registry.pool.with(|connection| change(connection, Who::Operator(&operator))).unwrap()
}

/// Something that no job makes true.
fn create_token(registry: &TestRegistry, name: &str) {
    let record = |connection: &mut diesel::PgConnection| {
        Event::new(Action::TokenCreate).about(name).record(connection, &operator()).unwrap();
    };
    registry.pool.with(record).unwrap();
}

/// Whether deliveries are paused, and why.
fn pause(registry: &TestRegistry, id: i32) -> Option<String> {
    let webhook = registry.pool.with(|connection| endpoints::find(connection, id).unwrap().unwrap()).unwrap();
    webhook.pause.map(|pause| pause.reason.unwrap_or_default())
}

#[test]
fn a_publish_is_told_when_the_index_shows_it_and_signed() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let receiver = WebhookReceiver::start();
    let (_, secret) = of_everything(&registry, &receiver);
    ann.publish(&Package::new("demo", "1.0.0")).good();
    assert_eq!(relay(&registry), 0);
    registry.run_jobs();
    assert_eq!((relay(&registry), receiver.got().len()), (1, 0));
    registry.run_jobs();
    let got = receiver.got().pop().unwrap();
    assert_eq!((got.path.as_str(), got.header("content-type")), ("/hook", "application/json"));
    assert!(got.header("user-agent").starts_with("supercargo/"));
    let told = got.json();
    assert_eq!(told["type"], "version.published");
    assert!(told["timestamp"].as_str().unwrap().ends_with('Z'));
    let data = &told["data"];
    assert_eq!(
        json!([data["crate"], data["version"], data["by"], data["registry"], data["detail"]["new_crate"]]),
        json!(["demo", "1.0.0", "ann", "https://crates.example", true])
    );
    // The signature by another implementation of HMAC.
    let key = BASE64_STANDARD.decode(secret.reveal().strip_prefix("whsec_").unwrap()).unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    let signed = format!("{}.{}.{}", got.id(), got.header("webhook-timestamp"), got.body);
    let signature = BASE64_STANDARD.encode(ring::hmac::sign(&key, signed.as_bytes()));
    assert_eq!(got.header("webhook-signature"), format!("v1,{signature}"));
    let at: i64 = got.header("webhook-timestamp").parse().unwrap();
    assert!((chrono::Utc::now().timestamp() - at).abs() < 60);
}

#[test]
fn events_wait_for_the_one_before_and_a_repetition_has_the_same_id_and_body() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let receiver = WebhookReceiver::start();
    of_everything(&registry, &receiver);
    for version in ["1.0.0", "1.1.0"] {
        ann.publish(&Package::new("demo", version)).good();
    }
    registry.run_jobs();
    receiver.then(&[BROKEN, Reaction::Close, Reaction::Answer(302, "location: https://example.com/\r\n", "")]);
    assert_eq!(relay(&registry), 2);
    for problem in ["the answer was 500", "no answer after", "(redirects are not followed)"] {
        let drained = registry.drain_jobs();
        assert_eq!(drained.failed.len(), 1);
        let error = drained.failed[0].1.to_string();
        assert!(error.contains(problem), "{error}");
        registry.make_due();
    }
    registry.run_jobs();
    let got = receiver.got();
    let versions: Vec<_> = got.iter().map(|one| one.json()["data"]["version"].as_str().unwrap().to_owned()).collect();
    assert_eq!(versions, ["1.0.0", "1.0.0", "1.0.0", "1.0.0", "1.1.0"]);
    for one in &got[1..4] {
        assert_eq!((one.id(), &one.body), (got[0].id(), &got[0].body));
    }
    assert_ne!(got[4].id(), got[0].id());
}

/// It counts its own attempts: a job that is dead would let the next one pass.
#[test]
fn a_webhook_that_fails_for_days_is_paused_and_gets_everything_when_it_is_resumed() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let receiver = WebhookReceiver::start();
    let (id, _) = of_everything(&registry, &receiver);
    receiver.always(BROKEN);
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        ann.publish(&Package::new("demo", version)).good();
    }
    registry.run_jobs();
    assert_eq!(relay(&registry), 3);
    assert_eq!(registry.drain_jobs().failed.len(), 1);
    execute(&registry, "UPDATE jobs SET attempts = 78");
    registry.make_due();
    assert_eq!(registry.drain_jobs().failed.len(), 1);
    assert_eq!(pause(&registry, id), None);
    registry.make_due();
    assert!(registry.drain_jobs().failed.is_empty());
    let why = pause(&registry, id).unwrap();
    assert!(
        why.contains("80 attempts have failed, the last one: the answer was 500") && why.contains("out of order"),
        "{why}"
    );
    assert_eq!((receiver.kinds().len(), registry.pending()), (3, 0));
    // What happens meanwhile waits, too.
    ann.yank("demo", "1.0.0").good();
    registry.run_jobs();
    assert_eq!((relay(&registry), registry.run_jobs()), (1, 0));
    let standing = |registry: &TestRegistry| {
        registry.pool.with(|connection| deliveries::standings(connection, &[id]).unwrap().pop().unwrap()).unwrap()
    };
    assert_eq!((standing(&registry).waiting, receiver.got().len()), (4, 0));
    receiver.always(GOOD);
    let resumed = as_operator(&registry, |connection, who| configure::resume(connection, id, false, who).unwrap());
    assert_eq!((resumed.waiting, resumed.dropped), (4, 0));
    registry.run_jobs();
    let told: Vec<_> = receiver.got().iter().map(|one| one.json()["data"]["version"].clone()).collect();
    assert_eq!(json!(told), json!(["1.0.0", "1.1.0", "1.2.0", "1.0.0"]));
    assert_eq!(receiver.kinds().last().unwrap(), "version.yanked");
    assert_eq!((standing(&registry).waiting, pause(&registry, id)), (0, None));
}

#[test]
fn a_receiver_that_is_gone_is_paused_at_once_and_what_waits_can_be_dropped() {
    let registry = TestRegistry::new();
    let receiver = WebhookReceiver::start();
    let (id, _) = of_everything(&registry, &receiver);
    receiver.then(&[Reaction::Answer(410, "", "")]);
    create_token(&registry, "one");
    create_token(&registry, "two");
    deliver(&registry);
    assert_eq!(pause(&registry, id).unwrap(), "the receiver has answered 410 Gone");
    assert_eq!(receiver.kinds(), ["token.created"]);
    let resumed = as_operator(&registry, |connection, who| configure::resume(connection, id, true, who).unwrap());
    assert_eq!((resumed.waiting, resumed.dropped), (0, 2));
    create_token(&registry, "three");
    deliver(&registry);
    let told: Vec<_> = receiver.got().iter().map(|one| one.json()["data"]["subject"].clone()).collect();
    assert_eq!(told, ["three"]);
}

/// Jobs of before a pause may still be there when it ends.
#[test]
fn jobs_of_before_a_pause_deliver_nothing_out_of_order() {
    let registry = TestRegistry::new();
    let receiver = WebhookReceiver::start();
    let (id, _) = of_everything(&registry, &receiver);
    for name in ["one", "two", "three"] {
        create_token(&registry, name);
    }
    assert_eq!(relay(&registry), 3);
    as_operator(&registry, |connection, who| configure::pause(connection, id, Some("moving"), who).unwrap());
    as_operator(&registry, |connection, who| configure::pause(connection, id, Some("again"), who).unwrap());
    assert_eq!(pause(&registry, id).unwrap(), "moving");
    // The pauses themselves are told to nobody.
    create_token(&registry, "four");
    assert_eq!(relay(&registry), 1);
    as_operator(&registry, |connection, who| configure::resume(connection, id, false, who).unwrap());
    create_token(&registry, "five");
    relay(&registry);
    // Three of before the pause, which do nothing, four of its end, and one after it.
    assert_eq!(registry.run_jobs(), 8);
    let got = receiver.got();
    let ids: Vec<i64> = got.iter().map(|one| one.id().strip_prefix("evt_").unwrap().parse().unwrap()).collect();
    assert!(ids.len() == 5 && ids.is_sorted_by(|one, next| one < next), "{ids:?}");
}

#[test]
fn a_webhook_hears_of_its_crate_or_team_and_of_the_types_that_it_wants() {
    let registry = TestRegistry::new();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    registry.user("bob");
    execute(&registry, "INSERT INTO teams (name) VALUES ('devs')");
    for name in ["mine", "other", "ours"] {
        ann.publish(&Package::new(name, "1.0.0")).good();
    }
    registry.run_jobs();
    execute(
        &registry,
        "INSERT INTO crate_team_owners (crate_id, team_id) SELECT crates.id, teams.id FROM crates, teams WHERE crates.name = 'ours'",
    );
    let [everything, of_crate, of_team, yanks] = [0; 4].map(|_| WebhookReceiver::start());
    hook(&registry, &everything, Wanted { events: Some(vec!["version.*".to_owned()]), ..Wanted::default() });
    hook(&registry, &of_crate, Wanted { krate: Some("Mine".to_owned()), ..Wanted::default() });
    hook(&registry, &of_team, Wanted { team: Some("team:DEVS".to_owned()), ..Wanted::default() });
    let wanted = vec!["version.yanked".to_owned(), "owner.*".to_owned()];
    hook(&registry, &yanks, Wanted { krate: Some("ours".to_owned()), events: Some(wanted), ..Wanted::default() });
    for name in ["mine", "other", "ours"] {
        ann.publish(&Package::new(name, "1.1.0")).good();
        ann.yank(name, "1.0.0").good();
    }
    ann.request(axum::http::Method::PUT, "/api/v1/crates/ours/owners", json!({ "users": ["bob"] }).to_string()).good();
    root.request(axum::http::Method::PUT, "/api/v1/me/tokens", "{\"api_token\":{\"name\":\"x\"}}").good();
    registry.run_jobs();
    deliver(&registry);
    let told = |receiver: &WebhookReceiver| -> Vec<String> {
        let got = receiver.got().into_iter();
        got.map(|one| format!("{} {}", one.kind(), one.json()["data"]["crate"].as_str().unwrap_or("-"))).collect()
    };
    let both = |name: &str| [format!("version.published {name}"), format!("version.yanked {name}")];
    assert_eq!(told(&everything), [both("mine"), both("other"), both("ours")].concat());
    assert_eq!(told(&of_crate), both("mine"));
    assert_eq!(told(&of_team), [&both("ours")[..], &["owner.added ours".to_owned()]].concat());
    assert_eq!(told(&yanks), ["version.yanked ours", "owner.added ours"]);
}

#[test]
fn the_members_of_a_team_are_told_to_its_webhooks() {
    let registry = TestRegistry::new();
    registry.user("ann");
    let directory = [WebhookReceiver::start(), WebhookReceiver::start()];
    for (name, receiver) in ["devs", "ops"].into_iter().zip(&directory) {
        registry
            .pool
            .with(|connection| supercargo::admin::teams::create(connection, &operator(), name).unwrap())
            .unwrap();
        hook(&registry, receiver, Wanted { team: Some(name.to_owned()), ..Wanted::default() });
    }
    let add = |connection: &mut diesel::PgConnection| {
        supercargo::admin::teams::set_member(connection, &operator(), "devs", "ann", true).unwrap();
    };
    registry.pool.with(add).unwrap();
    deliver(&registry);
    let got = directory[0].got();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].json()["type"], "team.member_added");
    assert_eq!(got[0].json()["data"]["detail"]["user"], "ann");
    assert!(directory[1].got().is_empty());
}

/// Its name may become somebody else's.
#[test]
fn the_webhook_of_a_deleted_crate_hears_of_the_deletion_and_of_nothing_after() {
    let registry = TestRegistry::new();
    let root = registry.admin("root");
    root.publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    let receiver = WebhookReceiver::start();
    let (id, _) = hook(&registry, &receiver, Wanted { krate: Some("demo".to_owned()), ..Wanted::default() });
    let delete = |connection: &mut diesel::PgConnection| {
        delete_crate::request(connection, &"demo".parse().unwrap(), ("over", true), &operator()).unwrap();
    };
    registry.pool.with(delete).unwrap();
    // The name is taken again before anything is passed on.
    root.publish(&Package::new("demo", "2.0.0")).good();
    registry.run_jobs();
    deliver(&registry);
    root.yank("demo", "2.0.0").good();
    registry.run_jobs();
    deliver(&registry);
    assert_eq!(receiver.kinds(), ["crate.deleted"]);
    let removed = registry.pool.with(|connection| endpoints::remove_of_deleted(connection).unwrap()).unwrap();
    assert_eq!(removed, [(id, receiver.url.clone())]);
}

#[test]
fn what_the_index_does_not_show_yet_is_not_told_and_holds_up_nothing_else() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let receiver = WebhookReceiver::start();
    of_everything(&registry, &receiver);
    ann.publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    deliver(&registry);
    receiver.kinds();
    // One version changes, and another waits for its job.
    ann.yank("demo", "1.0.0").good();
    execute(&registry, "UPDATE jobs SET run_at = clock_timestamp() + interval '1 hour'");
    ann.unyank("demo", "1.0.0").good();
    ann.yank("demo", "1.0.0").good();
    ann.publish(&Package::new("other", "1.0.0")).good();
    execute(
        &registry,
        "UPDATE jobs SET run_at = clock_timestamp() + interval '1 hour' WHERE kind <> 'publish_version'",
    );
    registry.run_jobs();
    deliver(&registry);
    assert_eq!(receiver.kinds(), ["version.published"]);
    registry.make_due();
    registry.run_jobs();
    deliver(&registry);
    assert_eq!(receiver.kinds(), ["version.yanked", "version.unyanked", "version.yanked"]);
}

#[test]
fn dead_jobs_and_differences_are_told_to_those_who_hear_of_everything() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("demo", "1.0.0")).good();
    let [receiver, of_crate] = [0; 2].map(|_| WebhookReceiver::start());
    execute(&registry, "UPDATE jobs SET run_at = clock_timestamp() + interval '1 hour'");
    of_everything(&registry, &receiver);
    hook(&registry, &of_crate, Wanted { krate: Some("demo".to_owned()), ..Wanted::default() });
    execute(&registry, "UPDATE jobs SET attempts = 1000, last_error = 'disk on fire', run_at = now()");
    registry.drain_jobs();
    execute(&registry, "INSERT INTO verify_reports (mode, requested_by) VALUES ('full', 'ops@host')");
    execute(&registry, "UPDATE verify_reports SET finished_at = now(), differences = 2");
    execute(&registry, "INSERT INTO verify_reports (mode, requested_by) VALUES ('light', 'schedule')");
    execute(&registry, "UPDATE verify_reports SET finished_at = now() WHERE mode = 'light'");
    deliver(&registry);
    let got = receiver.got();
    assert_eq!(receiver.kinds(), ["job.dead", "verification.differences"]);
    let (dead, differences) = (got[0].json(), got[1].json());
    assert_eq!(json!([dead["data"]["kind"], dead["data"]["key"]]), json!(["publish_version", "demo"]), "{dead}");
    assert!(dead["data"]["error"].as_str().unwrap().contains("disk on fire"), "{dead}");
    assert_eq!(json!([differences["data"]["differences"], differences["data"]["mode"]]), json!([2, "full"]));
    assert!(of_crate.got().is_empty());
    execute(&registry, "DELETE FROM dead_jobs");
}

#[test]
fn after_a_rotation_both_secrets_sign_until_the_end_of_the_previous_one() {
    let registry = TestRegistry::new();
    let receiver = WebhookReceiver::start();
    let (id, first) = of_everything(&registry, &receiver);
    let rotate =
        |overlap| as_operator(&registry, |connection, who| configure::rotate(connection, id, overlap, who).unwrap());
    let test = || {
        receiver.kinds();
        as_operator(&registry, |connection, who| configure::test(connection, id, None, who).unwrap());
        registry.run_jobs();
        receiver.got().pop().unwrap()
    };
    let signatures = |secrets: &[&Secret], got: &crate::support::webhook_receiver::Got| {
        let each = secrets.iter().map(|secret| secret.sign(got.id(), got.header("webhook-timestamp"), &got.body));
        each.collect::<Vec<_>>().join(" ")
    };
    let second = rotate(configure::OVERLAP);
    let got = test();
    assert_eq!(got.header("webhook-signature"), signatures(&[&second, &first], &got));
    let third = rotate(chrono::TimeDelta::zero());
    let got = test();
    assert_eq!(got.header("webhook-signature"), signatures(&[&third], &got));
}

#[test]
fn an_event_is_delivered_again_with_its_id_and_removed_webhooks_get_nothing() {
    let registry = TestRegistry::new();
    let receiver = WebhookReceiver::start();
    let (id, _) = of_everything(&registry, &receiver);
    create_token(&registry, "one");
    deliver(&registry);
    let first = receiver.got().pop().unwrap();
    let newest =
        || registry.pool.with(|connection| deliveries::list(connection, id, None, 1).unwrap().pop().unwrap()).unwrap();
    let delivery = newest().id;
    as_operator(&registry, |connection, who| configure::redeliver(connection, id, delivery, who).unwrap());
    registry.run_jobs();
    let again = receiver.got().pop().unwrap();
    assert_eq!((first.id(), &first.body), (again.id(), &again.body));
    assert_eq!(receiver.kinds().len(), 2);
    let unknown = as_operator(&registry, |connection, who| configure::redeliver(connection, id, 999_999, who));
    assert_eq!(
        unknown.unwrap_err().to_string(),
        format!("the webhook {id} has no delivery 999999: check its number in the list")
    );
    create_token(&registry, "two");
    relay(&registry);
    as_operator(&registry, |connection, who| configure::remove(connection, id, who).unwrap());
    assert_eq!((registry.run_jobs(), receiver.got().len()), (1, 0));
    // Nothing is written any longer for webhooks that are not there.
    execute(&registry, "DELETE FROM webhook_outbox");
    create_token(&registry, "three");
    assert_eq!(execute(&registry, "DELETE FROM webhook_outbox"), 0);
}

#[test]
fn a_change_applies_to_what_waits_and_old_deliveries_are_removed() {
    let registry = TestRegistry::new();
    let [before, after] = [0; 2].map(|_| WebhookReceiver::start());
    let (id, _) = of_everything(&registry, &before);
    create_token(&registry, "one");
    relay(&registry);
    let update = Update { url: Some(after.url.clone()), events: Some(vec!["user.*".to_owned()]), description: None };
    as_operator(&registry, |connection, who| configure::update(connection, id, &update, who).unwrap());
    registry.run_jobs();
    assert_eq!((after.kinds(), before.got().len()), (vec!["token.created".to_owned()], 0));
    create_token(&registry, "two");
    assert_eq!(relay(&registry), 0);
    let prune = |before| registry.pool.with(|connection| deliveries::prune(connection, before, 10).unwrap()).unwrap();
    let now = chrono::Utc::now();
    assert_eq!(prune(now - chrono::TimeDelta::hours(1)), 0);
    assert_eq!(prune(now + chrono::TimeDelta::hours(1)), 2);
    assert_eq!(execute(&registry, "DELETE FROM webhook_events"), 0);
}
