//! The state of one worker thread, shared with the watch.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::claim::DueJob;
use super::job::JobId;
use super::runner_error::RunnerError;

/// A job that a worker has claimed.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub id: JobId,
    pub claim_no: i64,
    pub kind: String,
    pub key: Option<String>,
    pub request_id: Option<String>,
    pub attempts: i32,
}

impl Claim {
    pub(super) fn of(job: &DueJob) -> Self {
        Self {
            id: job.id,
            claim_no: job.claim_no,
            kind: job.kind.clone(),
            key: job.key.clone(),
            request_id: job.request_id.clone(),
            attempts: job.attempts,
        }
    }
}

/// The place of one worker thread in the pool.
#[derive(Default)]
pub(super) struct Slot {
    phase: Mutex<Phase>,
    /// The process id of the database session; 0 while there is none, and always for an unwatched runner.
    pub session: AtomicI32,
}

#[derive(Default)]
enum Phase {
    #[default]
    Idle,
    /// Claims or records; the thread waits for the database.
    InDatabase {
        since: Instant,
    },
    Running {
        since: Instant,
        limit: Duration,
        claims: Vec<Claim>,
    },
    /// The watch has given the place to another thread. Final.
    CutOff,
}

impl Slot {
    pub(super) fn is_watched(&self) -> bool {
        self.session.load(Ordering::SeqCst) != 0
    }

    pub(super) fn enter_database(&self) -> Result<(), RunnerError> {
        self.enter(Phase::InDatabase { since: Instant::now() })
    }

    pub(super) fn run(&self, since: Instant, limit: Duration, claims: Vec<Claim>) -> Result<(), RunnerError> {
        self.enter(Phase::Running { since, limit, claims })
    }

    pub(super) fn rest(&self) {
        // A thread that was cut off gets the error when it enters its next phase.
        let _ = self.enter(Phase::Idle);
    }

    fn enter(&self, next: Phase) -> Result<(), RunnerError> {
        let mut phase = self.phase.lock();
        if let Phase::CutOff = *phase {
            return Err(RunnerError::CutOff);
        }
        *phase = next;
        Ok(())
    }

    pub(super) fn is_cut_off(&self) -> bool {
        matches!(*self.phase.lock(), Phase::CutOff)
    }

    /// Cuts the thread off if its phase has lasted too long.
    pub(super) fn cut_off_if_overdue(&self, database_timeout: Duration) -> Option<Overdue> {
        let mut phase = self.phase.lock();
        let (since, limit) = match *phase {
            Phase::InDatabase { since } => (since, database_timeout),
            Phase::Running { since, limit, .. } => (since, limit),
            Phase::Idle | Phase::CutOff => return None,
        };
        if since.elapsed() <= limit {
            return None;
        }
        let claims = match std::mem::replace(&mut *phase, Phase::CutOff) {
            Phase::Running { claims, .. } => claims,
            _ => Vec::new(),
        };
        Some(Overdue { claims, limit, session: self.session.load(Ordering::SeqCst) })
    }
}

/// What a thread that was cut off was doing.
pub(super) struct Overdue {
    /// Empty if it waited for the database.
    pub claims: Vec<Claim>,
    pub limit: Duration,
    pub session: i32,
}
