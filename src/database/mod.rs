//! The registry's tables.
pub mod embedded;
