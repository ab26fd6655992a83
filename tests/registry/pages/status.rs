//! The status of a publish, a yank and a deletion: the page, and the same as JSON.

use axum::http::{Method, StatusCode};
use diesel::RunQueryDsl;
use serde_json::{Value, json};
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::scope::Scope;
use supercargo::queue::{inspection, intervention};

use super::{Browser, page};
use crate::support::git_http::{GitServer, Mood};
use crate::support::git_remote::{Bare, options};
use crate::support::harness::{Client, TestRegistry};
use crate::support::package::Package;

pub const STATUS: &str = "/crates/foo/1.0.0/status";

pub fn sql(registry: &TestRegistry, statement: &str) -> usize {
    registry.pool.with(|connection| diesel::sql_query(statement).execute(connection).unwrap()).unwrap()
}

/// The status as JSON.
pub fn status(client: &Client<'_>) -> Value {
    client.get("/api/v1/crates/foo/1.0.0/status").good().json()["status"].clone()
}

/// The states of the stages.
fn stages(status: &Value) -> Vec<&str> {
    status["stages"].as_array().unwrap().iter().map(|stage| stage["state"].as_str().unwrap()).collect()
}

/// The only pending or dead job.
fn job(registry: &TestRegistry) -> i64 {
    use inspection::Selection::{Dead, Pending};
    let jobs = registry.pool.with(|connection| {
        let pending = inspection::list(connection, Pending, 2).unwrap();
        pending.into_iter().chain(inspection::list(connection, Dead, 2).unwrap()).collect::<Vec<_>>()
    });
    let [job] = &jobs.unwrap()[..] else { panic!("not one job") };
    job.id
}

#[test]
fn a_publish_is_followed_from_the_queue_to_the_index() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let answer = ann.publish(&Package::new("foo", "1.0.0")).good().json();
    let warning = answer["warnings"]["other"][0].as_str().unwrap();
    assert!(warning.ends_with("Its status: http://registry.test/crates/foo/1.0.0/status"), "{warning}");
    assert!(page(&registry, "/crates/foo/1.0.0").contains(&format!("href=\"{STATUS}\"")));
    let html = page(&registry, STATUS);
    for text in [
        "<strong>Queued.</strong>",
        "cargo does not see it yet: nothing more has to be done.",
        "It is next in the queue.",
        " by ann",
        "<dt>Cargo sees</dt><dd>nothing of this version</dd>",
        "data-events=\"/crates/foo/1.0.0/status/events\"",
        "role=\"status\"",
        "<a href=\"/crates/foo/1.0.0/status\">Look again</a>",
        "<meta name=\"robots\" content=\"noindex\">",
    ] {
        assert!(html.contains(text), "{text}: {html}");
    }
    let queued = status(&registry.anonymous());
    assert_eq!(
        (&queued["state"], &queued["progress"], &queued["awaited"]),
        (&json!("queued"), &json!("queued"), &json!("publish"))
    );
    assert_eq!(stages(&queued), ["done", "current", "ahead", "ahead"]);
    assert_eq!(
        (&queued["jobs_ahead"], &queued["published_by"], &queued["index_commit"]),
        (&json!(0), &json!("ann"), &Value::Null)
    );
    assert_eq!(queued["requests"][0]["job"], job(&registry));

    registry.run_jobs();
    let done = status(&registry.anonymous());
    assert_eq!(
        (&done["state"], &done["progress"], &done["awaited"]),
        (&json!("published"), &json!("done"), &Value::Null)
    );
    assert_eq!((stages(&done), &done["requests"]), (vec!["done"; 4], &json!([])));
    let html = page(&registry, STATUS);
    let commit = done["index_commit"].as_str().unwrap();
    assert!(
        html.contains("<strong>Published.</strong>") && html.contains(&format!("commit <code>{commit}</code>")),
        "{html}"
    );
    assert!(!html.contains("data-events") && !html.contains("Look again"), "{html}");
    assert!(!page(&registry, "/crates/foo/1.0.0").contains("Follow its status"));
    // The part alone, for the script.
    let part = Browser::new(&registry).get(&format!("{STATUS}?fragment=1")).good();
    assert!(part.text().starts_with("<div id=\"status-now\"") && part.text().contains("data-done"), "{}", part.text());
}

#[test]
fn the_jobs_before_it_are_counted_up_to_a_bound_and_the_usual_time_is_that_of_the_last_ones() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    assert_eq!(status_after_publish(&registry, &ann)["usual_seconds"], Value::Null);
    registry.run_jobs();
    sql(&registry, "UPDATE job_history SET created_at = finished_at - interval '7 seconds'");
    sql(
        &registry,
        "INSERT INTO job_history (id, queue, kind, created_at, finished_at, attempts, outcome)
                    VALUES (1, 'index', 'yank_version', now() - interval '1 hour', now(), 1, 'done')",
    );
    for version in ["1.1.0", "1.2.0"] {
        ann.publish(&Package::new("foo", version)).good();
    }
    let third = ann.get("/api/v1/crates/foo/1.2.0/status").good().json()["status"].clone();
    assert_eq!((&third["jobs_ahead"], &third["jobs_ahead_at_least"]), (&json!(1), &json!(false)));
    assert_eq!(third["usual_seconds"], 7.0);
    let html = page(&registry, "/crates/foo/1.2.0/status");
    assert!(html.contains("1 job before it in the queue.") && html.contains("Lately this took 7 seconds"), "{html}");
    // Those that wait for a later time are passed by; urgent ones come first.
    let add = |count: u32, priority: i16, run_at: &str| {
        let values = format!("'index', 'other', '{{}}', {priority}, {run_at}");
        let insert = "INSERT INTO jobs (queue, kind, payload, priority, run_at)";
        sql(&registry, &format!("{insert} SELECT {values} FROM generate_series(1, {count})"));
    };
    let ahead = || {
        let status = ann.get("/api/v1/crates/foo/1.2.0/status").good().json()["status"].clone();
        (status["jobs_ahead"].as_i64().unwrap(), status["jobs_ahead_at_least"].as_bool().unwrap())
    };
    add(5, 1, "now() + interval '1 hour'");
    add(3, 1, "now() - interval '1 second'");
    add(4, -1, "now() - interval '1 second'");
    assert_eq!(ahead(), (4, false));
    add(2000, 1, "now() - interval '1 second'");
    assert_eq!(ahead(), (995, true), "a thousand rows are read, five of which are not due");
    assert!(page(&registry, "/crates/foo/1.2.0/status").contains("995 jobs or more before it in the queue."));
    sql(&registry, "DELETE FROM jobs WHERE kind = 'other'");
    registry.run_jobs();
}

fn status_after_publish(registry: &TestRegistry, ann: &Client<'_>) -> Value {
    ann.publish(&Package::new("foo", "1.0.0")).good();
    status(&registry.anonymous())
}

/// A registry with a version whose job fails, because its index line is damaged.
pub fn failing() -> TestRegistry {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    sql(
        &registry,
        "UPDATE versions SET metadata = metadata || jsonb_build_object('kept', index_line), index_line = '{'",
    );
    assert_eq!(registry.drain().failed.len(), 1);
    registry
}

pub fn mend(registry: &TestRegistry) {
    sql(registry, "UPDATE versions SET index_line = metadata->>'kept'");
    registry.make_due();
    registry.run_jobs();
}

#[test]
fn a_failure_is_explained_to_everyone_and_its_error_shown_to_those_who_may_see_the_log() {
    let registry = failing();
    sql(&registry, "UPDATE jobs SET last_error = last_error || E'; <script>alert(1)</script>\r\n\u{202e}'");
    let html = page(&registry, STATUS);
    let problem = "the last attempt to write it to the index failed; nothing is lost, and another attempt follows";
    for text in ["<strong>Delayed.</strong>", problem, "attempt 1 of 20; next attempt <time"] {
        assert!(html.contains(text), "{text}: {html}");
    }
    let ann = registry.user("ann");
    let failing = status(&ann);
    assert_eq!((&failing["progress"], stages(&failing)), (&json!("failing"), vec!["done", "done", "failed", "ahead"]));
    let request = &failing["requests"][0];
    assert!(request["next_attempt_at"].is_string() && request["attempts"] == 1, "{failing}");
    assert!(request["error"].as_str().unwrap().contains("<script>"), "{failing}");
    assert!(status(&registry.admin("root"))["requests"][0]["error"].is_string());
    // A token for one purpose is not its user, a stranger is no owner, and a token that is none is nobody's.
    let narrow = NewToken { scopes: Some(vec![Scope::PublishUpdate]), ..NewToken::named("narrow") };
    let mut nobody = registry.anonymous();
    nobody.token = Some("sct_unknown".to_owned());
    for client in [registry.user_with("ann", narrow), registry.user("bob"), registry.anonymous(), nobody] {
        let text = status(&client).to_string();
        assert!(
            text.contains("another attempt follows") && !text.contains("script") && !text.contains("\"error\""),
            "{text}"
        );
    }
    assert!(!html.contains("script>alert") && !html.contains("recorded error"), "{html}");
    let mut browser = Browser::new(&registry);
    browser.sign_in(ann.token.as_ref().unwrap());
    let html = browser.get(STATUS).good().text();
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;\u{fffd}\n\u{fffd}</bdi>"), "{html}");
    mend(&registry);
    assert!(page(&registry, STATUS).contains("<strong>Published.</strong>"));
}

#[test]
fn a_dead_job_names_what_an_admin_can_do_and_goes_on_when_it_was_done() {
    let registry = failing();
    sql(&registry, "UPDATE jobs SET attempts = 19, run_at = now()");
    assert_eq!(registry.drain().failed.len(), 1);
    let html = page(&registry, STATUS);
    let remedy = format!("ask an admin of this registry to retry job {}.", job(&registry));
    for text in
        ["<strong>Stopped.</strong>", "every attempt to write it to the index failed", &remedy, "attempt 20 of 20"]
    {
        assert!(html.contains(text), "{text}: {html}");
    }
    let stopped = status(&registry.anonymous());
    assert_eq!((&stopped["progress"], &stopped["requests"][0]["state"]), (&json!("stopped"), &json!("dead")));
    let dead = job(&registry);
    registry.pool.with(|connection| intervention::retry(connection, dead, "op@host").unwrap()).unwrap();
    // The error of before is not one of what is queued now.
    let queued = status(&registry.admin("root"));
    let request = &queued["requests"][0];
    assert_eq!((&queued["progress"], &request["state"]), (&json!("queued"), &json!("queued")));
    assert_eq!((&request["problem"], request.get("error")), (&Value::Null, None));
    mend(&registry);
    assert_eq!(status(&registry.anonymous())["progress"], "done");
}

#[test]
fn a_discarded_job_names_the_remedy() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    let queued = job(&registry);
    registry.pool.with(|connection| intervention::discard(connection, queued, "op@host", "x").unwrap()).unwrap();
    let stopped = status(&registry.anonymous());
    assert_eq!((&stopped["progress"], &stopped["requests"]), (&json!("stopped"), &json!([])));
    let html = page(&registry, STATUS);
    assert!(html.contains("no job is left to write it to the index") && html.contains(": ask an operator"), "{html}");
    assert!(html.contains("supercargo verify --repair"), "{html}");
}

#[test]
fn a_discarded_yank_can_be_requested_again() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    for (yank, remedy, notice) in [
        (true, "yank the version again, or ask", "A yank was requested, and cargo does not see it yet."),
        (false, "unyank the version again, or ask", "An unyank was requested, and cargo does not see it yet."),
    ] {
        let request = || if yank { ann.yank("foo", "1.0.0") } else { ann.unyank("foo", "1.0.0") };
        request().good();
        let queued = job(&registry);
        registry.pool.with(|connection| intervention::discard(connection, queued, "op@host", "x").unwrap()).unwrap();
        let html = page(&registry, STATUS);
        assert!(html.contains("<strong>Stopped.</strong>") && html.contains(remedy), "{html}");
        assert!(page(&registry, "/crates/foo/1.0.0").contains(notice));
        request().good();
        registry.run_jobs();
        assert_eq!(status(&ann)["progress"], "done");
    }
}

#[test]
fn a_due_job_that_no_worker_takes_says_so() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    let without = |seconds: u32| {
        sql(&registry, &format!("UPDATE jobs SET run_at = now() - interval '{seconds} seconds'"));
        status(&registry.anonymous())["without_worker"].as_bool().unwrap()
    };
    assert!(!without(0), "a worker may have it in a moment");
    assert!(without(60));
    let html = page(&registry, STATUS);
    for text in ["<strong>Waiting for a worker.</strong>", "no worker is running, so it waits until an operator"] {
        assert!(html.contains(text), "{text}: {html}");
    }
    assert!(!html.contains("next in the queue") && !html.contains("nothing more has to be done"), "{html}");
    // The lock that the queue's worker has as long as it is connected.
    sql(&registry, "SELECT pg_advisory_xact_lock_shared(hashtextextended('index', 126948234064483))");
    assert!(!without(60));
    assert!(page(&registry, STATUS).contains("It is next in the queue."));
    registry.run_jobs();
}

#[test]
fn a_job_among_more_than_are_looked_through_is_not_taken_for_lost() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    let insert =
        "INSERT INTO jobs (queue, kind, key, payload) SELECT queue, kind, key, payload || '{\"version_id\": 0}'";
    for (more, requests) in [(999, 1), (1, 0)] {
        sql(&registry, &format!("{insert} FROM jobs, generate_series(1, {more}) WHERE payload->>'version_id' <> '0'"));
        let queued = status(&registry.anonymous());
        assert_eq!(queued["progress"], "queued");
        assert_eq!(queued["requests"].as_array().unwrap().len(), requests, "{more}");
    }
    let message = status(&registry.anonymous())["message"].as_str().unwrap().to_owned();
    assert!(message.contains("another job of this crate is pending, and it writes this as well"), "{message}");
    // When the others are done, it is found again.
    sql(&registry, "DELETE FROM jobs WHERE payload->>'version_id' = '0'");
    assert_eq!(status(&registry.anonymous())["requests"].as_array().unwrap().len(), 1);
    registry.run_jobs();
}

#[test]
fn the_job_leads_admins_to_the_queue() {
    let registry = TestRegistry::new();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    ann.publish(&Package::new("foo", "1.0.0")).good();
    let link = format!("(<a href=\"/queue/jobs/{}\">job", job(&registry));
    for (client, sees) in [(&root, true), (&ann, false)] {
        let mut browser = Browser::new(&registry);
        browser.sign_in(client.token.as_ref().unwrap());
        assert_eq!(browser.get(STATUS).good().text().contains(&link), sees);
    }
    registry.run_jobs();
}

#[test]
fn an_outage_is_no_fault_of_the_version() {
    let remote = Bare::new();
    let server = GitServer::start(&remote, None);
    let registry = TestRegistry::mirroring(options(server.url()));
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "0.9.0")).good();
    registry.run_jobs();
    server.set(Mood::BreaksOffOnce);
    ann.publish(&Package::new("foo", "1.0.0")).good();
    assert_eq!(registry.drain().failed.len(), 1);
    let delayed = status(&registry.anonymous());
    assert_eq!((&delayed["progress"], &delayed["requests"][0]["attempts"]), (&json!("failing"), &json!(0)));
    let message = delayed["message"].as_str().unwrap();
    assert!(message.contains("cannot reach its index or its storage at the moment; nothing is lost"), "{message}");
    registry.make_due();
    registry.run_jobs();
    assert_eq!(status(&registry.anonymous())["progress"], "done");
}

#[test]
fn a_yank_and_an_unyank_show_what_was_asked_for_beside_what_cargo_sees() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let link = format!("<a href=\"{STATUS}\">Follow its status</a>");
    for (yank, headline, accepted, sees, message) in [
        (true, "Yank queued", "yanked", "published, not yanked", "cargo still sees the version as not yanked"),
        (false, "Unyank queued", "published", "yanked", "cargo still sees the version as yanked"),
    ] {
        let answer = if yank { ann.yank("foo", "1.0.0") } else { ann.unyank("foo", "1.0.0") }.good();
        assert_eq!(answer.json()["msg"], format!("queued; its status: http://registry.test{STATUS}"));
        let html = page(&registry, STATUS);
        for text in [
            &format!("<strong>{headline}.</strong>"),
            &format!("<dt>Requested</dt><dd>{accepted}</dd><dt>Cargo sees</dt><dd>{sees}</dd>"),
            message,
            " by ann",
        ] {
            assert!(html.contains(text), "{text}: {html}");
        }
        let pending = status(&registry.anonymous());
        let change = if yank { "yank" } else { "unyank" };
        assert_eq!((&pending["awaited"], &pending["state"]), (&json!(change), &json!("published")));
        assert_eq!((&pending["yanked"], &pending["desired_yanked"]), (&json!(!yank), &json!(yank)));
        assert_eq!(pending["requests"][0]["requested_by"], "ann");
        for path in ["/crates/foo/1.0.0", "/crates/foo/versions"] {
            assert!(page(&registry, path).contains(&link), "{path}");
        }
        registry.run_jobs();
        let headline = if yank { "Yanked" } else { "Published" };
        assert!(page(&registry, STATUS).contains(&format!("<strong>{headline}.</strong>")));
        assert!(!page(&registry, "/crates/foo/versions").contains(&link));
    }
    // Both of them together change nothing.
    ann.yank("foo", "1.0.0").good();
    ann.unyank("foo", "1.0.0").good();
    assert_eq!(status(&registry.anonymous())["progress"], "done");
    registry.run_jobs();
}

#[test]
fn several_requests_are_shown_in_their_order_with_what_the_index_will_show() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    ann.publish(&Package::new("foo", "1.1.0")).good();
    ann.yank("foo", "1.0.0").good();
    let pending = status(&registry.anonymous());
    let changes: Vec<_> = pending["requests"].as_array().unwrap().iter().map(|one| one["change"].clone()).collect();
    assert_eq!((changes, &pending["awaited"]), (vec![json!("publish"), json!("yank")], &json!("publish")));
    assert!(pending["message"].as_str().unwrap().contains("to be published as yanked"), "{pending}");
    let html = page(&registry, STATUS);
    assert!(html.find("Publish, accepted").unwrap() < html.find("Yank, accepted").unwrap(), "{html}");
    assert!(html.contains("The first job that runs writes the result of all of them."), "{html}");
    registry.run_jobs();
    assert!(page(&registry, STATUS).contains("<strong>Yanked.</strong>"));
}

/// Each job of a crate writes all that was requested for it.
#[test]
fn another_job_of_the_crate_writes_what_a_discarded_one_was_to_write() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    let first = job(&registry);
    ann.publish(&Package::new("foo", "1.1.0")).good();
    registry.pool.with(|connection| intervention::discard(connection, first, "op@host", "x").unwrap()).unwrap();
    let queued = status(&ann);
    assert_eq!((&queued["progress"], &queued["requests"]), (&json!("queued"), &json!([])));
    registry.run_jobs();
    assert_eq!(status(&ann)["progress"], "done");
}

#[test]
fn a_deletion_that_no_job_does_leaves_the_version_in_the_index() {
    let registry = TestRegistry::new();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    ann.yank("foo", "1.0.0").good();
    root.request(Method::DELETE, "/api/v1/crates/foo/1.0.0?reason=leaked", "").good();
    let krate = page(&registry, "/crates/foo");
    assert!(krate.contains("<strong>Deleted.</strong>") && krate.contains("cannot be downloaded"), "{krate}");
    assert!(!krate.contains("A yank was requested") && !krate.contains("cargo add --registry"), "{krate}");
    assert!(!page(&registry, "/crates/foo/versions").contains("/crates/foo/1.0.0\""));
    let gone = Browser::new(&registry).get("/crates/foo/1.0.0");
    assert!(gone.status == StatusCode::NOT_FOUND && !gone.text().contains("Did you mean"), "{}", gone.text());
    sql(&registry, "DELETE FROM jobs");
    let message = status(&ann)["message"].as_str().unwrap().to_owned();
    assert!(message.contains("but the index still has it: no job is left to remove it from the index"), "{message}");
    assert!(message.contains("the version stays in the index until then: ask an operator"), "{message}");
}

#[test]
fn a_deletion_says_why_until_it_is_done_and_afterwards() {
    let registry = TestRegistry::new();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    ann.publish(&Package::new("foo", "1.0.0")).good();
    ann.publish(&Package::new("foo", "2.0.0")).good();
    registry.run_jobs();
    let path = "/api/v1/crates/foo/1.0.0?reason=leaked%20%3Ckey%3E";
    let answer = root.request(Method::DELETE, path, "").good().json();
    let msg = answer["msg"].as_str().unwrap();
    assert!(msg.ends_with(&format!("Its status: http://registry.test{STATUS}")), "{msg}");
    let html = page(&registry, STATUS);
    for text in
        ["<strong>Deletion queued.</strong>", "leaked &lt;key&gt;", "the index still has it", "<dd>deleted</dd>"]
    {
        assert!(html.contains(text), "{text}: {html}");
    }
    assert_eq!(status(&ann)["awaited"], "delete");
    let gone = Browser::new(&registry).get("/crates/foo/1.0.0");
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert!(gone.text().contains(&format!("<a href=\"{STATUS}\">What became of this version</a>")), "{}", gone.text());
    registry.run_jobs();
    registry.run_jobs();
    let html = page(&registry, STATUS);
    assert!(html.contains("<strong>Deleted.</strong>") && html.contains("leaked &lt;key&gt;"), "{html}");
    assert_eq!((&status(&ann)["state"], &status(&ann)["progress"]), (&json!("deleted"), &json!("done")));
    // With the whole crate, which has no page any more.
    root.request(Method::DELETE, "/api/v1/crates/foo?message=by%20mistake", "");
    let other = "/crates/foo/2.0.0/status";
    assert!(page(&registry, other).contains("<strong>Deletion queued.</strong>"));
    registry.run_jobs();
    registry.run_jobs();
    let html = page(&registry, other);
    assert!(html.contains("<strong>Deleted.</strong>") && html.contains("by mistake"), "{html}");
}

#[test]
fn an_unknown_version_is_a_404_with_the_nearest_ones_and_another_spelling_leads_to_the_crates_own() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let mut browser = Browser::new(&registry);
    let unknown = browser.get("/crates/foo/1.0.1/status");
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.text().contains("href=\"/crates/foo/1.0.0\""), "{}", unknown.text());
    for path in ["/crates/fop/1.0.0/status", "/crates/foo/%00/status", "/crates/foo/1.0.1/status/events"] {
        assert_eq!(browser.get(path).status, StatusCode::NOT_FOUND, "{path}");
    }
    let refused = registry.anonymous().get("/api/v1/crates/foo/1.0.1/status");
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert!(refused.detail().contains("the crate `foo` has no version 1.0.1"), "{}", refused.detail());
    let spelled = browser.get("/crates/FOO/1.0.0/status");
    assert_eq!(
        (spelled.status, &spelled.headers["location"]),
        (StatusCode::MOVED_PERMANENTLY, &STATUS.parse().unwrap())
    );
}
