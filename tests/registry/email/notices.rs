//! Of what there is mail, and to whom.

use axum::http::Method;
use diesel::RunQueryDsl;
use serde_json::json;
use supercargo::database::access::administrator::Administrator;
use supercargo::database::access::users;
use supercargo::jobs::email::configure;
use supercargo::jobs::leaving;
use supercargo::jobs::webhooks::relay;

use super::{Post, subjects};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;
use crate::webhooks::{execute, operator};

#[test]
fn owners_get_one_mail_about_what_happened_meanwhile() {
    let post = Post::new();
    for login in ["ann", "bob", "cat"] {
        post.user(login);
    }
    let (ann, bob) = (post.registry.user("ann"), post.registry.user("bob"));
    post.clear();
    ann.publish(&Package::new("foo", "1.0.0")).good();
    // It is not in the index yet.
    assert!(post.deliver().is_empty());
    assert_eq!(subjects(&post.deliver()), ["ann@example.com: foo 1.0.0 was published by ann"]);
    ann.request(Method::PUT, "/api/v1/crates/foo/owners", json!({ "users": ["bob"] }).to_string()).good();
    assert_eq!(
        subjects(&post.deliver()),
        [
            "ann@example.com: bob was added to the owners of foo by ann",
            "bob@example.com: bob was added to the owners of foo by ann"
        ]
    );
    bob.publish(&Package::new("foo", "1.1.0")).good();
    bob.yank("foo", "1.0.0").good();
    post.registry.run_jobs();
    let both = post.deliver();
    assert_eq!(subjects(&both), ["ann@example.com: 2 changes", "bob@example.com: 2 changes"]);
    let text = &both[0].text;
    let (published, yanked) = (text.find("foo 1.1.0 was published by bob."), text.find("foo 1.0.0 was yanked by bob."));
    assert!(published.is_some() && published < yanked, "{text}");
    assert!(post.deliver().is_empty());
}

#[test]
fn a_mail_says_who_sends_it_and_is_answered_by_no_program() {
    let post = Post::new();
    post.user("ann");
    post.clear();
    post.registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    post.registry.run_jobs();
    let mail = post.deliver().pop().unwrap();
    assert_eq!(mail.header("From").unwrap(), "Crates <crates@example.com>");
    assert_eq!(mail.header("Auto-Submitted").unwrap(), "auto-generated");
    assert_eq!(mail.header("List-Unsubscribe-Post").unwrap(), "List-Unsubscribe=One-Click");
    let link = mail.link("/email/unsubscribe?key=");
    assert_eq!(mail.header("List-Unsubscribe").unwrap(), format!("<{link}>"));
    assert!(mail.header("Message-ID").unwrap().ends_with("@example.com>"));
    assert!(mail.header("Content-Type").unwrap().starts_with("text/plain"));
    assert!(mail.text.contains("/crates/foo/1.0.0"), "{}", mail.text);
}

#[test]
fn a_user_gets_mail_of_the_own_tokens_role_and_teams_and_no_other() {
    let post = Post::new();
    post.user("ann");
    post.user("bob");
    post.clear();
    let ann = post.registry.user("ann");
    let made = ann.request(Method::PUT, "/api/v1/me/tokens", json!({ "api_token": { "name": "ci" } }).to_string());
    let id = made.good().json()["api_token"]["id"].to_string();
    assert_eq!(subjects(&post.deliver()), ["ann@example.com: The token \"ci\" was created by ann"]);
    // By another: the mail goes to the one whose token it was.
    post.registry
        .pool
        .with(|connection| {
            let statement = format!(
                "INSERT INTO audit_log (action, actor, subject, detail) VALUES
                 ('token-revoke', 'ops@host', 'ci', '{{\"token_id\": {id}}}'),
                 ('user-promote', 'ops@host', 'bob', '{{}}'),
                 ('team-member-add', 'ops@host', 'devs', '{{\"user\": \"bob\"}}')"
            );
            diesel::sql_query(statement).execute(connection).unwrap();
        })
        .unwrap();
    assert_eq!(
        subjects(&post.deliver()),
        ["ann@example.com: The token \"ci\" was revoked by ops@host", "bob@example.com: 2 changes"]
    );
}

#[test]
fn admins_get_mail_of_dead_jobs_but_not_of_those_that_send_mail() {
    let post = Post::new();
    post.user("ann");
    post.user("bob");
    post.registry.admin("ann");
    post.clear();
    let dead = |id: i32, kind: &str| {
        let statement = format!(
            "INSERT INTO dead_jobs (id, queue, kind, payload, priority, created_at, attempts, claim_no, last_error)
             VALUES ({id}, 'x', '{kind}', '{{}}', 0, now(), 15, 15, 'the disk is full')"
        );
        post.registry.pool.with(|connection| diesel::sql_query(statement).execute(connection).unwrap()).unwrap();
    };
    for (id, own) in [(100_001, "send_notices"), (100_002, "send_to_address"), (100_003, "deliver_webhook")] {
        dead(id, own);
    }
    assert!(post.deliver().is_empty());
    dead(100_014, "maintain_index");
    let mails = post.deliver();
    assert_eq!(
        subjects(&mails),
        ["ann@example.com: The job 100014 has failed too often and waits for an operator: the disk is full"]
    );
    assert!(mails[0].text.contains("/queue/jobs/100014"), "{}", mails[0].text);
    execute(&post.registry, "DELETE FROM dead_jobs");
}

#[test]
fn a_deleted_crate_is_told_to_those_who_owned_it() {
    let post = Post::new();
    post.user("ann");
    post.user("bob");
    let ann = post.registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    post.registry.run_jobs();
    post.clear();
    let deleted = post.registry.admin("root").request(Method::DELETE, "/api/v1/crates/foo?message=a+mistake", "");
    assert_eq!(deleted.status, 204);
    post.registry.run_jobs();
    assert_eq!(subjects(&post.deliver()), ["ann@example.com: The crate foo was deleted by root: a mistake"]);
}

#[test]
fn mail_waits_for_a_server_that_takes_none_and_is_then_one_mail() {
    let mut post = Post::new();
    post.user("ann");
    post.clear();
    let ann = post.registry.user("ann");
    post.server.answer(Some("451 try again later"));
    ann.publish(&Package::new("foo", "1.0.0")).good();
    post.registry.run_jobs();
    assert!(post.deliver().is_empty());
    ann.publish(&Package::new("foo", "1.1.0")).good();
    post.registry.run_jobs();
    assert!(post.deliver().is_empty());
    let failed = "SELECT count(*)::int AS number FROM jobs WHERE kind = 'send_notices' AND last_error LIKE '%127.0.0.1:%(451)%try again later%'";
    assert_eq!((post.query(failed), post.query("SELECT count(*)::int AS number FROM email_notices")), (1, 2));
    post.server.answer(None);
    assert_eq!(subjects(&post.deliver()), ["ann@example.com: 2 changes"]);
    assert!(post.deliver().is_empty());
}

#[test]
fn an_address_that_the_server_refuses_gets_no_more_mail() {
    let mut post = Post::new();
    post.user("ann");
    post.clear();
    post.server.answer(Some("550 no such mailbox"));
    let ann = post.registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    post.registry.run_jobs();
    assert!(post.deliver().is_empty());
    let refused = "SELECT count(*)::int AS number FROM email_recipients WHERE confirmed_at IS NULL AND problem LIKE '%(550)%no such mailbox%'";
    assert_eq!(post.query(refused), 1);
    post.server.answer(None);
    ann.publish(&Package::new("foo", "1.1.0")).good();
    post.registry.run_jobs();
    assert!(post.deliver().is_empty());
    assert_eq!(post.query("SELECT count(*)::int AS number FROM email_notices"), 0);
}

/// A wrong `--email-from` is not the fault of those who get mail.
#[test]
fn a_sender_that_the_server_refuses_says_nothing_of_the_addresses() {
    let mut post = Post::new();
    post.user("ann");
    post.clear();
    post.server.answer(Some("sender 553 not owned by user"));
    post.registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    post.registry.run_jobs();
    assert!(post.deliver().is_empty());
    let waits = "SELECT count(*)::int AS number FROM jobs WHERE last_error LIKE '%(the sender, --email-from)%not owned by user%'";
    assert_eq!(post.query(waits), 1);
    post.server.answer(None);
    assert_eq!(subjects(&post.deliver()), ["ann@example.com: foo 1.0.0 was published by ann"]);
}

#[test]
fn what_waits_is_not_sent_to_who_wants_it_no_more_or_was_disabled() {
    let post = Post::new();
    for login in ["ann", "bob"] {
        post.user(login);
    }
    let ann = post.registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    ann.request(Method::PUT, "/api/v1/crates/foo/owners", json!({ "users": ["bob"] }).to_string()).good();
    post.registry.run_jobs();
    post.clear();
    post.registry.admin("root").request(Method::DELETE, "/api/v1/crates/foo/1.0.0/yank", "").good();
    post.registry.run_jobs();
    let pass_on = |connection: &mut _| relay::run(connection, None, &|| false).unwrap();
    post.registry.pool.with(pass_on).unwrap();
    assert_eq!(post.query("SELECT count(*)::int AS number FROM email_notices"), 2);
    post.registry
        .pool
        .with(|connection| {
            let bob = users::find(connection, "bob").unwrap().unwrap();
            configure::choose(connection, &bob, &["token"]).unwrap();
        })
        .unwrap();
    assert_eq!(post.query("SELECT count(*)::int AS number FROM email_notices"), 1);
    execute(&post.registry, "UPDATE users SET disabled_at = now() WHERE login = 'ann'");
    assert!(post.deliver().is_empty());
    assert_eq!(post.query("SELECT count(*)::int AS number FROM email_notices"), 0);
}

/// It is another process that has one, perhaps after a restart.
#[test]
fn a_process_without_a_mail_server_passes_mail_on_and_leaves_it_to_others() {
    let post = Post::new();
    post.user("ann");
    post.clear();
    let without = TestRegistry::new();
    without.user("ann");
    let set = without.pool.with(|connection| {
        let ann = users::find(connection, "ann").unwrap().unwrap();
        configure::set_confirmed(connection, &ann, &"ann@example.com".parse().unwrap(), &operator()).unwrap()
    });
    assert!(set.unwrap());
    without.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    without.run_jobs();
    let pass_on = |connection: &mut _| relay::run(connection, None, &|| false).unwrap();
    without.pool.with(pass_on).unwrap();
    without.make_due();
    let failed = without.drain_jobs().failed;
    assert!(failed[0].1.contains("this process has no mail server: start every `serve` and `worker`"), "{failed:?}");
    execute(&without, "DELETE FROM jobs");
}

#[test]
fn a_user_gets_mail_of_what_the_user_wants() {
    let post = Post::new();
    post.user("ann");
    post.user("bob");
    post.clear();
    let ann = post.registry.user("ann");
    let unwanted = |groups: &str| {
        let statement = format!("UPDATE email_recipients SET unwanted = '{groups}'");
        post.registry.pool.with(|connection| diesel::sql_query(statement).execute(connection).unwrap()).unwrap();
    };
    unwanted("{version}");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    ann.request(Method::PUT, "/api/v1/crates/foo/owners", json!({ "users": ["bob"] }).to_string()).good();
    post.registry.run_jobs();
    assert_eq!(subjects(&post.deliver()).len(), 2);
    unwanted("{*}");
    ann.request(Method::DELETE, "/api/v1/crates/foo/owners", json!({ "users": ["bob"] }).to_string()).good();
    assert!(post.deliver().is_empty());
}

#[test]
fn disabled_and_removed_users_get_no_mail() {
    let post = Post::new();
    for login in ["ann", "bob"] {
        post.user(login);
    }
    let (ann, root) = (post.registry.user("ann"), post.registry.admin("root"));
    ann.publish(&Package::new("foo", "1.0.0")).good();
    ann.request(Method::PUT, "/api/v1/crates/foo/owners", json!({ "users": ["bob"] }).to_string()).good();
    post.registry.run_jobs();
    post.clear();
    let disable = "UPDATE users SET disabled_at = now() WHERE login = 'bob'";
    post.registry.pool.with(|connection| diesel::sql_query(disable).execute(connection).unwrap()).unwrap();
    root.request(Method::DELETE, "/api/v1/crates/foo/1.0.0/yank", "").good();
    post.registry.run_jobs();
    assert_eq!(subjects(&post.deliver()), ["ann@example.com: foo 1.0.0 was yanked by root"]);
    execute(&post.registry, "UPDATE users SET disabled_at = NULL WHERE login = 'bob'");
    // A removed user has no address any more, and what waited goes with it.
    root.request(Method::PUT, "/api/v1/crates/foo/1.0.0/unyank", "").good();
    post.registry.run_jobs();
    let pass_on = |connection: &mut _| relay::run(connection, None, &|| false).unwrap();
    post.registry.pool.with(pass_on).unwrap();
    assert_eq!(post.query("SELECT count(*)::int AS number FROM email_notices"), 2);
    post.registry
        .pool
        .with(|connection| {
            let bob = users::find(connection, "bob").unwrap().unwrap();
            leaving::remove(connection, &bob, &[], Administrator::Operator(&operator())).unwrap().unwrap();
        })
        .unwrap();
    assert_eq!(post.query("SELECT count(*)::int AS number FROM email_recipients"), 1);
    assert_eq!(subjects(&post.deliver()), ["ann@example.com: 2 changes"]);
}
