//! Versions that the index has and the database does not, because the database has lost its latest changes: it is an older
//! backup, or a standby that was promoted before it had received them. `supercargo verify --repair` restores their rows.
//! Until then their lines stay in the index, and nothing else is published in their places.

mod kept_lines;
mod lines;
mod taken_places;

pub(in crate::jobs) use kept_lines::append;
pub use lines::checksum_in;
pub use taken_places::TakenPlaces;
