//! `supercargo advisory`.

use crate::admin::advisories;
use crate::config::{AdvisoryCommand, StorageOptions};
use crate::database::advisories::sources;
use crate::process::operator_command::{on, operator};
use crate::process::schedule::advisories::refresher;
use crate::process::storage::git_program;
use crate::process::{CommandError, Storage};

pub(super) fn advisory(command: AdvisoryCommand) -> Result<(), CommandError> {
    match command {
        AdvisoryCommand::Refresh { upstream, accept_withdrawals, storage } => {
            refresh(&storage, &upstream, accept_withdrawals)
        }
        AdvisoryCommand::Status { output, storage } => {
            on(&storage, |connection| advisories::status(connection, output.json))
        }
        AdvisoryCommand::List { krate, upstream, all, output, storage } => {
            on(&storage, |connection| advisories::list(connection, (krate, upstream, all), output.json))
        }
        AdvisoryCommand::Show { id, storage } => on(&storage, |connection| advisories::show(connection, &id)),
        AdvisoryCommand::Forget { upstream, storage } => {
            on(&storage, |connection| advisories::forget(connection, &operator(), &upstream))
        }
    }
}

fn refresh(options: &StorageOptions, upstream: &str, accepts_withdrawals: bool) -> Result<(), CommandError> {
    let storage = Storage::attach_or_start(options)?;
    let done = storage.connect().and_then(|mut session| {
        // It ends with the session.
        if !sources::try_lock(&mut session)? {
            return Err(CommandError::new("another process reads advisories at this moment: try again in a minute"));
        }
        let outcome = refresher(&storage, &git_program(options)).run(&mut session, upstream, accepts_withdrawals)?;
        if accepts_withdrawals {
            advisories::note_acceptance(&mut session, &operator(), upstream)?;
        }
        advisories::say_refreshed(upstream, &outcome);
        Ok(())
    });
    storage.close()?;
    done
}
