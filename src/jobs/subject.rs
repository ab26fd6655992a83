//! The subject of a job of the index: a version, or a file.

use super::version_change::VersionChange;

/// The subject of a job of the index.
pub enum Subject {
    /// A version whose desired state was changed.
    VersionChange(VersionChange),
    /// A file of the index. Its crate is looked up when the job runs; without one, the file is removed.
    File(String),
}
