//! What a client of the git protocol wants, read before git is started: what git would only complain about costs no process,
//! and what does not need git is answered without it. Sources: git's `gitprotocol-pack` and `gitprotocol-v2`.

use std::io::Read;

use super::packets::{Packet, Packets, Unreadable, shown};
use super::protocol::{Advertised, Version};

/// Longest request, in bytes, packed or not. A line with a commit that the client has is 50 bytes, and git sends 16,384 of
/// them at once, and a tenth more in each further request: a client that shares nothing of 400,000 commits stays below.
pub const MAX_REQUEST: usize = 2 * 1024 * 1024;

/// A request whose answer others may get, too, is no longer, in bytes.
const MAX_KEY: usize = 2048;

/// What is wanted.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing: a client that tries whether it may send a long request.
    Nothing,
    /// The references that have one of these prefixes.
    References(References),
    /// Objects.
    Objects(Objects),
}

/// The command `ls-refs`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct References {
    pub peel: bool,
    pub symrefs: bool,
    pub unborn: bool,
    /// None: all.
    pub prefixes: Vec<Vec<u8>>,
}

/// A fetch.
#[derive(Debug, PartialEq, Eq)]
pub struct Objects {
    /// How many bytes of the body are the request.
    pub length: u64,
    /// What the answer depends on beside the repository; None: on what the client has, so it is this client's alone.
    pub key: Option<Vec<u8>>,
    /// The commits that are wanted, in hexadecimal, if there is a key.
    pub wants: Vec<Vec<u8>>,
}

/// Why a request is not carried out.
#[derive(Debug)]
pub enum Refused {
    /// It is none, or none that is served here; the words say what is wrong with it.
    Garbage(String),
    TooLarge,
    NotPacked,
}

impl From<Unreadable> for Refused {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Malformed(what) => Self::Garbage(what),
            Unreadable::TooLong => Self::TooLarge,
            Unreadable::Packed => Self::NotPacked,
        }
    }
}

fn garbage<T>(what: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::Garbage(what.into()))
}

/// Reads a request of this version of the protocol.
pub fn read(body: impl Read, version: Version, advertised: &Advertised) -> Result<Asked, Refused> {
    let mut packets = Packets::new(body, MAX_REQUEST as u64);
    let asked = match version {
        Version::V2 => read_v2(&mut packets, advertised),
        Version::V0 | Version::V1 => read_v0(&mut packets),
    }?;
    if asked == Asked::Nothing && packets.next()?.is_some() {
        return garbage("it goes on behind its end");
    }
    Ok(asked)
}

/// Which command it is, what else stands before its arguments, and the arguments.
fn read_v2(packets: &mut Packets<impl Read>, advertised: &Advertised) -> Result<Asked, Refused> {
    let mut command = None;
    let mut first = true;
    let has_arguments = loop {
        match packets.next()? {
            None => return garbage("it ends before the command"),
            Some(Packet::Flush) if first => return Ok(Asked::Nothing),
            Some(Packet::Flush) => break false,
            Some(Packet::Delimiter) => break true,
            Some(Packet::Line(line)) => match line.strip_prefix(b"command=") {
                Some(_) if command.is_some() => return garbage("it has two commands"),
                Some(name) => command = Some(Command::named(name)?),
                None => check_capability(line, advertised)?,
            },
        }
        first = false;
    };
    match command {
        None => garbage("it has no command"),
        Some(Command::References) => read_references(packets, has_arguments).map(Asked::References),
        Some(Command::Fetch) => {
            let mut wanted = Wanted::new(Version::V2);
            let mut more = has_arguments;
            while more {
                match packets.next()? {
                    None => return garbage("it ends before its flush"),
                    Some(Packet::Flush) => more = false,
                    Some(Packet::Delimiter) => return garbage("it has a second delimiter"),
                    Some(Packet::Line(line)) => wanted.argument(line)?,
                }
            }
            Ok(Asked::Objects(wanted.finish(packets.length())))
        }
    }
}

enum Command {
    References,
    Fetch,
}

impl Command {
    fn named(name: &[u8]) -> Result<Self, Refused> {
        match name {
            b"ls-refs" => Ok(Self::References),
            b"fetch" => Ok(Self::Fetch),
            other => garbage(format!("the command {} is not served here; ls-refs and fetch are", shown(other))),
        }
    }
}

/// A client may only use what git has told it of.
fn check_capability(line: &[u8], advertised: &Advertised) -> Result<(), Refused> {
    let (name, value) = match line.iter().position(|&byte| byte == b'=') {
        Some(place) => (&line[..place], &line[place + 1..]),
        None => (line, &[] as &[u8]),
    };
    if name == b"object-format" && value != b"sha1" {
        return garbage(format!("the object format is sha1, and not {}", shown(value)));
    }
    if advertised.has(name) { Ok(()) } else { garbage(format!("the capability {} is unknown", shown(name))) }
}

fn read_references(packets: &mut Packets<impl Read>, has_arguments: bool) -> Result<References, Refused> {
    let mut wanted = References::default();
    let mut more = has_arguments;
    while more {
        match packets.next()? {
            None => return garbage("it ends before its flush"),
            Some(Packet::Flush) => more = false,
            Some(Packet::Delimiter) => return garbage("it has a second delimiter"),
            Some(Packet::Line(b"peel")) => wanted.peel = true,
            Some(Packet::Line(b"symrefs")) => wanted.symrefs = true,
            Some(Packet::Line(b"unborn")) => wanted.unborn = true,
            Some(Packet::Line(line)) => match line.strip_prefix(b"ref-prefix ") {
                Some(prefix) => wanted.prefixes.push(prefix.to_vec()),
                None => return garbage(format!("{} is no argument of ls-refs", shown(line))),
            },
        }
    }
    Ok(wanted)
}

/// Versions 0 and 1: what is wanted and how deep, a flush, what the client has.
fn read_v0(packets: &mut Packets<impl Read>) -> Result<Asked, Refused> {
    let mut wanted = Wanted::new(Version::V0);
    loop {
        match packets.next()? {
            None if wanted.is_empty() => return garbage("it is empty"),
            None => return garbage("it ends before its flush"),
            Some(Packet::Flush) if wanted.is_empty() => return Ok(Asked::Nothing),
            Some(Packet::Flush) => break,
            Some(Packet::Delimiter) => return garbage("this version of the protocol has no delimiter"),
            Some(Packet::Line(line)) => wanted.argument(line)?,
        }
    }
    loop {
        match packets.next()? {
            None => break,
            Some(Packet::Flush) => {}
            Some(Packet::Delimiter) => return garbage("this version of the protocol has no delimiter"),
            Some(Packet::Line(b"done")) => {
                wanted.argument(b"done")?;
                break;
            }
            Some(Packet::Line(line)) if line.starts_with(b"have ") => wanted.argument(line)?,
            Some(Packet::Line(line)) => return garbage(format!("{} is no commit that the client has", shown(line))),
        }
    }
    Ok(Asked::Objects(wanted.finish(packets.length())))
}

/// The lines of a fetch, gathered.
struct Wanted {
    version: Version,
    /// Lines that the answer depends on; None: there are too many of them.
    key: Option<Vec<u8>>,
    wants: Vec<Vec<u8>>,
    any: bool,
    done: bool,
    has_something: bool,
    /// Whether a number of commits says how deep it goes, and whether anything else does.
    depth: bool,
    other_depth: bool,
}

impl Wanted {
    fn new(version: Version) -> Self {
        let version_byte = if version == Version::V2 { b'2' } else { b'0' };
        Self {
            version,
            key: Some(vec![version_byte]),
            wants: Vec::new(),
            any: false,
            done: false,
            has_something: false,
            depth: false,
            other_depth: false,
        }
    }

    fn is_empty(&self) -> bool {
        !self.any
    }

    fn argument(&mut self, line: &[u8]) -> Result<(), Refused> {
        self.any = true;
        let (name, value) = match line.iter().position(|&byte| byte == b' ') {
            Some(place) => (&line[..place], &line[place + 1..]),
            None => (line, &[] as &[u8]),
        };
        match name {
            b"want" => return self.want(value),
            b"have" | b"shallow" => {
                object_id(value)?;
                self.has_something = true;
            }
            b"done" => self.done = true,
            b"deepen" => {
                let depth = std::str::from_utf8(value).ok().and_then(|depth| depth.parse::<i32>().ok());
                if depth.is_none_or(|depth| depth <= 0) || !value[0].is_ascii_digit() {
                    return garbage(format!("{} is no depth", shown(value)));
                }
                self.depth = true;
                self.note(line);
            }
            b"deepen-not" => {
                self.other_depth = true;
                self.note(line);
            }
            b"deepen-since" => {
                if value.is_empty() || value.len() > 12 || !value.iter().all(u8::is_ascii_digit) {
                    return garbage(format!("{} is no time", shown(value)));
                }
                self.other_depth = true;
                self.note(line);
            }
            b"filter" if value != b"blob:none" => {
                return garbage(format!("the filter {} is not served here; blob:none is", shown(value)));
            }
            b"want-ref" | b"packfile-uris" | b"sideband-all" => {
                return garbage(format!("{} is not served here", shown(name)));
            }
            // git itself knows which other ones there are.
            _ => self.note(line),
        }
        if self.depth && self.other_depth {
            return garbage("deepen and deepen-since or deepen-not exclude each other");
        }
        Ok(())
    }

    /// A commit, behind which the first line of the older versions has what the client can do.
    fn want(&mut self, value: &[u8]) -> Result<(), Refused> {
        let (id, rest) = value.split_at(value.len().min(40));
        object_id(id)?;
        if self.version == Version::V2 && !rest.is_empty() {
            return garbage(format!("{} is no object id", shown(value)));
        }
        let mut capabilities: Vec<&[u8]> = rest
            .split(|byte| byte.is_ascii_whitespace() || *byte == 0)
            .filter(|word| !word.is_empty() && !word.starts_with(b"agent=") && !word.starts_with(b"session-id="))
            .collect();
        capabilities.sort_unstable();
        for capability in capabilities {
            self.note(capability);
        }
        if self.key.is_some() && !self.wants.iter().any(|known| known == id) {
            self.note(id);
            self.wants.push(id.to_vec());
        }
        Ok(())
    }

    fn note(&mut self, line: &[u8]) {
        let Some(key) = &mut self.key else { return };
        if key.len() + line.len() > MAX_KEY {
            self.key = None;
            self.wants = Vec::new();
            return;
        }
        key.push(b'\n');
        key.extend_from_slice(line);
    }

    fn finish(self, length: u64) -> Objects {
        let shared = self.done && !self.has_something && !self.wants.is_empty();
        let (key, wants) = if shared { (self.key, self.wants) } else { (None, Vec::new()) };
        Objects { length, key, wants }
    }
}

fn object_id(text: &[u8]) -> Result<(), Refused> {
    if text.len() == 40 && text.iter().all(u8::is_ascii_hexdigit) {
        return Ok(());
    }
    garbage(format!("{} is no object id", shown(text)))
}
