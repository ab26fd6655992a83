//! What jobs work on besides their own data.

use crate::crate_store::CrateStore;
use crate::index::Index;

/// The index and the crate store, for all jobs.
pub struct Environment {
    pub index: Index,
    pub crate_store: CrateStore,
}
