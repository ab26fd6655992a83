//! The registry's tables, one file a noun, and the ways to reach them. Knows no queue and no index.

pub mod crates;
pub mod embedded;
pub mod migrations;
pub mod owners;
pub mod pool;
pub mod schema;
pub mod tokens;
pub mod url;
pub mod users;
pub mod versions;

mod types;

pub use pool::{Pool, PoolError};
