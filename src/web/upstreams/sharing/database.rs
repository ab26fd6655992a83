//! Statements about upstreams: two at a time, so that publishes find connections, and none for some seconds after one has failed.

use std::fmt::Display;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use diesel::PgConnection;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::database::Pool;

/// Connections of the pool that upstreams use at the same time. A file of 64 MiB takes twice its size of memory on its way.
const AT_ONCE: usize = 2;
/// How long one of these is waited for, and a connection of the pool, and an answer.
const TURN: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(5);
/// How long the database is left alone after a failure.
const REST: Duration = Duration::from_secs(5);

/// The database as all upstreams of a process use it.
pub struct SharedDatabase {
    pool: OnceLock<Pool>,
    turns: std::sync::Arc<Semaphore>,
    rests_until: Mutex<Option<Instant>>,
    runtime: Handle,
}

impl SharedDatabase {
    pub fn new(runtime: Handle) -> Self {
        Self {
            pool: OnceLock::new(),
            turns: std::sync::Arc::new(Semaphore::new(AT_ONCE)),
            rests_until: Mutex::default(),
            runtime,
        }
    }

    /// The pool to use.
    pub fn attend(&self, pool: &Pool) {
        // The first one stays.
        let _ = self.pool.set(pool.clone());
    }

    /// Runs statements. None if the database does not answer, or not soon.
    pub async fn run<T: Send + 'static, E: Display + Send + 'static>(
        &self,
        statements: impl FnOnce(&mut PgConnection) -> Result<T, E> + Send + 'static,
    ) -> Option<T> {
        let pool = self.pool.get()?.clone();
        if self.rests() {
            return None;
        }
        let turn = tokio::time::timeout(TURN, std::sync::Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return self.fail("too many statements about upstreams are under way") };
        if self.rests() {
            return None;
        }
        let running = self.runtime.spawn_blocking(move || {
            let _turn = turn;
            let done = pool.with_within(TURN, statements).map_err(|error| error.to_string());
            done.and_then(|done| done.map_err(|error| error.to_string()))
        });
        match tokio::time::timeout(ANSWER, running).await {
            Ok(Ok(Ok(done))) => Some(done),
            Ok(Ok(Err(error))) => self.fail(&error),
            Ok(Err(panic)) => self.fail(&panic.to_string()),
            Err(_) => self.fail(&format!("no answer in {ANSWER:?}")),
        }
    }

    fn rests(&self) -> bool {
        let until = *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| until > Instant::now())
    }

    /// The log has one line for each rest.
    fn fail<T>(&self, error: &str) -> Option<T> {
        let now = Instant::now();
        let mut until = self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_none_or(|until| until <= now) {
            tracing::warn!(
                error,
                "index files of upstreams are not shared with other machines for {REST:?}: the database fails"
            );
        }
        *until = Some(now + REST);
        None
    }
}
