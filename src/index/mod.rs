//! The git index, which knows no database.
//!
//! The index is a bare git repository: one file a crate and `config.json`, on the branch `main`. Nobody checks it out,
//! neither here nor anywhere: it is read and written through its objects, so an operation costs the few objects on the
//! path of one crate whatever the number of crates.
//!
//! Any number of readers, in any number of processes, read it at any time: they take a [`Head`] and everything they
//! read with it is of that one commit. There is one [`Writer`] at a time in an installation, which the writer's lock
//! guarantees; that it also moves the branch by compare-and-swap means that a violated lock costs a repetition and
//! never a commit.
//!
//! An index may be the mirror of a [`remote`], which then is the truth.

mod batch;
mod bundle;
mod change;
mod checking;
mod config_json;
pub mod entry;
mod error;
mod foreign;
mod git_limits;
mod git_program;
mod initialise;
mod leftovers;
mod listing;
mod maintenance;
mod references;
pub mod remote;
mod repository;
mod serving;
pub mod shown;
mod view;
mod writer;

pub use change::Change;
pub use checking::Condition;
pub use config_json::ConfigJson;
pub use error::IndexError;
pub use foreign::ForeignIndex;
pub use git_program::{GitProgram, readable_stderr};
pub use git2::Oid;
pub use listing::RootEntry;
pub use maintenance::{Maintainer, Maintenance, REPACK_LIMIT};
pub use references::{Reference, References};
pub use remote::{Credentials, Remote, RemoteOptions};
pub use repository::{Head, Index, IndexFile};
pub use serving::PackSizes;
pub use view::{Coding, View};
pub use writer::{Committed, Writer};

#[cfg(test)]
mod tests;
