//! The state of the index's handlers.

use std::sync::Arc;

use super::git::GitService;
use crate::index::View;

/// The index for both protocols.
#[derive(Debug, Clone)]
pub struct IndexState {
    /// The files of the sparse protocol.
    pub view: View,
    /// The git protocol.
    pub git: GitService,
}

/// The index, and the URL of the registry.
#[derive(Debug, Clone)]
pub struct Served {
    pub index: IndexState,
    /// The registry's URL without a slash at its end, for texts that name the URL to use.
    pub base_url: Arc<str>,
}
