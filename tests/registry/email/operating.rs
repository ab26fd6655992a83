//! Mail as an operator meets it: options, commands, and a server that wants a password and encryption.

use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use supercargo::database::email::notices;

use super::Post;
use crate::support::event::wait_until;
use crate::support::mail_server::MailServer;
use crate::support::package::Package;
use crate::support::process::{Served, failed, supercargo};
use crate::webhooks::execute;

#[test]
fn serve_sends_mail_and_an_operator_tests_it() {
    let mut server = MailServer::start_with(&json!({ "user": "crates@example.com", "password": "p@ss:word/%" }));
    let url = format!("smtp://crates%40example.com:p%40ss%3Aword%2F%25@127.0.0.1:{}", server.port);
    let options = ["--smtp-url", &url, "--email-from", "Crates <crates@example.com>"];
    let mut served = Served::start_with_log("warn", &options);
    let token = served.token("ann");
    let said = served.run("admin email set", &["ann", "ann@example.com"]);
    assert_eq!(said, "ann gets mail at ann@example.com\n");
    let said = served.run("admin email list", &[]);
    assert!(said.contains("ann@example.com") && said.contains("active"), "{said}");
    let said = served.run("admin email test", &[&["you@example.com"], &options[..]].concat());
    assert!(said.contains("has taken a test for you@example.com"), "{said}");
    assert_eq!(server.mail(0).to, ["you@example.com"]);
    crate::support::http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    wait_until("the notices", || {
        let due = "UPDATE jobs SET run_at = now() WHERE kind = 'send_notices'";
        diesel::sql_query(due).execute(&mut served.database.connect()).unwrap();
        server.mails().iter().any(|mail| mail.text.contains("foo 1.0.0 was published by ann."))
    });
    let registry = served.url.trim_end_matches('/').to_owned();
    assert!(server.mails().last().unwrap().text.contains(&format!("{registry}/crates/foo/1.0.0")));
    server.answer(Some("550 no such mailbox"));
    let mut command = served.command("admin email test");
    command.args(["you@example.com"]).args(options);
    let said = failed(command.output().unwrap(), 1);
    assert!(
        said.contains("refuses the address") && said.contains("(550)") && said.contains("no such mailbox"),
        "{said}"
    );
    assert!(!said.contains("p@ss") && !said.contains("p%40ss"), "{said}");
    assert_eq!(served.run("admin email remove", &["ann"]), "ann gets no more mail\n");
    served.stop();
    assert!(!served.log().contains("p@ss") && !served.log().contains("p%40ss"), "{}", served.log());
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for (arguments, problem) in [
        (&["--smtp-url", "mail.example.com"][..], "not a URL of a mail server"),
        (&["--smtp-url", "smtp://mail.example.com"], "--email-from"),
        (&["--email-from", "crates@example.com"], "--smtp-url"),
        (&["--smtp-url", "smtp://mail.example.com", "--email-from", "crates"], "not an address"),
        (&["--smtp-url", "smtp://a:secret@mail.example.com?tls=none", "--email-from", "a@b.c"], "without encryption"),
    ] {
        let mut command = supercargo();
        let directory = tempfile::tempdir().unwrap();
        command.arg("serve").arg("--data-dir").arg(directory.path()).args(arguments);
        let said = failed(command.output().unwrap(), 2);
        assert!(said.contains(problem), "{arguments:?}: {said}");
    }
    let mut command = supercargo();
    let directory = tempfile::tempdir().unwrap();
    command.args(["admin", "email", "test", "you@example.com", "--data-dir"]).arg(directory.path());
    let said = failed(command.output().unwrap(), 1);
    assert!(said.contains("there is no mail server: set --smtp-url and --email-from"), "{said}");
}

#[test]
fn the_monitor_warns_when_mail_has_waited_for_an_hour() {
    let mut server = MailServer::start();
    server.answer(Some("421 closed today"));
    let mut served = Served::start(&["--smtp-url", &server.url(), "--email-from", "crates@example.com"]);
    served.token("ann");
    served.run("admin email set", &["ann", "ann@example.com"]);
    let monitor = || {
        let output = served.command("monitor").arg("--json").output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        said["checks"].as_array().unwrap().iter().find(|check| check["check"] == "email").unwrap().clone()
    };
    served.run("admin token create", &["--user", "ann", "--name", "ci"]);
    let mut connection = served.database.connect();
    wait_until("a failure", || {
        connection
            .batch_execute("UPDATE jobs SET run_at = now() WHERE kind = 'send_notices' AND last_error IS NULL")
            .unwrap();
        notices::standing(&mut connection).unwrap().error.is_some()
    });
    assert_eq!(monitor()["severity"], "ok");
    connection.batch_execute("UPDATE email_notices SET happened_at = now() - interval '61 minutes'").unwrap();
    let found = monitor();
    assert_eq!(found["severity"], "warning", "{found}");
    let summary = found["summary"].as_str().unwrap();
    assert!(summary.contains("has waited for 61 min") && summary.contains("closed today"), "{summary}");
    assert!(summary.contains("test the mail server with `supercargo admin email test`"), "{summary}");
    connection.batch_execute("DELETE FROM jobs").unwrap();
    served.stop();
}

/// A server whose certificate nobody has signed.
#[test]
fn a_server_that_could_be_another_gets_nothing() {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let configuration = json!({ "key": key.serialize_pem(), "cert": certificate.pem(), "user": "a", "password": "b" });
    let post = Post::with(&configuration, |server| format!("smtp://a:b@localhost:{}?tls=required", server.port));
    post.user("ann");
    post.registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    post.registry.run_jobs();
    assert!(post.deliver().is_empty());
    let failed =
        "SELECT count(*)::int AS number FROM jobs WHERE kind = 'send_notices' AND last_error ILIKE '%certificate%'";
    assert_eq!(post.query(failed), 1);
    execute(&post.registry, "DELETE FROM jobs");
}

/// STARTTLS is not left out because the server, or somebody between, does not offer it.
#[test]
fn a_server_without_encryption_gets_nothing_if_that_is_required() {
    let post = Post::with(&json!({}), |server| format!("smtp://localhost:{}?tls=required", server.port));
    post.user("ann");
    post.registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    post.registry.run_jobs();
    assert!(post.deliver().is_empty());
    let failed =
        "SELECT count(*)::int AS number FROM jobs WHERE kind = 'send_notices' AND last_error ILIKE '%STARTTLS%'";
    assert_eq!(post.query(failed), 1);
    execute(&post.registry, "DELETE FROM jobs");
}
