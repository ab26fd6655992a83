//! The bound of the index's backlog: while too many jobs are pending, publishes and yanks are refused before their bodies
//! are read, instead of waiting in an ever longer queue.
//!
//! No request counts the jobs. While requests ask, the number is counted in the background, once a second at most, and not
//! beyond the bound. Each process counts for itself, so a second's requests may be accepted beyond the bound.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use parking_lot::Mutex;

use crate::database::Pool;
use crate::jobs;
use crate::queue::inspection::pending_up_to;
use crate::web::ApiError;
use crate::web::bounds::Bound;
use crate::web::measures::reason;

/// How long a number is not counted again.
const FRESH: Duration = Duration::from_secs(1);
/// An older number says nothing: the jobs may be done.
const VALID: Duration = Duration::from_secs(5);
/// How long a count waits for a connection.
const PATIENCE: Duration = Duration::from_secs(1);
/// When a refused client may try again, in seconds: hundreds of jobs are done until then, or there is an outage.
const RETRY_AFTER: u64 = 10;

/// The bound, and the last count. Cheap to clone.
#[derive(Clone)]
pub struct Backlog {
    /// 0: no bound.
    bound: u32,
    count: Arc<Mutex<Count>>,
}

#[derive(Default)]
struct Count {
    /// The last count, and when it ended.
    last: Option<(Instant, i64)>,
    is_running: bool,
}

impl Count {
    /// Keeps the last number. In an overload no connection may be left for a count.
    fn keep(&mut self, error: &dyn std::fmt::Display) {
        tracing::debug!(%error, "the pending jobs could not be counted");
        if let Some((at, _)) = &mut self.last {
            *at = Instant::now();
        }
    }
}

impl Backlog {
    /// Allows `bound` pending jobs; 0: any number.
    pub fn new(bound: u32) -> Self {
        Self { bound, count: Arc::default() }
    }

    /// Refuses a request that would add a job if too many are pending.
    pub(crate) fn admit(&self, pool: &Pool) -> Result<(), ApiError> {
        if self.bound == 0 {
            return Ok(());
        }
        let (is_full, must_count) = {
            let mut count = self.count.lock();
            let must_count = !count.is_running && count.last.is_none_or(|(at, _)| at.elapsed() >= FRESH);
            count.is_running |= must_count;
            let valid = count.last.filter(|(at, _)| at.elapsed() < VALID);
            (valid.is_some_and(|(_, pending)| pending >= i64::from(self.bound)), must_count)
        };
        if must_count {
            let (backlog, pool) = (self.clone(), pool.clone());
            tokio::task::spawn_blocking(move || backlog.count(&pool));
        }
        if is_full { Err(self.refusal()) } else { Ok(()) }
    }

    fn count(&self, pool: &Pool) {
        let counted =
            pool.with_within(PATIENCE, |connection| pending_up_to(connection, jobs::QUEUE, i64::from(self.bound)));
        let mut count = self.count.lock();
        count.is_running = false;
        match counted {
            Ok(Ok(pending)) => count.last = Some((Instant::now(), pending)),
            // The request itself says what is wrong with the database.
            Ok(Err(error)) => count.keep(&error),
            Err(error) => count.keep(&error),
        }
    }

    fn refusal(&self) -> ApiError {
        Bound::Backlog.met();
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "the registry has {} or more changes that wait to be written to the index, and accepts no more until some \
                 of them are done; nothing was changed: try again shortly",
                self.bound
            ),
        )
        .because(reason::BACKLOG)
        .retry_after(RETRY_AFTER)
    }
}
