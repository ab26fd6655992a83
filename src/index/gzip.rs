//! Compressed files for readers that ask for gzip.
//!
//! The file of a crate with many versions is compressed in pieces, and changes in one of them with each publish. So the other
//! pieces are those of the version before: the first reader after a publish waits for one piece.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::cache;

/// The size of files that have pieces, in bytes.
const LARGE: usize = 2 * PIECE;
/// The least size of a piece but the last, in bytes: the distance over which repetitions are found.
const PIECE: usize = 32 * 1024;
/// The size of what is kept, in bytes.
const KEPT: u64 = 16 * 1024 * 1024;
/// The approximate number of files.
const EXPECTED: usize = 64;

/// Magic number, method, no flags, no time, no hint, unknown system. Source: RFC 1952.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// An empty last block. Source: RFC 1951.
const END: [u8; 2] = [3, 0];

/// The last versions of large files, by their paths.
#[derive(Debug)]
pub(super) struct Compressed(Cache<String, Arc<Version>, BySize>);

/// A file with its pieces, in their order.
#[derive(Debug)]
struct Version {
    content: Bytes,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    range: Range<usize>,
    /// Blocks that end with a whole byte and refer to nothing before them.
    blocks: Bytes,
}

#[derive(Debug, Clone)]
struct BySize;

impl Weighter<String, Arc<Version>> for BySize {
    fn weight(&self, path: &String, version: &Arc<Version>) -> u64 {
        let blocks: usize = version.pieces.iter().map(|piece| piece.blocks.len()).sum();
        (path.len() + version.content.len() + blocks) as u64
    }
}

impl Default for Compressed {
    fn default() -> Self {
        Self(cache::of_bytes(KEPT, EXPECTED, BySize))
    }
}

impl Compressed {
    /// The file at a path, compressed.
    pub fn gzip(&self, path: &str, content: &Bytes) -> Bytes {
        if content.len() < LARGE {
            return whole(content);
        }
        let before = self.0.get(path);
        let mut pieces: Vec<Piece> = Vec::with_capacity(content.len() / PIECE + 1);
        while let Some(range) = next(content, pieces.last().map_or(0, |last| last.range.end)) {
            let kept = before.as_ref().and_then(|before| before.blocks(pieces.len(), &content[range.clone()]));
            let blocks = kept.unwrap_or_else(|| deflate(&content[range.clone()]));
            pieces.push(Piece { range, blocks });
        }
        let compressed = joined(content, &pieces);
        self.0.insert(path.to_owned(), Arc::new(Version { content: content.clone(), pieces }));
        compressed
    }
}

impl Version {
    /// The blocks of the piece with this number, if it has this content.
    fn blocks(&self, number: usize, content: &[u8]) -> Option<Bytes> {
        let piece = self.pieces.get(number)?;
        (self.content[piece.range.clone()] == *content).then(|| piece.blocks.clone())
    }
}

/// The piece from this place on: whole lines.
fn next(content: &[u8], start: usize) -> Option<Range<usize>> {
    if start == content.len() {
        return None;
    }
    let least = content.len().min(start + PIECE);
    Some(start..memchr::memchr(b'\n', &content[least..]).map_or(content.len(), |length| least + length + 1))
}

fn joined(content: &[u8], pieces: &[Piece]) -> Bytes {
    let length: usize = pieces.iter().map(|piece| piece.blocks.len()).sum();
    let mut joined = Vec::with_capacity(HEADER.len() + length + END.len() + 8);
    joined.extend_from_slice(&HEADER);
    pieces.iter().for_each(|piece| joined.extend_from_slice(&piece.blocks));
    joined.extend_from_slice(&END);
    joined.extend_from_slice(&crc32fast::hash(content).to_le_bytes());
    // Its lower 32 bits, as the format has it.
    joined.extend_from_slice(&(content.len() as u64).to_le_bytes()[..4]);
    joined.into()
}

fn deflate(piece: &[u8]) -> Bytes {
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(piece.len() / 4), Compression::default());
    // To flush ends the blocks with a whole byte.
    let written = encoder.write_all(piece).and_then(|()| encoder.flush());
    written.expect("a Vec takes every byte"); // writing to memory cannot fail
    Bytes::from(std::mem::take(encoder.get_mut()))
}

fn whole(content: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let compressed = encoder.write_all(content).and_then(|()| encoder.finish());
    Bytes::from(compressed.expect("a Vec takes every byte")) // writing to memory cannot fail
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const PATH: &str = "fo/o-/foo-bar";

    fn lines(numbers: Range<u32>) -> String {
        numbers.map(|number| format!("{:0160} {:08x} false\n", number, number.wrapping_mul(2_654_435_761))).collect()
    }

    fn inflated(compressed: &[u8]) -> Vec<u8> {
        let (mut decoder, mut content) = (flate2::bufread::GzDecoder::new(compressed), Vec::new());
        decoder.read_to_end(&mut content).unwrap();
        assert!(decoder.into_inner().is_empty(), "one member");
        content
    }

    #[test]
    fn every_version_is_compressed_as_one_stream() {
        let compressed = Compressed::default();
        let mut file = String::new();
        for _ in 0..20 {
            file += &lines(0..61);
            for version in
                [file.clone(), file.replacen("00000007 ", "x ", 1), file[1..].to_owned(), file.trim_end().into()]
            {
                let version = Bytes::from(version);
                assert!(inflated(&compressed.gzip(PATH, &version)) == version, "{}", version.len());
            }
        }
        let line_of_many_pieces = Bytes::from("x".repeat(5 * PIECE + 1));
        assert!(inflated(&compressed.gzip(PATH, &line_of_many_pieces)) == line_of_many_pieces);
    }

    #[test]
    fn only_the_pieces_that_have_changed_are_compressed_anew() {
        let compressed = Compressed::default();
        let before = Bytes::from(lines(0..2000));
        compressed.gzip(PATH, &before);
        let pieces = || {
            let version = compressed.0.get(PATH).unwrap();
            version.pieces.iter().map(|piece| piece.blocks.as_ptr()).collect::<Vec<_>>()
        };
        let first = pieces();
        assert!(first.len() > 8, "{}", first.len());
        let changed = lines(0..2000).replacen("false", "true", 1) + &lines(0..1);
        compressed.gzip(PATH, &Bytes::from(changed));
        let second = pieces();
        let same = first.iter().zip(&second).filter(|(one, other)| one == other).count();
        assert_eq!((second.len(), same), (first.len(), first.len() - 2));
    }
}
