//! What an index file shows of each version, which is little enough to read of any line, also of one that this program
//! did not write.

use serde::Deserialize;

/// The version of one line.
#[derive(Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ShownVersion {
    pub vers: String,
    #[serde(default)]
    pub yanked: bool,
}

/// The versions of a crate's file in the order of its lines.
pub fn shown_versions(content: &[u8]) -> Result<Vec<ShownVersion>, serde_json::Error> {
    content.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(serde_json::from_slice).collect()
}
