//! Connections to the database, in two kinds.
//!
//! *Live* is r2d2. *Test* is one connection inside a test transaction behind a reentrant mutex, so that a request, the
//! runner and the job inside the runner all see one uncommitted world that is rolled back at the end. That works because
//! a connection is only ever lent to a closure: the cell is borrowed while the closure runs, and a second borrow on the
//! same thread would be a use of the same `&mut` twice, which the cell refuses.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, Error, ManageConnection};
use diesel::{Connection, ConnectionError, PgConnection};
use parking_lot::{ReentrantMutex, RwLock};

/// How long a request waits for a connection before it gives up; the error names it.
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where connections come from. Cheap to clone.
#[derive(Clone)]
pub struct Pool(Kind);

#[derive(Clone)]
enum Kind {
    Live { pool: diesel::r2d2::Pool<Opener>, url: Arc<str>, is_closed: Arc<RwLock<bool>> },
    Test(SharedConnection),
}

/// The one connection of a test.
#[derive(Clone)]
pub struct SharedConnection(Arc<ReentrantMutex<RefCell<PgConnection>>>);

/// The database can't be reached at the moment.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    #[error("no connection to the database was free within 10 s: {0}")]
    Exhausted(#[from] diesel::r2d2::PoolError),
    #[error("no connection to the database was free: {0}")]
    Busy(#[source] diesel::r2d2::PoolError),
    #[error("the database does not answer")]
    Connect(#[from] ConnectionError),
    #[error("the test connection is already lent out: a closure asked for it a second time")]
    LentOut(#[from] std::cell::BorrowMutError),
}

/// Opens connections, until the pool is closed. r2d2 does so on threads of its own, which nobody waits for.
struct Opener {
    manager: ConnectionManager<PgConnection>,
    is_closed: Arc<RwLock<bool>>,
}

impl ManageConnection for Opener {
    type Connection = PgConnection;
    type Error = Error;

    /// Names the session in `pg_stat_activity` and keeps an abandoned transaction from holding its locks for ever.
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

    fn is_valid(&self, connection: &mut PgConnection) -> Result<(), Error> {
        self.manager.is_valid(connection)
    }

    fn has_broken(&self, connection: &mut PgConnection) -> bool {
        self.manager.has_broken(connection)
    }
}

impl Pool {
    /// Up to `size` connections, opened when they are needed. Does not connect.
    pub fn live(url: &str, size: u32) -> Self {
        let is_closed = Arc::new(RwLock::new(false));
        let opener = Opener { manager: ConnectionManager::new(url), is_closed: Arc::clone(&is_closed) };
        let pool = diesel::r2d2::Pool::builder()
            .max_size(size)
            .min_idle(Some(1))
            .connection_timeout(CHECKOUT_TIMEOUT)
            .error_handler(Box::new(QuietErrors))
            .build_unchecked(opener);
        Self(Kind::Live { pool, url: url.into(), is_closed })
    }

    /// Opens no further connections, and returns when none is being opened. Without this a database that is stopped
    /// meanwhile ends a session at its first statement, and libpq prints that to standard error.
    pub fn close(&self) {
        if let Kind::Live { is_closed, .. } = &self.0 {
            *is_closed.write() = true;
        }
    }

    /// One connection within a transaction that is never committed.
    pub fn test(url: &str) -> Result<Self, PoolError> {
        let mut connection = PgConnection::establish(url)?;
        connection.begin_test_transaction().map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(Self(Kind::Test(SharedConnection(Arc::new(ReentrantMutex::new(RefCell::new(connection)))))))
    }

    /// Lends a connection to `f`.
    pub fn with<R>(&self, f: impl FnOnce(&mut PgConnection) -> R) -> Result<R, PoolError> {
        match &self.0 {
            Kind::Live { pool, .. } => Ok(f(&mut *pool.get()?)),
            Kind::Test(shared) => shared.with(f),
        }
    }

    /// The same, for somebody who would rather go without than wait longer than this.
    pub fn with_within<R>(&self, wait: Duration, f: impl FnOnce(&mut PgConnection) -> R) -> Result<R, PoolError> {
        match &self.0 {
            Kind::Live { pool, .. } => Ok(f(&mut *pool.get_timeout(wait).map_err(PoolError::Busy)?)),
            Kind::Test(shared) => shared.with(f),
        }
    }

    /// A connection for somebody who keeps it: a new one, or the shared one in a test.
    pub fn dedicated(&self) -> Result<Dedicated, PoolError> {
        Ok(match &self.0 {
            Kind::Live { url, .. } => Dedicated::Own(PgConnection::establish(url)?),
            Kind::Test(shared) => Dedicated::Shared(shared.clone()),
        })
    }

    /// How many connections can be kept at the same time: a test has one; otherwise only the server bounds it.
    pub fn dedicated_capacity(&self) -> Option<usize> {
        match &self.0 {
            Kind::Live { .. } => None,
            Kind::Test(_) => Some(1),
        }
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

/// r2d2 reports every failed attempt to open a connection; who waits for one is told once, by the error of the wait.
#[derive(Debug)]
struct QuietErrors;

impl<E: std::error::Error> diesel::r2d2::HandleError<E> for QuietErrors {
    fn handle_error(&self, error: E) {
        tracing::debug!(error = %error, "a database connection could not be opened");
    }
}
