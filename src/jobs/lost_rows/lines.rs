//! Reading an index file by its versions.

use crate::index::shown::ShownVersion;
use crate::package::Version;

/// The lines of an index file that cargo can read, with their versions.
pub(super) fn lines(content: &[u8]) -> impl Iterator<Item = (&[u8], Version)> {
    content.split(|&byte| byte == b'\n').filter_map(|line| Some((line, version_in(line)?)))
}

fn version_in(line: &[u8]) -> Option<Version> {
    serde_json::from_slice::<ShownVersion>(line).ok()?.vers.parse().ok()
}

/// Whether two versions are the same for cargo, which ignores the build metadata.
pub(super) fn is_same(one: &Version, other: &Version) -> bool {
    one.without_build() == other.without_build()
}
