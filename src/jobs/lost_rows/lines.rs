//! Reading an index file by its versions.

use crate::index::entry::line::IndexLine;
use crate::index::shown::ShownVersion;
use crate::package::{Checksum, Version};

/// The lines of an index file that cargo can read, with their versions.
pub(super) fn lines(content: &[u8]) -> impl Iterator<Item = (&[u8], Version)> {
    content.split(|&byte| byte == b'\n').filter_map(|line| Some((line, version_in(line)?)))
}

/// The checksum that an index file has for the version of exactly this number.
pub fn checksum_in(content: &[u8], num: &Version) -> Option<Checksum> {
    let (line, _) = lines(content).find(|(_, version)| version == num)?;
    let line = IndexLine::parse(std::str::from_utf8(line).ok()?).ok()?;
    Some(line.checksum)
}

fn version_in(line: &[u8]) -> Option<Version> {
    serde_json::from_slice::<ShownVersion>(line).ok()?.vers.parse().ok()
}

/// Whether two versions are the same for cargo, which ignores the build metadata.
pub(super) fn is_same(one: &Version, other: &Version) -> bool {
    one.without_build() == other.without_build()
}
