//! The zlib streams of entries. A compressor and a decompressor of each thread are used again, since to set one up takes
//! longer than a small object.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// The header of a stream, and the most bytes of a stored block. Source: RFC 1950 and RFC 1951.
const HEADER: [u8; 2] = [0x78, 0x01];
const LARGEST_BLOCK: usize = 0xffff;

thread_local! {
    static COMPRESS: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), true));
    static DECOMPRESS: RefCell<Decompress> = RefCell::new(Decompress::new(true));
}

/// Appends a stream that has the content as it is.
pub(super) fn push_stored(pack: &mut Vec<u8>, content: &[u8]) {
    pack.extend_from_slice(&HEADER);
    let blocks = content.len().div_ceil(LARGEST_BLOCK).max(1);
    for number in 0..blocks {
        let start = number * LARGEST_BLOCK;
        let block = &content[start..content.len().min(start + LARGEST_BLOCK)];
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX); // at most that
        pack.push(u8::from(number + 1 == blocks));
        pack.extend_from_slice(&length.to_le_bytes());
        pack.extend_from_slice(&(!length).to_le_bytes());
        pack.extend_from_slice(block);
    }
    pack.extend_from_slice(&adler32(content).to_be_bytes());
}

/// Appends a compressed stream.
pub(super) fn push_compressed(pack: &mut Vec<u8>, content: &[u8]) {
    COMPRESS.with_borrow_mut(|compress| {
        compress.reset();
        loop {
            pack.reserve(1024.max(content.len() / 2));
            let rest = &content[usize::try_from(compress.total_in()).unwrap_or(content.len())..];
            match compress.compress_vec(rest, pack, FlushCompress::Finish) {
                Ok(Status::StreamEnd) => return,
                Ok(Status::Ok | Status::BufError) => {}
                Err(_) => unreachable!("the compressor was reset, and its input is in memory"),
            }
        }
    });
}

/// The content of a stream, which is at the beginning of `stream`; `None` if it is damaged.
pub(super) fn read(stream: &[u8]) -> Option<Vec<u8>> {
    DECOMPRESS.with_borrow_mut(|decompress| {
        decompress.reset(true);
        let mut content = Vec::new();
        loop {
            content.reserve(1024.max(content.capacity()));
            let rest = &stream[usize::try_from(decompress.total_in()).ok()?..];
            let before = decompress.total_out();
            match decompress.decompress_vec(rest, &mut content, FlushDecompress::None).ok()? {
                Status::StreamEnd => return Some(content),
                Status::Ok | Status::BufError if decompress.total_out() > before => {}
                // The end is missing.
                Status::Ok | Status::BufError => return None,
            }
        }
    })
}

/// The checksum of a stream's content.
fn adler32(content: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    /// Bytes after which the sums may exceed 32 bits.
    const UNTIL_MODULO: usize = 5552;
    let (mut a, mut b) = (1u32, 0u32);
    for piece in content.chunks(UNTIL_MODULO) {
        for byte in piece {
            a += u32::from(*byte);
            b += a;
        }
        a %= MODULUS;
        b %= MODULUS;
    }
    (b << 16) | a
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn each_stream_has_its_content() {
        for length in [0, 1, 5552, 5553, 65_535, 65_536, 200_000] {
            let content: Vec<u8> =
                (0..length).map(|place: u32| (place.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
            for push in [push_stored, push_compressed] {
                let mut pack = b"before".to_vec();
                push(&mut pack, &content);
                let stream = pack.strip_prefix(b"before").unwrap();
                let mut other = Vec::new();
                flate2::read::ZlibDecoder::new(stream).read_to_end(&mut other).unwrap();
                assert!(other == content, "{length}");
                assert!(read(&[stream, b"after"].concat()).unwrap() == content, "{length}");
                assert_eq!(read(&stream[..stream.len() - 1]), None, "{length}");
            }
        }
        assert_eq!(read(b"no stream"), None);
    }
}
