//! The git process behind a fetch: what it is allowed to do for a stranger, and with how much of the machine.

use std::fs;
use std::process::Command;

use super::error::IndexError;
use super::git_limits::{Dies, GitLimits};
use super::repository::Index;

/// Settings over those of the repository, whatever an operator has put there.
const SETTINGS: [(&str, &str); 22] = [
    // A filter runs for each object, and `combine:` joins any number of them: 900 bytes cost 18 s, 7 KB more than 1 GB.
    // blob:none is what a partial clone needs. No client of an index has a use for another one.
    ("uploadpack.allowFilter", "true"),
    ("uploadpackfilter.allow", "false"),
    ("uploadpackfilter.blob:none.allow", "true"),
    // Each by its name as well, which would count more than the line above if the repository allows it.
    ("uploadpackfilter.blob:limit.allow", "false"),
    ("uploadpackfilter.combine.allow", "false"),
    ("uploadpackfilter.object:type.allow", "false"),
    ("uploadpackfilter.sparse:oid.allow", "false"),
    ("uploadpackfilter.tree.allow", "false"),
    // A client may ask for a commit that was the head a moment ago, and for nothing that no branch leads to.
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

/// The memory that a process may allocate for an index of any size, in bytes.
const DATA: u64 = 192 << 20;

/// The same for each byte of the packs' indexes, which have some 30 bytes an object. A clone of 200,000 crates allocates a
/// third of what this makes.
const DATA_FOR_INDEX_BYTE: u64 = 24;

/// What a process may map beside what it allocates, in bytes: git itself, its libraries, and windows into packs.
const MAPPED: u64 = 512 << 20;

/// Processor time of each process, in seconds. A clone of 200,000 crates takes 15.
const PROCESSOR_SECONDS: u64 = 180;

/// git writes no file for a fetch; the limit is in case it does, in bytes.
const FILE_SIZE: u64 = 16 << 20;

/// After everything else.
const NICENESS: i32 = 10;

/// How large the packs of an index are, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PackSizes {
    /// The packs themselves.
    pub packs: u64,
    /// What is beside them: indexes, reverse indexes, bitmaps.
    pub indexes: u64,
}

impl Index {
    /// How large the packs are now. Costs a look at a directory of at most some fifty files.
    pub fn pack_sizes(&self) -> Result<PackSizes, IndexError> {
        let directory = self.path().join("objects/pack");
        let mut sizes = PackSizes::default();
        for entry in fs::read_dir(&directory).map_err(IndexError::file("list", &directory))? {
            let entry = entry.map_err(IndexError::file("list", &directory))?;
            // A repack may have removed it since.
            let Ok(metadata) = entry.metadata() else { continue };
            if entry.path().extension().is_some_and(|extension| extension == "pack") {
                sizes.packs += metadata.len();
            } else {
                sizes.indexes += metadata.len();
            }
        }
        Ok(sizes)
    }

    /// `git upload-pack` for one request over HTTP, without its place in the version of the protocol, which is
    /// `GIT_PROTOCOL`.
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
