//! A run from its first page to its last.

use std::time::{Duration, Instant};

use chrono::Utc;
use diesel::PgConnection;

use super::difference::Difference;
use super::repair::Repairs;
use super::standing::{InFlight, Phase, Position, Report};
use super::throttle::Throttle;
use crate::crate_store::{CrateStore, CrateStoreError};
use crate::database::upkeep::verify_reports::{self, End};
use crate::database::{Pool, PoolError};
use crate::fault;
use crate::index::{Index, IndexError};
use crate::jobs;
use crate::jobs::restoration::RestoreError;
use crate::jobs::unused_files::UnusedFileError;
use crate::queue::EnqueueError;
use crate::queue::registry::RegistryError;

/// How often what is in flight is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often it is noted where a run stands, beside the beginnings of its phases.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything, the content of crate files included.
    Full,
    /// Of crate files only whether they are there and have their size, and of the repository that it can be read.
    Light,
}

impl Depth {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Light => "light",
        }
    }
}

/// How a run goes.
#[derive(Clone, Debug)]
pub struct Settings {
    pub depth: Depth,
    /// Have git read and hash every object, instead of only following references.
    pub all_objects: bool,
    /// Files of the store that no version names count from this age on.
    pub orphan_age: Duration,
    /// How long what is in flight is waited for, at the end of each phase.
    pub patience: Duration,
    /// Bytes of crate files a second.
    pub max_rate: Option<f64>,
    /// Crates a second.
    pub max_crates: Option<f64>,
    /// Crates of a page.
    pub page: i64,
    /// Go on with an interrupted run.
    pub resume: bool,
    /// For the report.
    pub requested_by: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            depth: Depth::Full,
            all_objects: false,
            orphan_age: Duration::from_secs(24 * 60 * 60),
            patience: Duration::from_secs(30),
            max_rate: None,
            max_crates: None,
            page: 200,
            resume: false,
            requested_by: "operator".to_owned(),
        }
    }
}

/// Somebody who watches a run, and may stop it.
pub trait Watch: Sync {
    /// Told after each page.
    fn seen(&self, _phase: Phase, _report: &Report) {}

    /// Asked often.
    fn is_stopped(&self) -> bool {
        false
    }
}

impl Watch for () {}

/// What is held against what.
pub struct Verifier<'a> {
    pub pool: &'a Pool,
    pub index: &'a Index,
    pub crate_store: &'a CrateStore,
    pub settings: Settings,
    pub watch: &'a dyn Watch,
    /// None: nothing is changed.
    pub repairs: Option<Repairs<'a>>,
}

/// Why a run could not be carried out. What it had found is in its row of `verify_reports`.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error("the database failed")]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    CrateStore(#[from] CrateStoreError),
    #[error("the crate store's directory, or a thread, can't be had")]
    System(#[from] std::io::Error),
    #[error(transparent)]
    Kinds(#[from] RegistryError),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error(transparent)]
    Unused(#[from] UnusedFileError),
    #[error("the jobs of the repair can't be performed: {0}")]
    Perform(String),
    #[error(transparent)]
    Fault(#[from] fault::Fault),
}

/// A run that ended.
#[derive(Debug)]
pub struct Ended {
    pub report: Report,
    /// It was stopped, and can go on where it stopped.
    pub interrupted: bool,
}

/// What a second look saw.
pub(super) enum Look {
    /// Perhaps nothing.
    Differences(Vec<Difference>),
    /// A job is owed, or rows were written meanwhile.
    InFlight,
}

/// A run under way.
pub(super) struct Run<'a> {
    pub verifier: &'a Verifier<'a>,
    pub report: Report,
    pub bytes: Throttle,
    pub crates: Throttle,
    /// The kinds of jobs that write the index.
    pub index_kinds: Vec<&'static str>,
    id: i64,
    noted_at: Option<Instant>,
    /// Crates that were in flight, to be looked at again.
    pub pending: Vec<(i32, String)>,
}

impl<'a> Verifier<'a> {
    /// FetchRequests at everything, and answers what it found.
    pub fn run(&'a self) -> Result<Ended, VerifyError> {
        let settings = &self.settings;
        let resumed = if settings.resume { self.interrupted()? } else { None };
        let (id, position, report) = match resumed {
            Some(resumed) => resumed,
            None => {
                let mode = settings.depth.as_str();
                let id = self.database(|connection| verify_reports::begin(connection, mode, &settings.requested_by))?;
                let beginning = Position::default();
                (id, beginning, Report::new(mode))
            }
        };
        let mut run = Run {
            verifier: self,
            report,
            bytes: Throttle::new(settings.max_rate),
            crates: Throttle::new(settings.max_crates),
            index_kinds: jobs::registry()?.kinds_of(jobs::QUEUE),
            id,
            noted_at: None,
            pending: position.pending.clone(),
        };
        let done = run.phases(position);
        run.report.finished_at = Utc::now();
        let interrupted = matches!(done, Ok(Flow::Stopped));
        run.report.complete = matches!(done, Ok(Flow::Done));
        let end = match &done {
            Ok(Flow::Done) => End::Done,
            Ok(Flow::Stopped) => End::Interrupted,
            Err(error) => End::Failed(error.to_string()),
        };
        let standing = run.report.standing();
        let noted = self.database(|connection| verify_reports::finish(connection, id, &standing, &end));
        done?;
        noted?;
        Ok(Ended { report: run.report, interrupted })
    }

    fn interrupted(&self) -> Result<Option<(i64, Position, Report)>, VerifyError> {
        let mode = self.settings.depth.as_str();
        let found = self.database(|connection| verify_reports::interrupted(connection, mode))?;
        Ok(found.and_then(|row| {
            let (position, report) = Report::from_position(&row.position?)?;
            Some((row.id, position, report))
        }))
    }

    pub(super) fn database<T>(
        &self,
        f: impl FnOnce(&mut PgConnection) -> diesel::QueryResult<T>,
    ) -> Result<T, VerifyError> {
        Ok(self.pool.with(f)??)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.watch.is_stopped()
    }
}

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Done,
    Stopped,
}

impl Run<'_> {
    fn phases(&mut self, from: Position) -> Result<Flow, VerifyError> {
        for phase in Phase::ALL.into_iter().filter(|phase| *phase >= from.phase) {
            let cursor = if phase == from.phase { from.cursor.clone() } else { String::new() };
            self.stand_at(phase, &cursor)?;
            let flow = match phase {
                Phase::Repository => self.look_at_the_repository()?,
                Phase::Crates => self.look_at_crates(&cursor)?,
                Phase::IndexFiles => self.look_at_index_files(&cursor)?,
                Phase::CrateFiles => self.look_at_crate_files(&cursor)?,
                Phase::Jobs => self.look_at_dead_jobs()?,
            };
            if flow == Flow::Stopped {
                return Ok(flow);
            }
        }
        Ok(Flow::Done)
    }

    /// Notes that everything up to here was looked at, but for what is in flight.
    pub(super) fn stand_at(&mut self, phase: Phase, cursor: &str) -> Result<(), VerifyError> {
        self.verifier.watch.seen(phase, &self.report);
        fault::point("verify.page")?;
        if self.noted_at.is_some_and(|noted| noted.elapsed() < NOTE_EVERY) && !cursor.is_empty() {
            return Ok(());
        }
        self.noted_at = Some(Instant::now());
        let position = Position { phase, cursor: cursor.to_owned(), pending: self.pending.clone() };
        let (standing, position) = (self.report.standing(), self.report.to_position(&position));
        let id = self.id;
        self.verifier.database(|connection| verify_reports::note(connection, id, &standing, &position))
    }

    /// FetchRequests again at what was in flight until it is so no longer, or patience is at its end.
    pub(super) fn settle(&mut self) -> Result<Flow, VerifyError> {
        let until = Instant::now() + self.verifier.settings.patience;
        loop {
            let pending = std::mem::take(&mut self.pending);
            let mut found = Vec::new();
            for (id, name) in pending {
                match self.look_again_at_crate(id)? {
                    Look::Differences(differences) => found.extend(differences),
                    Look::InFlight => self.pending.push((id, name)),
                }
            }
            self.settled(found)?;
            if self.verifier.is_stopped() {
                return Ok(Flow::Stopped);
            }
            if self.pending.is_empty() || Instant::now() >= until {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let left = self.pending.drain(..).map(|(_, crate_name)| InFlight { crate_name });
        self.report.in_flight.extend(left);
        Ok(Flow::Done)
    }

    /// Differences that were seen twice.
    pub(super) fn settled(&mut self, differences: Vec<Difference>) -> Result<(), VerifyError> {
        let differences = match &self.verifier.repairs {
            Some(repairs) if !differences.is_empty() => self.repair(repairs, differences)?,
            _ => differences,
        };
        self.report.add(differences);
        Ok(())
    }
}
