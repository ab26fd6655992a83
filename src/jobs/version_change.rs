//! The version that a job of the index is about.

use serde::{Deserialize, Serialize};

use crate::package::{CrateName, Version};
use crate::queue::Policy;

/// The queue of all jobs that write the index.
pub const QUEUE: &str = "index";

/// A version whose desired state was changed. The state itself is read when the job runs.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct VersionChange {
    pub crate_id: i32,
    pub version_id: i32,
    pub name: CrateName,
    pub num: Version,
}

/// The policy of the jobs that write the index.
pub(super) const INDEX_POLICY: Policy = Policy { max_attempts: 20, ..Policy::in_queue(QUEUE) };
