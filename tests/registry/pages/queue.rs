//! The pages of the queue, for admins: what they show. `queue_changes` has what they change, and who may.

use axum::http::StatusCode;
use diesel::RunQueryDsl;
use supercargo::queue::inspection::{self, JobView, Selection};

use super::{Browser, said};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

pub fn sql(registry: &TestRegistry, statement: &str) -> usize {
    registry.pool.with(|connection| diesel::sql_query(statement).execute(connection).unwrap()).unwrap()
}

pub fn listed(registry: &TestRegistry, selection: Selection) -> Vec<JobView> {
    registry.pool.with(|connection| inspection::list(connection, selection, 1000).unwrap()).unwrap()
}

pub fn admin<'a>(registry: &'a TestRegistry, login: &str) -> Browser<'a> {
    let token = registry.admin(login).token.unwrap();
    let mut browser = Browser::new(registry);
    assert_eq!(browser.sign_in(&token).status, StatusCode::SEE_OTHER);
    browser
}

/// A registry with a published crate of ann's for each name, and without their jobs.
pub fn published(registry: &TestRegistry, names: &[&str]) {
    for name in names {
        registry.user("ann").publish(&Package::new(name, "1.0.0"));
    }
}

/// Makes every pending job dead: its payload cannot be read, and it has failed as often as it may but once.
pub fn kill_jobs(registry: &TestRegistry) -> Vec<JobView> {
    sql(registry, "UPDATE jobs SET payload = payload || '{\"num\": 5}', attempts = 19");
    assert!(!registry.drain_jobs().failed.is_empty());
    listed(registry, Selection::Dead)
}

pub fn heal_dead_jobs(registry: &TestRegistry) {
    sql(registry, "UPDATE dead_jobs SET payload = payload || '{\"num\": \"1.0.0\"}'");
}

/// The text of each cell of the table with this class, by rows.
pub fn cells(html: &str, class: &str) -> Vec<Vec<String>> {
    let table = html.split_once(&format!("<table class=\"{class}\"")).unwrap_or_else(|| panic!("no {class}: {html}")).1;
    let table = table.split_once("</table>").unwrap().0;
    let body = table.split_once("<tbody").unwrap().1;
    let cells =
        |row: &str| row.replace("<th", "<td").split("<td").skip(1).map(|cell| text(&format!("<td{cell}"))).collect();
    body.split("<tr").skip(1).map(cells).collect()
}

/// The receipts of a job on its page: each one's outcome, by whom it is, and its text.
pub fn receipts(html: &str) -> Vec<[String; 3]> {
    let list = html.split_once("<ol class=\"receipts\"").unwrap_or_else(|| panic!("no receipts: {html}")).1;
    let part = |item: &str, start: &str| {
        let found = item.split_once(start).map(|(_, rest)| rest.split_once('>').unwrap().1);
        found.map(|rest| text(rest.split("</p>").next().unwrap().split("</span>").next().unwrap())).unwrap_or_default()
    };
    let items = list.split("<li><p><time").skip(1);
    items
        .map(|item| ["<span class=\"tag", "<span class=\"by", "<p class=\"detail"].map(|start| part(item, start)))
        .collect()
}

pub fn text(html: &str) -> String {
    let mut text = String::new();
    let mut is_inside = false;
    for c in html.chars() {
        match c {
            '<' => is_inside = true,
            '>' => is_inside = false,
            c if !is_inside => text.push(c),
            _ => {}
        }
    }
    text.trim().to_owned()
}

/// The numbers of a kind: pending, running, failing, delayed, dead.
pub fn counts(html: &str, kind: &str) -> Vec<usize> {
    let rows = cells(html, "counts");
    let row = rows.iter().find(|row| row[0] == kind).unwrap_or_else(|| panic!("no {kind}: {rows:?}"));
    row[2..7].iter().map(|cell| cell.split_whitespace().next().unwrap().parse().unwrap()).collect()
}

#[test]
fn the_counts_are_those_of_the_lists() {
    let registry = TestRegistry::new();
    published(&registry, &["dead-one"]);
    kill_jobs(&registry);
    published(&registry, &["due", "due-too", "failed", "later"]);
    sql(&registry, "UPDATE jobs SET last_error = 'e', last_failed_at = now(), attempts = 1 WHERE key = 'failed'");
    sql(&registry, "UPDATE jobs SET run_at = clock_timestamp() + interval '1 hour' WHERE key = 'later'");
    let html = admin(&registry, "root").get("/queue").good().text();
    let pending = listed(&registry, Selection::Pending);
    let of = |state: &str| pending.iter().filter(|job| job.state == state).count();
    let expected = [
        pending.len(),
        of("running"),
        listed(&registry, Selection::Failing).len(),
        of("delayed"),
        listed(&registry, Selection::Dead).len(),
    ];
    assert_eq!(expected, [4, 0, 1, 1, 1]);
    assert_eq!(counts(&html, "publish_version"), expected);
    assert_eq!(counts(&html, "all"), expected);
    assert_eq!(counts(&html, "maintain_index"), [0; 5]);
    let ids: Vec<String> = cells(&html, "jobs").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(ids, pending.iter().map(|job| job.id.to_string()).collect::<Vec<_>>());
    assert!(html.contains("1 job is dead") && html.contains("CRITICAL"), "{html}");
    assert!(html.contains("<a href=\"/queue?state=dead#jobs\">Show dead jobs</a>"), "{html}");
    sql(&registry, "DELETE FROM dead_jobs");
    registry.make_due();
    registry.run_jobs();
}

#[test]
fn an_empty_queue_and_an_empty_history_say_so() {
    let registry = TestRegistry::new();
    let html = admin(&registry, "root").get("/queue").good().text();
    for said in [
        "No job is pending.",
        "No job has ended.",
        "Never verified: run <code>supercargo verify</code>",
        "<span class=\"tag\">NEVER RUN</span>",
        "no verification has finished yet: run </bdi><code>",
        "This process runs no jobs.",
        "No process with workers",
    ] {
        assert!(html.contains(said), "{said}: {html}");
    }
    assert_eq!(counts(&html, "all"), [0; 5]);
    assert!(!html.contains("Show dead jobs"), "{html}");
    assert!(!html.contains("<svg class=\"plot\""));
    let html = admin(&registry, "root").get("/queue?state=done").good().text();
    assert!(html.contains("No job is done."), "{html}");
}

#[test]
fn hostile_texts_are_shown_as_texts() {
    let registry = TestRegistry::new();
    let evil = "<script>alert(1)</script>\u{202e}\"onload=";
    sql(
        &registry,
        &format!(
            "INSERT INTO dead_jobs (id, queue, kind, key, payload, priority, requested_by, request_id, created_at, attempts,
                                    claim_no, last_error)
             VALUES (7000, '{evil}q', '{evil}k', '{evil}y', jsonb_build_object('<b>&\u{202e}', '{evil}p'), 0, '{evil}r', '{evil}i',
                     now(), 1, 1, '{evil}e: http://a: {evil}f')"
        ),
    );
    let insert = "INSERT INTO job_history (id, queue, kind, key, created_at, attempts, finished_by, outcome, error, detail)
                  SELECT id, queue, kind, key, created_at, 1, requested_by, 'failed', last_error, last_error FROM dead_jobs";
    sql(&registry, insert);
    let mut root = admin(&registry, "root");
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("kind", &format!("{evil}k")).finish();
    for path in [
        "/queue?state=dead".to_owned(),
        format!("/queue?state=dead&key=x&by=x&{query}"),
        "/queue/jobs/7000".to_owned(),
        "/queue/jobs/7000/retry".to_owned(),
        "/queue/jobs/7000/discard".to_owned(),
        format!("/queue/retry-dead?{query}"),
    ] {
        let html = root.get(&path).good().text();
        assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"), "{path}: {html}");
        let shown = html.replace("value=\"<", "");
        assert!(!shown.contains("\"onload") && !shown.contains("<b>"), "{path}: {html}");
        let without_values: String = shown
            .split("value=\"")
            .enumerate()
            .map(|(place, part)| match place {
                0 => part,
                _ => part.split_once('"').map_or("", |(_, rest)| rest),
            })
            .collect();
        let without_options: String = without_values
            .split("<option")
            .map(|part| part.split_once("</option>").map_or(part, |(_, rest)| rest))
            .collect();
        assert!(!without_options.contains('\u{202e}'), "{path}: {html}");
    }
    let html = root.get("/queue/jobs/7000").good().text();
    let causes = html.split_once("<ol class=\"causes\">").unwrap().1.split_once("</ol>").unwrap().0;
    assert_eq!(causes.matches("<li>").count(), 3, "{causes}");
    sql(&registry, "DELETE FROM dead_jobs");
}

#[test]
fn the_list_is_narrowed_and_followed() {
    let registry = TestRegistry::new();
    published(&registry, &["foo-bar", "other"]);
    registry.user("bob").publish(&Package::new("third", "1.0.0"));
    let mut root = admin(&registry, "root");
    let mut keys = |query: &str| -> Vec<String> {
        let html = root.get(&format!("/queue?{query}")).good().text();
        if html.contains("<table class=\"jobs\"") {
            cells(&html, "jobs").into_iter().map(|row| row[3].split(' ').next().unwrap().to_owned()).collect()
        } else {
            assert!(html.contains("No such job is"), "{html}");
            Vec::new()
        }
    };
    assert_eq!(keys(""), ["foo-bar", "other", "third"]);
    assert_eq!(keys("state=&kind=&key=&by="), ["foo-bar", "other", "third"]);
    assert_eq!(keys("key=FOO_bar"), ["foo-bar"]);
    assert_eq!(keys("by=BOB"), ["third"]);
    assert_eq!(keys("by=ann&key=other&kind=publish_version&state=waiting"), ["other"]);
    assert_eq!(keys("kind=yank_version"), [""; 0]);
    assert_eq!(keys("key=%00"), [""; 0]);
    sql(&registry, "UPDATE jobs SET key = 'fo/o-/Foo-Bar' WHERE key = 'foo-bar'");
    assert_eq!(keys("key=foo_bar"), ["fo/o-/Foo-Bar"]);
    for (query, message) in [
        ("state=sleeping", "he query parameter `state` is `sleeping`: it must be one of pending, running"),
        ("seek=x", "he query parameter `seek` is `x`"),
        ("seek=99999999999999999999", "he query parameter `seek`"),
    ] {
        let refused = root.get(&format!("/queue?{query}"));
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(said(&refused.text()).contains(message), "{}", refused.text());
    }
    registry.run_jobs();
    // Each list, page by page, from many jobs.
    let many = "INSERT INTO job_history (id, queue, kind, key, created_at, attempts, outcome)
                SELECT i, 'index', 'sync_crate', 'k' || i, now(), 1, 'done' FROM generate_series(9001, 9120) AS i";
    sql(&registry, many);
    let many = "INSERT INTO dead_jobs (id, queue, kind, key, payload, priority, created_at, attempts, claim_no)
                SELECT i, 'index', 'sync_crate', 'k' || i, '{}', 0, now(), 1, 1 FROM generate_series(9001, 9120) AS i";
    sql(&registry, many);
    for state in ["done", "dead"] {
        let mut path = format!("/queue?state={state}&kind=sync_crate");
        let mut found = Vec::new();
        for _ in 0..3 {
            let html = root.get(&path).good().text();
            found.extend(cells(&html, "jobs").into_iter().map(|row| row[3].clone()));
            match html.split_once("<a rel=\"next\" href=\"") {
                Some((_, rest)) => path = rest.split('"').next().unwrap().replace("&amp;", "&"),
                None => path.clear(),
            }
        }
        assert!(path.is_empty(), "{state}: {path}");
        assert_eq!(found, (9001..=9120).rev().map(|i| format!("k{i}")).collect::<Vec<_>>(), "{state}");
    }
    sql(&registry, "DELETE FROM dead_jobs");
}

#[test]
fn ended_jobs_are_listed_with_their_versions() {
    let registry = TestRegistry::new();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    for version in ["1.0.0", "1.1.0"] {
        ann.publish(&Package::new("foo-bar", version)).good();
    }
    bob.publish(&Package::new("other", "3.0.0")).good();
    ann.yank("foo-bar", "1.1.0").good();
    ann.yank("foo-bar", "1.0.0").good();
    ann.unyank("foo-bar", "1.1.0").good();
    let mut root = admin(&registry, "root");
    let mut about = |state: &str| -> Vec<String> {
        let html = root.get(&format!("/queue?state={state}")).good().text();
        let mut jobs: Vec<(i64, String)> = cells(&html, "jobs")
            .into_iter()
            .map(|row| (row[0].parse().unwrap(), format!("{} {}", row[2], row[3])))
            .collect();
        jobs.sort();
        jobs.into_iter().map(|(_, about)| about).collect()
    };
    let pending = about("pending");
    let expected = [
        "publish_version foo-bar 1.0.0",
        "publish_version foo-bar 1.1.0",
        "publish_version other 3.0.0",
        "yank_version foo-bar 1.1.0",
        "yank_version foo-bar 1.0.0",
        "unyank_version foo-bar 1.1.0",
    ];
    assert_eq!(pending, expected);
    registry.run_jobs();
    assert_eq!(about("done"), expected);
    // The page of a job has it as well, with a link.
    let job = listed(&registry, Selection::Done).into_iter().find(|job| job.kind == "unyank_version").unwrap().id;
    let html = root.get(&format!("/queue/jobs/{job}")).good().text();
    assert!(html.contains("href=\"/crates/foo-bar/1.1.0\""), "{html}");
    // An entry of somebody else, or of another time, is not taken for that of the job.
    sql(&registry, "UPDATE audit_log SET actor = 'eve' WHERE crate_name = 'other'");
    sql(&registry, "UPDATE audit_log SET at = at - interval '2 minutes' WHERE action = 'unyank'");
    let mut about = |state: &str| root.get(&format!("/queue?state={state}")).good().text();
    let html = about("done");
    assert!(!html.contains("3.0.0") && html.matches("1.1.0").count() == 2, "{html}");
}

#[test]
fn a_search_of_a_long_history_is_bounded_and_continues() {
    let registry = TestRegistry::new();
    let history = "INSERT INTO job_history (id, queue, kind, key, created_at, attempts, outcome)
                   SELECT i, 'index', CASE WHEN i = 10 THEN 'rare' ELSE 'sync_crate' END, 'k', now(), 1, 'done'
                   FROM generate_series(1, 50100) AS i";
    sql(&registry, history);
    let mut root = admin(&registry, "root");
    let html = root.get("/queue?state=done&kind=rare").good().text();
    assert!(html.contains("No such job is done among the receipts that were looked through."), "{html}");
    let next = html.split_once("<a rel=\"next\" href=\"").unwrap().1.split('"').next().unwrap().replace("&amp;", "&");
    let html = root.get(&next).good().text();
    assert_eq!(cells(&html, "jobs")[0][0], "10");
    assert!(!html.contains("rel=\"next\""), "{html}");
}

#[test]
fn the_table_of_the_plots_has_what_happened() {
    let registry = TestRegistry::new();
    // In half hours that are over, beside older receipts, which do not count.
    let receipts = "INSERT INTO job_history (id, queue, kind, created_at, started_at, finished_at, attempts, outcome)
         SELECT i, 'index', 'sync_crate', at - waited * interval '1 second', at, at + interval '10 ms', 1, outcome
         FROM (SELECT i, to_timestamp(floor(extract(epoch FROM now()) / 1800) * 1800) - hours * interval '1 hour'
                         + i * interval '1 second' AS at, waited, outcome
               FROM (VALUES (1, 30, 9.0, 'done'), (2, 25, 9.0, 'done'), (3, 20, 0.5, 'done'), (4, 20, 2.0, 'done'),
                            (5, 20, 40.0, 'done'), (6, 20, 7.0, 'failed'), (7, 20, 7.0, 'retried'), (8, 3, 0.25, 'done'),
                            (9, 2, 1.0, 'dead')) AS v (i, hours, waited, outcome)) AS receipt ORDER BY at";
    sql(&registry, receipts);
    let mut root = admin(&registry, "root");
    let html = root.get("/queue").good().text();
    let rows: Vec<Vec<String>> = cells(&html, "day").into_iter().map(|row| row[1..].to_vec()).collect();
    let expected = [["0", "1", "–", "–"], ["1", "0", "250 ms", "250 ms"], ["3", "1", "2.0 s", "40.0 s"]];
    assert_eq!(rows, expected.map(|row| row.map(str::to_owned).to_vec()));
    assert!(html.contains("4 finished, 2 attempts failed."), "{html}");
    assert!(
        html.contains(
            "aria-label=\"Jobs in each half hour of the last 24 hours: 4 finished and 2 failed attempts in all"
        )
    );
    // A bar for each number.
    let plots: Vec<&str> = html.split("<svg class=\"plot\"").skip(1).collect();
    let bars = |plot: &str, class: &str| {
        let path = plot.split_once(&format!("<path class=\"{class}\" d=\"")).unwrap().1.split('"').next().unwrap();
        path.matches('z').count()
    };
    assert_eq!(
        [bars(plots[0], "finished"), bars(plots[0], "failed"), bars(plots[1], "median"), bars(plots[1], "most")],
        [2, 2, 2, 2]
    );
}

#[test]
fn the_parts_that_are_refreshed_are_those_of_the_page() {
    let registry = TestRegistry::new();
    published(&registry, &["demo"]);
    let id = listed(&registry, Selection::Pending)[0].id;
    let mut root = admin(&registry, "root");
    for (path, parts) in [("/queue".to_owned(), 2), (format!("/queue/jobs/{id}"), 1)] {
        let whole = root.get(&path).good().text();
        let fragment = root.get(&format!("{path}?fragment=1")).good();
        assert_eq!(fragment.headers["cache-control"], "no-store");
        let fragment = fragment.text();
        assert!(!fragment.contains("<html") && !fragment.contains("form_token"), "{fragment}");
        assert_eq!((fragment.matches(" data-live").count(), whole.matches(" data-live").count()), (parts, parts));
        assert!(whole.contains("Look again") && whole.contains("id=\"stale\""));
    }
    registry.run_jobs();
}

#[test]
fn a_private_registry_shows_the_queue_to_its_admins_alone() {
    let registry = TestRegistry::with(|settings| settings.auth_required = true);
    // Tests run in transactions of one database: they create their users in the same order.
    let token = registry.user("bob").token.unwrap();
    let mut anonymous = Browser::new(&registry);
    let seen = |browser: &mut Browser<'_>, path: &str| {
        let answer = browser.get(path);
        (answer.status, answer.headers["location"].to_str().unwrap().replace("queue", "search"), answer.body)
    };
    assert_eq!(seen(&mut anonymous, "/queue"), seen(&mut anonymous, "/search"));
    let mut root = admin(&registry, "root");
    let shown = root.get("/queue").good();
    assert_eq!(shown.headers["cache-control"], "private, no-store");
    let mut bob = Browser::new(&registry);
    bob.sign_in(&token);
    assert_eq!(bob.get("/queue").status, StatusCode::FORBIDDEN);
}
