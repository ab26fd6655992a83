//! Why documentation is not uploaded or deleted.

use crate::package::{CrateName, Version};

/// The reason of a refusal. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocsRefusal {
    #[error("`{name}@{num}` was deleted from this registry ({reason}), and can have no documentation")]
    Deleted { name: CrateName, num: Version, reason: String },
    #[error("`{name}@{num}` has no documentation in this registry, so there is nothing to delete")]
    None { name: CrateName, num: Version },
}
