//! Why a backup could not be made, checked or restored.

use std::io;
use std::path::{Path, PathBuf};

use crate::crate_store::CrateStoreError;
use crate::fault::Fault;
use crate::index::IndexError;
use crate::postgres::client_programs::DumpError;
use crate::queue::JobError;

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("cannot {action} {}: {source}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("another backup is being made in {}: wait until it has finished", .0.display())]
    Locked(PathBuf),
    #[error("another backup of this registry is being made in another directory: wait until it has finished")]
    OtherBackup,
    #[error("there is no backup in {}: pass the directory that you passed to `supercargo backup`", .0.display())]
    None(PathBuf),
    #[error("there is no backup {name:?} in {}: choose one of {known}", directory.display())]
    Unknown { name: String, directory: PathBuf, known: String },
    #[error("the backup {name} is damaged ({problem}): choose another one with --at, or use a copy of the backup")]
    Damaged { name: String, problem: String },
    #[error(
        "the backup {name} was made by supercargo {program} with the database migration {schema}, which this version does not \
         have: restore it with that version or a newer one"
    )]
    Newer { name: String, program: String, schema: String },
    #[error(
        "the backup was made from PostgreSQL {needed}, but the server programs found are of PostgreSQL {found}, which may not be \
         able to restore it: install postgresql-{needed}, name its directory with --postgres-bin-dir, or pass \
         --checksums-only"
    )]
    OldServer { found: u32, needed: u32 },
    #[error("the database closed the session that prevents the removal of crate files: make the backup again")]
    SessionLost,
    #[error("the database is not empty: restore into an empty one")]
    DatabaseNotEmpty,
    #[error("there is an index at {} already: move it away first", .0.display())]
    IndexNotEmpty(PathBuf),
    #[error("cannot update the index to match the database: {0}")]
    Agreement(JobError),
    #[error("the index in the backup is at {found}, but backup.json names {expected}: choose another backup with --at")]
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
