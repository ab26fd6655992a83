//! Crates and versions: their rows, owners, dependencies, downloads and files.

pub mod analyses;
pub mod anticipated;
pub mod crate_deletion;
pub mod crate_details;
pub mod crate_files;
pub mod crate_limits;
pub mod crates;
pub mod dependencies;
pub mod dependents;
pub mod derived;
pub mod desired_yank;
pub mod downloads;
pub mod locked_crate;
pub mod new_dependencies;
pub mod new_version;
pub mod owners;
pub mod ownership;
pub mod publish_facts;
pub mod refusal;
pub mod reserved_names;
pub mod topics;
pub mod user_removal;
pub mod version_actions;
pub mod version_details;
pub mod version_file;
pub mod versions;
