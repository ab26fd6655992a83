//! The checks of the data directory's file system: used bytes and used inodes.
//!
//! Inodes count because git and the crate store write many small files.

use std::path::Path;

use nix::sys::statvfs::statvfs;
use serde_json::json;

use super::finding::{Finding, Severity};
use crate::config::Limit;

const BYTES: &str = "disk_bytes";
const INODES: &str = "disk_inodes";

/// Runs both checks. They are skipped if there is no data directory, as on a machine that only runs the monitor.
pub fn check(data_dir: &Path, limit: Limit<u8>) -> Vec<Finding> {
    if !data_dir.exists() {
        let skipped = |check| Finding::skipped(check, "there is no data directory here");
        return vec![skipped(BYTES), skipped(INODES)];
    }
    match statvfs(data_dir) {
        Ok(found) => vec![
            judge(BYTES, "bytes", data_dir, limit, found.blocks(), found.blocks_free(), found.blocks_available()),
            judge(INODES, "inodes", data_dir, limit, found.files(), found.files_free(), found.files_available()),
        ],
        Err(error) => [BYTES, INODES]
            .map(|check| {
                let summary = format!("cannot read the file system of {}: {error}", data_dir.display());
                Finding::new(check, Severity::Unknown, summary)
            })
            .into(),
    }
}

/// Compares the used percentage with the limit. As in `df`, 100% is what users other than root may use. A file system that
/// does not count inodes reports 0 of them.
#[expect(clippy::cast_precision_loss, reason = "a percentage")]
fn judge(
    check: &'static str,
    what: &str,
    path: &Path,
    limit: Limit<u8>,
    all: u64,
    free: u64,
    available: u64,
) -> Finding {
    let used = all.saturating_sub(free);
    let usable = used + available;
    let percent = if usable == 0 { 0.0 } else { (used as f64 / usable as f64 * 1000.0).ceil() / 10.0 };
    let (warning, critical) = (f64::from(limit.warning), f64::from(limit.critical));
    let severity = match percent {
        percent if percent > critical => Severity::Critical,
        percent if percent > warning => Severity::Warning,
        _ => Severity::Ok,
    };
    let exceeded = if severity == Severity::Warning { limit.warning } else { limit.critical };
    let summary = format!("{percent}% of the disk's {what} are used (limit {exceeded}%)");
    Finding::new(check, severity, summary)
        .measured(percent, "%", Some(warning), Some(critical))
        .with(json!({ "path": path, "used": used, "usable": usable }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentage_is_that_of_usable_space_and_a_value_at_the_limit_is_ok() {
        let limit = Limit { warning: 80, critical: 90 };
        let judged = |all, free, available| judge(BYTES, "bytes", Path::new("/"), limit, all, free, available);
        // 5% are reserved for root.
        assert_eq!(judged(100, 10, 5).summary, "94.8% of the disk's bytes are used (limit 90%)");
        assert_eq!(judged(100, 10, 5).severity, Severity::Critical);
        assert_eq!(judged(100, 20, 20).severity, Severity::Ok);
        assert_eq!(judged(1000, 199, 199).severity, Severity::Warning);
        assert_eq!(judged(0, 0, 0).severity, Severity::Ok);
    }
}
