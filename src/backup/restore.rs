//! Making a registry from a backup.

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
use crate::crate_store::CrateStore;
use crate::database::backup::{self as database};
use crate::database::client_programs::ClientPrograms;
use crate::database::migrations;
use crate::index::path::index_path;
use crate::index::{Change, Index, IndexError};
use crate::jobs;

/// Crates that are looked at together.
const PAGE: i64 = 100;

/// Where a registry is made: an empty database, an empty index, and a crate store, which may have files already.
pub struct Target<'a> {
    pub database_url: &'a str,
    /// Where PostgreSQL's programs are, if not in the usual places.
    pub postgres_bin_dir: Option<&'a Path>,
    pub index: &'a Index,
    pub crate_store: &'a CrateStore,
}

/// A registry that was made.
#[derive(Serialize, Clone, Debug)]
pub struct Restored {
    #[serde(flatten)]
    pub manifest: Manifest,
    /// Crates whose files in the index were made to agree with the database.
    pub rendered: usize,
    /// Files of the index of crates that the database does not have.
    pub taken_out: usize,
    pub seconds: f64,
}

/// Makes a registry from a backup that was checked.
pub fn restore(
    directory: &Directory,
    checked: &Checked,
    target: &Target<'_>,
    connection: &mut PgConnection,
) -> Result<Restored, BackupError> {
    let start = Instant::now();
    let manifest = &checked.manifest;
    let newer = || BackupError::Newer {
        name: manifest.name.clone(),
        program: manifest.program.clone(),
        schema: manifest.schema.clone(),
    };
    if !migrations::knows(&manifest.schema)? {
        return Err(newer());
    }
    if !database::is_empty(connection)? {
        return Err(BackupError::DatabaseNotEmpty);
    }
    let programs =
        ClientPrograms::find(target.postgres_bin_dir, database::major_version(connection)?.max(manifest.postgresql))?;
    restore_files(directory, checked, target.crate_store)?;
    restore_index(directory, manifest, target.index)?;
    {
        let _progress = Progress::of_work("restoring the database");
        programs.restore(target.database_url, &directory.backup(&manifest.name).join(DUMP))?;
        migrations::migrate(connection)?;
    }
    let rendered = render_all(connection, target.index)?;
    let taken_out = take_out_strangers(connection, target.index)?;
    Ok(Restored { manifest: manifest.clone(), rendered, taken_out, seconds: start.elapsed().as_secs_f64() })
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

fn restore_index(directory: &Directory, manifest: &Manifest, index: &Index) -> Result<(), BackupError> {
    let Some(expected) = &manifest.head else { return Ok(()) };
    let _progress = Progress::of_work("restoring the index");
    let head = index.read_bundle(&directory.backup(&manifest.name).join(BUNDLE))?;
    let found = head.commit.map(|commit| commit.to_string()).unwrap_or_default();
    if found == *expected { Ok(()) } else { Err(BackupError::OtherHead { found, expected: expected.clone() }) }
}

/// Makes the index show what the database wants of every crate.
fn render_all(connection: &mut PgConnection, index: &Index) -> Result<usize, BackupError> {
    let total = database::crate_names(connection)?.len() as u64;
    let progress = Progress::of_count("crates in the index", total);
    let (mut after, mut rendered) = (0, 0);
    loop {
        let ids = database::crate_ids_after(connection, after, PAGE)?;
        let Some(last) = ids.last() else { return Ok(rendered) };
        after = *last;
        rendered += jobs::agree(connection, index, &ids).map_err(BackupError::Agreement)?;
        progress.advance(ids.len() as u64);
    }
}

/// Takes out what the index shows of crates that came into it after the dump. Whoever published them publishes them again.
fn take_out_strangers(connection: &mut PgConnection, index: &Index) -> Result<usize, BackupError> {
    let known: HashSet<String> = database::crate_names(connection)?.iter().map(index_path).collect();
    let writer = index.lock_writer()?;
    loop {
        let head = index.head()?;
        let strangers: Vec<String> =
            index.crate_paths(&head)?.into_iter().filter(|path| !known.contains(path)).collect();
        let changes: Vec<Change> = strangers
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
