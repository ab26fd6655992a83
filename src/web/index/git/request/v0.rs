//! Requests of versions 0 and 1: wants and depth, a flush packet, the commits that the client has, `done`.

use std::io::Read;

use super::fetch::FetchLines;
use super::parsed::{Refusal, Request, invalid};
use crate::web::index::git::packets::{Packet, Packets, shown};
use crate::web::index::git::version::Version;

const NO_DELIMITER: &str = "versions 0 and 1 of the protocol have no delimiter packet";

/// Parses a request of version 0 or 1.
pub fn read(packets: &mut Packets<impl Read>) -> Result<Request, Refusal> {
    let mut fetch = FetchLines::new(Version::V0);
    loop {
        match packets.next()? {
            None if fetch.is_empty() => return invalid("it is empty"),
            None => return invalid("it ends before its flush packet"),
            Some(Packet::Flush) if fetch.is_empty() => return Ok(Request::Probe),
            Some(Packet::Flush) => break,
            Some(Packet::Delimiter) => return invalid(NO_DELIMITER),
            Some(Packet::Line(line)) => fetch.argument(line)?,
        }
    }
    loop {
        match packets.next()? {
            None => break,
            // Git ends its round here, whatever follows.
            Some(Packet::Flush) => fetch.is_unusual = true,
            Some(Packet::Delimiter) => return invalid(NO_DELIMITER),
            Some(Packet::Line(b"done")) => {
                fetch.is_done = true;
                break;
            }
            Some(Packet::Line(line)) => match line.strip_prefix(b"have ") {
                Some(id) => fetch.have(id)?,
                None => return invalid(format!("expected `have` or `done`, found {}", shown(line))),
            },
        }
    }
    Ok(Request::Objects(fetch.finish(packets.length())))
}
