//! Backups of a registry that goes on working, and what is made from them.
//!
//! ```text
//! DIR/lock                          one backup at a time
//! DIR/crates/ab/ab12….crate         crate files, shared by all backups of DIR
//! DIR/2026-11-21T03-00-00Z/         one backup, complete since it has this name
//!     database.dump                 pg_dump's custom format
//!     index.bundle                  the index with its history, as git bundles it
//!     crates.list                   the crate files it needs: checksum and size a line
//!     backup.json                   what it is of, and the checksums of the three
//! ```
//!
//! **What makes it consistent.** The database is dumped as one snapshot saw it, and the list of files is read in the same
//! snapshot. A version's file is stored before its row is committed, so every file of the list is there; and it stays:
//! the jobs that remove files of deleted versions are put off while a backup is being made. The index is read after the
//! dump. An index is never behind its database, so this one shows at least all that the dump says it shows, and perhaps
//! more. The restore takes the database for the truth, and makes the index agree by commits on top of what clients have
//! seen.
//!
//! **What makes it whole.** A backup is built as `.TIME.unfinished` and renamed when everything in it is on the disk. What
//! a killed one left is removed by the next one. Files in `crates/` have their content's checksum as their name and are
//! renamed into place, too.

mod check;
mod directory;
mod error;
mod files;
mod make;
mod manifest;
mod progress;
mod rehearse;
mod restore;

pub use check::{Checked, check};
pub use directory::Directory;
pub use error::BackupError;
pub use make::{Made, Source, make};
pub use manifest::{DUMP, Manifest, Problem};
pub use rehearse::{Rehearsed, Stage, rehearse};
pub use restore::{Agreed, Restored, Target, restore, restore_index_only};
