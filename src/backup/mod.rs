//! Backups of a running registry, and their restore.
//!
//! ```text
//! DIR/lock                          one backup at a time
//! DIR/crates/ab/ab12….crate         crate files, shared by all backups of DIR
//! DIR/2026-11-21T03-00-00Z/         one backup, complete since it has this name
//!     database.dump                 pg_dump's custom format
//!     index.bundle                  the index with its history, as git bundles it
//!     crates.list                   the crate files it needs: checksum and size per line
//!     upstream.list, upstream/      the cache of upstreams, if it was asked for
//!     backup.json                   the manifest, with the checksums of the three files above
//! ```
//!
//! **Consistency.** The database is dumped from one snapshot, and the list of crate files is read in the same snapshot. A
//! version's file is stored before its row is committed, so every file of the list exists. It also stays: jobs that remove
//! files of deleted versions are postponed while a backup is being made. The index is read after the dump. An index is never
//! behind its database, so it has at least everything that the dump records for it, and perhaps more. A restore trusts the
//! database, and updates the index by commits on top of what clients have seen.
//!
//! **Completeness.** A backup is built as `.TIME.unfinished` and renamed when everything in it is on the disk. The next
//! backup removes what a killed one left. Files in `crates/` are named by their checksums and are renamed into place, too.

mod check;
mod directory;
mod error;
mod files;
mod make;
mod manifest;
mod private_files;
pub(crate) mod progress;
mod prune;
mod restore;
mod trial_restore;
mod upstream_cache;

pub use check::{Checked, check};
pub use directory::Directory;
pub use error::BackupError;
pub use make::{Made, Source, make};
pub(crate) use progress::Progress;

pub use manifest::{DUMP, Manifest, Problem, UpstreamFiles};
pub use restore::{Agreed, Restored, Target, restore, restore_index_only};
pub use trial_restore::{TrialRestore, TrialTarget, restore_on_trial};
pub use upstream_cache::UpstreamCache;
