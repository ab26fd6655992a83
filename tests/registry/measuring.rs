//! What can be watched of a queue at work: metrics, `jobs watch`, and what is checked before it starts.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use diesel::connection::SimpleConnection;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::event::{wait_for, wait_until};
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, failed};

/// The value of a sample; None if there is none.
fn sample(metrics: &str, name: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

fn gauge(metrics: &str, name: &str, kind: &str) -> f64 {
    let queue = if kind == "maintain_index" { "maintenance" } else { "index" };
    let name = format!("supercargo_jobs_{name}{{queue=\"{queue}\",kind=\"{kind}\"}}");
    sample(metrics, &name).unwrap_or_else(|| panic!("no {name} in\n{metrics}"))
}

fn metrics(url: &str) -> String {
    http::get(&format!("{url}/metrics")).good().text()
}

#[test]
fn every_process_tells_the_state_of_the_whole_installation_and_what_it_did_itself() {
    let mut served = Served::start(&["--no-worker", "--publish-wait", "0s"]);
    let token = served.token("ann");
    for name in ["foo", "bar"] {
        http::publish(&served.url, &token, &Package::new(name, "1.0.0")).good();
    }
    served
        .database
        .connect()
        .batch_execute(
            "INSERT INTO jobs (queue, kind, payload) VALUES ('index', 'of_tomorrow', '{}');
             INSERT INTO jobs (queue, kind, payload, created_at, run_at)
             VALUES ('index', 'unyank_version', '{}', now() - interval '2 hours', now() + interval '1 hour');
             UPDATE jobs SET last_error = 'x', run_at = now() + interval '1 hour', attempts = 1, created_at = now() - interval '1 hour'
             WHERE kind = 'publish_version' AND key = 'bar';
             INSERT INTO dead_jobs (id, queue, kind, payload, priority, created_at, attempts, claim_no)
             VALUES (99, 'index', 'yank_version', '{}', 0, now(), 20, 20)",
        )
        .unwrap();
    let before = metrics(&served.url);
    let publishes = ["pending", "running", "failing", "dead"].map(|name| gauge(&before, name, "publish_version"));
    assert_eq!(publishes, [2.0, 0.0, 1.0, 0.0]);
    assert!((3600.0..3700.0).contains(&gauge(&before, "oldest_seconds", "publish_version")));
    assert_eq!((gauge(&before, "dead", "yank_version"), gauge(&before, "pending", "yank_version")), (1.0, 0.0));
    assert_eq!(gauge(&before, "pending", "of_tomorrow"), 1.0);
    // What was enqueued for later is not late.
    assert_eq!(["pending", "oldest_seconds"].map(|name| gauge(&before, name, "unyank_version")), [1.0, 0.0]);
    assert_eq!(gauge(&before, "pending", "maintain_index"), 0.0);
    assert_eq!(sample(&before, "supercargo_database_up"), Some(1.0));

    let worker = served.start_worker_with(&["--metrics-listen", "127.0.0.1:0"]);
    let of_worker =
        format!("http://{}", wait_for("the worker to listen", || crate::support::process::listening_address(worker)));
    let mut connection = served.database.connect();
    connection
        .batch_execute(
            "DELETE FROM jobs WHERE kind IN ('of_tomorrow', 'unyank_version'); UPDATE jobs SET run_at = now()",
        )
        .unwrap();
    wait_until("the jobs", || supercargo::queue::inspection::count(&mut connection).unwrap().0 == 0);
    // What the one did, both show as gone; a kind of which nothing is left reads 0.
    // An answer is kept for a second.
    for url in [&served.url, &of_worker] {
        wait_until("what is measured", || {
            let text = metrics(url);
            ["pending", "failing", "oldest_seconds"].map(|name| gauge(&text, name, "publish_version")) == [0.0; 3]
        });
    }
    wait_until("the kind to be gone", || gauge(&metrics(&served.url), "pending", "of_tomorrow") == 0.0);
    let done = "supercargo_job_attempts_total{queue=\"index\",kind=\"publish_version\",outcome=\"done\"}";
    assert_eq!(sample(&metrics(&of_worker), done), Some(2.0));
    assert_eq!(sample(&metrics(&served.url), done), None);
    let text = metrics(&of_worker);
    for histogram in ["wait", "run"] {
        let count = format!("supercargo_job_{histogram}_seconds_count{{queue=\"index\",kind=\"publish_version\"}}");
        assert!(sample(&text, &count).is_some_and(|count| count >= 1.0), "{text}");
        assert!(text.contains(&format!("supercargo_job_{histogram}_seconds_bucket{{")), "{text}");
    }
    // It answers nothing else.
    assert_eq!(http::get(&format!("{of_worker}/index/config.json")).status, 404);
    served.stop();
}

#[test]
fn with_an_address_of_their_own_metrics_are_not_beside_everything_else() {
    let served = Served::start(&["--metrics-listen", "127.0.0.1:0"]);
    assert_eq!(http::get(&format!("{}/metrics", served.url)).status, 404);
}

#[test]
fn an_address_for_metrics_that_is_taken_is_refused_by_name() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = crate::support::process::supercargo();
    let directory = tempfile::tempdir().unwrap();
    command.args(["serve", "--listen", "127.0.0.1:0", "--metrics-listen", &address, "--data-dir"]);
    let said = failed(command.arg(directory.path().join("data")).output().unwrap(), 1);
    assert!(
        said.contains(&format!(
            "cannot listen on {address} (another program uses this port; choose another with --metrics-listen)"
        )),
        "{said}"
    );
}

#[test]
fn metrics_are_told_without_a_database_too() {
    let served = Served::start(&["--no-worker"]);
    let mut administrator = served.database.connect();
    administrator.batch_execute("ALTER TABLE jobs RENAME TO hidden").unwrap();
    let text = metrics(&served.url);
    assert_eq!(sample(&text, "supercargo_database_up"), Some(0.0));
    assert!(gauge(&text, "pending", "publish_version").is_nan());
    administrator.batch_execute("ALTER TABLE hidden RENAME TO jobs").unwrap();
    // An answer is kept for a second.
    wait_until("the database", || sample(&metrics(&served.url), "supercargo_database_up") == Some(1.0));
}

#[test]
fn jobs_watch_tells_each_end_of_an_attempt_as_it_comes() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("before", "1.0.0")).good();
    let watch = |arguments: &[&str]| {
        let mut command = served.command("jobs watch");
        let mut child = command.args(["--interval", "20ms"]).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (child, lines)
    };
    let (mut plain, mut lines) = watch(&[]);
    let (mut json, mut objects) = watch(&["--json"]);
    // Both have looked once: what is published before that is not told.
    let mut connection = served.database.connect();
    wait_until("two watchers", || {
        #[derive(diesel::QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            count: i64,
        }
        use diesel::RunQueryDsl;
        diesel::sql_query("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%WHERE seq > $1%' AND pid <> pg_backend_pid()")
            .get_result::<Count>(&mut connection)
            .unwrap()
            .count
            == 2
    });
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    let line = lines.next().unwrap().unwrap();
    assert!(line.contains(" publish_version foo ") && line.contains(" done, attempt 1, "), "{line}");
    let receipt: serde_json::Value = serde_json::from_str(&objects.next().unwrap().unwrap()).unwrap();
    assert_eq!(
        (&receipt["kind"], &receipt["key"], &receipt["outcome"]),
        (&"publish_version".into(), &"foo".into(), &"done".into())
    );
    // Nobody reads any more: it ends without a word.
    drop(lines);
    http::publish(&served.url, &token, &Package::new("foo", "1.1.0")).good();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&plain.wait().unwrap()), Some(Signal::SIGPIPE as i32));
    kill(Pid::from_raw(json.id().cast_signed()), Signal::SIGINT).unwrap();
    json.wait().unwrap();
}

#[test]
fn a_database_that_allows_too_few_connections_is_refused_at_the_start() {
    let database = crate::support::cluster::Database::fresh();
    let directory = tempfile::tempdir().unwrap();
    let serve = || {
        let mut command = crate::support::process::supercargo();
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--database-url",
            &database.url(),
            "--database-pool-size",
            "83",
        ]);
        command.arg("--data-dir").arg(directory.path().join("data")).stdout(Stdio::null());
        command
    };
    let limit = |connections: i32| {
        database
            .connect()
            .batch_execute(&format!("ALTER DATABASE {} CONNECTION LIMIT {connections}", database.name()))
            .unwrap();
    };
    limit(96);
    insta::assert_snapshot!(failed(serve().output().unwrap(), 1).trim(), @"supercargo: the database allows 96 connections, but this process may need 100 (84 for requests, 16 for jobs): reduce --database-pool-size, or raise PostgreSQL's max_connections (or the limit of the role or the database)");
    limit(100);
    let mut child = serve().spawn().unwrap();
    crate::support::process::wait_for_url(&mut child, &directory.path().join("data"));
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_closed_pool_opens_no_connection() {
    let database = crate::support::cluster::Database::fresh();
    let pool = supercargo::database::Pool::live(&database.url(), 1);
    pool.with(|_| ()).unwrap();
    pool.close();
    // Whatever it has open is of no use now, so that it would have to open another one.
    let others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let mut session = database.connect();
    session.batch_execute(&format!("SELECT pg_terminate_backend(pid) {others}")).unwrap();
    wait_until("no session is left", || {
        session.batch_execute(&format!("SELECT 1 / (CASE WHEN count(*) = 0 THEN 1 ELSE 0 END) {others}")).is_ok()
    });
    // The end of the session may not have arrived here yet; then its connection is lent, and is of no use.
    wait_until("no connection is lent", || {
        let used = pool.with_within(std::time::Duration::from_millis(300), |session| session.batch_execute("SELECT 1"));
        assert!(!matches!(used, Ok(Ok(()))), "a connection was opened");
        used.is_err()
    });
    let open = supercargo::database::Pool::live(&database.url(), 1);
    open.with(|_| ()).unwrap();
}
