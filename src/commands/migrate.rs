//! `supercargo migrate`.

use crate::admin::output::say;
use crate::config::StorageOptions;
use crate::database::migrations;
use crate::postgres::embedded;
use crate::postgres::url::with_defaults;
use crate::process::{CommandError, Storage};

pub(super) fn migrate(options: &StorageOptions) -> Result<(), CommandError> {
    let applied = match options.database_url() {
        Some(database_url) => migrate_at(&with_defaults(&database_url))?,
        None => match embedded::attach(options.data_dir()?.path())? {
            Some(url) => migrate_at(&url)?,
            // Opening an embedded cluster migrates it.
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
    Ok(migrations::migrate(&mut crate::process::storage::connect(database_url)?)?)
}
