//! The runner's source of connections.
//!
//! A connection is lent to a closure and never returned to the caller. So in tests the request, the runner and the job
//! inside the runner can all use the one connection whose transaction is rolled back at the end: no `&mut PgConnection`
//! is alive while another of them borrows it.

use std::error::Error;

use diesel::PgConnection;

/// Opens connections for runners.
pub trait ConnectionSource: Send + Sync + 'static {
    /// Opens a connection that the caller keeps while it works, and drops when it is broken.
    fn connect(&self) -> Result<Box<dyn Lend>, Box<dyn Error + Send + Sync>>;

    /// The largest number of connections at the same time; None if the source has no limit.
    fn capacity(&self) -> Option<usize> {
        None
    }
}

/// Lends a connection to a closure.
pub trait Lend: Send {
    /// Calls `with` once.
    fn lend(&mut self, with: &mut dyn FnMut(&mut PgConnection));

    /// Whether another server has replaced the connection's: then the rows that it shows may be out of date.
    fn is_outdated(&self) -> bool {
        false
    }
}

/// [`Lend`] for closures with a result.
pub trait LendExt {
    fn with<R>(&mut self, f: impl FnOnce(&mut PgConnection) -> R) -> R;
}

impl LendExt for dyn Lend + '_ {
    fn with<R>(&mut self, f: impl FnOnce(&mut PgConnection) -> R) -> R {
        let mut f = Some(f);
        let mut result = None;
        self.lend(&mut |connection| result = f.take().map(|f| f(connection)));
        result.expect("lend calls its closure once") // the contract of `lend`
    }
}
