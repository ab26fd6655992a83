//! Reading an index file by its versions.

use serde::Deserialize;

use crate::index::entry::line::IndexLine;
use crate::package::{Checksum, Version};

/// What a line has that this registry wrote. One without it was written by somebody else, and cargo cannot use it.
#[derive(Deserialize)]
struct Line {
    vers: Version,
    #[serde(rename = "cksum")]
    _checksum: Checksum,
}

/// The lines of an index file that this registry may have written, with their versions.
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
    serde_json::from_slice::<Line>(line).ok().map(|line| line.vers)
}

/// The line of a version, if the file has one. A file may have thousands of lines, and nearly no file has this one.
pub(super) fn line_of<'a>(content: &'a [u8], num: &Version) -> Option<&'a [u8]> {
    let opening = format!("\"{}", num.without_build());
    if !std::str::from_utf8(content).is_ok_and(|text| text.contains(&opening)) {
        return None;
    }
    lines(content).find(|(_, version)| is_same(version, num)).map(|(line, _)| line)
}

/// Whether two versions are the same for cargo, which ignores the build metadata.
pub(super) fn is_same(one: &Version, other: &Version) -> bool {
    one.without_build() == other.without_build()
}
