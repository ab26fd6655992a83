//! Statements for backups, for verification, and for several machines with an index remote.

pub mod backup;
pub mod crate_states;
pub mod index_state;
pub mod registry_count_states;
pub mod verify_reports;
