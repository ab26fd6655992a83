//! Describing crates after the jobs that changed what the index shows of them: see
//! [`descriptions`]. No client waits for it.

use diesel::{PgConnection, QueryResult};

use crate::database::catalog::descriptions::{self, Undescribed};

/// Describes pending crates until less than a portion is left or `is_stopped`. What jobs change meanwhile is left for the next
/// run, which their commits cause. Returns those whose description the database rejects,
/// which are logged. The connection holds no lock of a crate's row.
pub fn run(connection: &mut PgConnection, is_stopped: &dyn Fn() -> bool) -> QueryResult<Vec<Undescribed>> {
    let mut undescribed = Vec::new();
    if !descriptions::any_pending(connection)? {
        return Ok(undescribed);
    }
    descriptions::lock(connection)?;
    let described = describe_all(connection, is_stopped, &mut undescribed);
    let unlocked = descriptions::unlock(connection);
    described.and(unlocked)?;
    Ok(undescribed)
}

fn describe_all(
    connection: &mut PgConnection,
    is_stopped: &dyn Fn() -> bool,
    undescribed: &mut Vec<Undescribed>,
) -> QueryResult<()> {
    while !is_stopped() {
        let portion = descriptions::describe_next(connection)?;
        for Undescribed { crate_name, problem, .. } in &portion.undescribed {
            tracing::error!(
                name = crate_name,
                error = problem,
                "a crate is published, but its description could not be written: run `supercargo verify --repair`"
            );
        }
        let is_last = portion.crates < descriptions::PORTION.unsigned_abs() as usize;
        undescribed.extend(portion.undescribed);
        if is_last {
            break;
        }
    }
    Ok(())
}
