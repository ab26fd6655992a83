//! What jobs work on besides their own data.

use crate::crate_store::CrateStore;
use crate::index::Index;
use crate::upstream::guarded::Guarded;

/// The index and the crate store, for all jobs, and the client that delivers to webhooks.
pub struct Environment {
    pub index: Index,
    pub crate_store: CrateStore,
    pub webhooks: Guarded,
}
