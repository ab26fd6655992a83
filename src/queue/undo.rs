//! Undoing what a failed batch wrote, before its failure is recorded.
//!
//! The batch writes in the transaction that holds its rows, and the failure must be recorded although the writes are rolled
//! back. There are two ways:
//!
//! * A **savepoint** before the batch. The rows stay locked while the batch is undone and the failure is recorded. It costs
//!   two statements a batch, of which nearly all succeed.
//! * The **whole transaction** is rolled back, and the failure is recorded in another one, by claim number. A success costs
//!   nothing. But between the two transactions the rows are not locked, and once the gap of the claim is over, which is
//!   three seconds after it, they are due: another worker could claim them. It would count a lost start instead of the
//!   failure, even for an outage, which must cost no attempt.
//!
//! So only the worker of a queue with one worker in the installation ([`OneInAll`](super::Workers::OneInAll)) uses the whole transaction.
//! No other worker claims its rows: it holds the queue's advisory lock, which belongs to the session and not to the transaction,
//! so it is kept over the rollback. If the session ends, it can record nothing more, and the rows come due as after any
//! death of a worker. What else may happen between the two transactions:
//!
//! * The process is killed: the start was counted by the touch, and its loss is recorded by the next claim.
//! * The watch cuts the worker off: it ends the session, then records the cut-off, by claim number too.
//! * A worker that was cut off and hangs has a session that was ended; it fails here and records nothing.
//! * An operator discards the job: the row is gone, and the record changes nothing. An operator retries it, or a request wakes
//!   it as its twin: it gets its backoff, as if that had been a moment before the failure.
//! * The sweep finds the job due, with all its starts used up, and buries it: its last failure is then recorded as a death
//!   of its process.
//! * A worker without the lock claims the row after all, if its gap is over: an operator's command that
//!   [drains](super::Runner::drain) the queue beside a worker. The claim number is another one, and the record changes
//!   nothing; the log has the error.
//!
//! In a test's transaction, which no other session sees, all transactions are savepoints; then "the whole transaction" is the
//! savepoint that the claim opened.

use diesel::{PgConnection, QueryResult};

use super::performing::{begin, commit, unwind_to};

/// How the writes of one batch are undone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Undo {
    /// Transactions that are open outside the one that holds the rows.
    outside: u32,
    savepoint: bool,
}

impl Undo {
    /// Prepares it, in the transaction that holds the rows, before the batch runs. `alone`: no other worker claims rows of
    /// the queue.
    pub fn prepare(connection: &mut PgConnection, outside: u32, alone: bool) -> QueryResult<Self> {
        let savepoint = !alone;
        if savepoint {
            begin(connection)?;
        }
        Ok(Self { outside, savepoint })
    }

    /// Keeps what the batch wrote. With a savepoint it is an error if the batch's last statement failed; without one the
    /// next statement fails.
    pub fn keep(self, connection: &mut PgConnection) -> QueryResult<()> {
        unwind_to(connection, self.outside + 1 + u32::from(self.savepoint))?;
        if self.savepoint { commit(connection) } else { Ok(()) }
    }

    /// Undoes what the batch wrote, also after [`Undo::keep`] failed, and leaves a transaction for the record.
    pub fn undo(self, connection: &mut PgConnection) -> QueryResult<()> {
        if self.savepoint {
            return unwind_to(connection, self.outside + 1);
        }
        unwind_to(connection, self.outside)?;
        begin(connection)
    }

    /// Whether it can be undone after a statement of the record failed. If not, the whole cycle fails: the start stays
    /// counted, and the rows come due again.
    pub fn reaches_the_record(self) -> bool {
        !self.savepoint
    }
}
