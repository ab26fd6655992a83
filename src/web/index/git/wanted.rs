//! The lines of a fetch: what is wrong with them, and whether others may get the same answer.

use std::collections::BTreeSet;

use super::packets::shown;
use super::protocol::Version;
use super::request::{Objects, Refused, garbage};

/// A request whose answer others may get, too, is no longer, in bytes.
const MAX_KEY: usize = 2048;

/// What a client of the older versions may say behind its first commit, if others may get the answer.
const CAPABILITIES: [&[u8]; 16] = [
    b"multi_ack",
    b"multi_ack_detailed",
    b"no-done",
    b"side-band",
    b"side-band-64k",
    b"thin-pack",
    b"no-progress",
    b"include-tag",
    b"ofs-delta",
    b"shallow",
    b"deepen-since",
    b"deepen-not",
    b"filter",
    b"object-format=sha1",
    b"allow-tip-sha1-in-want",
    b"allow-reachable-sha1-in-want",
];

/// The same as arguments of version 2.
const FLAGS: [&[u8]; 4] = [b"thin-pack", b"no-progress", b"include-tag", b"ofs-delta"];

/// The lines of a fetch, gathered.
///
/// An answer is for others only if git and this reader cannot understand the request differently, so the ordinary is listed
/// and all else is odd.
pub struct Wanted {
    version: Version,
    /// What the answer depends on beside the commits.
    words: BTreeSet<Vec<u8>>,
    wants: BTreeSet<Vec<u8>>,
    /// The length of both.
    length: usize,
    any: bool,
    pub done: bool,
    /// The answer is for this client alone.
    pub is_odd: bool,
    may_filter: bool,
    filters: bool,
    /// Whether a number of commits says how deep it goes, and whether anything else does.
    depth: bool,
    other_depth: bool,
}

impl Wanted {
    pub fn new(version: Version) -> Self {
        Self {
            version,
            words: BTreeSet::new(),
            wants: BTreeSet::new(),
            length: 0,
            any: false,
            done: false,
            is_odd: false,
            may_filter: version == Version::V2,
            filters: false,
            depth: false,
            other_depth: false,
        }
    }

    pub fn is_empty(&self) -> bool {
        !self.any
    }

    /// A line before the flush. In version 2 all lines are, in the older ones the commits that the client has are not.
    pub fn argument(&mut self, line: &[u8]) -> Result<(), Refused> {
        self.any = true;
        // Nothing follows the end of what is asked.
        self.is_odd |= self.done || !is_printable(line);
        let (name, value) = match line.iter().position(|&byte| byte == b' ') {
            Some(place) => (&line[..place], &line[place + 1..]),
            None => (line, &[] as &[u8]),
        };
        let is_v2 = self.version == Version::V2;
        match name {
            b"want" => return self.want(value),
            b"shallow" => self.has(value)?,
            b"have" if is_v2 => self.has(value)?,
            b"done" if is_v2 && line == b"done" => self.done = true,
            b"deepen" => {
                let depth = std::str::from_utf8(value).ok().and_then(|depth| depth.parse::<i32>().ok());
                let Some(depth) = depth.filter(|depth| *depth > 0 && value[0].is_ascii_digit()) else {
                    return garbage(format!("{} is no depth", shown(value)));
                };
                self.depth = true;
                self.note(format!("deepen {depth}").as_bytes());
            }
            b"deepen-not" => {
                self.other_depth = true;
                self.is_odd = true;
            }
            b"deepen-since" => {
                if value.is_empty() || value.len() > 12 || !value.iter().all(u8::is_ascii_digit) {
                    return garbage(format!("{} is no time", shown(value)));
                }
                self.other_depth = true;
                self.is_odd = true;
            }
            b"filter" => self.filter(value)?,
            b"want-ref" | b"packfile-uris" | b"sideband-all" => {
                return garbage(format!("{} is not served here", shown(name)));
            }
            _ if is_v2 && FLAGS.contains(&line) => self.note(line),
            // git itself knows which other ones there are.
            _ if is_v2 => self.is_odd = true,
            _ => return garbage(format!("{} is no line of a fetch", shown(line))),
        }
        if self.depth && self.other_depth {
            return garbage("deepen and deepen-since or deepen-not exclude each other");
        }
        Ok(())
    }

    /// A commit that the client has.
    pub fn has(&mut self, value: &[u8]) -> Result<(), Refused> {
        self.is_odd = true;
        object_id(value)
    }

    fn filter(&mut self, value: &[u8]) -> Result<(), Refused> {
        if value != b"blob:none" {
            return garbage(format!("the filter {} is not served here; blob:none is", shown(value)));
        }
        if !self.may_filter {
            return garbage("it has a filter, but not the capability `filter` behind the first commit");
        }
        if self.filters {
            return garbage("it has more than one filter");
        }
        self.filters = true;
        self.note(b"filter blob:none");
        Ok(())
    }

    /// A commit, behind which the first line of the older versions has what the client can do.
    fn want(&mut self, value: &[u8]) -> Result<(), Refused> {
        let (id, rest) = value.split_at(value.len().min(40));
        object_id(id)?;
        if !rest.is_empty() {
            if self.version == Version::V2 {
                return garbage(format!("{} is no object id", shown(value)));
            }
            self.capabilities(rest);
        }
        self.is_odd |= id.iter().any(u8::is_ascii_uppercase);
        if !self.is_odd && self.wants.insert(id.to_vec()) {
            self.count(id.len());
        }
        Ok(())
    }

    /// Words behind single spaces. libgit2 puts a space behind the last one, too.
    fn capabilities(&mut self, rest: &[u8]) {
        let rest = rest.strip_suffix(b" ").unwrap_or(rest);
        let Some(words) = rest.strip_prefix(b" ") else {
            self.is_odd |= !rest.is_empty();
            return;
        };
        self.is_odd |= !self.words.is_empty() || !self.wants.is_empty();
        let mut named = [false; 2];
        for word in words.split(|&byte| byte == b' ') {
            self.may_filter |= word == b"filter";
            match [b"agent=" as &[u8], b"session-id="].into_iter().position(|start| word.starts_with(start)) {
                Some(which) => self.is_odd |= std::mem::replace(&mut named[which], true),
                None if CAPABILITIES.contains(&word) => self.note(word),
                None => self.is_odd = true,
            }
        }
    }

    /// Something that the answer depends on, and that is said once.
    fn note(&mut self, word: &[u8]) {
        if !self.is_odd {
            self.is_odd = !self.words.insert(word.to_vec());
            self.count(word.len());
        }
    }

    fn count(&mut self, length: usize) {
        self.length += length + 1;
        self.is_odd |= self.length > MAX_KEY;
    }

    pub fn finish(self, length: u64) -> Objects {
        if self.is_odd || !self.done || self.wants.is_empty() {
            return Objects { length, key: None, wants: Vec::new() };
        }
        let mut key = vec![if self.version == Version::V2 { b'2' } else { b'0' }];
        for word in self.words.iter().chain(&self.wants) {
            key.push(b'\n');
            key.extend_from_slice(word);
        }
        Objects { length, key: Some(key), wants: self.wants.into_iter().collect() }
    }
}

/// Whether it has neither control characters nor others than those of ASCII.
pub fn is_printable(line: &[u8]) -> bool {
    line.iter().all(|byte| (b' '..=b'~').contains(byte))
}

fn object_id(text: &[u8]) -> Result<(), Refused> {
    if text.len() == 40 && text.iter().all(u8::is_ascii_hexdigit) {
        return Ok(());
    }
    garbage(format!("{} is no object id", shown(text)))
}
