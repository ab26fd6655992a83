//! The header of an entry, which must have one spelling.
//!
//! Readers of tar agree only about headers in the usual spelling. Python silently ends an archive at a number that it cannot
//! read; it reads the bytes after a GNU header as a part of the path, unlike GNU tar and cargo; GNU tar reads `+1` as base 64
//! and needs no version after `ustar`; cargo reads the last eight of twelve bytes of a binary size. Each difference shows one
//! reader files that another does not see. So every field that one of them reads must be written as cargo, GNU tar, bsdtar
//! and Python write it.

use std::ops::Range;

use tar::{EntryType, Header};

const NAME: Range<usize> = 0..100;
const MODE: Range<usize> = 100..108;
const UID: Range<usize> = 108..116;
const GID: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const MTIME: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
/// Magic and version.
const FORMAT: Range<usize> = 257..265;
const DEVICE: [Range<usize>; 2] = [329..337, 337..345];
const PREFIX: Range<usize> = 345..500;

const USTAR: &[u8] = b"ustar\x0000";
const GNU: &[u8] = b"ustar  \0";

/// The setuid and setgid bits of a mode.
const SET_ID: u64 = 0o6000;

/// The problem of a header, if it has one.
pub fn problem(header: &Header) -> Option<&'static str> {
    let bytes: &[u8] = header.as_bytes();
    let field = |range: &Range<usize>| &bytes[range.clone()];
    let format = field(&FORMAT);
    let is_empty = |range: Range<usize>| bytes[range].iter().all(|&byte| byte == 0);
    if format == GNU {
        if !is_empty(PREFIX) {
            return Some("bytes behind a GNU header that some programs take for a path");
        }
    } else if format == USTAR {
        if !is_padded(field(&PREFIX)) {
            return Some("a path with bytes behind its end");
        }
    } else if !is_empty(FORMAT.start..PREFIX.end) {
        return Some("a header of an unknown format");
    }
    if !is_padded(field(&NAME)) {
        return Some("a path with bytes behind its end");
    }
    let limits = [(UID, 1 << 32), (GID, 1 << 32), (SIZE, u64::MAX), (MTIME, 1 << 40)];
    let octal = [CHECKSUM].into_iter().chain(DEVICE);
    if limits.iter().any(|(range, limit)| number(field(range)).is_none_or(|value| value >= *limit))
        || octal.map(|range| number(field(&range))).any(|value| value.is_none())
    {
        return Some("a number that not every program can read");
    }
    match number(field(&MODE)) {
        None => Some("a number that not every program can read"),
        Some(mode) if mode & SET_ID != 0 => Some("a file that is setuid or setgid"),
        Some(_) => is_in_one_piece(header.entry_type(), number(field(&SIZE))),
    }
}

/// Refuses a directory with a size: readers disagree whether its contents or the next header follow.
fn is_in_one_piece(kind: EntryType, size: Option<u64>) -> Option<&'static str> {
    (kind.is_dir() && size != Some(0)).then_some("a directory with contents")
}

/// Whether a text fills its field or is followed by NULs only.
fn is_padded(field: &[u8]) -> bool {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    field[end..].iter().all(|&byte| byte == 0)
}

/// A number that all readers read alike: octal digits, optionally after spaces and before NULs or spaces; an empty field,
/// which is zero; or a binary number whose bytes that some readers ignore are zero.
fn number(field: &[u8]) -> Option<u64> {
    let (&first, rest) = field.split_first()?;
    if first == 0x80 {
        let (high, low) = rest.split_at(rest.len().saturating_sub(8));
        return high
            .iter()
            .all(|&byte| byte == 0)
            .then(|| low.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)));
    }
    if field.iter().all(|&byte| byte == 0) {
        return Some(0);
    }
    let text = field.trim_ascii_start();
    let digits = text.iter().take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let is_sound = digits > 0
        && field[..field.len() - text.len()].iter().all(|&byte| byte == b' ')
        && text[digits..].iter().all(|&byte| matches!(byte, 0 | b' '));
    is_sound.then(|| text[..digits].iter().fold(0, |value, &digit| value << 3 | u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_number_is_one_that_every_reader_takes_for_the_same() {
        for (field, value) in [
            (&b"0000644\0"[..], 0o644),
            (b"    17 \0", 0o17),
            (b"17      ", 0o17),
            (b"00000000017", 0o17),
            (b"\0\0\0\0\0\0\0\0", 0),
            (b"\x80\0\0\0\0\0\x01\0", 256),
            (b"\x80\0\0\0\0\0\0\0\0\0\x01\0", 256),
        ] {
            assert_eq!(number(field), Some(value), "{field:?}");
        }
        for field in [
            &b"+000644\0"[..],
            b"-000644\0",
            b"0o644\0\0\0",
            b"6_4\0\0\0\0\0",
            b"644\x009\0\0\0",
            b"\x00644\0\0\0\0",
            b"        ",
            b"689\0\0\0\0\0",
            b"\t644\0\0\0\0",
            b"\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x81\0\0\0\0\0\0\0",
            b"\x80\0\0\x01\0\0\0\0\0\0\x01\0",
        ] {
            assert_eq!(number(field), None, "{field:?}");
        }
    }
}
