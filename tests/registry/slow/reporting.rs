//! What is reported to Sentry, held against what a server of Sentry's would be sent.

use std::io::Read;
use std::net::TcpListener;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use supercargo::queue::inspection;

use crate::support::cluster::Database;
use crate::support::event::{wait_for, wait_until};
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{failed, succeeded, supercargo, wait_for_url};
use crate::support::recorder::{Recorded, Recorder};

/// An item of an envelope: its type and its payload.
struct Item {
    ty: String,
    payload: Value,
}

/// The items of an envelope. Source: Sentry's "Envelopes", section "Serialization Format".
fn items(request: &Recorded) -> Vec<Item> {
    assert!(!request.headers.iter().any(|(name, _)| name == "content-encoding"), "{:?}", request.headers);
    let mut rest = request.body.as_slice();
    let mut line = || {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.strip_prefix(b"\n").unwrap_or(after);
        (line.to_vec(), rest.len())
    };
    let envelope: Value = serde_json::from_slice(&line().0).unwrap();
    assert!(envelope.is_object());
    let mut items = Vec::new();
    loop {
        let (header, left) = line();
        if header.is_empty() && left == 0 {
            return items;
        }
        let header: Value = serde_json::from_slice(&header).unwrap();
        let (payload, _) = line();
        // Payloads of this sender are JSON in one line.
        assert_eq!(header["length"].as_u64(), Some(payload.len() as u64));
        items.push(Item {
            ty: header["type"].as_str().unwrap().to_owned(),
            payload: serde_json::from_slice(&payload).unwrap(),
        });
    }
}

/// A registry that reports to a sink.
struct Reporting {
    sink: Recorder,
    database: Database,
    directory: tempfile::TempDir,
    child: Child,
    url: String,
}

impl Reporting {
    fn start(fail_points: &str, arguments: &[&str]) -> Self {
        Self::start_with(None, fail_points, arguments)
    }

    fn start_with(dsn: Option<String>, fail_points: &str, arguments: &[&str]) -> Self {
        let sink = Recorder::start();
        sink.answer_with(200);
        let dsn = dsn.unwrap_or_else(|| format!("{}/42", sink.url.replace("http://", "http://publickey@")));
        let (database, directory) = (Database::fresh(), tempfile::tempdir().unwrap());
        let data_dir = directory.path().join("data");
        let mut command = supercargo();
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--sentry-dsn", &dsn]);
        command.args(["--database-url", &database.url(), "--data-dir"]).arg(&data_dir).args(arguments);
        command.env("SUPERCARGO_FAIL_POINTS", fail_points);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let url = wait_for_url(&mut child, &data_dir);
        Self { sink, database, directory, child, url }
    }

    fn token(&self) -> String {
        let run = |arguments: &[&str]| {
            let mut command = supercargo();
            command
                .args(arguments)
                .args(["--database-url", &self.database.url(), "--data-dir"])
                .arg(self.directory.path());
            succeeded(command.output().unwrap())
        };
        run(&["admin", "user", "create", "ann"]);
        run(&["admin", "token", "create", "--user", "ann"]).trim().to_owned()
    }

    fn of_type(&self, ty: &str) -> Vec<Value> {
        let items = self.sink.all().iter().flat_map(items).collect::<Vec<_>>();
        items.into_iter().filter(|item| item.ty == ty).map(|item| item.payload).collect()
    }

    /// The one event with this exception.
    fn event(&self, exception: &str) -> Value {
        let events = wait_for(exception, || {
            let mut events = self.of_type("event");
            events.retain(|event| event["exception"]["values"].to_string().contains(exception));
            (!events.is_empty()).then_some(events)
        });
        assert_eq!(events.len(), 1, "{exception}: {events:#?}");
        events.into_iter().next().unwrap()
    }

    fn stop(&mut self) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn errors_and_panics_of_requests_and_jobs_are_reported_with_what_helps_and_without_what_is_secret() {
    let mut registry = Reporting::start(
        "request.read=error;request.file_stored=panic;job.desired_read=error;job.effective_noted=panic",
        &[
            "--sentry-environment",
            "testing",
            "--sentry-traces-sample-rate",
            "1",
            "--publish-wait",
            "60s",
            "--trusted-proxies",
            "127.0.0.1",
        ],
    );
    let token = registry.token();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let publish = || {
        let url = format!("{}/api/v1/crates/new?query=QUERYSECRET", registry.url);
        let request = agent.put(url).header("authorization", &token).header("cookie", "session=COOKIESECRET");
        let request = request.header("x-forwarded-for", "203.0.113.77");
        let package = Package::new("foo", "1.0.0").described("BODYSECRET");
        let answer = request.send(&package.body()).unwrap();
        (answer.status().as_u16(), answer.headers()["x-request-id"].to_str().unwrap().to_owned())
    };
    let (status, unavailable) = publish();
    assert_eq!(status, 503);
    let (status, panicked) = publish();
    assert_eq!(status, 500);
    // Its job fails, panics, and is done at the third attempt.
    let (status, accepted) = publish();
    assert_eq!(status, 200);
    let mut connection = registry.database.connect();
    assert_eq!(inspection::count(&mut connection).unwrap(), (0, 0));
    http::get(&format!("{}/health/ready", registry.url));
    registry.stop();

    let tags = |event: &Value, names: &[&str]| {
        names.iter().map(|name| event["tags"][name].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>().join(" ")
    };
    let error = registry.event("the fail point request.read was armed");
    assert_eq!(tags(&error, &["status", "route", "request_id"]), format!("503 /api/v1/crates/new {unavailable}"));
    // An event without a level is an error.
    assert_eq!((&error["level"], &error["environment"]), (&Value::Null, &"testing".into()));
    assert!(error["release"].as_str().unwrap().starts_with(concat!("supercargo@", env!("CARGO_PKG_VERSION"))));
    assert_eq!(error["transaction"], "PUT /api/v1/crates/new");

    let panic = registry.event("the fail point request.file_stored was armed");
    assert_eq!(tags(&panic, &["request_id", "route"]), format!("{panicked} /api/v1/crates/new"));
    let exception = &panic["exception"]["values"][0];
    assert_eq!((&exception["type"], &exception["mechanism"]["handled"]), (&"panic".into(), &false.into()));
    let frames = exception["stacktrace"]["frames"].to_string();
    assert!(frames.contains("web/api/publish/mod.rs") && !frames.contains("panics.rs"), "{frames}");
    assert!(panic["contexts"]["supercargo"]["location"].as_str().unwrap().contains("src/fault"), "{panic}");

    let failure = registry.event("the fail point job.desired_read was armed");
    assert_eq!(
        tags(&failure, &["kind", "crate", "attempt", "request_id"]),
        format!("publish_version foo 1 {accepted}")
    );
    assert_eq!(failure["message"], "a job failed");
    let panic = registry.event("the fail point job.effective_noted was armed");
    assert_eq!(
        tags(&panic, &["kind", "crates", "attempt", "request_ids"]),
        format!("publish_version foo 2 {accepted}")
    );
    assert!(panic["exception"]["values"][0]["stacktrace"].to_string().contains("sync_index"));
    assert_eq!(registry.of_type("event").len(), 4, "{:#?}", registry.of_type("event"));

    let transactions = registry.of_type("transaction");
    let names: Vec<&str> = transactions.iter().map(|one| one["transaction"].as_str().unwrap()).collect();
    assert_eq!(names.iter().filter(|name| **name == "PUT /api/v1/crates/new").count(), 3, "{names:?}");
    assert_eq!(names.iter().filter(|name| **name == "jobs publish_version").count(), 3, "{names:?}");
    assert!(!names.iter().any(|name| name.contains("health")), "{names:?}");
    let statuses: Vec<&str> =
        transactions.iter().map(|one| one["contexts"]["trace"]["status"].as_str().unwrap()).collect();
    assert!(statuses.contains(&"unavailable") && statuses.contains(&"ok"), "{statuses:?}");

    for request in registry.sink.all() {
        assert_eq!(request.path, "/api/42/envelope/");
        let said = request.everything();
        for secret in
            [token.as_str(), "QUERYSECRET", "COOKIESECRET", "BODYSECRET", "203.0.113.77", "127.0.0.1:", "uthorization"]
        {
            // The one header that has it names the sink itself.
            let said = said.replace(&registry.sink.url.replace("http://", ""), "");
            assert!(!said.contains(secret), "{secret} in {said}");
        }
    }
}

#[test]
fn an_outage_of_everybodys_is_reported_once_a_job_and_not_each_time_it_is_tried() {
    let mut registry = Reporting::start("", &["--publish-wait", "0s"]);
    let token = registry.token();
    // The index can't be written: nothing of the job is its own fault.
    let index = registry.directory.path().join("data/index.git");
    std::fs::rename(&index, index.with_extension("aside")).unwrap();
    http::publish(&registry.url, &token, &Package::new("foo", "1.0.0"));
    let event =
        wait_for("a report", || registry.of_type("event").into_iter().find(|event| event["message"] == "a job failed"));
    assert!(event["exception"]["values"].as_array().unwrap().len() >= 2, "a chain of causes: {event:#}");
    let mut connection = registry.database.connect();
    let failed_again = |connection: &mut _| {
        let jobs = inspection::list(connection, inspection::Selection::Failing, 10).unwrap();
        jobs.first().and_then(|job| job.started_at)
    };
    // When a third one has begun, the second one has failed.
    for _ in 0..2 {
        let before = failed_again(&mut connection);
        wait_until("another attempt", || failed_again(&mut connection).is_some_and(|at| Some(at) != before));
    }
    std::fs::rename(index.with_extension("aside"), &index).unwrap();
    wait_until("the end of the outage", || inspection::count(&mut connection).unwrap() == (0, 0));
    registry.stop();
    let reported = registry.of_type("event").iter().filter(|event| event["message"] == "a job failed").count();
    assert_eq!(reported, 1);
}

#[test]
fn a_dsn_that_is_none_is_refused_and_a_sink_that_never_answers_keeps_nobody_from_leaving() {
    let mut command = supercargo();
    command.args(["serve", "--sentry-dsn", "https://sentry.example/42"]);
    let said = failed(command.output().unwrap(), 2);
    assert!(said.contains("not a DSN") && said.contains("--sentry-dsn"), "{said}");

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!("http://publickey@{}/42", silent.local_addr().unwrap());
    let mut registry = Reporting::start_with(Some(dsn), "request.read=error", &[]);
    let token = registry.token();
    assert_eq!(http::publish(&registry.url, &token, &Package::new("foo", "1.0.0")).status, 503);
    let (mut connection, _) = silent.accept().unwrap();
    let mut first = [0; 1];
    connection.read_exact(&mut first).unwrap();
    let told = std::time::Instant::now();
    registry.stop();
    assert!(told.elapsed() < std::time::Duration::from_secs(15), "{:?}", told.elapsed());
}
