//! The registry's jobs, and the only place where queue, index and database meet.
//!
//! A request writes the *desired* state of a version, together with a job. The job writes the index, and then the *effective*
//! state, which is what the index shows, into the database. A crate's file in the index is a pure function of its desired
//! rows, so the order of the jobs does not matter: each writes the latest desired state, and running one again changes
//! nothing.

pub mod admission;
pub mod analysis;
pub mod crate_limit_changes;
pub mod delete_crate;
pub mod delete_version;
pub mod describing;
pub mod email;
pub mod environment;
pub mod follow;
pub mod index_export;
pub mod kinds;
pub mod leaving;
pub mod lost_rows;
pub mod maintain_index;
pub mod name_reservations;
pub mod publish_judgement;
pub mod publish_version;
pub mod remove_crate_file;
pub mod request;
pub mod restoration;
pub mod staging;
pub mod status;
pub mod sync_crate;
pub mod team_changes;
pub mod trusted_publishing;
pub mod unused_files;
pub mod upstream_decisions;
pub mod version_change;
pub mod version_docs;
pub mod webhooks;
pub mod yank;

mod commit_message;
mod desired;
mod edited_file;
mod effective;
mod index_error;
mod patience;
mod subject;
mod sync_index;
mod sync_remote;
mod written;

pub use admission::{Admission, NewCrates};
pub use delete_crate::DeleteCrate;
pub use delete_version::DeleteVersion;
pub use effective::Disagreement;
pub use environment::Environment;
pub use kinds::registry;
pub use maintain_index::MaintainIndex;
pub use publish_version::PublishVersion;
pub use remove_crate_file::RemoveCrateFile;
pub use request::{Completion, RequestError};
pub use sync_crate::SyncCrate;
pub use sync_index::{Agreement, agree};
pub use version_change::{QUEUE, VersionChange};
pub use yank::{UnyankVersion, YankVersion};
