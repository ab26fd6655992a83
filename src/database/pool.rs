//! Database connections, in two kinds.
//!
//! *Live* is an r2d2 pool. *Test* is one connection in a test transaction behind a reentrant mutex: a request, the
//! runner and the job inside the runner share one uncommitted state, which is rolled back at the end. A connection is
//! only lent to a closure, which borrows the cell while it runs. A second borrow on the same thread would alias the
//! `&mut`, and the cell rejects it.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use diesel::connection::{InstrumentationEvent, SimpleConnection};
use diesel::r2d2::{Error, ManageConnection, R2D2Connection};
use diesel::result::DatabaseErrorKind::ReadOnlyTransaction;
use diesel::result::Error::DatabaseError;
use diesel::{Connection, ConnectionError, PgConnection};
use parking_lot::{ReentrantMutex, RwLock};

use super::primary::{NotThePrimary, Primary, Since};

/// The time limit for getting a connection; the error message names it.
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(10);

/// A source of connections. Cheap to clone.
#[derive(Clone)]
pub struct Pool(Kind);

#[derive(Clone)]
enum Kind {
    Live {
        pool: diesel::r2d2::Pool<Opener>,
        url: Arc<str>,
        primary: Arc<Primary>,
        is_closed: Arc<RwLock<bool>>,
        waits: Arc<Waits>,
    },
    Test(SharedConnection),
}

/// The connection of a test.
#[derive(Clone)]
pub struct SharedConnection(Arc<ReentrantMutex<RefCell<PgConnection>>>);

/// The callers that wait for a connection, and those that waited in vain.
#[derive(Default)]
struct Waits {
    waiting: AtomicU32,
    time_outs: AtomicU64,
}

/// A moment of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    pub max: u32,
    pub idle: u32,
    pub in_use: u32,
    /// Callers that wait for a connection.
    pub waiting: u32,
    /// Callers that got none in time, since the pool exists.
    pub time_outs: u64,
}

/// No connection to the database is available.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    #[error("no connection to the database was free within 10 s: {0}")]
    Exhausted(#[from] diesel::r2d2::PoolError),
    #[error("no connection to the database was free: {0}")]
    Busy(#[source] diesel::r2d2::PoolError),
    #[error("the database does not answer")]
    Connect(#[from] ConnectionError),
    #[error(transparent)]
    NotThePrimary(#[from] NotThePrimary),
    #[error("the test connection is already in use by an enclosing closure")]
    LentOut(#[from] std::cell::BorrowMutError),
}

/// Opens connections until the pool is closed. r2d2 calls it on threads of its own, which are never joined.
struct Opener {
    url: Arc<str>,
    primary: Arc<Primary>,
    is_closed: Arc<RwLock<bool>>,
}

/// A connection of the pool.
struct Opened {
    connection: PgConnection,
    since: Since,
    /// Why its server is to be left.
    left: Arc<OnceLock<&'static str>>,
}

/// What an error says of all connections to a server.
fn reason_to_leave(error: &diesel::result::Error) -> Option<&'static str> {
    match error {
        DatabaseError(ReadOnlyTransaction, _) => Some("the database has become read-only"),
        // Each of the others would cost a request as long.
        DatabaseError(_, information) if information.message().contains("Connection timed out") => {
            Some("the database server has vanished")
        }
        _ => None,
    }
}

impl Opened {
    fn new(mut connection: PgConnection, since: Since) -> Self {
        let left = Arc::new(OnceLock::new());
        let noted = Arc::clone(&left);
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::FinishQuery { error: Some(error), .. } = event
                && let Some(reason) = reason_to_leave(error)
            {
                // The first reason is kept.
                let _ = noted.set(reason);
            }
        });
        Self { connection, since, left }
    }
}

impl ManageConnection for Opener {
    type Connection = Opened;
    type Error = Error;

    /// Opens a session that has a name in `pg_stat_activity` and a timeout for abandoned transactions, which hold
    /// locks.
    fn connect(&self) -> Result<Opened, Error> {
        let is_closed = self.is_closed.read();
        if *is_closed {
            return Err(Error::ConnectionError(ConnectionError::BadConnection("the pool is closed".to_owned())));
        }
        let (mut connection, since) = self.primary.open(&self.url).map_err(|error| match error {
            NotThePrimary::Connect(error) => Error::ConnectionError(error),
            NotThePrimary::Database(error) => Error::QueryError(error),
            refused => Error::ConnectionError(ConnectionError::BadConnection(refused.to_string())),
        })?;
        connection
            .batch_execute(
                "SET application_name = 'supercargo web'; SET idle_in_transaction_session_timeout = '60s';
                 SET statement_timeout = '60s'",
            )
            .map_err(Error::QueryError)?;
        Ok(Opened::new(connection, since))
    }

    /// Called whenever a connection is lent. Sends nothing: it reads what has arrived, which is the end of the session if
    /// the server has closed it. A session of a server that was replaced is not lent.
    fn is_valid(&self, opened: &mut Opened) -> Result<(), Error> {
        if !self.primary.is_current(opened.since) {
            return Err(Error::ConnectionError(ConnectionError::BadConnection("the server was replaced".to_owned())));
        }
        // The first read may get the server's farewell, the second one the end of the stream behind it.
        for _ in 0..2 {
            if let Some(Err(closed)) = opened.connection.notifications_iter().next() {
                return Err(Error::QueryError(closed));
            }
        }
        Ok(())
    }

    fn has_broken(&self, opened: &mut Opened) -> bool {
        if let Some(reason) = opened.left.get() {
            self.primary.leave(opened.since, reason);
            return true;
        }
        std::thread::panicking() || opened.connection.is_broken()
    }
}

impl Pool {
    /// A pool of up to `size` connections, which are opened when they are needed.
    pub fn live(url: &str, size: u32) -> Self {
        Self::of_primary(url, size, Arc::default())
    }

    /// A pool whose sessions are those of the primary that a process remembers.
    pub fn of_primary(url: &str, size: u32, primary: Arc<Primary>) -> Self {
        let is_closed = Arc::new(RwLock::new(false));
        let url: Arc<str> = url.into();
        let opener = Opener { url: Arc::clone(&url), primary: Arc::clone(&primary), is_closed: Arc::clone(&is_closed) };
        let pool = diesel::r2d2::Pool::builder()
            .max_size(size)
            .min_idle(Some(1))
            .connection_timeout(CHECKOUT_TIMEOUT)
            .error_handler(Box::new(QuietErrors))
            .build_unchecked(opener);
        Self(Kind::Live { pool, url, primary, is_closed, waits: Arc::default() })
    }

    /// Prevents new connections, and waits for those that are being opened. Otherwise, a database that is stopped
    /// meanwhile ends a session at its first statement, and libpq reports that.
    pub fn close(&self) {
        if let Kind::Live { is_closed, .. } = &self.0 {
            *is_closed.write() = true;
        }
    }

    /// A single connection in a transaction that is never committed, for tests.
    pub fn test(url: &str) -> Result<Self, PoolError> {
        let mut connection = PgConnection::establish(url)?;
        connection.begin_test_transaction().map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(Self(Kind::Test(SharedConnection(Arc::new(ReentrantMutex::new(RefCell::new(connection)))))))
    }

    /// Lends a connection to `f`.
    pub fn with<R>(&self, f: impl FnOnce(&mut PgConnection) -> R) -> Result<R, PoolError> {
        match &self.0 {
            Kind::Live { pool, waits, .. } => Ok(f(&mut waits.count(|| pool.get())?.connection)),
            Kind::Test(shared) => shared.with(f),
        }
    }

    /// Lends a connection to `f` if one is free within this time.
    pub fn with_within<R>(&self, wait: Duration, f: impl FnOnce(&mut PgConnection) -> R) -> Result<R, PoolError> {
        match &self.0 {
            Kind::Live { pool, waits, .. } => {
                Ok(f(&mut waits.count(|| pool.get_timeout(wait)).map_err(PoolError::Busy)?.connection))
            }
            Kind::Test(shared) => shared.with(f),
        }
    }

    /// How busy the pool is; None in a test.
    pub fn state(&self) -> Option<PoolState> {
        let Kind::Live { pool, waits, .. } = &self.0 else { return None };
        let state = pool.state();
        Some(PoolState {
            max: pool.max_size(),
            idle: state.idle_connections,
            in_use: state.connections.saturating_sub(state.idle_connections),
            waiting: waits.waiting.load(Ordering::Relaxed),
            time_outs: waits.time_outs.load(Ordering::Relaxed),
        })
    }

    /// A connection outside the pool: a new one, or the shared one in a test.
    pub fn dedicated(&self) -> Result<Dedicated, PoolError> {
        Ok(match &self.0 {
            Kind::Live { url, primary, .. } => {
                let (connection, since) = primary.open(url)?;
                Dedicated::Own(Box::new(Own { connection, since, primary: Arc::clone(primary) }))
            }
            Kind::Test(shared) => Dedicated::Shared(shared.clone()),
        })
    }

    /// The number of dedicated connections that are possible at the same time: one in a test, else None, since only the
    /// server limits it.
    pub fn dedicated_capacity(&self) -> Option<usize> {
        match &self.0 {
            Kind::Live { .. } => None,
            Kind::Test(_) => Some(1),
        }
    }
}

impl Waits {
    fn count<T, E>(&self, get: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let got = get();
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        if got.is_err() {
            self.time_outs.fetch_add(1, Ordering::Relaxed);
        }
        got
    }
}

impl SharedConnection {
    fn with<R>(&self, f: impl FnOnce(&mut PgConnection) -> R) -> Result<R, PoolError> {
        Ok(f(&mut *self.0.lock().try_borrow_mut()?))
    }
}

/// A connection outside the pool.
pub enum Dedicated {
    Own(Box<Own>),
    Shared(SharedConnection),
}

/// A connection of its own, to the primary of the time when it was opened.
pub struct Own {
    connection: PgConnection,
    since: Since,
    primary: Arc<Primary>,
}

impl Dedicated {
    /// Lends the connection to `f`.
    pub fn with<R>(&mut self, f: impl FnOnce(&mut PgConnection) -> R) -> Result<R, PoolError> {
        match self {
            Self::Own(own) => Ok(f(&mut own.connection)),
            Self::Shared(shared) => shared.with(f),
        }
    }

    /// Whether its server was replaced, as far as this process knows.
    pub fn is_outdated(&self) -> bool {
        match self {
            Self::Own(own) => !own.primary.is_current(own.since),
            Self::Shared(_) => false,
        }
    }
}

/// Logs failed attempts to open a connection at debug level, because the caller gets the error of its wait.
#[derive(Debug)]
struct QuietErrors;

impl<E: std::error::Error> diesel::r2d2::HandleError<E> for QuietErrors {
    fn handle_error(&self, error: E) {
        tracing::debug!(error = %error, "cannot open a database connection");
    }
}
