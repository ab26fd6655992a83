//! `supercargo monitor`: its findings and its pages.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use diesel::connection::SimpleConnection;
use hmac::{Hmac, KeyInit, Mac};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use supercargo::queue::{inspection, trouble};

use crate::support::cluster;
use crate::support::event::{wait_for, wait_until};
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, supercargo, wait_for_url};
use crate::support::recorder::Recorder;

const SECRET: &[u8] = b"a secret of at least 24 bytes";

/// A registry, a receiver of pages, and the monitor between them.
struct Watch {
    served: Served,
    pages: Recorder,
    folder: tempfile::TempDir,
}

impl Watch {
    fn over(served: Served) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "R0UT1NGKEY\n").unwrap();
        std::fs::write(folder.path().join("secret"), format!("whsec_{}\n", STANDARD.encode(SECRET))).unwrap();
        Self { served, pages: Recorder::start(), folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.served.command("monitor");
        command.args(["--monitor-name", "the registry", "--pagerduty-key-file", &self.path("key")]);
        command.args(["--pagerduty-url", &format!("{}/v2/enqueue", self.pages.url)]);
        command.args(["--webhook-url", &format!("{}/hook", self.pages.url)]);
        command.args(["--webhook-secret-file", &self.path("secret"), "--monitor-state", &self.path("state.json")]);
        // The disk of the test machine may be full.
        if !arguments.contains(&"--disk-limit") {
            command.args(["--disk-limit", "100"]);
        }
        command.args(arguments);
        command
    }

    /// One round, as started by cron: the exit code and the line.
    fn round(&self, arguments: &[&str]) -> (i32, String) {
        let Output { status, stdout, .. } = self.command(arguments).output().unwrap();
        (status.code().unwrap(), String::from_utf8(stdout).unwrap())
    }

    /// Two rounds, which are enough for a page, and a third one, which must not add any: the last line.
    fn rounds(&self, arguments: &[&str]) -> (i32, String) {
        self.round(arguments);
        self.round(arguments);
        self.round(arguments)
    }

    /// The accepted events of the webhook and of PagerDuty: action and check.
    fn taken(&self) -> [Vec<(String, String)>; 2] {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let hooks = self
            .pages
            .accepted("/hook")
            .into_iter()
            .map(|one| (one.json()["type"].clone(), text(&one.json()["data"]["check"])))
            .map(|(kind, check)| match kind.as_str().unwrap() {
                "incident.triggered" => ("trigger".to_owned(), check),
                "incident.resolved" => ("resolve".to_owned(), check),
                other => panic!("{other}"),
            });
        let pagerduty = self.pages.accepted("/v2/enqueue");
        let of_key = |key: String| key.strip_prefix("the registry/").unwrap().to_owned();
        let pages =
            pagerduty.iter().map(|one| (text(&one.json()["event_action"]), of_key(text(&one.json()["dedup_key"]))));
        [hooks.collect(), pages.collect()]
    }
}

fn worker(served: &Served, fail_points: &str) -> Child {
    let mut command = served.command("worker");
    command.env("SUPERCARGO_FAIL_POINTS", fail_points).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn kill_at_once(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn wait_for_workers(served: &Served) {
    let mut connection = served.database.connect();
    wait_until("a worker for each queue", || {
        trouble::attendance(&mut connection, &["index", "index_export", "maintenance"])
            .unwrap()
            .iter()
            .all(|queue| queue.taken)
    });
}

/// Requests have the form that the documentation of the receivers requires.
fn check_forms(watch: &Watch) {
    let pages: Vec<Value> = watch.pages.accepted("/v2/enqueue").iter().map(|one| one.json()).collect();
    let (trigger, resolve) = (&pages[0], &pages[1]);
    assert_eq!((&trigger["routing_key"], &trigger["event_action"]), (&"R0UT1NGKEY".into(), &"trigger".into()));
    let payload = &trigger["payload"];
    assert_eq!((&payload["severity"], &payload["source"]), (&"critical".into(), &"the registry".into()));
    assert_eq!((&payload["component"], &trigger["client"]), (&"dead_jobs".into(), &"supercargo".into()));
    assert!(payload["summary"].as_str().unwrap().starts_with("the registry: 1 job is dead ("), "{payload}");
    let job = &payload["custom_details"]["found"]["jobs"][0];
    assert!(job["error"].as_str().unwrap().contains("the job panicked") && job["key"] == "doomed", "{payload}");
    assert_eq!(resolve["dedup_key"], trigger["dedup_key"]);
    assert!(resolve["payload"].is_null(), "{resolve}");

    for request in watch.pages.accepted("/hook") {
        let (id, timestamp) = (request.header("webhook-id"), request.header("webhook-timestamp"));
        let age = chrono::Utc::now().timestamp() - timestamp.parse::<i64>().unwrap();
        assert!((0..600).contains(&age), "{age}");
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET).unwrap();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(&request.body);
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        assert_eq!(request.header("webhook-signature"), format!("v1,{signature}"));
    }
    let hooks = watch.pages.accepted("/hook");
    let mut ids: Vec<&str> = hooks.iter().map(|one| one.header("webhook-id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), hooks.len());
    let trigger = hooks[0].json();
    assert_eq!(trigger.as_object().unwrap().keys().collect::<Vec<_>>(), ["type", "timestamp", "data"]);
    let data = &trigger["data"];
    assert_eq!((&data["key"], &data["severity"]), (&"the registry/dead_jobs".into(), &"critical".into()), "{data}");
    assert_eq!(
        (&data["since"], &data["details"]["jobs"][0]["key"]),
        (&trigger["timestamp"], &"doomed".into()),
        "{data}"
    );
}

#[test]
fn a_test_page_is_sent_and_taken_back_and_a_receiver_that_fails_is_named() {
    let watch = Watch::over(Served::start(&["--no-worker"]));
    let (code, said) = watch.round(&["--test-page"]);
    insta::assert_snapshot!(said, @r"
    pagerduty: accepted the trigger
    webhook: accepted the trigger
    pagerduty: accepted the resolve
    webhook: accepted the resolve
    ");
    assert_eq!(code, 0);
    let [hooks, _] = [watch.pages.accepted("/hook"), watch.pages.accepted("/v2/enqueue")];
    assert_eq!((&hooks[0].json()["data"]["key"], hooks.len()), (&hooks[1].json()["data"]["key"], 2));
    watch.pages.answer_with(400);
    let (code, said) = watch.round(&["--test-page"]);
    assert_eq!(code, 2);
    assert!(said.contains("pagerduty: failed to accept the trigger: the answer was 400"), "{said}");

    std::fs::write(watch.path("secret"), "0123456789abcdef0123456789abcdef").unwrap();
    let (code, said) = watch.round(&[]);
    assert_eq!(code, 3);
    insta::assert_snapshot!(said.replace(&watch.path("secret"), "FILE"), @"SUPERCARGO UNKNOWN - the file FILE (--webhook-secret-file) holds no valid secret: it must be `whsec_` and 24 to 64 bytes in base64, as the command `echo whsec_$(openssl rand -base64 32)` prints");
    let alone = watch.served.command("monitor").args(["--test-page"]).output().unwrap();
    assert_eq!(alone.status.code(), Some(3));
    insta::assert_snapshot!(String::from_utf8(alone.stdout).unwrap(), @"SUPERCARGO UNKNOWN - there is no receiver to page: add one with --pagerduty-key-file or --webhook-url");
    // Without receivers nothing is written.
    watch.served.command("monitor").output().unwrap();
    assert!(!watch.served.data_dir().join("monitor.json").exists());
}

#[test]
fn a_warning_is_exit_code_1_and_json_has_every_check() {
    let served = Served::start(&["--no-worker"]);
    served
        .database
        .connect()
        .batch_execute(
            "INSERT INTO jobs (queue, kind, key, payload, created_at) VALUES ('index', 'of_tomorrow', 'x', '{}', now() - interval '7 minutes')",
        )
        .unwrap();
    let monitor = |arguments: &[&str]| {
        let limits = ["--min-workers", "0", "--disk-limit", "100"];
        let output = served.command("monitor").args(limits).args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, line) = monitor(&[]);
    assert_eq!(code, 1, "{line}");
    assert!(
        line.starts_with("SUPERCARGO WARNING - oldest job pending for 7m")
            && line.contains(" (limit 5m); 1 job is of an unknown kind (1 of_tomorrow x) | oldest_job=4"),
        "{line}"
    );
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.pem");
    let url = served.url.as_str();
    let (code, said) = monitor(&[
        "--json",
        "--url",
        url,
        "--tls-cert",
        missing.to_str().unwrap(),
        "--max-job-age",
        "1h",
        "--max-verify-age",
        "9days",
    ]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &said["status"], &said["code"]), (2, &"critical".into(), &2.into()), "{said}");
    let states: Vec<String> = said["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| format!("{} {}", check["check"].as_str().unwrap(), check["severity"].as_str().unwrap()))
        .collect();
    insta::assert_snapshot!(states.join("\n"), @r"
    database ok
    oldest_job ok
    dead_jobs ok
    failing_jobs ok
    hung_jobs ok
    unknown_jobs warning
    workers ok
    verification warning
    webhooks ok
    email ok
    upstreams ok
    advisories ok
    disk_bytes ok
    disk_inodes ok
    disk_full ok
    certificate critical
    endpoint ok
    ");
    assert!(said["pages"].is_null());
    let mut connection = served.database.connect();
    let report = "INSERT INTO verify_reports (mode, requested_by, started_at, finished_at, differences) VALUES ('full', 'ann', now(), now() - interval";
    connection.batch_execute(&format!("{report} '3 days', 0)")).unwrap();
    assert!(!monitor(&[]).1.contains("the last verification"));
    assert!(monitor(&["--max-verify-age", "1day,9days"]).1.contains("the last verification was 3days "));
    connection.batch_execute(&format!("{report} '0 days', 2)")).unwrap();
    assert!(monitor(&[]).1.contains("found 2 differences"), "{}", monitor(&[]).1);
    // A lasting failure of this job, and an outage.
    connection.batch_execute("UPDATE jobs SET kind = 'maintain_index', last_error = 'x', attempts = 6").unwrap();
    assert!(monitor(&[]).1.contains("1 job is failing (1 maintain_index x)"), "{}", monitor(&[]).1);
    let shared = "UPDATE jobs SET attempts = 0, awaits_recovery = true, last_failed_at = now() - interval";
    connection.batch_execute(&format!("{shared} '1 minute'")).unwrap();
    assert!(!monitor(&[]).1.contains("is failing"));
    connection.batch_execute(&format!("{shared} '4 minutes'")).unwrap();
    assert!(monitor(&[]).1.contains("1 job is failing"));
    // Its next attempt is ahead, and the job is as old as it was.
    connection.batch_execute("UPDATE jobs SET run_at = now() + interval '1 minute'").unwrap();
    assert!(!monitor(&[]).1.contains("oldest_job=0"), "{}", monitor(&[]).1);
    // A missing table does not affect the other checks.
    connection.batch_execute("ALTER TABLE dead_jobs RENAME TO hidden").unwrap();
    connection.batch_execute("DELETE FROM verify_reports").unwrap();
    let (code, line) = monitor(&["--max-outage", "1h"]);
    assert!(code == 3 && line.contains("cannot check dead_jobs") && line.contains("oldest_job=4"), "{line}");
}

#[test]
fn limits_apply_and_a_check_that_cannot_run_is_not_ok() {
    let served = Served::start(&["--no-worker"]);
    let monitor = |arguments: &[&str]| {
        let mut command = served.command("monitor");
        if !arguments.contains(&"--min-workers") {
            command.args(["--min-workers", "0"]);
        }
        let output = command.args(["--disk-limit", "100"]).args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let mut connection = served.database.connect();
    connection
        .batch_execute(
            "INSERT INTO jobs (queue, kind, key, payload, created_at) VALUES ('index', 'maintain_index', 'x', '{}', now() - interval '7 minutes');
             INSERT INTO dead_jobs (id, queue, kind, payload, priority, created_at, attempts, claim_no)
             VALUES (1000, 'index', 'maintain_index', '{}', 0, now(), 20, 20)",
        )
        .unwrap();
    let (code, line) = monitor(&["--max-job-age", "1m,5m", "--max-dead-jobs", "1"]);
    assert!(
        code == 2
            && line.starts_with("SUPERCARGO CRITICAL - oldest job pending for 7m")
            && line.contains(" (limit 5m) | "),
        "{line}"
    );
    let (code, line) = monitor(&["--max-job-age", "1h", "--max-dead-jobs", "1"]);
    assert_eq!(code, 0, "{line}");
    assert_eq!(monitor(&["--max-job-age", "1h"]).0, 2);

    // A worker that takes jobs of no queue.
    connection.batch_execute("SET application_name = 'supercargo worker of-a-test'").unwrap();
    let (code, line) = monitor(&["--min-workers", "2"]);
    assert!(code == 2 && line.contains("1 of 2 workers are alive"), "{line}");
    let (code, line) = monitor(&["--min-workers", "1"]);
    assert!(code == 2 && line.contains("no worker takes jobs of index and index_export and maintenance"), "{line}");

    let endpoint = Recorder::start();
    endpoint.answer_with(503);
    let (code, line) = monitor(&["--url", &endpoint.url]);
    assert!(code == 2 && line.contains(&format!("{}/health/ready answers 503", endpoint.url)), "{line}");

    // An open incident must not end because a check cannot run.
    drop(connection);
    let name = served.database.name();
    cluster::administrator()
        .batch_execute(&format!(
            "ALTER DATABASE {name} ALLOW_CONNECTIONS false;
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        ))
        .unwrap();
    let said: Value = serde_json::from_str(&monitor(&["--json"]).1).unwrap();
    let skipped = said["checks"].as_array().unwrap().iter().filter(|check| check["severity"] == "skipped").count();
    assert_eq!(skipped, 11, "{said}");
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn each_incident_is_paged_once_and_resolved_once_also_by_cron() {
        let watch = Watch::over(Served::start(&["--no-worker", "--publish-wait", "0s"]));
        let served = &watch.served;
        let token = served.token("ann");
        let first = worker(served, "job.desired_read=panic");
        wait_for_workers(served);
        let (code, line) = watch.round(&[]);
        assert_eq!(code, 0, "{line}");
        assert!(line.starts_with("SUPERCARGO OK - 15 checks | oldest_job=0s;300;900 dead_jobs=0;;0 "), "{line}");

        // A job that panics in its last attempt.
        let mut connection = served.database.connect();
        connection
            .batch_execute("CREATE FUNCTION last() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.attempts = 19; RETURN NEW; END';
                            CREATE TRIGGER last BEFORE INSERT ON jobs FOR EACH ROW WHEN (NEW.key = 'doomed') EXECUTE FUNCTION last()")
            .unwrap();
        http::publish(&served.url, &token, &Package::new("doomed", "1.0.0")).good();
        wait_until("its death", || inspection::count(&mut connection).unwrap().1 == 1);
        let (code, line) = watch.round(&[]);
        assert!(code == 2 && line.contains(" publish_version doomed)"), "{code} {line}");
        assert!(line.starts_with("SUPERCARGO CRITICAL - 1 job is dead ("), "{line}");
        assert!(watch.pages.all().is_empty(), "one round is not enough");
        watch.rounds(&[]);
        let job = trouble::dead(&mut connection).unwrap()[0].id.to_string();
        served.run("jobs retry", &[&job]);
        wait_until("the second life", || inspection::count(&mut connection).unwrap() == (0, 0));
        assert_eq!(watch.rounds(&[]).0, 0);

        // No worker.
        kill_at_once(first);
        wait_until("its sessions to end", || trouble::workers(&mut connection).unwrap().is_empty());
        let (code, line) = watch.rounds(&[]);
        assert!(code == 2 && line.contains("no worker is alive"), "{line}");
        let second = worker(served, "queue.held=stall(50s)");
        wait_for_workers(served);
        assert_eq!(watch.rounds(&[]).0, 0);

        // A job that hangs and holds its row all the while.
        http::publish(&served.url, &token, &Package::new("hangs", "1.0.0")).good();
        let runs_for_a_second =
            |connection: &mut _| trouble::running(connection).unwrap().first().is_some_and(|job| job.seconds > 1.0);
        wait_until("a job that runs for a second", || runs_for_a_second(&mut connection));
        assert_eq!(watch.round(&[]).0, 0, "its kind may take a minute");
        let (code, line) = watch.rounds(&["--max-job-run", "1s"]);
        assert!(code == 2 && line.contains("1 job is hung") && line.contains("its row has been held for "), "{line}");
        let third = worker(served, "");
        kill_at_once(second);
        wait_for_workers(served);
        wait_until("the third worker's success", || inspection::count(&mut connection).unwrap() == (0, 0));
        assert_eq!(watch.rounds(&["--max-job-run", "1s"]).0, 0);

        // No database.
        drop(connection);
        let name = served.database.name().to_owned();
        let mut administrator = cluster::administrator();
        administrator
            .batch_execute(&format!(
                "ALTER DATABASE {name} ALLOW_CONNECTIONS false;
                 SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            ))
            .unwrap();
        let (code, line) = watch.rounds(&[]);
        assert!(code == 2 && line.contains("cannot connect to the database"), "{line}");
        administrator.batch_execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).unwrap();
        wait_for_workers(served);
        assert_eq!(watch.rounds(&[]).0, 0);

        // A disk that is too full for this limit.
        let (code, line) = watch.rounds(&["--disk-limit", "0"]);
        assert!(code == 2 && line.contains("% of the disk's bytes are used (limit 0%)"), "{line}");
        assert_eq!(watch.rounds(&[]).0, 0);
        kill_at_once(third);

        let [hooks, pages] = watch.taken();
        let both = |check: &str| ["trigger", "resolve"].map(|action| (action.to_owned(), check.to_owned()));
        let in_order: Vec<_> = ["dead_jobs", "workers", "hung_jobs", "database"].into_iter().flat_map(both).collect();
        assert_eq!(hooks[..8], in_order);
        // Inodes, too, if the file system counts them.
        assert!(hooks[8..].starts_with(&[("trigger".to_owned(), "disk_bytes".to_owned())]), "{hooks:?}");
        assert_eq!(hooks, pages);
        println!("{:<14}{:>10}{:>10}{:>12}{:>12}", "incident", "webhook", "", "pagerduty", "");
        println!("{:<14}{:>10}{:>10}{:>12}{:>12}", "", "trigger", "resolve", "trigger", "resolve");
        for check in ["dead_jobs", "workers", "hung_jobs", "database", "disk_bytes"] {
            let count = |events: &[(String, String)], action: &str| {
                events.iter().filter(|event| **event == (action.to_owned(), check.to_owned())).count()
            };
            let counts = [&hooks, &pages].map(|events| [count(events, "trigger"), count(events, "resolve")]).concat();
            println!("{check:<14}{:>10}{:>10}{:>12}{:>12}", counts[0], counts[1], counts[2], counts[3]);
            assert_eq!(counts, [1, 1, 1, 1], "{check}");
        }
        check_forms(&watch);
    }

    #[test]
    fn what_could_not_be_delivered_is_delivered_later_once_and_in_order() {
        let watch = Watch::over(Served::start(&["--no-worker"]));
        let quick = |arguments: &[&str]| {
            let arguments = [&["--min-workers", "0", "--page-after", "1"], arguments].concat();
            watch.command(&arguments)
        };
        let start = |arguments: &[&str]| {
            quick(&[&["--watch", "--interval", "50ms"], arguments].concat())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        };
        watch.pages.answer_with(503);
        let first = start(&["--disk-limit", "0"]);
        wait_until("a refused page of each", || {
            ["/hook", "/v2/enqueue"].iter().all(|path| watch.pages.all().iter().any(|one| one.path == *path))
        });
        kill_at_once(first);
        // Nothing is sent again before its time.
        let retry_at = |minutes: i64| {
            let mut state: Value = serde_json::from_slice(&std::fs::read(watch.path("state.json")).unwrap()).unwrap();
            for outbox in state["receivers"].as_object_mut().unwrap().values_mut() {
                outbox["retry_at"] = serde_json::json!(chrono::Utc::now() + chrono::Duration::minutes(minutes));
            }
            std::fs::write(watch.path("state.json"), serde_json::to_vec(&state).unwrap()).unwrap();
        };
        retry_at(60);
        let tried = watch.pages.all().len();
        quick(&["--disk-limit", "0"]).output().unwrap();
        assert_eq!(watch.pages.all().len(), tried);
        retry_at(-1);
        // The resolve waits behind the trigger.
        let output = quick(&["--json"]).output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["pages"]["incidents"], serde_json::json!([]), "{said}");
        let waiting = said["pages"]["receivers"].as_array().unwrap();
        assert!(waiting.len() == 2 && waiting.iter().all(|one| one["waiting"].as_u64().unwrap() >= 2), "{said}");
        assert!(waiting[0]["error"].as_str().unwrap().contains("the answer was 503"), "{said}");
        assert!(watch.taken().concat().is_empty());

        watch.pages.answer_with(202);
        let mut second = start(&[]);
        wait_until("all of them", || {
            watch.taken().iter().all(|taken| taken.iter().any(|(action, _)| action == "resolve"))
        });
        kill(Pid::from_raw(second.id().cast_signed()), Signal::SIGTERM).unwrap();
        assert!(second.wait().unwrap().success());
        for taken in watch.taken() {
            let of_bytes: Vec<&str> =
                taken.iter().filter(|(_, check)| check == "disk_bytes").map(|(action, _)| action.as_str()).collect();
            assert_eq!(of_bytes, ["trigger", "resolve"]);
        }
        let state: Value = serde_json::from_slice(&std::fs::read(watch.path("state.json")).unwrap()).unwrap();
        assert!(state["receivers"]["webhook"]["events"].as_array().unwrap().is_empty(), "{state}");
    }

    #[test]
    fn a_private_database_that_is_down_is_told_with_what_its_log_says() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let data_dir: PathBuf = directory.path().join("data");
        let of = |subcommand: &str| {
            let mut command = supercargo();
            command.args([subcommand, "--log", "warn", "--data-dir"]).arg(&data_dir).stdout(Stdio::piped());
            command
        };
        let look = |arguments: &[&str]| {
            let output = of("monitor").args(["--disk-limit", "100"]).args(arguments).output().unwrap();
            (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
        };
        let (code, line) = look(&[]);
        assert!(code == 2 && line.contains("cannot locate the embedded PostgreSQL"), "{line}");
        let mut serving = of("serve").args(["--listen", "127.0.0.1:0"]).stdout(Stdio::null()).spawn().unwrap();
        wait_for_url(&mut serving, &data_dir);
        wait_for("it to be well", || Some(look(&[])).filter(|(code, _)| *code == 0));
        serving.kill().unwrap();
        serving.wait().unwrap();
        let (_, said) = wait_for("the database to be down", || {
            Some(look(&["--json"])).filter(|(_, said)| said.contains("the embedded PostgreSQL is not running"))
        });
        let said: Value = serde_json::from_str(&said).unwrap();
        let database = said["checks"].as_array().unwrap().iter().find(|check| check["check"] == "database").unwrap();
        assert!(database["details"]["log"].is_string(), "{database}");
        // The monitor neither created nor started it.
        assert_eq!(supercargo::postgres::embedded::attach(&data_dir).unwrap(), None);
    }
}
