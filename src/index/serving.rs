//! The git process that serves a fetch: its settings and its limits.

use std::fs;
use std::process::Command;

use super::error::IndexError;
use super::git_limits::{Dies, GitLimits};
use super::repository::Index;

/// Settings that override those of the repository, which an operator may have changed.
const SETTINGS: [(&str, &str); 22] = [
    // A filter runs for each object, and `combine:` joins any number of filters: a request of 900 bytes costs 18 s, one
    // of 7 KB more than 1 GB. A partial clone needs blob:none; no client of an index needs another filter.
    ("uploadpack.allowFilter", "true"),
    ("uploadpackfilter.allow", "false"),
    ("uploadpackfilter.blob:none.allow", "true"),
    // Each filter by its name as well, because a setting by name in the repository would override the general one.
    ("uploadpackfilter.blob:limit.allow", "false"),
    ("uploadpackfilter.combine.allow", "false"),
    ("uploadpackfilter.object:type.allow", "false"),
    ("uploadpackfilter.sparse:oid.allow", "false"),
    ("uploadpackfilter.tree.allow", "false"),
    // A client may request a commit that was the head a moment ago, but no unreachable object.
    ("uploadpack.allowReachableSHA1InWant", "true"),
    ("uploadpack.allowAnySHA1InWant", "false"),
    ("uploadpack.allowRefInWant", "false"),
    ("uploadpack.allowSidebandAll", "false"),
    ("uploadpack.advertiseBundleURIs", "false"),
    ("transfer.advertiseObjectInfo", "false"),
    ("transfer.advertiseSID", "false"),
    ("uploadpack.hideRefs", "refs/supercargo"),
    // Memory: git's own defaults are 256 MiB for deltas alone, and as many threads as there are cores.
    ("pack.threads", "1"),
    ("pack.windowMemory", "32m"),
    ("pack.deltaCacheSize", "16m"),
    ("core.packedGitWindowSize", "32m"),
    ("core.packedGitLimit", "256m"),
    ("core.deltaBaseCacheLimit", "48m"),
];

/// Memory that a process may allocate whatever the size of the index, in bytes.
const DATA: u64 = 192 << 20;

/// Memory in addition for each byte of the packs' indexes, which have some 30 bytes per object. A clone of 200,000
/// crates allocates a third of this limit.
const DATA_FOR_INDEX_BYTE: u64 = 24;

/// Address space for what a process maps without allocating it, in bytes: git itself, its libraries and windows into
/// packs.
const MAPPED: u64 = 512 << 20;

/// Processor time of each process, in seconds. A clone of 200,000 crates takes 15.
const PROCESSOR_SECONDS: u64 = 180;

/// The size of a file, in bytes. git writes none for a fetch; the limit is a precaution.
const FILE_SIZE: u64 = 16 << 20;

/// Below the priority of everything else.
const NICENESS: i32 = 10;

/// The sizes of an index's packs, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PackSizes {
    /// The packs themselves.
    pub packs: u64,
    /// Their indexes, reverse indexes and bitmaps.
    pub indexes: u64,
}

impl Index {
    /// The current sizes of the packs. Lists a directory of at most some fifty packs.
    pub fn pack_sizes(&self) -> Result<PackSizes, IndexError> {
        let directory = self.path().join("objects/pack");
        let mut sizes = PackSizes::default();
        for entry in fs::read_dir(&directory).map_err(IndexError::file("list", &directory))? {
            let entry = entry.map_err(IndexError::file("list", &directory))?;
            // A repack may have removed it meanwhile.
            let Ok(metadata) = entry.metadata() else { continue };
            if entry.path().extension().is_some_and(|extension| extension == "pack") {
                sizes.packs += metadata.len();
            } else {
                sizes.indexes += metadata.len();
            }
        }
        Ok(sizes)
    }

    /// The `git upload-pack` command for one HTTP request. `protocol` is the value of `GIT_PROTOCOL`.
    pub fn upload_pack(&self, sizes: PackSizes, protocol: Option<&str>, advertise: bool) -> Command {
        let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut command = self.git().command_with(&settings);
        command.args(["upload-pack", "--strict", "--stateless-rpc"]);
        if advertise {
            command.arg("--advertise-refs");
        }
        if let Some(protocol) = protocol {
            command.env("GIT_PROTOCOL", protocol);
        }
        command.arg(self.path());
        limits(sizes).apply(&mut command, Dies::WithItsStarter);
        command
    }
}

fn limits(sizes: PackSizes) -> GitLimits {
    let data = DATA + DATA_FOR_INDEX_BYTE * sizes.indexes;
    GitLimits {
        data: Some(data),
        address_space: Some(data + MAPPED + sizes.indexes),
        processor_seconds: Some(PROCESSOR_SECONDS),
        file_size: Some(FILE_SIZE),
        niceness: NICENESS,
    }
}
