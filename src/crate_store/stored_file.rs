//! A file as a listing of the store has it.

use chrono::{DateTime, Utc};

use crate::package::Checksum;

/// A file of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// The path in the store.
    pub location: String,
    /// The checksum in its name; `None` for any other name.
    pub checksum: Option<Checksum>,
    /// In bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: DateTime<Utc>,
}
