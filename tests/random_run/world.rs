//! The processes of a registry, each of which may be dead at any time.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use supercargo::postgres::embedded::{self, Cluster};

use crate::plan::{CLIENTS, Plan, Shape};
use crate::support::process::{succeeded, supercargo};
use crate::support::proxy::Proxy;
use crate::support::standby::{Pair, Replication};

const PATIENCE: Duration = Duration::from_secs(120);

pub struct World {
    directory: tempfile::TempDir,
    shape: Shape,
    publish_wait: &'static str,
    /// Unless serve has its own; the cluster is started again by its supervisor when it was killed.
    cluster: Option<Cluster>,
    pub proxy: Option<Proxy>,
    /// The servers of a database with a standby.
    pair: Option<Mutex<Pair>>,
    /// What `--database-url` gets; the embedded database if there is none.
    external_url: Option<String>,
    serve: Mutex<Option<Child>>,
    workers: Mutex<Vec<Option<Child>>>,
    url: RwLock<String>,
    token: String,
    starts: AtomicUsize,
}

impl World {
    pub fn start(plan: &Plan) -> Self {
        let directory = tempfile::Builder::new().prefix("random-run-").tempdir().unwrap();
        open_for_passing(directory.path());
        let pair = (plan.shape == Shape::Standby).then(|| Pair::start(Replication::Synchronous));
        let cluster = matches!(plan.shape, Shape::Apart | Shape::Machines).then(|| {
            let data_dir = directory.path().join("database");
            fs::create_dir(&data_dir).unwrap();
            open_for_passing(&data_dir);
            Cluster::start(&embedded::Options { data_dir, postgres_bin_dir: None, os_user: None, throwaway: true })
                .unwrap()
        });
        let proxy = cluster.as_ref().map(|cluster| Proxy::before(&cluster.url()));
        let mut world = Self {
            external_url: proxy.as_ref().map(Proxy::url).or_else(|| pair.as_ref().map(Pair::url)),
            proxy,
            pair: pair.map(Mutex::new),
            cluster,
            directory,
            shape: plan.shape,
            publish_wait: plan.publish_wait,
            serve: Mutex::default(),
            workers: Mutex::new(Vec::new()),
            url: RwLock::default(),
            token: String::new(),
            starts: AtomicUsize::new(0),
        };
        if plan.shape == Shape::Machines {
            git(world.directory.path(), &["init", "-q", "--bare", "-b", "main", "remote.git"]);
        }
        world.start_serve();
        world.wait_until_it_serves();
        world.token = world.make_users();
        if plan.shape != Shape::Private {
            *world.workers.lock().unwrap() = vec![None, None];
            world.start_worker(0);
            world.start_worker(1);
        }
        world.starts.store(0, Ordering::SeqCst);
        world
    }

    pub fn url(&self) -> String {
        self.url.read().unwrap().clone()
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Whoever passes the fail point that this file names removes it, and acts.
    pub fn fail_point(&self) -> PathBuf {
        self.directory.path().join("fail-point")
    }

    /// The database without anything in between.
    pub fn database_url(&self) -> Option<String> {
        match (&self.cluster, &self.pair) {
            (Some(cluster), _) => Some(cluster.url()),
            (None, Some(pair)) => Some(pair.lock().unwrap().primary.url()),
            (None, None) => embedded::attach(&self.data_dir()).ok().flatten(),
        }
    }

    /// Starts after the first ones.
    pub fn restarts(&self) -> usize {
        self.starts.load(Ordering::SeqCst)
    }

    /// A subcommand on this registry.
    pub fn command(&self, subcommand: &str) -> Command {
        self.command_in(subcommand, &self.data_dir())
    }

    fn command_in(&self, subcommand: &str, data_dir: &Path) -> Command {
        let mut command = supercargo();
        command.args(subcommand.split(' ')).env("SUPERCARGO_LOG", "info").arg("--data-dir").arg(data_dir);
        if let Some(url) = &self.external_url {
            command.args(["--database-url", url]);
        }
        command
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn spawn(&self, mut command: Command) -> Child {
        let log = OpenOptions::new().create(true).append(true).open(self.log_file()).unwrap();
        command.env("SUPERCARGO_FAIL_POINTS", format!("@{}", self.fail_point().display()));
        self.starts.fetch_add(1, Ordering::SeqCst);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    fn start_serve(&self) {
        // A killed process leaves its URL; the next one writes another.
        let _ = fs::remove_file(self.data_dir().join("url"));
        let mut command = self.command("serve");
        command.args(self.remote_arguments());
        command.args(["--listen", "127.0.0.1:0", "--database-pool-size", "8", "--job-time-limit", "5s"]);
        command.args(["--rate-limit", "none", "--publish-wait", self.publish_wait, "--shutdown-grace", "5s"]);
        if self.shape != Shape::Private {
            command.arg("--no-worker");
        }
        *self.serve.lock().unwrap() = Some(self.spawn(command));
    }

    fn start_worker(&self, place: usize) {
        let mut command = match self.shape {
            Shape::Machines => self.command_in("worker", &self.directory.path().join(format!("machine{place}"))),
            _ => self.command("worker"),
        };
        command.args(self.remote_arguments());
        command.args(["--job-time-limit", "5s"]);
        self.workers.lock().unwrap()[place] = Some(self.spawn(command));
    }

    fn wait_until_it_serves(&self) {
        let until = Instant::now() + PATIENCE;
        while !self.note_url() {
            self.revive();
            assert!(Instant::now() < until, "serve did not start:\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Takes over the URL of a serve that has started; false while there is none.
    pub fn note_url(&self) -> bool {
        let Ok(url) = fs::read_to_string(self.data_dir().join("url")) else { return false };
        url.trim().clone_into(&mut self.url.write().unwrap());
        true
    }

    fn make_users(&self) -> String {
        let run = |subcommand: &str, arguments: &[&str]| {
            succeeded(self.command(subcommand).args(arguments).output().unwrap()).trim().to_owned()
        };
        for number in 0..CLIENTS {
            run("admin user create", &[&format!("owner{number}")]);
        }
        run("admin user create", &["ann"]);
        run("admin token create", &["--user", "ann"])
    }

    /// Starts what has died, as a service manager would.
    pub fn revive(&self) {
        let is_dead =
            |child: &mut Option<Child>| child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some());
        let serve_is_dead = is_dead(&mut self.serve.lock().unwrap());
        if serve_is_dead {
            self.start_serve();
        }
        let dead: Vec<_> = self.workers.lock().unwrap().iter_mut().map(is_dead).collect();
        for place in dead.iter().enumerate().filter_map(|(place, dead)| dead.then_some(place)) {
            self.start_worker(place);
        }
        self.note_url();
    }

    pub fn signal_serve(&self, signal: Signal) {
        if let Some(child) = &*self.serve.lock().unwrap() {
            let _ = kill(Pid::from_raw(child.id().cast_signed()), signal);
        }
    }

    pub fn workers(&self) -> usize {
        self.workers.lock().unwrap().len()
    }

    pub fn signal_worker(&self, place: usize, signal: Signal) {
        if let Some(child) = &self.workers.lock().unwrap()[place] {
            let _ = kill(Pid::from_raw(child.id().cast_signed()), signal);
        }
    }

    /// Kills the postmaster without a word; false if there is none at the moment.
    pub fn kill_postgres(&self) -> bool {
        if self.pair.is_some() {
            return false;
        }
        let home = if self.shape != Shape::Private { self.directory.path().join("database") } else { self.data_dir() };
        let Ok(text) = fs::read_to_string(home.join("postgres/postmaster.pid")) else { return false };
        let Some(Ok(number)) = text.lines().next().map(str::parse) else { return false };
        kill(Pid::from_raw(number), Signal::SIGKILL).is_ok()
    }

    /// Kills the primary and promotes its standby, and makes another standby; false without one.
    pub fn fail_over(&self) -> bool {
        self.pair.as_ref().is_some_and(|pair| {
            pair.lock().unwrap().fail_over();
            true
        })
    }

    /// The repository that the machines share.
    pub fn remote(&self) -> Option<PathBuf> {
        (self.shape == Shape::Machines).then(|| self.directory.path().join("remote.git"))
    }

    fn remote_arguments(&self) -> Vec<String> {
        let Some(remote) = self.remote() else { return Vec::new() };
        let remote = remote.display().to_string();
        ["--index-remote", &remote, "--index-push-timeout", "3s", "--index-poll-interval", "500ms"]
            .map(String::from)
            .into()
    }

    fn hook(&self) -> Option<PathBuf> {
        Some(self.remote()?.join("hooks/pre-receive"))
    }

    /// The remote refuses every push.
    pub fn refuse_pushes(&self) {
        let Some(hook) = self.hook() else { return };
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        let unfinished = hook.with_extension("new");
        fs::write(&unfinished, "#!/bin/sh\necho 'not now'\nexit 1\n").unwrap();
        fs::set_permissions(&unfinished, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        fs::rename(unfinished, hook).unwrap();
    }

    pub fn admit_pushes(&self) {
        if let Some(hook) = self.hook() {
            let _ = fs::remove_file(hook);
        }
    }

    /// There is no repository any more where the remote was. Its directory stays, or a git that is at work would make
    /// another one there.
    pub fn take_remote_away(&self) {
        if let Some(remote) = self.remote() {
            let _ = fs::rename(remote.join("HEAD"), remote.join("HEAD.away"));
        }
    }

    pub fn bring_remote_back(&self) {
        if let Some(remote) = self.remote() {
            let _ = fs::rename(remote.join("HEAD.away"), remote.join("HEAD"));
        }
    }

    /// Somebody else pushes a commit; false if somebody was faster.
    pub fn push_something_else(&self) -> bool {
        let Some(remote) = self.remote() else { return false };
        let clone = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=somebody", "-c", "user.email=some@body", "-C"])
                .arg(clone.path())
                .args(arguments);
            git.output().is_ok_and(|output| output.status.success())
        };
        run(&["clone", "-q", "--depth", "1", &format!("file://{}", remote.display()), "."])
            && run(&["commit", "-q", "--allow-empty", "-m", "Somebody else's"])
            && run(&["push", "-q", "origin", "HEAD:main"])
    }

    /// Ends every disturbance, and waits until the registry serves and its database answers.
    pub fn make_good(&self) {
        let _ = fs::remove_file(self.fail_point());
        self.admit_pushes();
        self.bring_remote_back();
        if let Some(proxy) = &self.proxy {
            proxy.recover();
            proxy.cut();
        }
        for place in 0..self.workers() {
            self.signal_worker(place, Signal::SIGCONT);
        }
        let until = Instant::now() + PATIENCE;
        loop {
            self.revive();
            if self.answers() {
                return;
            }
            assert!(Instant::now() < until, "the registry did not come back:\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Whether the registry answers, its database included.
    fn answers(&self) -> bool {
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5)));
        let agent: ureq::Agent = config.build().into();
        agent.get(format!("{}/api/v1/crates?per_page=1", self.url())).call().is_ok()
    }

    /// Stops everything; keeps the directory of a run that found something.
    pub fn end(mut self, is_good: bool) {
        for child in self.workers.lock().unwrap().iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(child) = &mut *self.serve.lock().unwrap() {
            let _ = child.kill();
            let _ = child.wait();
        }
        drop(self.proxy.take());
        drop(self.cluster.take());
        drop(self.pair.take());
        if !is_good {
            self.directory.disable_cleanup(true);
            println!("what is left of it: {}", self.directory.path().display());
        }
    }
}

fn git(directory: &Path, arguments: &[&str]) {
    let output = Command::new("git").args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The database runs as another user when this is root.
fn open_for_passing(directory: &Path) {
    fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
}
