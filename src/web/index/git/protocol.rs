//! Which version of the git protocol a client speaks, and what git says of itself at the start of each.

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use bytes::Bytes;
use tokio::process::Command;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::timeout;

use super::packets::{Packet, Packets};
use crate::index::{Index, PackSizes, readable_stderr};

/// Longest `Git-Protocol` header that is read, in bytes.
const MAX_HEADER: usize = 128;

/// The most time for git to say what it can do.
const LIMIT: Duration = Duration::from_secs(30);

/// Where the older versions say what HEAD stands for.
const SYMREF: &[u8] = b" symref=HEAD:";

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    V0,
    V1,
    V2,
}

impl Version {
    /// The highest version that the header `Git-Protocol` names; 0 without it, and where it has odd characters.
    pub fn of(headers: &HeaderMap) -> Self {
        let value = headers.get("git-protocol").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"=:._-".contains(&byte));
        if !is_plain || value.len() > MAX_HEADER {
            return Self::V0;
        }
        let names = |version: &str| value.split(':').any(|key| key.strip_prefix("version=") == Some(version));
        match () {
            () if names("2") => Self::V2,
            () if names("1") => Self::V1,
            () => Self::V0,
        }
    }

    /// The value of `GIT_PROTOCOL`.
    pub fn variable(self) -> Option<&'static str> {
        match self {
            Self::V0 => None,
            Self::V1 => Some("version=1"),
            Self::V2 => Some("version=2"),
        }
    }
}

/// What the git program says it can do. It depends on the program and its settings alone, so it is asked once.
#[derive(Debug, Default)]
pub struct GitItself {
    advertised: OnceCell<Advertised>,
    capabilities: Mutex<Option<Capabilities>>,
}

/// The answer of version 2.
#[derive(Debug, Clone)]
pub struct Advertised {
    pub answer: Bytes,
    names: Arc<[Vec<u8>]>,
}

impl Advertised {
    /// From that answer.
    pub fn of(answer: Bytes) -> Self {
        let mut names = Vec::new();
        let mut packets = Packets::new(&answer[..], answer.len() as u64);
        while let Ok(Some(packet)) = packets.next() {
            let Packet::Line(line) = packet else { break };
            names.push(line.split(|&byte| byte == b'=').next().unwrap_or_default().to_vec());
        }
        Self { answer, names: names.into() }
    }

    /// Whether a client may name this capability.
    pub fn has(&self, name: &[u8]) -> bool {
        self.names.iter().any(|known| known == name)
    }
}

/// What the older versions say behind the first reference, around what HEAD stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    pub before: Vec<u8>,
    pub after: Vec<u8>,
}

impl Capabilities {
    /// From the first line of an answer that has references. None: it names no target of HEAD.
    fn of(answer: &[u8]) -> Option<Self> {
        let mut packets = Packets::new(answer, answer.len() as u64);
        let Ok(Some(Packet::Line(line))) = packets.next() else { return None };
        let capabilities = &line[line.iter().position(|&byte| byte == 0)? + 1..];
        let start = capabilities.windows(SYMREF.len()).position(|window| window == SYMREF)?;
        let rest = &capabilities[start + SYMREF.len()..];
        let end = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
        Some(Self { before: capabilities[..start].to_vec(), after: rest[end..].to_vec() })
    }

    /// The whole with this target of HEAD.
    pub fn with(&self, target: Option<&[u8]>) -> Vec<u8> {
        let mut whole = self.before.clone();
        if let Some(target) = target {
            whole.extend_from_slice(SYMREF);
            whole.extend_from_slice(target);
        }
        whole.extend_from_slice(&self.after);
        whole
    }
}

impl GitItself {
    /// What git says to clients of version 2.
    pub async fn advertised(&self, index: &Index) -> io::Result<&Advertised> {
        self.advertised.get_or_try_init(async || ask(index, Version::V2).await.map(Advertised::of)).await
    }

    /// What git says to clients of the older versions behind the first reference. An index with a branch is needed to learn
    /// it.
    ///
    /// # Errors
    ///
    /// An answer that has no such place is passed on as it is.
    pub async fn capabilities(&self, index: &Index) -> io::Result<Result<Capabilities, Bytes>> {
        let mut known = self.capabilities.lock().await;
        if let Some(capabilities) = &*known {
            return Ok(Ok(capabilities.clone()));
        }
        let answer = ask(index, Version::V0).await?;
        match Capabilities::of(&answer) {
            Some(capabilities) => Ok(Ok(known.insert(capabilities).clone())),
            None => Ok(Err(answer)),
        }
    }

    /// What git answers now to clients of an older version, one at a time: for an index without references.
    pub async fn answer(&self, index: &Index, version: Version) -> io::Result<Bytes> {
        let _one_at_a_time = self.capabilities.lock().await;
        ask(index, version).await
    }
}

/// Runs git for its first answer.
async fn ask(index: &Index, version: Version) -> io::Result<Bytes> {
    let mut command = Command::from(index.upload_pack(PackSizes::default(), version.variable(), true));
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(LIMIT, command.output())
        .await
        .map_err(|_| io::Error::other(format!("git said nothing for {} s", LIMIT.as_secs())))??;
    if output.status.success() {
        return Ok(output.stdout.into());
    }
    let said = readable_stderr(&output.stderr);
    Err(io::Error::other(format!("git upload-pack ended with {}: {said}", output.status)))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_highest_version_that_is_known_is_spoken() {
        for (value, version) in [
            ("version=2", Version::V2),
            ("version=1:version=2", Version::V2),
            ("version=2:version=1:x=y", Version::V2),
            ("version=1", Version::V1),
            ("version=0", Version::V0),
            ("version=3", Version::V0),
            ("version=22", Version::V0),
            ("version=2 $(x)", Version::V0),
            ("", Version::V0),
        ] {
            let headers = HeaderMap::from_iter([("git-protocol".parse().unwrap(), HeaderValue::from_static(value))]);
            assert_eq!(Version::of(&headers), version, "{value}");
        }
        assert_eq!(Version::of(&HeaderMap::new()), Version::V0);
    }
}
