//! The second checks, in an order that cannot report a false difference.

pub mod counts;
pub mod crate_files;
pub mod crates;
pub mod index_export;
pub mod index_files;
pub mod remote;
pub mod upstream_files;
