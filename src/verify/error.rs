//! Why a verification could not run.

use crate::crate_store::CrateStoreError;
use crate::database::PoolError;
use crate::fault;
use crate::index::IndexError;
use crate::jobs::index_export::ExportError;
use crate::jobs::restoration::RestoreError;
use crate::jobs::unused_files::UnusedFileError;
use crate::queue::EnqueueError;
use crate::queue::registry::RegistryError;
use crate::upstream_cache::shared_file::SharedFileError;

/// Why a run failed. Its row of `verify_reports` holds what it had found by then.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error("the database failed")]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    CrateStore(#[from] CrateStoreError),
    #[error(transparent)]
    Shared(#[from] SharedFileError),
    #[error("cannot read the crate store's directory or start a thread")]
    System(#[from] std::io::Error),
    #[error(transparent)]
    Kinds(#[from] RegistryError),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error(transparent)]
    Unused(#[from] UnusedFileError),
    #[error("cannot check the copy of the index: {0}")]
    Export(#[from] ExportError),
    #[error("cannot run the jobs of the repair: {0}")]
    Perform(String),
    #[error(transparent)]
    Fault(#[from] fault::Fault),
}
