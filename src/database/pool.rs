//! Database connections, in two kinds.
//!
//! *Live* is an r2d2 pool. *Test* is one connection in a test transaction behind a reentrant mutex: a request, the
//! runner and the job inside the runner share one uncommitted state, which is rolled back at the end. A connection is
//! only lent to a closure, which borrows the cell while it runs. A second borrow on the same thread would alias the
//! `&mut`, and the cell rejects it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, Error, ManageConnection};
use diesel::{Connection, ConnectionError, PgConnection};
use parking_lot::{ReentrantMutex, RwLock};

/// The time limit for getting a connection; the error message names it.
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(10);

/// A source of connections. Cheap to clone.
#[derive(Clone)]
pub struct Pool(Kind);

#[derive(Clone)]
enum Kind {
    Live { pool: diesel::r2d2::Pool<Opener>, url: Arc<str>, is_closed: Arc<RwLock<bool>>, waits: Arc<Waits> },
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
    #[error("the test connection is already in use by an enclosing closure")]
    LentOut(#[from] std::cell::BorrowMutError),
}

/// Opens connections until the pool is closed. r2d2 calls it on threads of its own, which are never joined.
struct Opener {
    manager: ConnectionManager<PgConnection>,
    is_closed: Arc<RwLock<bool>>,
}

impl ManageConnection for Opener {
    type Connection = PgConnection;
    type Error = Error;

    /// Opens a session that has a name in `pg_stat_activity` and a timeout for abandoned transactions, which hold
    /// locks.
    fn connect(&self) -> Result<PgConnection, Error> {
        let is_closed = self.is_closed.read();
        if *is_closed {
            return Err(Error::ConnectionError(ConnectionError::BadConnection("the pool is closed".to_owned())));
        }
        let mut connection = self.manager.connect()?;
        connection
            .batch_execute(
                "SET application_name = 'supercargo web'; SET idle_in_transaction_session_timeout = '60s';
                 SET statement_timeout = '60s'",
            )
            .map_err(Error::QueryError)?;
        Ok(connection)
    }

    /// Called whenever a connection is lent. Sends nothing: it reads what has arrived, which is the end of the session if
    /// the server has closed it.
    fn is_valid(&self, connection: &mut PgConnection) -> Result<(), Error> {
        // The first read may get the server's farewell, the second one the end of the stream behind it.
        for _ in 0..2 {
            if let Some(Err(closed)) = connection.notifications_iter().next() {
                return Err(Error::QueryError(closed));
            }
        }
        Ok(())
    }

    fn has_broken(&self, connection: &mut PgConnection) -> bool {
        self.manager.has_broken(connection)
    }
}

impl Pool {
    /// A pool of up to `size` connections, which are opened when they are needed.
    pub fn live(url: &str, size: u32) -> Self {
        let is_closed = Arc::new(RwLock::new(false));
        let opener = Opener { manager: ConnectionManager::new(url), is_closed: Arc::clone(&is_closed) };
        let pool = diesel::r2d2::Pool::builder()
            .max_size(size)
            .min_idle(Some(1))
            .connection_timeout(CHECKOUT_TIMEOUT)
            .error_handler(Box::new(QuietErrors))
            .build_unchecked(opener);
        Self(Kind::Live { pool, url: url.into(), is_closed, waits: Arc::default() })
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
            Kind::Live { pool, waits, .. } => Ok(f(&mut *waits.count(|| pool.get())?)),
            Kind::Test(shared) => shared.with(f),
        }
    }

    /// Lends a connection to `f` if one is free within this time.
    pub fn with_within<R>(&self, wait: Duration, f: impl FnOnce(&mut PgConnection) -> R) -> Result<R, PoolError> {
        match &self.0 {
            Kind::Live { pool, waits, .. } => {
                Ok(f(&mut *waits.count(|| pool.get_timeout(wait)).map_err(PoolError::Busy)?))
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
            Kind::Live { url, .. } => Dedicated::Own(PgConnection::establish(url)?),
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
    Own(PgConnection),
    Shared(SharedConnection),
}

impl Dedicated {
    /// Lends the connection to `f`.
    pub fn with<R>(&mut self, f: impl FnOnce(&mut PgConnection) -> R) -> Result<R, PoolError> {
        match self {
            Self::Own(connection) => Ok(f(connection)),
            Self::Shared(shared) => shared.with(f),
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
