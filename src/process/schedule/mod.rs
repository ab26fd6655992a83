//! Work at intervals, by one process of an installation.

pub mod tidying;
pub mod verifying;
