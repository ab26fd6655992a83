//! Server programs of several versions of PostgreSQL.

use std::path::PathBuf;
use std::process::Command;

/// The directory of the programs of a major version: Debian's package, or what script/setup --test has fetched.
pub fn programs(major: u32) -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/script/fetch-postgres");
    let output = Command::new(script).args(["--where", &major.to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
}
