//! The registry's tables, one file a noun, and the ways to reach them. Knows no queue and no index.

pub mod about;
pub mod audit;
pub mod backup;
pub mod caller;
pub mod catalog;
pub mod client_programs;
pub mod crate_files;
pub mod crate_limits;
pub mod crate_states;
pub mod crates;
pub mod dependencies;
pub mod downloads;
pub mod embedded;
pub mod index_state;
pub mod migrations;
pub mod owners;
pub mod ownership;
pub mod pool;
pub mod rate_limits;
pub mod reserved_names;
pub mod restored;
pub mod rows;
pub mod schema;
pub mod scope;
pub mod search;
pub mod teams;
pub mod tokens;
pub mod topics;
pub mod upload_allowance;
pub mod url;
pub mod users;
pub mod verify_reports;
pub mod versions;

mod types;
mod words;

pub use pool::{Pool, PoolError};
