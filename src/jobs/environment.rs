//! What jobs work on besides their own data.

use super::index_export::Destination;
use crate::crate_store::CrateStore;
use crate::index::{ConfigJson, Index};
use crate::upstream::guarded::Guarded;
use crate::upstream::smtp::Smtp;

/// The index and the crate store, for all jobs, the clients that deliver to webhooks and send mail, and the index's copy.
pub struct Environment {
    pub index: Index,
    pub crate_store: CrateStore,
    pub webhooks: Guarded,
    /// None: this process sends no mail.
    pub smtp: Option<Smtp>,
    /// Where the index is exported to, if it is.
    pub index_export: Option<Destination>,
}

impl Environment {
    /// The URL by which clients know the registry, which is in the index.
    pub fn registry_url(&self) -> Option<String> {
        registry_url(&self.index)
    }
}

/// The URL by which clients know the registry of an index.
pub fn registry_url(index: &Index) -> Option<String> {
    let file = index.head().and_then(|head| index.read(&head, ConfigJson::PATH)).ok().flatten()?;
    ConfigJson::parse(&file.content).ok().map(|config| config.api)
}
