//! Requests of the git protocol.
//!
//! - `0` and `2`: a request of version 0 or 2.
//! - `a` and `b`: the lines of a request of version 0 or 2 with a separator between them, which become packets. An
//!   empty line is a flush packet, and `|` is a delimiter packet.

use std::collections::BTreeSet;

use supercargo::web::index::git::request::{CacheKey, Fetch, MAX_REQUEST, Refusal, Request, read};
use supercargo::web::index::git::{Advertised, Version};

use super::{SEPARATOR, check_message};

/// Longest cache key: the limit of the parser, and the version.
const MAX_KEY: usize = 2049;

pub fn run(data: &[u8]) -> bool {
    match data.split_first() {
        Some((b'0', request)) => check(Version::V0, request),
        Some((b'2', request)) => check(Version::V2, request),
        Some((b'a', lines)) => check(Version::V0, &packets(lines.split(|byte| *byte == SEPARATOR))),
        Some((b'b', lines)) => check(Version::V2, &packets(lines.split(|byte| *byte == SEPARATOR))),
        _ => false,
    }
}

fn packets<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut request = Vec::new();
    for line in lines {
        match line {
            b"" => request.extend_from_slice(b"0000"),
            b"|" => request.extend_from_slice(b"0001"),
            line => {
                request.extend_from_slice(format!("{:04x}", line.len() + 4).as_bytes());
                request.extend_from_slice(line);
            }
        }
    }
    request
}

/// The lines of an accepted request.
fn lines(mut request: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    while let Some((prefix, rest)) = request.split_at_checked(4) {
        let prefix = std::str::from_utf8(prefix).expect("a packet length is ASCII");
        let length = usize::from_str_radix(prefix, 16).expect("a packet length is hexadecimal");
        let (line, rest) = rest.split_at(length.saturating_sub(4));
        if length >= 4 {
            lines.push(line.strip_suffix(b"\n").unwrap_or(line));
        }
        request = rest;
    }
    assert!(request.is_empty(), "a part of a packet: {}", request.escape_ascii());
    lines
}

fn parse(version: Version, request: &[u8]) -> Result<Request, Refusal> {
    let capabilities: [&[u8]; 6] =
        [b"version 2", b"agent=x", b"ls-refs=unborn", b"fetch=shallow filter", b"server-option", b"object-format=sha1"];
    read(request, version, &Advertised::of(packets(capabilities).into()))
}

fn check(version: Version, request: &[u8]) -> bool {
    match parse(version, request) {
        Err(Refusal::Invalid(problem) | Refusal::Unsupported(problem)) => {
            check_message(&problem);
            false
        }
        Err(Refusal::TooLarge) => {
            assert!(request.len() > MAX_REQUEST);
            false
        }
        Err(Refusal::NotGzip) => panic!("nothing is compressed"),
        Ok(Request::Probe) => {
            assert_eq!(request, b"0000");
            true
        }
        Ok(Request::References(_)) => {
            assert_eq!(version, Version::V2);
            true
        }
        Ok(Request::Objects(fetch)) => {
            check_fetch(version, request, &fetch);
            true
        }
    }
}

/// Checks the part of the request that git reads: it is a complete request, and no line costs git much memory or time.
fn check_fetch(version: Version, request: &[u8], fetch: &Fetch) {
    let length = usize::try_from(fetch.length).expect("a length fits");
    let request = &request[..length];
    match parse(version, request) {
        Ok(Request::Objects(again)) => assert_eq!(again, *fetch),
        other => panic!("the request without what follows it is {other:?}"),
    }
    let lines = lines(request);
    for line in &lines {
        let name = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        match name {
            b"filter" => assert_eq!(line.escape_ascii().to_string(), "filter blob:none"),
            b"want-ref" | b"packfile-uris" | b"sideband-all" => panic!("{} was accepted", line.escape_ascii()),
            b"want" | b"have" | b"shallow" => {
                let id = line.get(name.len() + 1..name.len() + 41).unwrap_or_default();
                assert!(id.len() == 40 && id.iter().all(u8::is_ascii_hexdigit), "{}", line.escape_ascii());
            }
            _ => {}
        }
    }
    if let Some(key) = &fetch.cache_key {
        check_key(version, &lines, key);
    }
}

/// Checks that the key has every word of the request that the answer depends on, exactly as it was sent.
fn check_key(version: Version, lines: &[&[u8]], key: &CacheKey) {
    assert!(key.bytes.len() <= MAX_KEY);
    assert!(!key.wants.is_empty());
    let words: Vec<&[u8]> = key.bytes.split(|byte| *byte == b'\n').skip(1).collect();
    assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len(), "a word is repeated");
    let is_known = |word: &[u8]| words.contains(&word);
    let is_identity = |word: &[u8]| word.starts_with(b"agent=") || word.starts_with(b"session-id=");
    for line in lines {
        let is_before_arguments = is_identity(line) || matches!(*line, b"command=fetch" | b"object-format=sha1");
        let is_in_key = match line.strip_prefix(b"want ") {
            _ if *line == b"done" => true,
            _ if version == Version::V2 && is_before_arguments => true,
            Some(want) => {
                let mut parts = want.split(|byte| *byte == b' ').filter(|part| !part.is_empty());
                parts.all(|part| is_known(part) || is_identity(part))
            }
            None => is_known(line),
        };
        assert!(is_in_key, "{} is not in the key {}", line.escape_ascii(), key.bytes.escape_ascii());
    }
    assert!(lines.contains(&(b"done" as &[u8])));
    match parse(version, &usual(version, &words, key)) {
        Ok(Request::Objects(again)) => assert_eq!(again.cache_key.as_ref(), Some(key)),
        other => panic!("the usual request with this key is {other:?}"),
    }
}

/// The usual request with this key.
fn usual(version: Version, words: &[&[u8]], key: &CacheKey) -> Vec<u8> {
    let wants: Vec<Vec<u8>> = key.wants.iter().map(|id| [b"want ", &id[..]].concat()).collect();
    let is_want = |word: &&[u8]| key.wants.iter().any(|want| want == word);
    let options = words.iter().copied().filter(|word| !is_want(word));
    if version == Version::V2 {
        let head = [b"command=fetch" as &[u8], b"|"];
        let wants = wants.iter().map(Vec::as_slice);
        return packets(head.into_iter().chain(options).chain(wants).chain([b"done" as &[u8], b""]));
    }
    let (arguments, capabilities): (Vec<&[u8]>, Vec<&[u8]>) = options.partition(|word| word.contains(&b' '));
    let mut first = wants[0].clone();
    for capability in capabilities {
        first.push(b' ');
        first.extend_from_slice(capability);
    }
    let others = wants[1..].iter().map(Vec::as_slice);
    packets([&first[..]].into_iter().chain(others).chain(arguments).chain([b"" as &[u8], b"done"]))
}
