//! Restoring a backup on trial: the proof that it can be restored.

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

/// Where a backup is restored on trial: an empty database and an empty index, which are thrown away afterwards. Crate files
/// are not copied: their checksums were compared.
pub struct Stage<'a> {
    pub database_url: &'a str,
    /// Where PostgreSQL's programs are, if not in the usual places.
    pub postgres_bin_dir: Option<&'a Path>,
    pub index: &'a Index,
}

/// A backup that was restored on trial.
#[derive(Serialize, Clone, Debug)]
pub struct Rehearsed {
    #[serde(flatten)]
    pub agreed: Agreed,
    pub seconds: f64,
}

/// Restores a backup that was checked, and holds what came out against what the backup says of itself.
pub fn rehearse(
    directory: &Directory,
    checked: &Checked,
    stage: &Stage<'_>,
    connection: &mut PgConnection,
) -> Result<Rehearsed, BackupError> {
    let start = Instant::now();
    let manifest = &checked.manifest;
    let major = database::major_version(connection)?;
    if major < manifest.postgresql {
        return Err(BackupError::OldServer { found: major, needed: manifest.postgresql });
    }
    let programs = programs(checked, stage.postgres_bin_dir, connection)?;
    restore_index(directory, manifest, stage.index)?;
    restore_database(directory, manifest, &programs, stage.database_url, connection)?;
    let damaged = |problem: String| BackupError::Damaged { name: manifest.name.clone(), problem };
    let (crates, versions) = database::count(connection)?;
    if (crates, versions) != (manifest.crates, manifest.versions) {
        return Err(damaged(format!(
            "its database has {crates} crates and {versions} versions, and backup.json names {} and {}",
            manifest.crates, manifest.versions
        )));
    }
    let listed: HashSet<Checksum> = checked.needed.iter().map(|(checksum, _)| *checksum).collect();
    let is_known = |checksum: Checksum| {
        listed.contains(&checksum) || manifest.problems.iter().any(|problem| problem.checksum == checksum)
    };
    if let Some(file) = database::needed_files(connection)?.into_iter().find(|file| !is_known(file.checksum)) {
        return Err(damaged(format!("the crate file of {}@{} is not in it", file.name, file.num)));
    }
    let agreed = make_agree(connection, stage.index)?;
    Ok(Rehearsed { agreed, seconds: start.elapsed().as_secs_f64() })
}
