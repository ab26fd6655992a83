//! Calls into a job's code: transactions to clean up after it, and panics to catch.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::PgConnection;
use diesel::QueryResult;
use diesel::connection::{AnsiTransactionManager, TransactionManager, TransactionManagerStatus};

use super::job_error::JobError;

/// Members of a batch that a log line names.
const LISTED: usize = 20;

/// A list for a log line, without repetitions and of bounded length; None if it is empty.
pub(super) fn listed<'a>(texts: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut each: Vec<&str> = Vec::new();
    for text in texts {
        if !each.contains(&text) {
            each.push(text);
        }
    }
    let more = each.len().saturating_sub(LISTED);
    each.truncate(LISTED);
    let list = each.join(",");
    match (list.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(list),
        (false, more) => Some(format!("{list} and {more} more")),
    }
}

/// The number of nested transactions that are open on the connection.
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

/// Rolls back until only `to` transactions are open. Code that panicked may have left some open.
pub(super) fn unwind_to(connection: &mut PgConnection, to: u32) -> QueryResult<()> {
    while depth(connection)? > to {
        AnsiTransactionManager::rollback_transaction(connection)?;
    }
    Ok(())
}

/// Calls a job's code and turns a panic into a failure with its message.
pub(super) fn catch_panic<T>(job: impl FnOnce() -> Result<T, JobError>) -> Result<T, JobError> {
    catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|payload| Err(JobError::panicked(panic_message(&*payload))))
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("with a payload that is not text").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_members_of_a_batch_once_and_not_all_of_a_large_one() {
        assert_eq!(listed([].into_iter()), None);
        assert_eq!(listed(["a", "b", "a"].into_iter()).as_deref(), Some("a,b"));
        let many: Vec<String> = (0..30).map(|number| number.to_string()).collect();
        let line = listed(many.iter().map(String::as_str)).unwrap();
        assert!(line.starts_with("0,1,2,") && line.ends_with(",19 and 10 more"), "{line}");
    }

    #[test]
    fn a_panic_keeps_its_message_whatever_its_type() {
        let text = |job: fn() -> Result<(), JobError>| catch_panic(job).unwrap_err().to_string();
        assert_eq!(text(|| panic!("plain")), "the job panicked: plain");
        assert_eq!(text(|| panic!("{}", "formatted")), "the job panicked: formatted");
        assert_eq!(text(|| std::panic::panic_any(7)), "the job panicked: with a payload that is not text");
    }
}
