//! The part of an index line that decides what cargo shows of a version. It can be read from any line, also from one
//! that another program wrote.

use serde::Deserialize;

/// The version in one line.
#[derive(Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ShownVersion {
    pub vers: String,
    #[serde(default)]
    pub yanked: bool,
}

/// The versions in a crate's file, in the order of its lines.
pub fn shown_versions(content: &[u8]) -> Result<Vec<ShownVersion>, serde_json::Error> {
    content.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(serde_json::from_slice).collect()
}
