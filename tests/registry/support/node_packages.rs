//! The packages of node that servers of the tests need.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub const MISSING: &str = "run script/setup --test, which installs what the tests need";

/// The directory with `node_modules` for a server, as script/setup names it.
pub fn of(server: &str) -> PathBuf {
    let lock =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registry/support").join(server).join("package-lock.json");
    let hash = Sha256::digest(std::fs::read(lock).unwrap());
    let hash: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let packages = target.join("node-packages").join(format!("{server}-{hash}"));
    assert!(packages.exists(), "{} is missing: {MISSING}", packages.display());
    packages
}
