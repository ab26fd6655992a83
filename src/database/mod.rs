//! The registry's tables, one file a noun, and the ways to reach them. Knows no queue and no index.

pub mod about;
pub mod access;
pub mod catalog;
pub mod migrations;
pub mod pool;
pub mod schema;
pub mod search;
pub mod upkeep;

mod types;

pub use pool::{Pool, PoolError};
