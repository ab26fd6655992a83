//! `supercargo webhook`, and what operators see of webhooks elsewhere.

use diesel::RunQueryDsl;
use serde_json::{Value, json};

use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, succeeded, supercargo};
use crate::support::webhook_receiver::{BROKEN, WebhookReceiver};

const ALLOW: [&str; 2] = ["--webhook-allow", "127.0.0.1"];

fn refused(served: &Served, subcommand: &str, arguments: &[&str]) -> String {
    let output = served.command(subcommand).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap().trim().to_owned()
}

fn json_of(served: &Served, subcommand: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&served.run(subcommand, &[arguments, &["--json"]].concat())).unwrap()
}

#[test]
fn an_operator_adds_a_webhook_sees_how_it_is_doing_and_removes_it() {
    let mut served = Served::start_with_log("debug", &ALLOW);
    let receiver = WebhookReceiver::start();
    let said = served.run("webhook add", &[&receiver.url, "--events", "version.*", "--description", "CI"]);
    let (first, secret) = said.trim().split_once('\n').unwrap();
    assert_eq!(first, format!("webhook 1: {} receives version.* of the registry, and gets a test", receiver.url));
    let secret = secret.split_once('\n').unwrap().1;
    assert!(secret.starts_with("whsec_"), "{said}");
    wait_until("the test", || receiver.got().len() == 1);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("demo", "1.0.0")).good();
    wait_until("the publish", || receiver.got().len() == 2);
    let got = receiver.got().pop().unwrap();
    assert_eq!(json!([got.json()["type"], got.json()["data"]["registry"]]), json!(["version.published", served.url]));

    wait_until("both", || json_of(&served, "webhook list", &[])[0]["waiting"] == 0);
    let one = &json_of(&served, "webhook list", &[])[0];
    assert_eq!(
        json!([one["id"], one["state"], one["description"], one["events"], one["crate"], one["error"]]),
        json!([1, "active", "CI", ["version.*"], null, null])
    );
    let table = served.run("webhook show", &["1"]);
    assert!(table.contains("version.published") && table.contains("204 after"), "{table}");
    let shown = json_of(&served, "webhook show", &["1", "--limit", "1"]);
    let delivery = shown["deliveries"][0]["id"].to_string();
    assert_eq!(json!([shown["deliveries"][0]["status"], shown["deliveries"][1]]), json!([204, null]));
    served.run("webhook redeliver", &["1", &delivery]);
    wait_until("the same again", || receiver.got().len() == 3);
    assert!(served.run("webhook test", &["1"]).starts_with("webhook 1 has accepted the test: 204 after"));

    receiver.always(BROKEN);
    let failed = refused(&served, "webhook test", &["1"]);
    assert!(failed.contains("webhook 1") && failed.contains("the answer was 500"), "{failed}");
    assert_eq!(json_of(&served, "webhook list", &[])[0]["state"], "failing");
    served.run("webhook pause", &["1", "--reason", "moving house"]);
    let paused = served.run("webhook show", &["1"]);
    assert!(paused.contains("moving house") && paused.contains("`supercargo webhook resume 1`"), "{paused}");
    assert!(refused(&served, "webhook test", &["1"]).contains("the webhook 1 is paused: resume it first"));
    receiver.only(crate::support::webhook_receiver::GOOD);
    assert!(served.run("webhook resume", &["1", "--drop"]).contains("dropped events: 1"));
    let rotated = served.run("webhook rotate", &["1", "--overlap", "1h"]);
    assert!(rotated.contains("whsec_") && !rotated.contains(secret), "{rotated}");
    let updated = served.run("webhook update", &["1", "--events", "owner.added,job.*", "--description", ""]);
    assert!(updated.contains("receives owner.added, job.* of the registry"), "{updated}");
    assert_eq!(json_of(&served, "webhook list", &[])[0]["description"], Value::Null);
    let types = succeeded(supercargo().args(["webhook", "events"]).output().unwrap());
    assert!(types.contains("verification.differences"), "{types}");

    // The secret is in no other output, and in no log.
    let everything =
        [table, paused, served.run("webhook list", &[]), served.run("admin audit", &["--json"]), served.log()];
    assert!(everything.iter().all(|text| !text.contains("whsec_") && !text.contains(&secret[6..])));
    assert!(everything[3].contains("webhook-add") && everything[3].contains("webhook-secret"), "{}", everything[3]);
    served.run("webhook remove", &["1"]);
    assert_eq!(json_of(&served, "webhook list", &[]), json!([]));
    served.stop();
}

#[test]
fn what_is_wrong_is_refused_with_the_remedy() {
    let mut served = Served::start(&[]);
    for (subcommand, arguments, says) in [
        (
            "webhook add",
            &["ftp://example.com/"][..],
            "\"ftp://example.com/\" cannot be the URL of a webhook: give one with https",
        ),
        ("webhook add", &["https://ann:secret@example.com/"], "without user, password and fragment"),
        ("webhook add", &["https://example.com/#part"], "without user, password and fragment"),
        (
            "webhook add",
            &["https://example.com/", "--events", "version.gone"],
            "\"version.gone\" is no type of event: use one such as",
        ),
        (
            "webhook add",
            &["https://example.com/", "--crate", "nothing"],
            "there is no crate `nothing` in this registry",
        ),
        ("webhook add", &["https://example.com/", "--team", "nobody"], "there is no team \"nobody\" in this registry"),
        ("webhook add", &["https://example.com/", "--description", "a\u{202e}b"], "the description contains"),
        ("webhook show", &["7"], "there is no webhook 7: check its number in the list"),
        ("webhook remove", &["7"], "there is no webhook 7"),
        ("webhook rotate", &["7"], "there is no webhook 7"),
    ] {
        let said = refused(&served, subcommand, arguments);
        assert!(said.contains(says), "{subcommand} {arguments:?}: {said}");
    }
    // Without permission this machine is not reached.
    let receiver = WebhookReceiver::start();
    served.run("webhook add", &[&receiver.url]);
    wait_until("a failure", || json_of(&served, "webhook list", &[])[0]["state"] == "failing");
    let said = refused(&served, "webhook test", &["1"]);
    assert!(
        said.contains("the test for the webhook 1 waits, because the event before it is not accepted yet"),
        "{said}"
    );
    assert!(
        said.contains("the host has the address 127.0.0.1") && said.contains("`--webhook-allow 127.0.0.1`"),
        "{said}"
    );
    assert!(receiver.got().is_empty());
    served.stop();
}

/// A webhook of the registry that was paused because it failed is an operator's concern, and no failure of the queue.
#[test]
fn the_monitor_reports_paused_webhooks_and_no_failing_deliveries() {
    let mut served = Served::start(&ALLOW);
    let receiver = WebhookReceiver::start();
    receiver.always(BROKEN);
    served.run("webhook add", &[&receiver.url]);
    wait_until("a failure", || json_of(&served, "webhook list", &[])[0]["state"] == "failing");
    let mut connection = served.database.connect();
    let mut execute = |statement: &str| diesel::sql_query(statement).execute(&mut connection).unwrap();
    execute(
        "UPDATE jobs SET attempts = 70, created_at = now() - interval '2 days', run_at = now() + interval '1 hour'",
    );
    let check = |name: &str| {
        let output = served.command("monitor").arg("--json").output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = said["checks"].as_array().unwrap().iter().find(|check| check["check"] == name).unwrap().clone();
        (found["severity"].as_str().unwrap().to_owned(), found["summary"].as_str().unwrap().to_owned())
    };
    for name in ["oldest_job", "failing_jobs", "webhooks"] {
        assert_eq!(check(name).0, "ok", "{name}");
    }
    execute("UPDATE webhooks SET paused_at = now(), paused_by = 'ann'");
    assert_eq!(check("webhooks").0, "ok");
    execute("UPDATE webhooks SET paused_by = NULL, pause_reason = '80 attempts have failed'");
    let (severity, summary) = check("webhooks");
    assert_eq!(severity, "critical");
    assert!(
        summary.contains("the webhook 1 is paused, and its events wait")
            && summary.contains("`supercargo webhook show 1`"),
        "{summary}"
    );
    execute("UPDATE webhooks SET paused_by = 'restore'");
    assert_eq!(check("webhooks").0, "warning");
    execute("UPDATE webhooks SET paused_by = NULL");
    execute("INSERT INTO teams (name) VALUES ('devs')");
    execute("UPDATE webhooks SET team_id = (SELECT id FROM teams)");
    assert_eq!(check("webhooks").0, "warning");
    served.stop();
}
