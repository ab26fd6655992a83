//! Restore of a registry, or of its index alone, from a backup.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use diesel::PgConnection;
use serde::Serialize;

use super::check::Checked;
use super::directory::Directory;
use super::error::BackupError;
use super::manifest::{BUNDLE, DUMP, Manifest};
use super::progress::Progress;
use super::upstream_cache::{self, UpstreamCache};
use crate::crate_store::CrateStore;
use crate::database::email::notices;
use crate::database::migrations;
use crate::database::upkeep::{backup as database, index_exports};
use crate::database::webhooks::endpoints;
use crate::index::{Change, Index, IndexError};
use crate::jobs::{self, Disagreement};
use crate::package::index_path::index_path;
use crate::postgres::client_programs::ClientPrograms;

/// Crates per page.
const PAGE: i64 = 100;

/// The registry to restore into: an empty database, an empty index, and a crate store, which may have files already.
pub struct Target<'a> {
    pub database_url: &'a str,
    /// The directory of PostgreSQL's programs, if it is not one of the usual ones.
    pub postgres_bin_dir: Option<&'a Path>,
    pub index: &'a Index,
    pub crate_store: &'a CrateStore,
    /// Where files of upstreams are kept, if the backup has some.
    pub upstream_cache: Option<UpstreamCache<'a>>,
}

/// A restored registry.
#[derive(Serialize, Clone, Debug)]
pub struct Restored {
    #[serde(flatten)]
    pub manifest: Manifest,
    #[serde(flatten)]
    pub agreed: Agreed,
    /// Webhooks that were not paused before. What waits is delivered when they are resumed.
    pub paused_webhooks: usize,
    pub seconds: f64,
}

/// What was changed in the index to match the database.
#[derive(Serialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// Crates whose index files were rendered from the database.
    pub rendered: usize,
    /// Removed index files, of crates that the database does not have.
    pub taken_out: usize,
    /// Crates whose index files still differ, and why. Everything else is restored.
    pub not_in_agreement: Vec<Disagreement>,
}

/// Restores a checked backup.
pub fn restore(
    directory: &Directory,
    checked: &Checked,
    target: &Target<'_>,
    connection: &mut PgConnection,
) -> Result<Restored, BackupError> {
    let start = Instant::now();
    let manifest = &checked.manifest;
    let programs = programs(checked, target.postgres_bin_dir, connection)?;
    restore_files(directory, checked, target.crate_store)?;
    if let Some(cache) = target.upstream_cache.as_ref().filter(|_| manifest.upstream_cache.is_some()) {
        upstream_cache::restore(&directory.backup(&manifest.name), cache)?;
    }
    restore_index(directory, manifest, target.index)?;
    restore_database(directory, manifest, &programs, target.database_url, connection)?;
    // This may be a copy, and the registry still at work.
    let paused_webhooks = endpoints::pause_all(connection, "restored from a backup")?;
    notices::remove_all(connection)?;
    // The bucket may have files of later commits.
    index_exports::forget_all(connection)?;
    let agreed = make_agree(connection, target.index)?;
    Ok(Restored { manifest: manifest.clone(), agreed, paused_webhooks, seconds: start.elapsed().as_secs_f64() })
}

/// The programs that restore the dump. The error says why it cannot be restored into this database.
pub(super) fn programs(
    checked: &Checked,
    postgres_bin_dir: Option<&Path>,
    connection: &mut PgConnection,
) -> Result<ClientPrograms, BackupError> {
    let manifest = &checked.manifest;
    if !migrations::is_known(&manifest.schema)? {
        return Err(BackupError::Newer {
            name: manifest.name.clone(),
            program: manifest.program.clone(),
            schema: manifest.schema.clone(),
        });
    }
    if !database::is_empty(connection)? {
        return Err(BackupError::DatabaseNotEmpty);
    }
    let major = database::major_version(connection)?.max(manifest.postgresql);
    Ok(ClientPrograms::find(postgres_bin_dir, major)?)
}

pub(super) fn restore_database(
    directory: &Directory,
    manifest: &Manifest,
    programs: &ClientPrograms,
    database_url: &str,
    connection: &mut PgConnection,
) -> Result<(), BackupError> {
    let _progress = Progress::of_work("restoring the database");
    programs.restore(database_url, &directory.backup(&manifest.name).join(DUMP))?;
    migrations::migrate(connection)?;
    Ok(())
}

/// Restores the lost index of a registry from a backup, and updates it to match the registry's database.
pub fn restore_index_only(
    directory: &Directory,
    checked: &Checked,
    index: &Index,
    connection: &mut PgConnection,
) -> Result<Restored, BackupError> {
    let start = Instant::now();
    if index.head()?.commit.is_some() {
        return Err(BackupError::IndexNotEmpty(index.path().to_owned()));
    }
    restore_index(directory, &checked.manifest, index)?;
    let agreed = make_agree(connection, index)?;
    Ok(Restored {
        manifest: checked.manifest.clone(),
        agreed,
        paused_webhooks: 0,
        seconds: start.elapsed().as_secs_f64(),
    })
}

pub(super) fn make_agree(connection: &mut PgConnection, index: &Index) -> Result<Agreed, BackupError> {
    let jobs::Agreement { differed, failed } = render_all(connection, index)?;
    Ok(Agreed { rendered: differed, taken_out: remove_unknown(connection, index)?, not_in_agreement: failed })
}

fn restore_files(directory: &Directory, checked: &Checked, store: &CrateStore) -> Result<(), BackupError> {
    let progress = Progress::of_bytes("crate files", checked.manifest.file_bytes);
    for &(checksum, size) in &checked.needed {
        let path = directory.crate_file(checksum);
        let content = Bytes::from(std::fs::read(&path).map_err(BackupError::file("read", &path))?);
        store.put(checksum, content)?;
        progress.advance(size);
    }
    Ok(())
}

pub(super) fn restore_index(directory: &Directory, manifest: &Manifest, index: &Index) -> Result<(), BackupError> {
    let Some(expected) = &manifest.head else { return Ok(()) };
    let _progress = Progress::of_work("restoring the index");
    let head = index.read_bundle(&directory.backup(&manifest.name).join(BUNDLE))?;
    let found = head.commit.map(|commit| commit.to_string()).unwrap_or_default();
    if found == *expected { Ok(()) } else { Err(BackupError::OtherHead { found, expected: expected.clone() }) }
}

/// Updates the index file of every crate to match the database.
fn render_all(connection: &mut PgConnection, index: &Index) -> Result<jobs::Agreement, BackupError> {
    let total = database::crate_names(connection)?.len() as u64;
    let progress = Progress::of_count("crates in the index", total);
    let (mut after, mut all) = (0, jobs::Agreement::default());
    loop {
        let ids = database::crate_ids_after(connection, after, PAGE)?;
        let Some(last) = ids.last() else { return Ok(all) };
        after = *last;
        let some = jobs::agree(connection, index, &ids).map_err(BackupError::Agreement)?;
        all.differed += some.differed;
        all.failed.extend(some.failed);
        progress.advance(ids.len() as u64);
    }
}

/// Removes the index files of crates that were published after the dump. They have to be published again.
fn remove_unknown(connection: &mut PgConnection, index: &Index) -> Result<usize, BackupError> {
    let known: HashSet<String> = database::crate_names(connection)?.iter().map(index_path).collect();
    let writer = index.lock_writer()?;
    loop {
        let head = index.head()?;
        let unknown: Vec<String> = index.crate_paths(&head)?.into_iter().filter(|path| !known.contains(path)).collect();
        let changes: Vec<Change> = unknown
            .into_iter()
            .map(|path| {
                let name = path.rsplit('/').next().unwrap_or_default();
                let message = format!("Remove {name}, which the restored database does not have");
                Change { message, path, content: None }
            })
            .collect();
        match writer.commit(&head, &changes) {
            Err(IndexError::HeadMoved { .. }) => {}
            committed => return Ok(committed?.commits.into_iter().flatten().count()),
        }
    }
}
