//! Statements of maintenance: backup, verification, repair, and the state shared by machines with an index remote.

pub mod backup;
pub mod crate_states;
pub mod index_state;
pub mod restored;
pub mod verify_reports;
