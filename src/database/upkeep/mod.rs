//! Statements for backups, for verification, for several machines with an index remote, and for copies of the index in buckets.

pub mod backup;
pub mod crate_states;
pub mod index_exports;
pub mod index_state;
pub mod registry_count_states;
pub mod verify_reports;
