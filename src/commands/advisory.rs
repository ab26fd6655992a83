//! `supercargo advisory`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::admin::{advisories, own_advisories};
use crate::advisory::MAX_DOCUMENT;
use crate::config::{AdvisoryCommand, AdvisoryText, StorageOptions};
use crate::database::advisories::sources;
use crate::own_advisories::change::Given;
use crate::process::operator_command::{on, operator};
use crate::process::registry_address::known_address;
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
        AdvisoryCommand::Add { krate, id, given, storage } => {
            let given = text(*given)?;
            on(&storage, |connection| own_advisories::add(connection, &operator(), (&krate, id.as_deref()), &given))
        }
        AdvisoryCommand::Edit { id, given, storage } => {
            let given = text(*given)?;
            on(&storage, |connection| own_advisories::edit(connection, &operator(), &id, &given))
        }
        AdvisoryCommand::Withdraw { id, reason, storage } => {
            on(&storage, |connection| own_advisories::withdraw(connection, &operator(), &id, &reason))
        }
        AdvisoryCommand::Show { id, storage } => {
            let base_url = known_address(&storage, None).ok().map(|address| address.url);
            on(&storage, |connection| advisories::show(connection, &id, base_url.as_deref()))
        }
        AdvisoryCommand::Forget { upstream, storage } => {
            on(&storage, |connection| advisories::forget(connection, &operator(), &upstream))
        }
    }
}

/// What was given, with the description from its file.
fn text(of: AdvisoryText) -> Result<Given, CommandError> {
    let AdvisoryText { title, description, patched, unaffected, cvss, informational, aliases, references, url } = of;
    let description = description.map(|file| read(&file)).transpose()?;
    Ok(Given { title, description, url, cvss, informational, patched, unaffected, aliases, references })
}

fn read(file: &Path) -> Result<String, CommandError> {
    let (mut bytes, most) = (Vec::new(), MAX_DOCUMENT + 1);
    let done = match file.to_str() {
        Some("-") => std::io::stdin().take(most).read_to_end(&mut bytes),
        _ => File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes)),
    };
    let place = file.display();
    done.map_err(|error| CommandError::new(format!("--description: cannot read {place}: {error}")))?;
    if bytes.len() as u64 >= most {
        return Err(CommandError::new(format!("--description: {place} has more than {MAX_DOCUMENT} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| CommandError::new(format!("--description: {place} is not UTF-8")))
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
