//! Requests of the git protocol, parsed before git starts.
//!
//! An invalid request costs no process, and one that does not need git is answered without it. Sources: git's
//! `gitprotocol-pack` and `gitprotocol-v2`.

mod fetch;
mod parsed;
mod v0;
mod v2;

#[cfg(test)]
mod tests;

use std::io::Read;

pub use self::parsed::{CacheKey, Fetch, LsRefs, Refusal, Request};
use super::capabilities::Advertised;
use super::packets::Packets;
use super::version::Version;

/// Longest request, in bytes, compressed or not. A line with a commit that the client has is 50 bytes. Git sends 16,384
/// of them at once and a tenth more in each further request: a client that shares none of 400,000 commits stays below
/// this.
pub const MAX_REQUEST: usize = 2 * 1024 * 1024;

/// Parses a request of this version of the protocol.
pub fn read(body: impl Read, version: Version, advertised: &Advertised) -> Result<Request, Refusal> {
    let mut packets = Packets::new(body, MAX_REQUEST as u64);
    let request = match version {
        Version::V2 => v2::read(&mut packets, advertised),
        Version::V0 | Version::V1 => v0::read(&mut packets),
    }?;
    if request == Request::Probe && packets.next()?.is_some() {
        return parsed::invalid("more packets follow the flush packet");
    }
    Ok(request)
}
