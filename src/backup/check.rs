//! Verification of the checksums of a backup.

use serde::Serialize;

use super::directory::Directory;
use super::error::BackupError;
use super::manifest::{self, BUNDLE, DUMP, LIST, Manifest, Part};
use super::progress::Progress;
use super::upstream_cache;
use crate::package::Checksum;

/// A backup whose checksums were verified.
#[derive(Serialize, Clone, Debug)]
pub struct Checked {
    #[serde(flatten)]
    pub manifest: Manifest,
    #[serde(skip)]
    pub(super) needed: Vec<(Checksum, u64)>,
}

/// Verifies the checksum of every file of a backup. The error names the first one that differs.
pub fn check(directory: &Directory, at: Option<&str>) -> Result<Checked, BackupError> {
    let name = directory.choose(at)?;
    let manifest = Manifest::read(directory, &name)?;
    let damaged = |problem: String| BackupError::Damaged { name: name.clone(), problem };
    let of_upstreams = manifest.upstream_cache.map(|_| upstream_cache::LIST);
    let expected = [Some(DUMP), manifest.head.as_ref().map(|_| BUNDLE), Some(LIST), of_upstreams];
    for part in expected.into_iter().flatten() {
        let written = manifest.parts.get(part).ok_or_else(|| damaged(format!("backup.json does not name {part}")))?;
        let found =
            manifest::part_of(&directory.backup(&name).join(part)).map_err(|error| damaged(error.to_string()))?;
        if found != *written {
            return Err(damaged(differs(part, &found, written)));
        }
    }
    if of_upstreams.is_some() {
        upstream_cache::check(&directory.backup(&name)).map_err(damaged)?;
    }
    let needed = manifest::needed(directory, &manifest)?;
    let progress = Progress::of_bytes("crate files", manifest.file_bytes);
    for &(checksum, size) in &needed {
        let path = directory.crate_file(checksum);
        let found = manifest::part_of(&path).map_err(|error| damaged(error.to_string()))?;
        if found.sha256 != checksum {
            return Err(damaged(differs(&path.display().to_string(), &found, &Part { size, sha256: checksum })));
        }
        progress.advance(size);
    }
    Ok(Checked { manifest, needed })
}

fn differs(what: &str, found: &Part, written: &Part) -> String {
    format!(
        "{what} has {} bytes and the checksum {} instead of {} bytes and the checksum {}",
        found.size, found.sha256, written.size, written.sha256
    )
}
