//! The registry's jobs, and the only place where queue, index and database meet.
//!
//! A request writes what is *wanted* together with the job that will see to it. The job makes the index so, and then
//! writes what is *effective* into the database. A crate's file in the index is a pure function of its wanted rows, so
//! the order of jobs does not matter: whichever runs, it writes the last wish, and running one again changes nothing.

pub mod admission;
pub mod delete_version;
pub mod environment;
pub mod maintain_index;
pub mod publish_version;
pub mod remove_crate_file;
pub mod restoration;
pub mod sync_crate;
pub mod unused_files;
pub mod unyank_version;
pub mod yank_version;

mod commit_message;
pub mod follow;

mod subject;
mod sync_index;
mod sync_remote;
mod wish;
mod written;

pub use admission::{Admission, NewCrates};
pub use delete_version::DeleteVersion;
pub use environment::{Environment, registry};
pub use maintain_index::MaintainIndex;
pub use publish_version::PublishVersion;
pub use remove_crate_file::RemoveCrateFile;
pub use sync_crate::SyncCrate;
pub use sync_index::{Agreement, Disagreement, QUEUE, agree};
pub use unyank_version::UnyankVersion;
pub use wish::{VersionChange, YankError};
pub use yank_version::YankVersion;
