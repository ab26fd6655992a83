//! Requests of version 2: a command, capabilities, a delimiter packet, the command's arguments, a flush packet.

use std::io::Read;

use super::fetch::{FetchLines, is_printable};
use super::parsed::{LsRefs, Refusal, Request, invalid};
use crate::web::index::git::capabilities::Advertised;
use crate::web::index::git::packets::{Packet, Packets, shown};
use crate::web::index::git::version::Version;

enum Command {
    LsRefs,
    Fetch,
}

/// Parses a request of version 2.
pub fn read(packets: &mut Packets<impl Read>, advertised: &Advertised) -> Result<Request, Refusal> {
    let mut command = None;
    let mut first = true;
    let mut capabilities = ClientCapabilities::default();
    let has_arguments = loop {
        match packets.next()? {
            None => return invalid("it ends before its delimiter or flush packet"),
            Some(Packet::Flush) if first => return Ok(Request::Probe),
            Some(Packet::Flush) => break false,
            Some(Packet::Delimiter) => break true,
            Some(Packet::Line(line)) => match line.strip_prefix(b"command=") {
                Some(_) if command.is_some() => return invalid("it has more than one command"),
                Some(name) => {
                    capabilities.are_unusual |= !first;
                    command = Some(Command::named(name)?);
                }
                None => {
                    capabilities.add(line);
                    check_capability(line, advertised)?;
                }
            },
        }
        first = false;
    };
    match command {
        None => invalid("it has no command"),
        Some(Command::LsRefs) => {
            let mut references = LsRefs::default();
            read_arguments(packets, has_arguments, |line| ls_refs_argument(&mut references, line))?;
            Ok(Request::References(references))
        }
        Some(Command::Fetch) => {
            let mut fetch = FetchLines::new(Version::V2);
            fetch.is_unusual = capabilities.are_unusual;
            read_arguments(packets, has_arguments, |line| fetch.argument(line))?;
            Ok(Request::Objects(fetch.finish(packets.length())))
        }
    }
}

/// Reads the arguments of a command up to the flush packet.
fn read_arguments(
    packets: &mut Packets<impl Read>,
    has_arguments: bool,
    mut argument: impl FnMut(&[u8]) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    if !has_arguments {
        return Ok(());
    }
    loop {
        match packets.next()? {
            None => return invalid("it ends before its flush packet"),
            Some(Packet::Flush) => return Ok(()),
            Some(Packet::Delimiter) => return invalid("it has a second delimiter packet"),
            Some(Packet::Line(line)) => argument(line)?,
        }
    }
}

fn ls_refs_argument(references: &mut LsRefs, line: &[u8]) -> Result<(), Refusal> {
    match line {
        b"peel" => references.peel = true,
        b"symrefs" => references.symrefs = true,
        b"unborn" => references.unborn = true,
        _ => match line.strip_prefix(b"ref-prefix ") {
            Some(prefix) => references.prefixes.push(prefix.to_vec()),
            None => return invalid(format!("unknown ls-refs argument {}", shown(line))),
        },
    }
    Ok(())
}

/// The capabilities that a client sends. The answer to a fetch depends on none of the usual ones.
#[derive(Default)]
struct ClientCapabilities {
    seen: Vec<&'static [u8]>,
    are_unusual: bool,
}

impl ClientCapabilities {
    fn add(&mut self, line: &[u8]) {
        let usual = [b"agent=" as &[u8], b"session-id=", b"object-format=sha1"];
        match usual.into_iter().find(|start| line.starts_with(start)) {
            Some(start) if is_printable(line) && !self.seen.contains(&start) => self.seen.push(start),
            _ => self.are_unusual = true,
        }
    }
}

impl Command {
    fn named(name: &[u8]) -> Result<Self, Refusal> {
        match name {
            b"ls-refs" => Ok(Self::LsRefs),
            b"fetch" => Ok(Self::Fetch),
            other => invalid(format!("the command {} is not supported: use ls-refs or fetch", shown(other))),
        }
    }
}

/// Refuses a capability that git did not advertise.
fn check_capability(line: &[u8], advertised: &Advertised) -> Result<(), Refusal> {
    let (name, value) = match line.iter().position(|&byte| byte == b'=') {
        Some(place) => (&line[..place], &line[place + 1..]),
        None => (line, &[] as &[u8]),
    };
    if name == b"object-format" && value != b"sha1" {
        return invalid(format!("the object format {} is not supported: use sha1", shown(value)));
    }
    if advertised.has(name) { Ok(()) } else { invalid(format!("unknown capability {}", shown(name))) }
}
