//! The description of a backup: `backup.json` and `crates.list`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::directory::Directory;
use super::error::BackupError;
use super::private_files::create_file;
use crate::package::Checksum;

/// The file names in a backup.
pub const DUMP: &str = "database.dump";
pub(super) const BUNDLE: &str = "index.bundle";
pub(super) const LIST: &str = "crates.list";
const MANIFEST: &str = "backup.json";
/// Incremented when older versions of the program cannot read a backup.
const FORMAT: u32 = 1;

/// `backup.json`.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Manifest {
    pub format: u32,
    /// The name of the backup and of its directory.
    pub name: String,
    /// The version of the program that made it.
    pub program: String,
    pub made_at: DateTime<Utc>,
    /// The newest migration of the dumped database.
    pub schema: String,
    /// The major version of the dumped PostgreSQL.
    pub postgresql: u32,
    /// The commit of the index; none if the index was empty.
    pub head: Option<String>,
    pub crates: i64,
    pub versions: i64,
    /// The number of crate files that the backup needs, and their bytes.
    pub files: u64,
    pub file_bytes: u64,
    /// Files that were kept of upstreams, beside those in the database. None if the backup was made without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_cache: Option<UpstreamFiles>,
    /// By file name.
    pub parts: BTreeMap<String, Part>,
    /// Crate files that are not in the backup, because they were lost or damaged before.
    pub problems: Vec<Problem>,
}

/// What a backup has of the cache of upstreams.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpstreamFiles {
    pub files: u64,
    pub bytes: u64,
}

/// A file of a backup.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// In bytes.
    pub size: u64,
    pub sha256: Checksum,
}

/// A crate file that is not in a backup.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub checksum: Checksum,
    /// The version that needs it, as `name@version`.
    pub version: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Manifest {
    pub(super) fn format() -> u32 {
        FORMAT
    }

    /// Reads the manifest of a backup.
    pub fn read(directory: &Directory, name: &str) -> Result<Self, BackupError> {
        let path = directory.backup(name).join(MANIFEST);
        let damaged = |problem: String| BackupError::Damaged { name: name.to_owned(), problem };
        let text = std::fs::read(&path).map_err(|error| damaged(format!("cannot read {MANIFEST}: {error}")))?;
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| damaged(format!("cannot read {MANIFEST}: {error}")))?;
        if manifest.format > FORMAT {
            let Self { program, schema, .. } = manifest;
            return Err(BackupError::Newer { name: name.to_owned(), program, schema });
        }
        Ok(Self { name: name.to_owned(), ..manifest })
    }

    pub(super) fn write(&self, place: &Path) -> Result<(), BackupError> {
        let path = place.join(MANIFEST);
        let failed = |error: io::Error| BackupError::file("write", &path)(error);
        let mut file = create_file(&path)?;
        serde_json::to_writer_pretty(&mut file, self).map_err(|error| failed(error.into()))?;
        file.write_all(b"\n").and_then(|()| file.sync_all()).map_err(failed)
    }
}

/// A file writer that computes size and checksum.
pub(super) struct PartWriter {
    file: BufWriter<File>,
    hash: Sha256,
    size: u64,
}

impl PartWriter {
    pub(super) fn create(path: &Path) -> Result<Self, BackupError> {
        Ok(Self { file: BufWriter::new(create_file(path)?), hash: Sha256::new(), size: 0 })
    }

    /// Waits until the file is on the disk.
    pub(super) fn finish(self, path: &Path) -> Result<Part, BackupError> {
        let written = self.file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        written.map_err(BackupError::file("write", path))?;
        Ok(Part { size: self.size, sha256: Checksum::from_bytes(self.hash.finalize().into()) })
    }
}

impl Write for PartWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Reads a file and computes its size and checksum.
pub(super) fn part_of(path: &Path) -> Result<Part, BackupError> {
    let failed = |error| BackupError::file("read", path)(error);
    let mut file = File::open(path).map_err(failed)?;
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let length = file.read(&mut buffer).map_err(BackupError::file("read", path))?;
        if length == 0 {
            return Ok(Part { size, sha256: Checksum::from_bytes(hash.finalize().into()) });
        }
        hash.update(&buffer[..length]);
        size += length as u64;
    }
}

/// The crate files that a backup needs.
pub(super) fn needed(directory: &Directory, manifest: &Manifest) -> Result<Vec<(Checksum, u64)>, BackupError> {
    let path = directory.backup(&manifest.name).join(LIST);
    let damaged = || BackupError::Damaged {
        name: manifest.name.clone(),
        problem: format!("{LIST} has changed since it was written"),
    };
    if manifest.parts.get(LIST) != Some(&part_of(&path).map_err(|_| damaged())?) {
        return Err(damaged());
    }
    let file = File::open(&path).map_err(BackupError::file("read", &path))?;
    let lines = BufReader::new(file).lines();
    lines
        .map(|line| {
            let line = line.map_err(BackupError::file("read", &path))?;
            let (checksum, size) = line.split_once(' ').ok_or_else(damaged)?;
            Ok((checksum.parse().map_err(|_| damaged())?, size.parse().map_err(|_| damaged())?))
        })
        .collect()
}
