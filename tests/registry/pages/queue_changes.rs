//! What admins change on the pages of the queue, and who may see and change it.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::scope::Scope;
use supercargo::database::access::{revocation, tokens, users};
use supercargo::queue::inspection::{self, Selection};

use super::queue::{admin, counts, heal_dead_jobs, kill_jobs, listed, published, receipts, sql, text};
use super::{Browser, field, said};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

const PATHS: [&str; 6] = [
    "/queue",
    "/queue?fragment=1",
    "/queue/jobs/1",
    "/queue/jobs/x",
    "/queue/jobs/1/discard",
    "/queue/retry-dead?kind=publish_version",
];

#[test]
fn a_dead_job_is_retried_after_a_page_that_asks_and_is_done() {
    let registry = TestRegistry::new();
    published(&registry, &["demo"]);
    let id = kill_jobs(&registry)[0].id;
    let mut root = admin(&registry, "root");
    let shown = root.get(&format!("/queue/jobs/{id}")).good().text();
    for said in ["It is not started again unless it is retried", "href=\"/crates/demo\"", ">dead<", "Retry…", "ann"] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let path = format!("/queue/jobs/{id}/retry");
    let asked = root.get(&path).good().text();
    assert!(asked.contains("with its attempts reset"), "{asked}");
    assert_eq!(listed(&registry, Selection::Dead).len(), 1, "a page that asks has changed something");
    heal_dead_jobs(&registry);
    let done = root.post(&path, &[("form_token", &field(&asked, "form_token"))]);
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
    let place = done.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(place, format!("/queue/jobs/{id}?notice=retried"));
    let shown = root.get(&place).good().text();
    assert!(
        shown.contains("You retried this job") && shown.contains("It starts as soon as a worker is free."),
        "{shown}"
    );
    assert_eq!(registry.run_jobs(), 1);
    let shown = root.get(&format!("/queue/jobs/{id}")).good().text();
    let outcomes: Vec<String> = receipts(&shown).into_iter().map(|[outcome, ..]| outcome).collect();
    assert_eq!(outcomes, ["dead", "retried", "done"]);
    assert_eq!(receipts(&shown)[1][1], "admin root on a page");
    assert!(shown.contains("It has finished, and nothing is left to do."), "{shown}");
    assert!(shown.contains("<dt>Worker</dt>") && shown.contains("<dt>Result</dt>"), "{shown}");
    assert!(registry.index_file("de/mo/demo").contains("1.0.0"));
    // A notice cannot be made up by a link.
    let shown = root.get(&format!("/queue/jobs/{id}?notice=discarded")).good().text();
    assert!(!shown.contains("You discarded"), "{shown}");
}

#[test]
fn a_waiting_job_is_made_due_and_a_discarded_one_keeps_its_reason() {
    let registry = TestRegistry::new();
    published(&registry, &["demo"]);
    let id = listed(&registry, Selection::Pending)[0].id;
    sql(&registry, "UPDATE jobs SET run_at = clock_timestamp() + interval '1 hour'");
    let mut root = admin(&registry, "root");
    let asked = root.get(&format!("/queue/jobs/{id}/retry")).good().text();
    let form_token = field(&asked, "form_token");
    let done = root.post(&format!("/queue/jobs/{id}/retry"), &[("form_token", &form_token)]);
    assert_eq!(done.headers["location"], format!("/queue/jobs/{id}?notice=due"));
    assert_eq!(listed(&registry, Selection::Pending)[0].state, "waiting");
    let path = format!("/queue/jobs/{id}/discard");
    let asked = root.get(&path).good().text();
    assert!(text(&asked).contains("This cannot be undone. The version stays queued"), "{asked}");
    for (reason, said) in
        [("a\u{202e}b".to_owned(), "The reason has"), ("x".repeat(501), "has 501 characters, above the limit of 500")]
    {
        let refused = root.post(&path, &[("form_token", &form_token), ("reason", &reason)]);
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.text().contains(said), "{}", refused.text());
    }
    assert_eq!(registry.pending(), 1);
    let done = root.post(&path, &[("form_token", &form_token), ("reason", "no longer needed")]);
    let shown = root.get(done.headers["location"].to_str().unwrap()).good().text();
    assert!(shown.contains("You discarded this job"), "{shown}");
    assert_eq!(receipts(&shown).pop().unwrap(), ["discarded", "admin root on a page", "no longer needed"]);
    assert!(shown.contains("<dt>Discarded by</dt>") && shown.contains("<dt>Reason</dt>"), "{shown}");
    assert!(!shown.contains("Worker") && !shown.contains("Result"), "{shown}");
    assert_eq!(registry.pending(), 0);
}

#[test]
fn all_dead_jobs_of_a_kind_are_retried_at_once_but_none_that_died_later() {
    let registry = TestRegistry::new();
    published(&registry, &["one", "two", "three"]);
    assert_eq!(kill_jobs(&registry).len(), 3);
    let mut root = admin(&registry, "root");
    let asked = root.get("/queue/retry-dead?kind=publish_version").good().text();
    assert!(asked.contains("3 jobs of this kind are dead"), "{asked}");
    let fields = [("form_token", field(&asked, "form_token")), ("until", field(&asked, "until"))];
    let mut fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
    fields.push(("kind", "publish_version"));
    published(&registry, &["four"]);
    assert_eq!(kill_jobs(&registry).len(), 4);
    heal_dead_jobs(&registry);
    let done = root.post("/queue/retry-dead", &fields);
    let place = done.headers["location"].to_str().unwrap().to_owned();
    let shown = root.get(&place).good().text();
    let said = "You retried 3 dead jobs of publish_version just now, with their attempts reset. 1 job of this kind is dead now";
    assert!(text(&shown).contains(said), "{shown}");
    assert_eq!(counts(&shown, "publish_version"), [3, 0, 0, 0, 1]);
    // The list has what is counted.
    for (state, jobs) in [("failing", 0), ("waiting", 3)] {
        let list = root.get(&format!("/queue?kind=publish_version&state={state}")).good().text();
        assert_eq!(list.matches("href=\"/queue/jobs/").count(), jobs, "{state}: {list}");
    }
    assert_eq!(registry.run_jobs(), 3);
    let done = root.post("/queue/retry-dead", &fields);
    let none = done.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(listed(&registry, Selection::Dead).len(), 1);
    let said_none = "Your retry just now changed nothing: none of the jobs of publish_version";
    assert!(text(&root.get(&none).good().text()).contains(said_none));
    // What this admin does later, or did long ago, is not what these requests did.
    let asked = root.get("/queue/retry-dead?kind=publish_version").good().text();
    assert!(
        text(&asked).contains("Retry the dead job of publish_version?") && text(&asked).contains("Retry 1 job"),
        "{asked}"
    );
    let until = field(&asked, "until");
    let more = [fields[0], ("until", &*until), ("kind", "publish_version")];
    let done = root.post("/queue/retry-dead", &more);
    let shown = root.get(done.headers["location"].to_str().unwrap()).good().text();
    let one = "You retried 1 dead job of publish_version just now, with its attempts reset. Show all";
    assert!(text(&shown).contains(one), "{shown}");
    sql(&registry, "UPDATE job_history SET finished_at = finished_at - interval '1 hour'");
    assert!(text(&root.get(&place).good().text()).contains("You retried 3 dead jobs of publish_version"));
    assert!(text(&root.get(&none).good().text()).contains(said_none));
    // A notice cannot be made up by a link, and is for one session.
    let changed = place.replace("count=3", "count=4");
    assert_ne!(changed, place);
    let others = "/queue?kind=publish_version&notice=retried-dead";
    for path in [changed.as_str(), others, "/queue?notice=no-job&count=1&at=1&seal="] {
        let shown = root.get(path).good().text();
        assert!(
            !shown.contains("class=\"notice good\" role=\"status\"") && !shown.contains("changed nothing"),
            "{path}: {shown}"
        );
        assert!(!shown.contains("Nothing was changed"), "{path}: {shown}");
    }
    assert!(!admin(&registry, "other").get(&place).good().text().contains("You retried"));
    assert_eq!(registry.run_jobs(), 1);
    assert_eq!(root.get("/queue/retry-dead").status, StatusCode::BAD_REQUEST);
    assert!(root.get("/queue/retry-dead?kind=nothing").good().text().contains("No job of this kind is dead"));
    let wrong = [fields[0], ("until", "99999999999999999999"), ("kind", "publish_version")];
    let refused = root.post("/queue/retry-dead", &wrong);
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let message = "he field `until` is `99999999999999999999`: it must be the number of a job: open the page again";
    assert!(super::said(&refused.text()).contains(message), "{}", refused.text());
}

/// Discards a job, and answers what the page said before that is lost.
fn lost(registry: &TestRegistry, kind: &str) -> String {
    let jobs = [Selection::Pending, Selection::Dead].map(|selection| listed(registry, selection));
    let job = jobs.concat().into_iter().find(|job| job.kind == kind).unwrap_or_else(|| panic!("no {kind}"));
    let path = format!("/queue/jobs/{}/discard", job.id);
    let mut root = admin(registry, "root");
    let asked = root.get(&path).good().text();
    assert!(!asked.contains('`'), "{asked}");
    root.post(&path, &[("form_token", &field(&asked, "form_token"))]);
    let shown = text(&asked);
    shown.split_once("This cannot be undone. ").unwrap().1.split_once("Reason").unwrap().0.to_owned()
}

#[test]
fn the_page_of_a_discard_says_what_is_lost_of_this_version() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    published(&registry, &["demo", "queued"]);
    let copy = "INSERT INTO dead_jobs (id, queue, kind, key, payload, priority, created_at, attempts, claim_no)
                SELECT 7000, queue, kind, key, payload, priority, now(), 20, 20 FROM jobs WHERE key = 'demo'";
    sql(&registry, copy);
    sql(&registry, "UPDATE jobs SET run_at = clock_timestamp() + interval '1 hour' WHERE key = 'queued'");
    assert_eq!(registry.run_jobs(), 1);
    assert!(
        lost(&registry, "publish_version")
            .starts_with("The version stays queued, and cargo cannot use it, until another")
    );
    // The other one is published.
    let said = "Nothing is lost: the index already shows what was last requested for this version.";
    assert_eq!(lost(&registry, "publish_version"), said);
    ann.yank("demo", "1.0.0").good();
    let said = lost(&registry, "yank_version");
    assert!(said.starts_with("The index does not show that the version is yanked until another job"), "{said}");
    ann.yank("demo", "1.0.0").good();
    assert_eq!(registry.run_jobs(), 1);
    ann.unyank("demo", "1.0.0").good();
    let said = lost(&registry, "unyank_version");
    assert!(said.starts_with("The index keeps showing the version as yanked until another job"), "{said}");
    sql(&registry, "UPDATE versions SET deletion_requested_at = now(), deletion_reason = 'x' WHERE effective_yanked");
    ann.publish(&Package::new("demo", "2.0.0")).good();
    sql(
        &registry,
        "UPDATE jobs SET payload = payload || jsonb_build_object('version_id', (SELECT id FROM versions WHERE effective_yanked))",
    );
    let said = lost(&registry, "publish_version");
    assert!(said.starts_with("The version is not removed from the index until another job"), "{said}");
    ann.publish(&Package::new("demo", "3.0.0")).good();
    sql(&registry, "UPDATE jobs SET payload = payload || '{\"version_id\": 99999999999}'");
    let said = lost(&registry, "publish_version");
    assert!(said.starts_with("What the index shows of the version stays as it is until another job"), "{said}");
    assert_eq!(registry.pending(), 0);
}

#[test]
fn a_job_has_one_path() {
    let registry = TestRegistry::new();
    published(&registry, &["demo"]);
    let id = listed(&registry, Selection::Pending)[0].id;
    let mut root = admin(&registry, "root");
    root.get(&format!("/queue/jobs/{id}")).good();
    for (written, message) in [
        (format!("0{id}"), format!("here is no job `0{id}`: its number is written as {id}")),
        (format!("+{id}"), format!("here is no job `+{id}`: its number is written as {id}")),
        ("-0".to_owned(), "here is no job `-0`: its number is written as 0".to_owned()),
        (
            "9223372036854775808".to_owned(),
            "here is no job `9223372036854775808`: the highest number is 9223372036854775807".to_owned(),
        ),
        ("x".to_owned(), "here is no job `x`: jobs have numbers, so look for the job in the list".to_owned()),
    ] {
        for change in ["", "/retry", "/discard"] {
            let path = format!("/queue/jobs/{written}{change}");
            let refused = root.get(&path);
            assert_eq!(refused.status, StatusCode::NOT_FOUND, "{path}");
            assert!(said(&refused.text()).contains(&message), "{path}: {}", refused.text());
        }
    }
    registry.run_jobs();
}

#[test]
fn what_changed_between_the_question_and_the_answer_is_reported() {
    let registry = TestRegistry::new();
    published(&registry, &["demo"]);
    let id = listed(&registry, Selection::Pending)[0].id;
    let mut root = admin(&registry, "root");
    for change in ["retry", "discard"] {
        let path = format!("/queue/jobs/{id}/{change}");
        let asked = root.get(&path).good().text();
        if change == "retry" {
            registry.run_jobs();
        }
        let form = if asked.contains("name=\"form_token\"") { asked } else { root.get("/queue").good().text() };
        let answer = root.post(&path, &[("form_token", &field(&form, "form_token"))]);
        let place = answer.headers["location"].to_str().unwrap().to_owned();
        assert_eq!(place, format!("/queue/jobs/{id}?notice=unchanged"));
        let shown = root.get(&place).good().text();
        assert!(text(&shown).contains("Nothing was changed: meanwhile the job is done."), "{shown}");
        assert!(root.get(&path).good().text().contains("so there is nothing to"), "{change}");
    }
    let token = field(&root.get("/queue").good().text(), "form_token");
    sql(&registry, "DELETE FROM job_history");
    let answer = root.post(&format!("/queue/jobs/{id}/retry"), &[("form_token", &token)]);
    let place = answer.headers["location"].to_str().unwrap().to_owned();
    assert!(root.get(&place).good().text().contains(&format!("job {id} is neither pending nor dead")), "{place}");
    for path in [format!("/queue/jobs/{id}"), format!("/queue/jobs/{id}/retry"), "/queue/jobs/x".to_owned()] {
        assert_eq!(root.get(&path).status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[test]
fn only_a_form_of_this_session_changes_something() {
    let registry = TestRegistry::new();
    published(&registry, &["demo"]);
    let id = listed(&registry, Selection::Pending)[0].id;
    let (mut root, mut other) = (admin(&registry, "root"), admin(&registry, "other"));
    let own = field(&root.get("/queue").good().text(), "form_token");
    let foreign = field(&other.get("/queue").good().text(), "form_token");
    let paths =
        [format!("/queue/jobs/{id}/discard"), format!("/queue/jobs/{id}/retry"), "/queue/retry-dead".to_owned()];
    for path in &paths {
        for fields in [vec![], vec![("form_token", "")], vec![("form_token", &*foreign)]] {
            assert_eq!(root.post(path, &fields).status, StatusCode::FORBIDDEN, "{path} {fields:?}");
        }
        let pairs: Vec<_> = root.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for site in ["cross-site", "same-site"] {
            let request = Request::post(path).header("cookie", pairs.join("; ")).header("sec-fetch-site", site);
            let body = format!("form_token={own}&kind=publish_version");
            let refused = registry.anonymous().send(request.body(Body::from(body)).unwrap());
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path} {site}");
        }
        // A token alone is no session.
        let refused = registry.admin("third").request(axum::http::Method::POST, path, format!("form_token={own}"));
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
    let history = registry.pool.with(|connection| inspection::receipts(connection, id).unwrap()).unwrap();
    assert!(history.is_empty(), "{history:?}");
    assert_eq!(registry.run_jobs(), 1);
}

#[test]
fn only_admins_see_the_queue_and_others_learn_nothing() {
    let registry = TestRegistry::new();
    published(&registry, &["secret-name"]);
    registry.run_jobs();
    let mut anonymous = Browser::new(&registry);
    for path in PATHS {
        let refused = anonymous.get(path);
        assert_eq!(refused.status, StatusCode::SEE_OTHER, "{path}");
        assert!(refused.headers["location"].to_str().unwrap().starts_with("/sign-in?to=%2Fqueue"), "{path}");
        assert_eq!(registry.anonymous().get(path).status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(anonymous.post("/queue/jobs/1/retry", &[]).status, StatusCode::UNAUTHORIZED);
    let mut user = Browser::new(&registry);
    user.sign_in(&registry.user("bob").token.unwrap());
    let restricted = NewToken { scopes: Some(vec![Scope::Read]), ..NewToken::named("ci") };
    registry.admin("root");
    let restricted = registry.user_with("root", restricted).token.unwrap();
    let mut ci = Browser::new(&registry);
    ci.sign_in(&restricted);
    for (browser, said) in [(&mut user, "is not an admin of this registry"), (&mut ci, "is restricted to read")] {
        let seen: Vec<String> = PATHS
            .iter()
            .map(|path| {
                let refused = browser.get(path);
                assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
                refused.text()
            })
            .collect();
        assert!(seen[0].contains(said) && !seen[0].contains("secret-name"), "{}", seen[0]);
        assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
        assert!(!browser.get("/").good().text().contains("href=\"/queue\""));
        let form_token = field(&browser.get("/").good().text(), "form_token");
        for path in ["/queue/jobs/1/retry", "/queue/jobs/1/discard", "/queue/retry-dead"] {
            assert_eq!(browser.post(path, &[("form_token", &form_token)]).status, StatusCode::FORBIDDEN, "{path}");
        }
    }
    let mut root = admin(&registry, "root");
    assert!(root.get("/").good().text().contains("href=\"/queue\""));
    // A token reads, as it reads the audit log.
    registry.admin("root").get("/queue").good();
}

#[test]
fn a_demoted_admin_and_a_revoked_token_change_nothing_any_longer() {
    let registry = TestRegistry::new();
    published(&registry, &["demo"]);
    let id = listed(&registry, Selection::Pending)[0].id;
    let mut root = admin(&registry, "root");
    let path = format!("/queue/jobs/{id}/discard");
    let form_token = field(&root.get(&path).good().text(), "form_token");
    let set = |is_admin: bool| {
        registry
            .pool
            .with(|connection| {
                let user = users::find(connection, "root").unwrap().unwrap();
                users::set_admin(connection, user.id, is_admin).unwrap();
            })
            .unwrap();
    };
    set(false);
    assert_eq!(root.post(&path, &[("form_token", &form_token)]).status, StatusCode::FORBIDDEN);
    assert_eq!(root.get("/queue").status, StatusCode::FORBIDDEN);
    set(true);
    root.get("/queue").good();
    registry
        .pool
        .with(|connection| {
            let user = users::find(connection, "root").unwrap().unwrap();
            for (token, _) in tokens::list(connection, Some(user.id)).unwrap() {
                revocation::revoke(connection, token.id, None).unwrap();
            }
        })
        .unwrap();
    assert_eq!(root.post(&path, &[("form_token", &form_token)]).status, StatusCode::UNAUTHORIZED);
    assert_eq!(root.get("/queue").status, StatusCode::SEE_OTHER);
    assert_eq!(registry.run_jobs(), 1);
}
