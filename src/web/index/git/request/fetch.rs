//! The lines of a fetch: their validation, and the key of the answer in the cache.

use std::collections::BTreeSet;

use super::parsed::{CacheKey, Fetch, Refusal, invalid};
use crate::web::index::git::packets::shown;
use crate::web::index::git::version::Version;

/// Longest cache key, in bytes. A longer request is unusual.
const MAX_KEY: usize = 2048;

/// The capabilities that a usual client of versions 0 and 1 sends after its first want.
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

/// The arguments without a value that a usual client of version 2 sends.
const FLAGS: [&[u8]; 4] = [b"thin-pack", b"no-progress", b"include-tag", b"ofs-delta"];

/// Collects the lines of a fetch.
///
/// An answer is shared only if git and this parser cannot read the request differently. The usual lines are listed, and
/// any other line makes the request unusual.
pub struct FetchLines {
    version: Version,
    /// What the answer depends on, except the commits.
    words: BTreeSet<Vec<u8>>,
    wants: BTreeSet<Vec<u8>>,
    /// The length of both, in bytes.
    length: usize,
    is_empty: bool,
    pub is_done: bool,
    has_haves: bool,
    /// The answer is for this client only.
    pub is_unusual: bool,
    may_filter: bool,
    has_filter: bool,
    /// Whether `deepen` limits the depth, and whether another argument does.
    has_depth: bool,
    has_other_depth: bool,
}

impl FetchLines {
    pub fn new(version: Version) -> Self {
        Self {
            version,
            words: BTreeSet::new(),
            wants: BTreeSet::new(),
            length: 0,
            is_empty: true,
            is_done: false,
            has_haves: false,
            is_unusual: false,
            may_filter: version == Version::V2,
            has_filter: false,
            has_depth: false,
            has_other_depth: false,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Adds a line that stands before the flush packet: any line in version 2, and any except `have` and `done` in
    /// versions 0 and 1.
    pub fn argument(&mut self, line: &[u8]) -> Result<(), Refusal> {
        self.is_empty = false;
        // A usual client sends nothing after `done`.
        self.is_unusual |= self.is_done || !is_printable(line);
        let (name, value) = match line.iter().position(|&byte| byte == b' ') {
            Some(place) => (&line[..place], &line[place + 1..]),
            None => (line, &[] as &[u8]),
        };
        let is_v2 = self.version == Version::V2;
        match name {
            b"want" => return self.want(value),
            b"shallow" => {
                self.is_unusual = true;
                check_object_id(value)?;
            }
            b"have" if is_v2 => self.have(value)?,
            b"done" if is_v2 && line == b"done" => self.is_done = true,
            b"deepen" => {
                let depth = std::str::from_utf8(value).ok().and_then(|depth| depth.parse::<i32>().ok());
                // Git reads a number with a leading zero as octal or hexadecimal.
                let Some(depth) = depth.filter(|depth| *depth > 0 && (b'1'..=b'9').contains(&value[0])) else {
                    return invalid(format!("{} is not a valid depth", shown(value)));
                };
                self.has_depth = true;
                self.add_word(format!("deepen {depth}").as_bytes());
            }
            b"deepen-not" => {
                self.has_other_depth = true;
                self.is_unusual = true;
            }
            b"deepen-since" => {
                if value.is_empty() || value.len() > 12 || !value.iter().all(u8::is_ascii_digit) {
                    return invalid(format!("{} is not a valid timestamp", shown(value)));
                }
                self.has_other_depth = true;
                self.is_unusual = true;
            }
            b"filter" => self.filter(value)?,
            b"want-ref" | b"packfile-uris" | b"sideband-all" => {
                return invalid(format!("{} is not supported: the server has not advertised it", shown(name)));
            }
            _ if is_v2 && FLAGS.contains(&line) => self.add_word(line),
            // Git checks the other arguments of version 2.
            _ if is_v2 => self.is_unusual = true,
            _ => return invalid(format!("unknown fetch line {}", shown(line))),
        }
        if self.has_depth && self.has_other_depth {
            return invalid("deepen cannot be combined with deepen-since or deepen-not");
        }
        Ok(())
    }

    /// Adds a commit that the client has.
    pub fn have(&mut self, value: &[u8]) -> Result<(), Refusal> {
        self.has_haves = true;
        self.is_unusual = true;
        check_object_id(value)
    }

    /// Adds a filter. Git needs much memory and time for others than `blob:none`.
    fn filter(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if value != b"blob:none" {
            let problem = format!("the filter {} is not supported: use --filter=blob:none", shown(value));
            return Err(Refusal::Unsupported(problem));
        }
        if !self.may_filter {
            return invalid("it has a filter, but its first want does not list the capability `filter`");
        }
        if self.has_filter {
            return invalid("it has more than one filter");
        }
        self.has_filter = true;
        self.add_word(b"filter blob:none");
        Ok(())
    }

    /// Adds a commit to fetch. In versions 0 and 1 the client's capabilities follow the first one.
    fn want(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let (id, rest) = value.split_at(value.len().min(40));
        check_object_id(id)?;
        if !rest.is_empty() {
            if self.version == Version::V2 {
                return invalid(format!("{} is not an object id", shown(value)));
            }
            self.add_capabilities(rest);
        }
        self.is_unusual |= id.iter().any(u8::is_ascii_uppercase);
        if !self.is_unusual && self.wants.insert(id.to_vec()) {
            self.add_length(id.len());
        }
        Ok(())
    }

    /// Adds capabilities, each after a single space. libgit2 sends a space after the last one, too.
    fn add_capabilities(&mut self, rest: &[u8]) {
        let rest = rest.strip_suffix(b" ").unwrap_or(rest);
        let Some(words) = rest.strip_prefix(b" ") else {
            self.is_unusual |= !rest.is_empty();
            return;
        };
        self.is_unusual |= !self.words.is_empty() || !self.wants.is_empty();
        let mut named = [false; 2];
        for word in words.split(|&byte| byte == b' ') {
            self.may_filter |= word == b"filter";
            match [b"agent=" as &[u8], b"session-id="].into_iter().position(|start| word.starts_with(start)) {
                Some(which) => self.is_unusual |= std::mem::replace(&mut named[which], true),
                None if CAPABILITIES.contains(&word) => self.add_word(word),
                None => self.is_unusual = true,
            }
        }
    }

    /// Adds a word that the answer depends on. A repeated one makes the request unusual.
    fn add_word(&mut self, word: &[u8]) {
        if !self.is_unusual {
            self.is_unusual = !self.words.insert(word.to_vec());
            self.add_length(word.len());
        }
    }

    fn add_length(&mut self, length: usize) {
        self.length += length + 1;
        self.is_unusual |= self.length > MAX_KEY;
    }

    /// The fetch, whose request has this length in bytes.
    pub fn finish(self, length: u64) -> Fetch {
        let is_clone = !self.has_haves;
        if self.is_unusual || !self.is_done || self.wants.is_empty() {
            return Fetch { length, is_clone, cache_key: None };
        }
        let mut bytes = vec![if self.version == Version::V2 { b'2' } else { b'0' }];
        for word in self.words.iter().chain(&self.wants) {
            bytes.push(b'\n');
            bytes.extend_from_slice(word);
        }
        Fetch { length, is_clone, cache_key: Some(CacheKey { bytes, wants: self.wants.into_iter().collect() }) }
    }
}

/// Whether a line has printable ASCII characters only.
pub fn is_printable(line: &[u8]) -> bool {
    line.iter().all(|byte| (b' '..=b'~').contains(byte))
}

fn check_object_id(text: &[u8]) -> Result<(), Refusal> {
    if text.len() == 40 && text.iter().all(u8::is_ascii_hexdigit) {
        return Ok(());
    }
    invalid(format!("{} is not an object id", shown(text)))
}
