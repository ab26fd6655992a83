//! The git index: a bare repository with one file per crate and `config.json` on one branch.
//!
//! There is no working tree. Objects are read and written directly, so the cost of an operation depends on the path of
//! one crate and not on the number of crates.
//!
//! Any number of readers, in any number of processes, read at any time: each takes a [`Head`], and everything it reads
//! with that head belongs to one commit. An installation has one [`Writer`] at a time, which its lock guarantees. The
//! writer also moves the branch by compare-and-swap, so if the lock fails, a batch is repeated but no commit is lost.
//!
//! An index may be the mirror of a [`remote`], which is then authoritative.

mod batch;
mod bitmap;
mod branch;
mod branch_file;
mod bundle;
mod cache;
mod change;
mod checking;
mod config_json;
pub mod entry;
mod error;
mod file_ids;
mod foreign;
mod foreign_files;
mod git_limits;
mod git_program;
mod gzip;
mod history;
mod initialise;
mod leftovers;
mod listing;
mod maintenance;
mod naming;
mod object_id;
mod pack_count;
mod packs;
mod reading;
mod references;
pub mod remote;
mod replay;
mod repository;
mod serving;
pub mod shown;
mod sync;
mod tree;
mod trees;
mod view;
mod writer;

pub use bitmap::Bitmap;
pub use change::Change;
pub use checking::Condition;
pub use config_json::ConfigJson;
pub use error::IndexError;
pub use foreign::ForeignIndex;
pub use foreign_files::{ForeignFile, ForeignFiles, ForeignFilesError, Reach};
pub use git_program::{GitProgram, readable_stderr};
pub use git2::Oid;
pub use history::History;
pub use listing::RootEntry;
pub use maintenance::{Maintainer, Maintenance, REPACK_LIMIT};
pub use references::{Reference, References};
pub use remote::{Credentials, Remote, RemoteOptions};
pub use repository::{Head, Index, IndexFile};
pub use serving::PackSizes;
pub use view::{Coding, View, blob_id};
pub use writer::{Committed, Writer};

#[cfg(test)]
mod tests;
