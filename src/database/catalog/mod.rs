//! Crates and versions: their rows, owners, dependencies, downloads and files.

pub mod analyses;
pub mod crate_deletion;
pub mod crate_details;
pub mod crate_files;
pub mod crate_limits;
pub mod crates;
pub mod dependencies;
pub mod derived;
pub mod descriptions;
pub mod downloads;
pub mod effective_state;
pub mod index_files;
pub mod new_version;
pub mod owners;
pub mod ownership;
pub mod refusal;
pub mod reserved_names;
pub mod topics;
pub mod user_removal;
pub mod version_actions;
pub mod version_details;
pub mod version_summary;
pub mod versions;
