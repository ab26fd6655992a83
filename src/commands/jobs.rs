//! `supercargo jobs`.

use crate::admin;
use crate::config::JobsCommand;
use crate::process::CommandError;
use crate::process::operator_command::{on, operator};
use crate::queue::inspection::Selection;

pub(super) fn jobs(command: JobsCommand) -> Result<(), CommandError> {
    match command {
        JobsCommand::List { failed, dead, done, limit, output, storage } => {
            let selection = match (failed, dead, done) {
                (true, _, _) => Selection::Failing,
                (_, true, _) => Selection::Dead,
                (_, _, true) => Selection::Done,
                _ => Selection::Pending,
            };
            on(&storage, |connection| admin::jobs::list(connection, selection, limit, output.json))
        }
        JobsCommand::Watch { interval, output, storage } => {
            on(&storage, |connection| admin::jobs::watch(connection, interval, output.json))
        }
        JobsCommand::Show { id, output, storage } => {
            on(&storage, |connection| admin::jobs::show(connection, id, output.json))
        }
        JobsCommand::Retry { ids, storage } => {
            on(&storage, |connection| admin::jobs::retry(connection, &operator(), &ids))
        }
        JobsCommand::Discard { id, reason, storage } => {
            on(&storage, |connection| admin::jobs::discard(connection, &operator(), id, &reason))
        }
    }
}
