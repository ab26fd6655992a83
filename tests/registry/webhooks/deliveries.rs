//! What webhooks get: its form, its order, and what happens when they do not accept it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use supercargo::database::access::audit;
use supercargo::database::webhooks::deliveries;
use supercargo::jobs::webhooks::configure::{self, Update};
use supercargo::jobs::webhooks::relay as relaying;
use supercargo::webhook::Secret;

use super::{as_operator, create_token, deliver, execute, of_everything, pause, relay};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;
use crate::support::webhook_receiver::{BROKEN, GOOD, Reaction, WebhookReceiver};

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
    let keys: Vec<_> = data.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["crate", "version", "subject", "by", "detail", "registry"]);
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
    let logged = registry.pool.with(|connection| {
        let filter = audit::Filter { action: Some(audit::Action::WebhookPause), ..audit::Filter::default() };
        audit::list(connection, &filter, 10).unwrap().pop().unwrap()
    });
    let logged = logged.unwrap();
    assert_eq!(
        (&*logged.actor, logged.subject, &logged.detail["reason"]),
        ("supercargo", Some(id.to_string()), &json!(why))
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
    assert_eq!(pause(&registry, id).unwrap(), "again");
    // The pauses themselves are told to nobody.
    create_token(&registry, "four");
    assert_eq!(relay(&registry), 1);
    as_operator(&registry, |connection, who| configure::resume(connection, id, false, who).unwrap());
    create_token(&registry, "five");
    relay(&registry);
    // The job of before the pause is still there, and takes turns with the one of its end.
    assert_eq!(registry.run_jobs(), 6);
    let got = receiver.got();
    let subjects: Vec<_> = got.iter().map(|one| one.json()["data"]["subject"].clone()).collect();
    assert_eq!(subjects, ["one", "two", "three", "four", "five"]);
}

/// Somebody who tries again by hand does not bring the pause nearer.
#[test]
fn a_resumption_makes_the_next_attempt_now_and_counts_anew() {
    let registry = TestRegistry::new();
    let receiver = WebhookReceiver::start();
    let (id, _) = of_everything(&registry, &receiver);
    receiver.always(BROKEN);
    create_token(&registry, "one");
    relay(&registry);
    registry.drain_jobs();
    execute(&registry, "UPDATE jobs SET attempts = 79, run_at = now() + interval '1 hour'");
    assert!(registry.drain_jobs().failed.is_empty());
    let resumed = as_operator(&registry, |connection, who| configure::resume(connection, id, false, who).unwrap());
    assert_eq!((resumed.waiting, resumed.was_paused), (1, false));
    assert_eq!(registry.drain_jobs().failed.len(), 1);
    assert_eq!(pause(&registry, id), None);
    assert_eq!(execute(&registry, "UPDATE jobs SET run_at = now() WHERE attempts = 1"), 1);
    receiver.always(GOOD);
    registry.run_jobs();
    assert_eq!(receiver.kinds().len(), 3);
}

/// A job that an operator discards must not leave events waiting.
#[test]
fn a_discarded_job_is_replaced() {
    let registry = TestRegistry::new();
    let receiver = WebhookReceiver::start();
    let (id, _) = of_everything(&registry, &receiver);
    create_token(&registry, "one");
    relay(&registry);
    let mend = || registry.pool.with(|connection| relaying::mend(connection).unwrap()).unwrap();
    mend();
    assert_eq!(execute(&registry, "DELETE FROM jobs"), 1, "one that has a job gets no other");
    create_token(&registry, "two");
    relay(&registry);
    assert_eq!(registry.run_jobs(), 0);
    mend();
    registry.run_jobs();
    assert_eq!(receiver.kinds().len(), 2);
    // Somebody who does not want to wait for that resumes the webhook.
    create_token(&registry, "three");
    relay(&registry);
    assert_eq!(execute(&registry, "DELETE FROM jobs"), 1);
    as_operator(&registry, |connection, who| configure::resume(connection, id, false, who).unwrap());
    assert_eq!((registry.run_jobs(), receiver.kinds().len()), (1, 1));
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
    let prune_events = |connection: &mut diesel::PgConnection| {
        deliveries::prune_events(connection, now + chrono::TimeDelta::hours(1)).unwrap()
    };
    assert_eq!(registry.pool.with(prune_events).unwrap(), 2);
}
