//! Creation of a backup.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::Utc;
use diesel::PgConnection;
use serde::Serialize;

use super::directory::Directory;
use super::error::BackupError;
use super::files::{gather, size_of};
use super::manifest::{self, BUNDLE, DUMP, LIST, Manifest, Part, PartWriter, Problem};
use super::private_files::{create_directory, sync};
use super::progress::Progress;
use super::prune::{Pruned, prune};
use super::upstream_cache::{self, UpstreamCache};
use crate::crate_store::CrateStore;
use crate::database::upkeep::backup::{self as database, NeededFile, Snapshot};
use crate::fault;
use crate::index::Index;
use crate::postgres::client_programs::ClientPrograms;

/// How long to wait for a job that is removing a file.
const PATIENCE: Duration = Duration::from_secs(10);
const TRY_EVERY: Duration = Duration::from_millis(50);

/// The tables with index files of upstreams.
const UPSTREAM_CACHE: [&str; 2] = ["upstream_index_files", "upstream_requests"];

/// The registry to back up.
pub struct Source<'a> {
    pub database_url: &'a str,
    /// The directory of PostgreSQL's programs, if it is not one of the usual ones.
    pub postgres_bin_dir: Option<&'a Path>,
    pub index: &'a Index,
    pub crate_store: &'a CrateStore,
    /// The cache of upstreams, if the backup is to have it.
    pub upstream_cache: Option<UpstreamCache<'a>>,
}

/// A backup that was made.
#[derive(Serialize, Clone, Debug)]
pub struct Made {
    #[serde(flatten)]
    pub manifest: Manifest,
    /// Crate files that no earlier backup had, and their bytes.
    pub new_files: u64,
    pub new_file_bytes: u64,
    /// How many of them are links to files of the crate store.
    pub linked_files: u64,
    /// Old backups that were removed, and the number of their crate files that were removed.
    pub removed: Vec<String>,
    pub removed_files: usize,
    pub seconds: f64,
}

/// Makes a backup, and then removes the oldest ones, so that `keep` remain. `connection` must not be used by others.
pub fn make(
    source: &Source<'_>,
    connection: &mut PgConnection,
    directory: &Directory,
    keep: Option<usize>,
) -> Result<Made, BackupError> {
    let start = Instant::now();
    let _locked = directory.lock()?;
    create_directory(&directory.crates())?;
    keep_files(connection)?;
    let made_at = Utc::now();
    let (place, name) = directory.begin(made_at)?;
    let finished = write_parts(source, connection, directory, &place).and_then(|mut written| {
        written.manifest.name.clone_from(&name);
        written.manifest.made_at = made_at;
        written.manifest.write(&place)?;
        // If the session was lost, the list can name files that were removed meanwhile.
        if !database::release_files(connection).unwrap_or(false) {
            return Err(BackupError::SessionLost);
        }
        fault::point("backup.written")?;
        directory.finish(&place, &name)?;
        Ok(written)
    });
    if finished.is_err() {
        // The next backup removes what cannot be removed now.
        let _ = fs::remove_dir_all(&place);
    }
    let Written { manifest, added, linked } = finished?;
    let pruned = keep.map_or_else(|| Ok(Pruned::default()), |keep| prune(directory, keep))?;
    Ok(Made {
        manifest,
        new_files: added.0,
        new_file_bytes: added.1,
        linked_files: linked,
        removed: pruned.backups,
        removed_files: pruned.files,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Prevents the removal of crate files until the session ends.
fn keep_files(connection: &mut PgConnection) -> Result<(), BackupError> {
    let until = Instant::now() + PATIENCE;
    while !database::keep_files(connection)? {
        if Instant::now() > until {
            return Err(BackupError::OtherBackup);
        }
        std::thread::sleep(TRY_EVERY);
    }
    Ok(())
}

struct Written {
    manifest: Manifest,
    added: (u64, u64),
    linked: u64,
}

fn write_parts(
    source: &Source<'_>,
    connection: &mut PgConnection,
    directory: &Directory,
    place: &Path,
) -> Result<Written, BackupError> {
    let mut parts = BTreeMap::new();
    let snapshot = database::begin_snapshot(connection)?;
    let needed = unique(database::needed_files(connection)?);
    let major = snapshot.major.try_into().unwrap_or(0);
    parts.insert(DUMP.to_owned(), dump(source, &snapshot, major, place)?);
    database::end_snapshot(connection)?;
    fault::point("backup.dumped")?;
    let head = bundle(source.index, place, &mut parts)?;
    fault::point("backup.bundled")?;
    let gathered = gather(source.crate_store, directory, &needed)?;
    parts.insert(LIST.to_owned(), write_list(&needed, &gathered.problems, place)?);
    let upstream_cache = match &source.upstream_cache {
        Some(cache) => {
            let (list, files) = upstream_cache::gather(cache, place)?;
            parts.insert(upstream_cache::LIST.to_owned(), list);
            Some(files)
        }
        None => None,
    };
    let is_there = |file: &&NeededFile| gathered.problems.iter().all(|problem| problem.checksum != file.checksum);
    let sizes: Vec<u64> = needed.iter().filter(is_there).map(size_of).collect();
    let manifest = Manifest {
        format: Manifest::format(),
        name: String::new(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: Utc::now(),
        schema: snapshot.schema,
        postgresql: major,
        head,
        crates: snapshot.crates,
        versions: snapshot.versions,
        files: sizes.len() as u64,
        file_bytes: sizes.iter().sum(),
        upstream_cache,
        parts,
        problems: gathered.problems,
    };
    Ok(Written { manifest, added: gathered.added, linked: gathered.linked })
}

/// Removes duplicates: versions can share a file.
fn unique(mut needed: Vec<NeededFile>) -> Vec<NeededFile> {
    needed.dedup_by_key(|file| file.checksum);
    needed
}

fn dump(source: &Source<'_>, snapshot: &Snapshot, major: u32, place: &Path) -> Result<Part, BackupError> {
    let _progress = Progress::of_work("dumping the database");
    let programs = ClientPrograms::find(source.postgres_bin_dir, major)?;
    let path = place.join(DUMP);
    let mut writer = PartWriter::create(&path)?;
    let left_out: &[&str] = if source.upstream_cache.is_some() { &[] } else { &UPSTREAM_CACHE };
    programs.dump(source.database_url, &snapshot.name, left_out, &mut writer)?;
    writer.finish(&path)
}

fn bundle(index: &Index, place: &Path, parts: &mut BTreeMap<String, Part>) -> Result<Option<String>, BackupError> {
    let _progress = Progress::of_work("bundling the index");
    let path = place.join(BUNDLE);
    let Some(head) = index.write_bundle(&path)? else { return Ok(None) };
    // Git creates it with the permissions of the umask.
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .map_err(BackupError::file("protect", &path))?;
    sync(&path)?;
    parts.insert(BUNDLE.to_owned(), manifest::part_of(&path)?);
    Ok(Some(head.to_string()))
}

fn write_list(needed: &[NeededFile], problems: &[Problem], place: &Path) -> Result<Part, BackupError> {
    let path = place.join(LIST);
    let mut writer = PartWriter::create(&path)?;
    for file in needed.iter().filter(|file| problems.iter().all(|problem| problem.checksum != file.checksum)) {
        writeln!(writer, "{} {}", file.checksum, size_of(file)).map_err(BackupError::file("write", &path))?;
    }
    writer.finish(&path)
}
