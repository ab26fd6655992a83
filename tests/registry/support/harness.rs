//! A registry on one thread and in one transaction: requests go through the router, jobs run only when the test says so,
//! and everything in the database is rolled back at the end. A test that leaves a job behind fails, and so does one in
//! which a job failed without the test having asked about it.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use chrono::TimeDelta;
use diesel::RunQueryDsl;
use http_body_util::BodyExt;
use serde_json::Value;
use supercargo::advisory::policy::Actions;
use supercargo::crate_store::CrateStore;
use supercargo::database::Pool;
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::users;
use supercargo::index::{GitProgram, Index, RemoteOptions, View};
use supercargo::jobs::{self, Admission, Environment};
use supercargo::package::{Limits, Policy, RegistryUrls};
use supercargo::queue::{Completions, Drained, Runner, Wakeups, inspection};
use supercargo::upstream::guarded::Guarded;
use supercargo::upstream::smtp::Smtp;
use supercargo::upstream_cache::cooldown::Cooldowns;
use supercargo::web::download_counts::DownloadCounts;
use supercargo::web::download_log::DownloadLog;
use supercargo::web::index::{GitService, IndexState};
use supercargo::web::upstreams::{Places, Times, UpstreamPlan, Upstreams};
use supercargo::web::{
    AddressRequests, App, Backlog, FastPath, Registry, Settings, SharedWith, SignInWays, SourceWork, StatusStreams,
    TrustedProxies, Uploads, registry,
};
use tower::ServiceExt;

use super::cluster;
use super::faulty_upstream::FaultyUpstream;
use super::package::Package;
use super::server_sent::{SentEvent, take_event};

pub const BASE_URL: &str = "http://registry.test";

/// A registry of this test alone.
pub struct TestRegistry {
    pub pool: Pool,
    pub index: Index,
    pub download_counts: DownloadCounts,
    pub completions: Completions,
    router: axum::Router,
    fast_path: Option<FastPath>,
    runner: Runner<Environment>,
    runtime: tokio::runtime::Runtime,
    pub directory: tempfile::TempDir,
    /// Returned after the transaction has ended; None for a database of the test's own.
    _database: Option<cluster::Lent>,
}

/// The upstream of a registry.
fn acme(settings: &Settings, index: &str, (fresh, stale): (Duration, Option<Duration>)) -> Upstreams {
    let times = Times { fresh, stale, away: Duration::from_secs(600) };
    let directory = settings.source_cache.0.with_file_name("upstreams");
    let store = CrateStore::local(&directory.join("crates")).unwrap();
    let cooldowns = Cooldowns { of_all: Some(TimeDelta::days(3)), ..Cooldowns::default() };
    let plan = UpstreamPlan {
        name: "acme".to_owned(),
        index: index.to_owned(),
        token: None,
        cooldowns,
        advisory_actions: Actions::default(),
    };
    let kept = Places { index_files: &directory, is_shared: false, crate_files: store, max_bytes: 1_000_000 };
    Upstreams::start(vec![plan], times, "a test", kept).unwrap()
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The detail of an error.
    pub fn detail(&self) -> String {
        self.json()["errors"][0]["detail"].as_str().unwrap_or_else(|| panic!("no error: {}", self.text())).to_owned()
    }

    /// Asserts success.
    pub fn good(self) -> Self {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        self
    }
}

impl TestRegistry {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with_limits(limits: Limits) -> Self {
        Self::with(|settings| settings.limits = limits)
    }

    pub fn with_trusted_proxies(networks: &[&str]) -> Self {
        let networks: Vec<_> = networks.iter().map(|network| network.parse().unwrap()).collect();
        Self::with(|settings| settings.trusted_proxies = TrustedProxies::new(&networks))
    }

    pub fn with_policy(policy: Policy) -> Self {
        Self::with(|settings| settings.policy = policy)
    }

    /// With other settings than the usual ones.
    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::lent(change, (None, None))
    }

    /// With an upstream `acme` that is never asked, and a cooldown of three days.
    pub fn with_upstream() -> Self {
        let never = Duration::from_secs(1);
        Self::with(|settings| settings.upstreams = acme(settings, "http://127.0.0.1:9/", (never, None)))
    }

    /// With an upstream `acme` that is asked for a file once an hour, and a cooldown of three days.
    pub fn through(upstream: &FaultyUpstream) -> Self {
        let (index, hour) = (format!("{}/index/", upstream.url), Duration::from_secs(3600));
        Self::with(|settings| settings.upstreams = acme(settings, &index, (hour, Some(hour))))
    }

    /// That sends mail by this server.
    pub fn with_mail(smtp: Smtp) -> Self {
        Self::lent(|_| {}, (None, Some(smtp)))
    }

    /// With an index that is the mirror of a remote.
    pub fn mirroring(remote: RemoteOptions) -> Self {
        Self::lent(|_| {}, (Some(remote), None))
    }

    /// On a database that has rows already. It has to outlive the registry.
    pub fn on(database: &cluster::Database) -> Self {
        Self::build(|_| {}, (None, None), &database.url(), None)
    }

    fn lent(change: impl FnOnce(&mut Settings), others: (Option<RemoteOptions>, Option<Smtp>)) -> Self {
        let database = cluster::Lent::free();
        let url = database.url();
        Self::build(change, others, &url, Some(database))
    }

    fn build(
        change: impl FnOnce(&mut Settings),
        (remote, smtp): (Option<RemoteOptions>, Option<Smtp>),
        url: &str,
        database: Option<cluster::Lent>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pool = Pool::test(url).unwrap();
        let path = directory.path().join("index.git");
        let index = match remote {
            None => Index::open_or_init(&path).unwrap(),
            Some(remote) => Index::open_mirror(&path, GitProgram::default(), remote).unwrap(),
        };
        let crate_store = CrateStore::local(&directory.path().join("crates")).unwrap();
        let (wakeups, completions) = (Wakeups::default(), Completions::default());
        let sends_mail = smtp.is_some();
        let runner = Runner::new(
            jobs::registry().unwrap(),
            Environment {
                index: index.clone(),
                crate_store: crate_store.clone(),
                webhooks: Guarded::new(vec!["127.0.0.0/8".parse().unwrap()]),
                smtp,
                index_export: None,
            },
            pool.clone(),
            "test",
            wakeups.clone(),
            completions.clone(),
        );
        let waits = completions.clone();
        let mut settings = Settings {
            base_url: BASE_URL.to_owned(),
            urls: RegistryUrls::new([BASE_URL]),
            limits: Limits::default(),
            policy: Policy::default(),
            admission: Admission::default(),
            auth_required: false,
            shared_with: SharedWith::Everyone,
            publish_wait: Duration::ZERO,
            trusted_proxies: TrustedProxies::default(),
            address_requests: AddressRequests::unlimited(),
            uploads: Uploads::new(64 * 1024 * 1024, directory.path().to_owned()),
            backlog: Backlog::new(0),
            source_cache: (directory.path().join("source-cache"), 64 * 1024 * 1024),
            source_work: SourceWork::usual(TrustedProxies::default()),
            status_streams: StatusStreams::new(8, 8, TrustedProxies::default()),
            sign_in: SignInWays::default(),
            sends_mail,
            upstreams: Upstreams::default(),
            download_redirect: None,
            download_log: DownloadLog::default(),
            advisories: None,
            docs: supercargo::web::DocsSettings::default(),
        };
        change(&mut settings);
        let state = IndexState { git: GitService::new(&index), view: View::new(index.clone()) };
        let app = App::new(pool.clone(), crate_store, state, wakeups, completions, settings);
        let download_counts = app.download_counts.clone();
        let Registry { router, fast_path } = registry(app, None);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self {
            pool,
            index,
            download_counts,
            completions: waits,
            router,
            fast_path,
            runner,
            runtime,
            directory,
            _database: database,
        }
    }

    /// A user with a token.
    pub fn user(&self, login: &str) -> Client<'_> {
        self.user_with(login, NewToken::named("test"))
    }

    /// A user with this token.
    pub fn user_with(&self, login: &str, token: NewToken) -> Client<'_> {
        let token = self
            .pool
            .with(|connection| {
                let user =
                    users::find(connection, login).unwrap_or_else(|error| panic!("cannot read {login}: {error}"));
                let user = user.unwrap_or_else(|| {
                    users::create(connection, login, None)
                        .unwrap_or_else(|error| panic!("cannot create the user {login}: {error}"))
                });
                let created = token.create(connection, user.id);
                created
                    .unwrap_or_else(|error| panic!("cannot create a token of {login}: {error}"))
                    .1
                    .reveal()
                    .to_owned()
            })
            .unwrap();
        Client { registry: self, token: Some(token) }
    }

    /// A user who is an admin.
    pub fn admin(&self, login: &str) -> Client<'_> {
        let client = self.user(login);
        self.pool
            .with(|connection| {
                let user = users::find(connection, login).unwrap().unwrap();
                users::set_admin(connection, user.id, true).unwrap();
            })
            .unwrap();
        client
    }

    /// Somebody with this token.
    pub fn with_token(&self, token: &str) -> Client<'_> {
        Client { registry: self, token: Some(token.to_owned()) }
    }

    /// Somebody without a token.
    pub fn anonymous(&self) -> Client<'_> {
        Client { registry: self, token: None }
    }

    /// Runs every due job and asserts that all of them were done.
    pub fn run_jobs(&self) -> usize {
        let drained = self.drain();
        assert!(drained.failed.is_empty(), "{:?}", drained.failed);
        drained.done.len()
    }

    /// Runs every due job, and describes the crates. The caller looks at what failed.
    pub fn drain(&self) -> Drained {
        let drained = self.drain_jobs();
        self.describe();
        drained
    }

    /// Runs every due job. What the jobs changed is described when the test says so.
    pub fn drain_jobs(&self) -> Drained {
        self.runner.drain().unwrap()
    }

    /// Describes the crates that jobs have changed.
    pub fn describe(&self) {
        self.pool.with(|connection| jobs::describing::run(connection, &|| false).unwrap()).unwrap();
    }

    /// Analyses the crate files of all pending versions, and returns their number.
    pub fn analyse(&self) -> usize {
        let store = CrateStore::attach(&self.directory.path().join("crates")).unwrap();
        self.pool.with(|connection| jobs::analysis::run(connection, &store, &|| false).unwrap()).unwrap()
    }

    /// Ends every backoff.
    pub fn make_due(&self) {
        let made = "UPDATE jobs SET run_at = clock_timestamp()";
        self.pool.with(|connection| diesel::sql_query(made).execute(connection).unwrap()).unwrap();
    }

    /// The number of pending jobs.
    pub fn pending(&self) -> i64 {
        self.pool.with(|connection| inspection::count(connection).unwrap().0).unwrap()
    }

    /// The answer that is given before the router, unsent.
    pub fn unsent(&self, peer: IpAddr, request: &Request<Body>) -> Option<supercargo::web::fast_path::Answer> {
        self.fast_path.as_ref()?.answer(Some(peer), request)
    }

    /// The answer that is given before the router, if there is one.
    pub fn recall(&self, peer: Option<IpAddr>, request: &Request<Body>) -> Option<Answer> {
        let answer = self.fast_path.as_ref()?.answer(peer, request)?;
        Some(self.runtime.block_on(read(answer.response)))
    }

    /// Counts so many downloads of versions, today.
    pub fn count_downloads(&self, downloads: &[(&str, &str, usize)]) {
        for &(name, version, count) in downloads {
            for _ in 0..count {
                self.anonymous().get(&format!("/api/v1/crates/{name}/{version}/download")).good();
            }
        }
        self.download_counts.flush(&self.pool).unwrap();
    }

    /// A file of the index at its head; empty if it is not there.
    pub fn index_file(&self, path: &str) -> String {
        let head = self.index.head().unwrap();
        let file = self.index.read(&head, path).unwrap();
        file.map(|file| String::from_utf8(file.content.to_vec()).unwrap()).unwrap_or_default()
    }

    /// The subjects of the index's commits, oldest first.
    pub fn commits(&self) -> Vec<String> {
        let log = std::process::Command::new("git")
            .args(["log", "--reverse", "--format=%s"])
            .current_dir(self.index.path())
            .output()
            .unwrap();
        String::from_utf8(log.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

/// A stream of events, which is read while the test does other things.
pub struct Follower<'a> {
    registry: &'a TestRegistry,
    pub headers: HeaderMap,
    body: Body,
    arrived: String,
}

impl Follower<'_> {
    /// The next event, or None at the end of the stream.
    pub fn next(&mut self) -> Option<SentEvent> {
        loop {
            if let Some(event) = take_event(&mut self.arrived) {
                return Some(event);
            }
            let frame = self.registry.runtime.block_on(self.body.frame())?;
            self.arrived.push_str(std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap());
        }
    }
}

impl Drop for TestRegistry {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let left = self.pool.with(|connection| {
                (
                    inspection::list(connection, inspection::Selection::Pending, 10).unwrap(),
                    inspection::count(connection).unwrap().1,
                )
            });
            let (pending, dead) = left.unwrap();
            assert!(pending.is_empty(), "the test left jobs: {pending:#?}");
            assert_eq!(dead, 0, "the test left dead jobs");
        }
    }
}

async fn read(response: axum::response::Response) -> Answer {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// Somebody who sends requests.
pub struct Client<'a> {
    registry: &'a TestRegistry,
    pub token: Option<String>,
}

impl Client<'_> {
    pub fn send(&self, request: Request<Body>) -> Answer {
        self.registry
            .runtime
            .block_on(async { read(self.registry.router.clone().oneshot(request).await.unwrap()).await })
    }

    /// Begins a stream of events, or gives the answer in its place.
    pub fn follow(&self, request: Request<Body>) -> Result<Follower<'_>, Box<Answer>> {
        let registry = self.registry;
        registry.runtime.block_on(async {
            let response = registry.router.clone().oneshot(request).await.unwrap();
            if response.status() != StatusCode::OK {
                return Err(Box::new(read(response).await));
            }
            let (parts, body) = response.into_parts();
            Ok(Follower { registry, headers: parts.headers, body, arrived: String::new() })
        })
    }

    pub fn request(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header("authorization", token);
        }
        self.send(request.body(body.into()).unwrap())
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, Body::empty())
    }

    pub fn publish(&self, package: &Package) -> Answer {
        self.publish_body(package.body())
    }

    pub fn publish_body(&self, body: Vec<u8>) -> Answer {
        self.request(Method::PUT, "/api/v1/crates/new", body)
    }

    pub fn yank(&self, name: &str, version: &str) -> Answer {
        self.request(Method::DELETE, &format!("/api/v1/crates/{name}/{version}/yank"), Body::empty())
    }

    pub fn unyank(&self, name: &str, version: &str) -> Answer {
        self.request(Method::PUT, &format!("/api/v1/crates/{name}/{version}/unyank"), Body::empty())
    }
}
