//! What the git program advertises, read once and kept: it depends on the program and its settings only.

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::process::Command;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::timeout;

use super::packets::{Packet, Packets};
use super::version::Version;
use crate::index::{Index, PackSizes, readable_stderr};

/// The time limit for git to advertise its capabilities.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// How versions 0 and 1 name the target of HEAD.
const SYMREF: &[u8] = b" symref=HEAD:";

/// The capabilities of the git program, read when they are first needed.
#[derive(Debug, Default)]
pub struct GitCapabilities {
    v2: OnceCell<Advertised>,
    v0: Mutex<Option<Capabilities>>,
}

/// The capability advertisement of version 2.
#[derive(Debug, Clone)]
pub struct Advertised {
    pub answer: Bytes,
    names: Arc<[Vec<u8>]>,
}

impl Advertised {
    /// Parses git's answer.
    pub fn of(answer: Bytes) -> Self {
        let mut names = Vec::new();
        let mut packets = Packets::new(&answer[..], answer.len() as u64);
        while let Ok(Some(packet)) = packets.next() {
            let Packet::Line(line) = packet else { break };
            names.push(line.split(|&byte| byte == b'=').next().unwrap_or_default().to_vec());
        }
        Self { answer, names: names.into() }
    }

    /// Whether a client may use this capability.
    pub fn has(&self, name: &[u8]) -> bool {
        self.names.iter().any(|known| known == name)
    }
}

/// The capabilities of versions 0 and 1, which follow the first reference, without the target of HEAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    before_symref: Vec<u8>,
    after_symref: Vec<u8>,
}

impl Capabilities {
    /// Parses the first line of an answer that has references; `None` if it names no target of HEAD.
    fn of(answer: &[u8]) -> Option<Self> {
        let mut packets = Packets::new(answer, answer.len() as u64);
        let Ok(Some(Packet::Line(line))) = packets.next() else { return None };
        let capabilities = &line[line.iter().position(|&byte| byte == 0)? + 1..];
        let start = capabilities.windows(SYMREF.len()).position(|window| window == SYMREF)?;
        let rest = &capabilities[start + SYMREF.len()..];
        let end = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
        Some(Self { before_symref: capabilities[..start].to_vec(), after_symref: rest[end..].to_vec() })
    }

    /// The capabilities with this target of HEAD.
    pub fn with_target(&self, target: Option<&[u8]>) -> Vec<u8> {
        let mut whole = self.before_symref.clone();
        if let Some(target) = target {
            whole.extend_from_slice(SYMREF);
            whole.extend_from_slice(target);
        }
        whole.extend_from_slice(&self.after_symref);
        whole
    }
}

impl GitCapabilities {
    /// The advertisement of version 2.
    pub async fn v2(&self, index: &Index) -> io::Result<&Advertised> {
        self.v2.get_or_try_init(async || advertise(index, Version::V2).await.map(Advertised::of)).await
    }

    /// The capabilities of versions 0 and 1. Git lists them in full only for an index that has a branch.
    ///
    /// # Errors
    ///
    /// The inner error is git's whole answer, which names no target of HEAD.
    pub async fn v0(&self, index: &Index) -> io::Result<Result<Capabilities, Bytes>> {
        let mut known = self.v0.lock().await;
        if let Some(capabilities) = &*known {
            return Ok(Ok(capabilities.clone()));
        }
        let answer = advertise(index, Version::V0).await?;
        match Capabilities::of(&answer) {
            Some(capabilities) => Ok(Ok(known.insert(capabilities).clone())),
            None => Ok(Err(answer)),
        }
    }

    /// Git's whole answer to clients of version 0 or 1, for an index without references. One git process runs at a
    /// time.
    pub async fn uncached(&self, index: &Index, version: Version) -> io::Result<Bytes> {
        let _one_at_a_time = self.v0.lock().await;
        advertise(index, version).await
    }
}

/// Runs git for its advertisement.
async fn advertise(index: &Index, version: Version) -> io::Result<Bytes> {
    let mut command = Command::from(index.upload_pack(PackSizes::default(), version.variable(), true));
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(TIME_LIMIT, command.output())
        .await
        .map_err(|_| io::Error::other(format!("git upload-pack did not answer within {} s", TIME_LIMIT.as_secs())))??;
    if output.status.success() {
        return Ok(output.stdout.into());
    }
    let stderr = readable_stderr(&output.stderr);
    Err(io::Error::other(format!("git upload-pack ended with {}: {stderr}", output.status)))
}
