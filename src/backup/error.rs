//! Why a backup could not be made, checked or restored.

use std::io;
use std::path::{Path, PathBuf};

use crate::crate_store::CrateStoreError;
use crate::fault::Fault;
use crate::index::IndexError;
use crate::postgres::client_programs::DumpError;
use crate::queue::JobError;

/// Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("can't {action} {}: {source}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("another backup is being made in {}: wait for its end", .0.display())]
    Locked(PathBuf),
    #[error("another backup of this registry is being made, to another directory: wait for its end")]
    OtherBackup,
    #[error("there is no backup in {}: name the directory that `supercargo backup` was given", .0.display())]
    None(PathBuf),
    #[error("there is no backup {name:?} in {}: there are {known}", directory.display())]
    Unknown { name: String, directory: PathBuf, known: String },
    #[error("the backup {name} is damaged: {problem}. Take another one with --at, or the same one from a copy")]
    Damaged { name: String, problem: String },
    #[error(
        "the backup {name} was made by supercargo {program}, whose database has the migration {schema}, which this version \
         does not know: restore it with a program that knows it"
    )]
    Newer { name: String, program: String, schema: String },
    #[error(
        "the backup was made of a PostgreSQL {needed}, and the server programs found here are of PostgreSQL {found}, which may \
         not be able to restore it: install postgresql-{needed}, name its programs with --postgres-bin-dir, or use \
         --checksums-only"
    )]
    OldServer { found: u32, needed: u32 },
    #[error("the database ended the session that kept crate files from being removed: make the backup again")]
    SessionLost,
    #[error("the database is not empty: restore into an empty one, so that nothing is mixed or lost")]
    DatabaseNotEmpty,
    #[error("there is an index at {} already: move it away first", .0.display())]
    IndexNotEmpty(PathBuf),
    #[error("the index could not be made to agree with the database: {0}")]
    Agreement(JobError),
    #[error(
        "the index came out of the backup at {found}, and backup.json names {expected}: take another backup with --at"
    )]
    OtherHead { found: String, expected: String },
    #[error(transparent)]
    Dump(#[from] DumpError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    CrateStore(#[from] CrateStoreError),
    #[error("the database failed: {0}")]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    Migration(#[from] crate::database::migrations::MigrationError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl BackupError {
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { action, path: path.to_owned(), source }
    }
}
