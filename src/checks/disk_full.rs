//! The check whether publishes are refused for lack of space: in the data directory, with the database and the index, or
//! in the crate store. `serve` applies the same limits.

use std::path::Path;

use serde_json::json;

use super::finding::{Finding, Severity};
use crate::config::CrateStorePlace;
use crate::crate_store::FreeSpace;
use crate::full_disk::Space;

const DISK_FULL: &str = "disk_full";

/// Runs the check. A bucket is not checked.
pub fn check(data_dir: &Path, crate_store: Option<&CrateStorePlace>) -> Finding {
    if !data_dir.exists() {
        return Finding::skipped(DISK_FULL, "there is no data directory here");
    }
    let crates = match crate_store {
        Some(CrateStorePlace::Bucket { .. }) => None,
        Some(CrateStorePlace::Directory(directory)) => Some(directory.clone()),
        None => Some(data_dir.join("crates")),
    };
    let crates = crates.filter(|directory| directory.exists());
    judge(
        (data_dir, Space::of(data_dir)),
        crates.as_ref().and_then(|path| Some((path.as_path(), FreeSpace::of(path)?))),
    )
}

fn judge((data_dir, space): (&Path, Option<Space>), crates: Option<(&Path, FreeSpace)>) -> Finding {
    let Some(space) = space else {
        let summary = format!("cannot read the file system of {}", data_dir.display());
        return Finding::new(DISK_FULL, Severity::Unknown, summary);
    };
    let finding = |severity, summary| Finding::new(DISK_FULL, severity, summary);
    if space.is_full() {
        let what = if space.has_inodes { format!("{} bytes", space.available) } else { "no inodes".to_owned() };
        let summary = format!("storage is full: {} has {what} left, and changes are refused", data_dir.display());
        return finding(Severity::Critical, summary).with(json!({ "path": data_dir, "available": space.available }));
    }
    match crates {
        Some((path, found)) if !found.admits(1) => {
            let FreeSpace { available, reserve, .. } = found;
            let summary = format!(
                "storage is full: publishes are refused, because {} has {available} bytes left and {reserve} are reserved",
                path.display()
            );
            finding(Severity::Critical, summary)
                .with(json!({ "path": path, "available": available, "reserve": reserve }))
        }
        _ => finding(Severity::Ok, "there is space for publishes".to_owned()),
    }
}
