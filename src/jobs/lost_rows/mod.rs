//! Versions that the index has and the database does not, because the database has lost its latest changes: it is an older
//! backup, or a standby that was promoted before it had received them. `supercargo verify --repair` restores their rows.
//! Until then their lines stay in the index, and nothing else is published in their places.

mod kept_lines;
mod taken_places;

pub(in crate::jobs) use kept_lines::append;
pub use taken_places::TakenPlaces;

use crate::index::shown::ShownVersion;
use crate::package::Version;

/// The lines of an index file that cargo can read, with their versions.
fn lines(content: &[u8]) -> impl Iterator<Item = (&[u8], Version)> {
    content.split(|&byte| byte == b'\n').filter_map(|line| Some((line, version_in(line)?)))
}

fn version_in(line: &[u8]) -> Option<Version> {
    serde_json::from_slice::<ShownVersion>(line).ok()?.vers.parse().ok()
}

/// Whether two versions are the same for cargo, which ignores the build metadata.
fn is_same(one: &Version, other: &Version) -> bool {
    one.without_build() == other.without_build()
}
