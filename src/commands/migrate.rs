//! `supercargo migrate`.

use super::{CommandError, Storage};
use crate::admin::output::say;
use crate::config::StorageOptions;
use crate::database::embedded;
use crate::database::migrations;

pub(super) fn migrate(options: &StorageOptions) -> Result<(), CommandError> {
    let applied = match options.database_url() {
        Some(database_url) => migrate_at(&database_url)?,
        None => match embedded::attach(options.data_dir()?.path())? {
            Some(url) => migrate_at(&url)?,
            // Opening a private cluster brings it up to date.
            None => {
                Storage::open(options, false)?.close()?;
                Vec::new()
            }
        },
    };
    for migration in &applied {
        say!("applied {migration}");
    }
    if applied.is_empty() {
        say!("the database is up to date");
    }
    Ok(())
}

fn migrate_at(database_url: &str) -> Result<Vec<String>, CommandError> {
    Ok(migrations::migrate(&mut super::storage::connect(database_url)?)?)
}
