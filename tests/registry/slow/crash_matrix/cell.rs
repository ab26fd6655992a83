//! One operation with one fault at one point.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use super::beside::Beside;
use super::checks;
use super::client::{Heard, Request, send};
use super::plan::{CLIENT_PATIENCE, Kind, Operation, Point};
use super::reader::Reader;
use super::requests::{self, Accepted, sibling};
use crate::support::process::Served;

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// A client that nothing keeps from its answer.
const UNHURRIED: Duration = Duration::from_secs(30);
/// A pair of changes may meet in one batch, which then changes nothing and passes fewer points; it is sent again.
const PAIRS: usize = 40;

/// A registry in which one point is tried.
pub struct Bench {
    point: &'static Point,
    served: Served,
    token: String,
    /// Crates are numbered.
    crates: usize,
    /// How often it died.
    deaths: usize,
    /// Where the index is, if not here alone.
    remote: Option<tempfile::TempDir>,
}

impl Bench {
    pub fn new(point: &'static Point) -> Self {
        let limit = format!("{}ms", point.time_limit().as_millis());
        let arguments = ["--publish-wait", "0s", "--job-time-limit", &limit, "--database-pool-size", "4"];
        let remote = point.at_remote.then(|| tempfile::tempdir().unwrap());
        let mut arguments = arguments.to_vec();
        let path = remote.as_ref().map(|remote| remote.path().display().to_string());
        if let Some(path) = &path {
            let made = Command::new("git").args(["init", "-q", "--bare", "-b", "main", path]).status().unwrap();
            assert!(made.success());
            arguments.extend(["--index-remote", path, "--index-poll-interval", "200ms"]);
        }
        let served = Served::start_with_fail_points("warn", &arguments);
        let token = served.token("ann");
        Self { point, served, token, crates: 0, deaths: 0, remote }
    }

    /// What became of it, or what did not hold.
    pub fn try_cell(&mut self, operation: Operation, kind: Kind) -> Result<(), String> {
        self.crates += 1;
        let name = format!("crate{}", self.crates);
        let mut accepted = Accepted::default();
        for request in requests::preparation(&name, operation) {
            self.insist(&request, Kind::Error)?;
            accepted.note(&request);
        }
        self.come_to_rest()?;
        let names = [&name, &sibling(&name)];
        let reader = (accepted.0.len() > 1).then(|| Reader::start(&self.served, names, !operation.gives_up()));
        self.perform(&name, operation, kind, &mut accepted)?;
        self.come_to_rest()?;
        self.check(&accepted)?;
        let may_stay = self.point.may_leave_a_file(kind);
        for draft in requests::drafts(&name, operation).iter().filter(|_| !may_stay) {
            self.wait("the removal of a file that nobody needs", |bench| checks::has_no_file(&bench.served, draft))?;
        }
        if operation.stages() {
            return checks::check_staged(&self.served, &name, &self.token);
        }
        reader.map_or(Ok(()), Reader::stop)?;
        if operation.gives_up() {
            return self.give_to_others(&name, &mut accepted);
        }
        Ok(())
    }

    /// The requests of an operation, while the point is armed, until it has fired and its effect is over.
    fn perform(&mut self, name: &str, operation: Operation, kind: Kind, accepted: &mut Accepted) -> Result<(), String> {
        let deaths = self.deaths;
        self.arm(kind);
        let stalls = self.count_in_log("continues");
        let cut_off = self.count_cut_off();
        for _ in 0..PAIRS {
            let beside = requests::beside(name, operation).map(|request| {
                accepted.note(&request);
                let patience = if kind == Kind::Stall { CLIENT_PATIENCE } else { UNHURRIED };
                Beside::start(&self.served, &self.token, request, patience, PATIENCE)
            });
            for request in requests::own(name, operation) {
                self.insist(&request, kind)?;
                accepted.note(&request);
            }
            if let Some(beside) = beside {
                self.wait_alive("the other client", |_| beside.is_done())?;
                beside.result()?;
            }
            if self.has_fired(operation) {
                break;
            }
        }
        if self.served.fail_point().exists() {
            fs::remove_file(self.served.fail_point()).map_err(|error| error.to_string())?;
            return Err("nobody passed the point".to_owned());
        }
        if kind == Kind::Abort && self.deaths == deaths {
            self.wait("its death", |bench| bench.served.has_ended())?;
            self.revive();
        }
        if kind == Kind::Stall {
            // What was given up on is heard of once more, and must not change anything.
            self.wait("the end of the stall", |bench| bench.count_in_log("continues") > stalls)?;
            if self.point.is_performed() && self.count_cut_off() == cut_off {
                return Err("a job stalled beyond its time limit, and was not cut off".to_owned());
            }
        }
        Ok(())
    }

    fn check(&self, accepted: &Accepted) -> Result<(), String> {
        accepted.0.iter().try_for_each(|(name, changes)| checks::check_crate(&self.served, name, changes))
    }

    /// What was given back is published: the number by its owner, the name by another user.
    fn give_to_others(&mut self, name: &str, accepted: &mut Accepted) -> Result<(), String> {
        let [number, of_new_crate] = requests::by_others(name);
        self.insist(&number, Kind::Error)?;
        let other = self.served.token("bob");
        self.insist_as(&other, &of_new_crate, Kind::Error)?;
        accepted.note(&number);
        accepted.note(&of_new_crate);
        self.come_to_rest()?;
        self.check(accepted)?;
        checks::check_ended(&self.served, name, &self.token)
    }

    /// Has `supercargo verify` prove at the end that everything agrees.
    pub fn verify(&self) -> Result<(), String> {
        let mut verify = self.served.command("verify");
        if let Some(remote) = &self.remote {
            verify.arg("--index-remote").arg(remote.path());
        }
        let output = verify.arg("--json").output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(format!("{}: {}", output.status, String::from_utf8_lossy(&said)))
    }

    /// Arms the point: whoever passes it next removes the file and acts.
    fn arm(&self, kind: Kind) {
        let unfinished = self.served.fail_point().with_extension("new");
        fs::write(&unfinished, format!("{}={}", self.point.name, self.point.action(kind))).unwrap();
        fs::rename(unfinished, self.served.fail_point()).unwrap();
    }

    /// Sends a request until it is accepted, and starts the registry again where it died.
    fn insist(&mut self, request: &Request, kind: Kind) -> Result<(), String> {
        let token = self.token.clone();
        self.insist_as(&token, request, kind)
    }

    fn insist_as(&mut self, token: &str, request: &Request, kind: Kind) -> Result<(), String> {
        let until = Instant::now() + PATIENCE;
        let mut patience = if kind == Kind::Stall { CLIENT_PATIENCE } else { UNHURRIED };
        let mut tries = 0;
        loop {
            if self.served.has_ended() {
                self.revive();
            }
            tries += 1;
            match send(&self.served.url, token, request, patience) {
                Heard::Accepted => return Ok(()),
                Heard::AcceptedBefore if tries > 1 => return Ok(()),
                heard if Instant::now() > until => return Err(format!("no answer in {PATIENCE:?}: {heard:?}")),
                _ => {}
            }
            if !self.served.fail_point().exists() {
                patience = UNHURRIED;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    fn revive(&mut self) {
        self.deaths += 1;
        self.served.start_again_after_death();
    }

    /// Whether the point has fired. Of a single operation it is certain to; a pair may be sent again.
    fn has_fired(&mut self, operation: Operation) -> bool {
        let patience = if operation == Operation::YankAndUnyank { Duration::from_millis(700) } else { PATIENCE };
        let until = Instant::now() + patience;
        while self.served.fail_point().exists() {
            if Instant::now() > until {
                return false;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        true
    }

    /// Waits until nothing is pending.
    fn come_to_rest(&mut self) -> Result<(), String> {
        let mut connection = self.served.database.connect();
        let until = Instant::now() + PATIENCE;
        loop {
            let (pending, dead) = supercargo::queue::inspection::count(&mut connection).unwrap();
            let descriptions = supercargo::database::catalog::descriptions::count_pending(&mut connection).unwrap();
            match (pending + descriptions, dead) {
                (0, 0) => return Ok(()),
                (_, 0) if Instant::now() < until => std::thread::park_timeout(Duration::from_millis(10)),
                _ => {
                    let found = format!("{pending} jobs and {descriptions} descriptions are pending");
                    return Err(format!("{found}, and {dead} jobs are dead"));
                }
            }
            if self.served.has_ended() {
                return Err("serve ended without being told to".to_owned());
            }
        }
    }

    /// Jobs that were given up because they ran for too long.
    fn count_cut_off(&self) -> usize {
        self.served.log().matches("cut off: over the time limit").count()
    }

    fn count_in_log(&self, words: &str) -> usize {
        let point = format!("fail point {}: {words}", self.point.name);
        self.served.log().lines().filter(|line| line.contains(&point)).count()
    }

    fn wait(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) -> Result<(), String> {
        let until = Instant::now() + PATIENCE;
        while !holds(self) {
            if Instant::now() > until {
                return Err(format!("waited in vain for {what}"));
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits, and starts the registry again where it dies.
    fn wait_alive(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) -> Result<(), String> {
        self.wait(what, |bench| {
            if bench.served.has_ended() {
                bench.revive();
            }
            holds(bench)
        })
    }
}
