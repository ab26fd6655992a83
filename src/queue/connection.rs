//! How the runner gets its connections.
//!
//! A connection is lent to a closure and never handed out, so that in tests the request, the runner and the job inside
//! the runner can all use the one connection whose transaction is rolled back at the end: no `&mut PgConnection` is
//! alive while another of them asks for it.

use std::error::Error;

use diesel::PgConnection;

/// Opens connections for runners.
pub trait ConnectionSource: Send + Sync + 'static {
    /// A connection that the caller keeps for as long as it works, and drops when it is broken.
    fn connect(&self) -> Result<Box<dyn Lend>, Box<dyn Error + Send + Sync>>;

    /// How many connections may be kept at the same time; None if there is no bound of this side's own.
    fn capacity(&self) -> Option<usize> {
        None
    }
}

/// Something that lends a connection to a closure.
pub trait Lend: Send {
    /// Calls `with` once.
    fn lend(&mut self, with: &mut dyn FnMut(&mut PgConnection));
}

/// [`Lend`] with an answer.
pub trait LendExt {
    fn with<R>(&mut self, f: impl FnOnce(&mut PgConnection) -> R) -> R;
}

impl LendExt for dyn Lend + '_ {
    fn with<R>(&mut self, f: impl FnOnce(&mut PgConnection) -> R) -> R {
        let mut f = Some(f);
        let mut answer = None;
        self.lend(&mut |connection| answer = f.take().map(|f| f(connection)));
        answer.expect("lend calls its closure once") // the contract of `lend`
    }
}
