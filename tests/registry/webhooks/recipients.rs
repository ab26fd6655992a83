//! Which webhooks get an event, and when.

use axum::http::Method;
use serde_json::json;
use supercargo::jobs::delete_crate;
use supercargo::jobs::webhooks::configure::{self, Wanted};

use super::{deliver, execute, hook, of_everything, operator};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;
use crate::support::webhook_receiver::WebhookReceiver;

#[test]
fn a_webhook_receives_events_of_its_crate_or_team_and_of_its_types() {
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
    // A team that loses a crate receives that, and nothing after.
    of_team.kinds();
    let owners = json!({ "users": ["team:devs"] }).to_string();
    ann.request(axum::http::Method::DELETE, "/api/v1/crates/ours/owners", owners).good();
    ann.unyank("ours", "1.0.0").good();
    registry.run_jobs();
    deliver(&registry);
    assert_eq!(of_team.kinds(), ["owner.removed"]);
}

#[test]
fn a_webhook_of_a_crate_receives_what_becomes_of_invitations() {
    let registry = TestRegistry::with(|settings| settings.admission.owner_invitations = true);
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    ann.publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    let receiver = WebhookReceiver::start();
    hook(&registry, &receiver, Wanted { krate: Some("demo".to_owned()), ..Wanted::default() });
    let users = json!({ "users": ["bob"] }).to_string();
    let by_ann = |method| ann.request(method, "/api/v1/crates/demo/owners", users.clone()).good();
    let answer = |accepted: bool| {
        let pending = bob.get("/api/v1/me/crate_owner_invitations").good().json();
        let id = &pending["crate_owner_invitations"][0]["crate_id"];
        let body = json!({ "crate_owner_invite": { "crate_id": id, "accepted": accepted } }).to_string();
        bob.request(Method::PUT, &format!("/api/v1/me/crate_owner_invitations/{id}"), body).good();
    };
    by_ann(Method::PUT);
    answer(false);
    by_ann(Method::PUT);
    by_ann(Method::DELETE);
    by_ann(Method::PUT);
    answer(true);
    deliver(&registry);
    let got = receiver.got();
    let kinds: Vec<_> = got.iter().map(|one| one.kind()).collect();
    let expected = ["invited", "invitation_declined", "invited", "invitation_withdrawn", "invited", "added"];
    assert_eq!(kinds, expected.map(|what| format!("owner.{what}")));
    assert!(got.iter().all(|one| one.json()["data"]["subject"] == "bob"));
    assert_eq!(got[5].json()["data"]["detail"], json!({ "invited_by": "ann" }));
}

#[test]
fn a_type_that_would_never_arrive_is_refused() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    execute(&registry, "INSERT INTO teams (name) VALUES ('devs')");
    let add = |krate: Option<&str>, team: Option<&str>, pattern: &str| {
        let wanted = Wanted {
            url: "https://example.com/".to_owned(),
            krate: krate.map(str::to_owned),
            team: team.map(str::to_owned),
            events: Some(vec![pattern.to_owned()]),
            description: None,
        };
        let added = super::as_operator(&registry, |connection, who| configure::add(connection, &wanted, None, who));
        added.map(drop).map_err(|error| error.to_string())
    };
    for pattern in ["*", "version.*", "owner.added", "crate.deleted", "trusted_publisher.*", "webhook.test"] {
        assert_eq!((add(Some("demo"), None, pattern), add(None, Some("devs"), pattern)), (Ok(()), Ok(())), "{pattern}");
    }
    assert_eq!(add(None, Some("devs"), "team.*"), Ok(()));
    for pattern in ["user.*", "token.created", "release_set.approved", "job.dead", "team.*"] {
        let refused = add(Some("demo"), None, pattern).unwrap_err();
        assert!(
            refused.contains(&format!("`{pattern}` is nothing that a webhook of the crate `demo` receives")),
            "{refused}"
        );
    }
    execute(&registry, "DELETE FROM jobs");
}

#[test]
fn changes_of_a_team_are_sent_to_its_webhooks() {
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
        supercargo::admin::teams::set_member(
            connection,
            &operator(),
            "devs",
            "ann",
            supercargo::jobs::team_changes::Membership::Add,
        )
        .unwrap();
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
fn the_webhook_of_a_deleted_crate_receives_the_deletion_and_nothing_after() {
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
    let removed = registry.pool.with(|connection| configure::remove_of_deleted(connection).unwrap()).unwrap();
    assert_eq!(removed.iter().map(|one| (one.id, one.krate.as_str())).collect::<Vec<_>>(), [(id, "demo")]);
}

#[test]
fn what_the_index_does_not_show_yet_is_not_sent_and_holds_up_nothing_else() {
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
fn dead_jobs_and_differences_are_sent_to_the_webhooks_of_the_registry() {
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
    assert_eq!(
        json!([dead["data"]["detail"]["kind"], dead["data"]["subject"]]),
        json!(["publish_version", "demo"]),
        "{dead}"
    );
    assert!(dead["data"]["detail"]["error"].as_str().unwrap().contains("disk on fire"), "{dead}");
    assert_eq!(
        json!([differences["data"]["detail"]["differences"], differences["data"]["detail"]["mode"]]),
        json!([2, "full"])
    );
    assert!(of_crate.got().is_empty());
    execute(&registry, "DELETE FROM dead_jobs");
}
