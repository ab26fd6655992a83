//! The registry's database: its tables, without those of the queue.

pub mod about;
pub mod access;
pub mod advisories;
pub mod catalog;
pub mod checked_session;
pub mod download_log;
pub mod email;
pub mod migrations;
pub mod pool;
pub mod primary;
pub mod publishers;
pub mod registry_counts;
pub mod schema;
pub mod search;
pub mod sign_in;
pub mod staging;
pub mod upkeep;
pub mod upstream_pins;
pub mod upstream_policies;
pub mod upstream_rules;
pub mod upstream_sharing;
pub mod webhooks;

mod types;

pub use checked_session::CheckedSession;
pub use pool::{Pool, PoolError};
pub use primary::Primary;
