//! Decoding of an answer that its server has compressed (`Content-Encoding`).
//!
//! Nothing is requested, but some servers compress all the same. The limit is one of decoded bytes. Crate files are not
//! decoded: cargo does not do it either, and servers label them because they are compressed themselves.

use std::io::{self, Read};

/// A coding of `Content-Encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// Why an answer could not be decoded.
#[derive(Debug)]
pub enum DecodeError {
    TooLarge,
    Unreadable(io::Error),
}

/// The codings of a header, in the order in which they were applied. The error is a coding that is not known.
pub fn codings(header: &str) -> Result<Vec<Coding>, String> {
    let names = header.split(',').map(|name| name.trim().to_ascii_lowercase());
    let names = names.filter(|name| !matches!(&**name, "" | "identity"));
    names
        .map(|name| match &*name {
            "gzip" | "x-gzip" => Ok(Coding::Gzip),
            "deflate" => Ok(Coding::Deflate),
            "br" => Ok(Coding::Brotli),
            "zstd" => Ok(Coding::Zstd),
            _ => Err(name),
        })
        .collect()
}

/// Decodes a body to at most `limit` bytes.
pub fn decode(body: Vec<u8>, codings: &[Coding], limit: u64) -> Result<Vec<u8>, DecodeError> {
    codings.iter().rev().try_fold(body, |body, coding| {
        let mut decoded = Vec::new();
        let reader = reader(&body, *coding).map_err(DecodeError::Unreadable)?;
        reader.take(limit.saturating_add(1)).read_to_end(&mut decoded).map_err(DecodeError::Unreadable)?;
        if decoded.len() as u64 > limit { Err(DecodeError::TooLarge) } else { Ok(decoded) }
    })
}

fn reader<'a>(body: &'a [u8], coding: Coding) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match coding {
        Coding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(body)),
        Coding::Deflate if is_zlib(body) => Box::new(flate2::read::ZlibDecoder::new(body)),
        Coding::Deflate => Box::new(flate2::read::DeflateDecoder::new(body)),
        Coding::Brotli => Box::new(brotli_decompressor::Decompressor::new(body, BUFFER)),
        Coding::Zstd => Box::new(zstd::stream::read::Decoder::new(body)?),
    })
}

const BUFFER: usize = 16 * 1024;

/// `deflate` means the zlib format (RFC 9110), but some servers send the compressed data without its header.
fn is_zlib(body: &[u8]) -> bool {
    let [first, second, ..] = *body else { return false };
    first & 0x0f == 8 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;

    use super::*;

    const TEXT: &[u8] = b"{\"name\":\"a\"}\n{\"name\":\"a\"}\n";
    /// The text in brotli, which has no encoder here: a block that is not compressed, and an empty last one.
    const BROTLI: &[u8] = b"\x90\x01\x10{\"name\":\"a\"}\n{\"name\":\"a\"}\n\x03";

    fn written<W: Write>(mut encoder: W, finish: impl FnOnce(W) -> Vec<u8>) -> Vec<u8> {
        encoder.write_all(TEXT).unwrap();
        finish(encoder)
    }

    fn samples() -> Vec<(&'static str, Vec<u8>)> {
        let fast = Compression::fast();
        vec![
            ("gzip", written(flate2::write::GzEncoder::new(Vec::new(), fast), |one| one.finish().unwrap())),
            ("X-GZip", written(flate2::write::GzEncoder::new(Vec::new(), fast), |one| one.finish().unwrap())),
            ("deflate", written(flate2::write::ZlibEncoder::new(Vec::new(), fast), |one| one.finish().unwrap())),
            ("deflate", written(flate2::write::DeflateEncoder::new(Vec::new(), fast), |one| one.finish().unwrap())),
            ("zstd", zstd::encode_all(TEXT, 1).unwrap()),
            ("br", BROTLI.to_vec()),
            ("identity", TEXT.to_vec()),
            ("", TEXT.to_vec()),
        ]
    }

    #[test]
    fn each_coding_is_decoded_and_several_in_turn() {
        for (header, body) in samples() {
            let decoded = decode(body, &codings(header).unwrap(), TEXT.len() as u64).unwrap();
            assert_eq!(decoded, TEXT, "{header}");
        }
        let twice = zstd::encode_all(&*samples().remove(0).1, 1).unwrap();
        assert_eq!(decode(twice, &codings("gzip, zstd").unwrap(), 1000).unwrap(), TEXT);
        assert_eq!(codings("gzip, what"), Err("what".to_owned()));
    }

    #[test]
    fn the_limit_is_one_of_decoded_bytes() {
        for (header, body) in samples().into_iter().filter(|(header, _)| !codings(header).unwrap().is_empty()) {
            let refused = decode(body, &codings(header).unwrap(), TEXT.len() as u64 - 1);
            assert!(matches!(refused, Err(DecodeError::TooLarge)), "{header}");
        }
        let bomb = zstd::encode_all(&*vec![0; 10_000_000], 1).unwrap();
        assert!(bomb.len() < 10_000);
        assert!(matches!(decode(bomb, &[Coding::Zstd], 1_000_000), Err(DecodeError::TooLarge)));
        assert!(matches!(decode(TEXT.to_vec(), &[Coding::Gzip], 1000), Err(DecodeError::Unreadable(_))));
    }
}
