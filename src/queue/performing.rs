//! One call into a job's code, with panics caught and transactions cleaned up behind it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::PgConnection;
use diesel::QueryResult;
use diesel::connection::{AnsiTransactionManager, TransactionManager, TransactionManagerStatus};

use super::JobError;

/// How many transactions are open on the connection, one within the other.
pub(super) fn depth(connection: &mut PgConnection) -> QueryResult<u32> {
    match AnsiTransactionManager::transaction_manager_status_mut(connection) {
        TransactionManagerStatus::Valid(status) => Ok(status.transaction_depth().map_or(0, |depth| depth.get())),
        TransactionManagerStatus::InError => Err(diesel::result::Error::BrokenTransactionManager),
    }
}

/// Opens a transaction, or a savepoint within one.
pub(super) fn begin(connection: &mut PgConnection) -> QueryResult<()> {
    AnsiTransactionManager::begin_transaction(connection)
}

/// Commits the innermost transaction, or releases the innermost savepoint.
pub(super) fn commit(connection: &mut PgConnection) -> QueryResult<()> {
    AnsiTransactionManager::commit_transaction(connection)
}

/// Rolls back until only `depth` transactions are open: code that panicked may have left some behind.
pub(super) fn unwind_to(connection: &mut PgConnection, to: u32) -> QueryResult<()> {
    while depth(connection)? > to {
        AnsiTransactionManager::rollback_transaction(connection)?;
    }
    Ok(())
}

/// Calls a job's code; a panic becomes a failure that keeps its message.
pub(super) fn catch_panic<T>(job: impl FnOnce() -> Result<T, JobError>) -> Result<T, JobError> {
    catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|payload| Err(JobError::own(panic_message(&*payload))))
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("with a payload that is no text");
    format!("the job panicked: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_keeps_its_message_whatever_its_type() {
        let text = |job: fn() -> Result<(), JobError>| catch_panic(job).unwrap_err().to_string();
        assert_eq!(text(|| panic!("plain")), "the job panicked: plain");
        assert_eq!(text(|| panic!("{}", "formatted")), "the job panicked: formatted");
        assert_eq!(text(|| std::panic::panic_any(7)), "the job panicked: with a payload that is no text");
    }
}
