//! Trial restore of a backup, which proves that it can be restored.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use diesel::PgConnection;
use serde::Serialize;

use super::check::Checked;
use super::directory::Directory;
use super::error::BackupError;
use super::restore::{Agreed, make_agree, programs, restore_database, restore_index};
use crate::database::upkeep::backup as database;
use crate::index::Index;
use crate::package::Checksum;

/// The target of a trial restore: an empty database and an empty index, which are deleted afterwards. Crate files are not
/// copied, because their checksums were verified.
pub struct TrialTarget<'a> {
    pub database_url: &'a str,
    /// The directory of PostgreSQL's programs, if it is not one of the usual ones.
    pub postgres_bin_dir: Option<&'a Path>,
    pub index: &'a Index,
}

/// The result of a trial restore.
#[derive(Serialize, Clone, Debug)]
pub struct TrialRestore {
    #[serde(flatten)]
    pub agreed: Agreed,
    pub seconds: f64,
}

/// Restores a checked backup and compares the result with its manifest.
pub fn restore_on_trial(
    directory: &Directory,
    checked: &Checked,
    target: &TrialTarget<'_>,
    connection: &mut PgConnection,
) -> Result<TrialRestore, BackupError> {
    let start = Instant::now();
    let manifest = &checked.manifest;
    let major = database::major_version(connection)?;
    if major < manifest.postgresql {
        return Err(BackupError::OldServer { found: major, needed: manifest.postgresql });
    }
    let programs = programs(checked, target.postgres_bin_dir, connection)?;
    restore_index(directory, manifest, target.index)?;
    restore_database(directory, manifest, &programs, target.database_url, connection)?;
    let damaged = |problem: String| BackupError::Damaged { name: manifest.name.clone(), problem };
    let (crates, versions) = database::count(connection)?;
    if (crates, versions) != (manifest.crates, manifest.versions) {
        return Err(damaged(format!(
            "its database has {crates} crates and {versions} versions, but backup.json names {} and {}",
            manifest.crates, manifest.versions
        )));
    }
    let listed: HashSet<Checksum> = checked.needed.iter().map(|(checksum, _)| *checksum).collect();
    let is_listed = |checksum: Checksum| {
        listed.contains(&checksum) || manifest.problems.iter().any(|problem| problem.checksum == checksum)
    };
    if let Some(file) = database::needed_files(connection)?.into_iter().find(|file| !is_listed(file.checksum)) {
        return Err(damaged(format!("it lacks the crate file of {}@{}", file.name, file.num)));
    }
    let agreed = make_agree(connection, target.index)?;
    Ok(TrialRestore { agreed, seconds: start.elapsed().as_secs_f64() })
}
