//! The start of git's output, which shows what kind of answer it is.

use crate::web::index::git::packets::{Packet, Packets};

/// Bytes of the output that are kept. An answer that is only an error is shorter.
const MAX_LENGTH: usize = 1024;

/// The signature and version of a pack.
const PACK: &[u8] = b"PACK\0\0\0\x02";

/// The first bytes of git's output, and whether a pack starts anywhere in it.
#[derive(Default)]
pub struct OutputStart {
    bytes: Vec<u8>,
    has_pack: bool,
    /// The end of the last piece, in which the signature of a pack may have started.
    last: Vec<u8>,
}

impl OutputStart {
    /// Adds the next piece of the output.
    pub fn add(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(&piece[..piece.len().min(MAX_LENGTH - self.bytes.len())]);
        if !self.has_pack {
            self.last.extend_from_slice(piece);
            self.has_pack = contains(&self.last, PACK);
            self.last.drain(..self.last.len().saturating_sub(PACK.len() - 1));
        }
    }

    /// Whether the output is the answer to a clone.
    pub fn is_clone(&self) -> bool {
        self.has_pack && (contains(&self.bytes, b"0008NAK\n") || contains(&self.bytes, b"000dpackfile\n"))
    }

    /// Whether the output, of this length, is kept as a whole.
    pub fn is_whole(&self, length: u64) -> bool {
        length == self.bytes.len() as u64
    }

    /// Whether the output, of this length, is kept as a whole and consists of complete packets.
    pub fn ends_between_packets(&self, length: u64) -> bool {
        let mut packets = Packets::new(&self.bytes[..], length);
        let is_complete = loop {
            match packets.next() {
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        is_complete && self.is_whole(length)
    }

    /// Whether the last packet is an error for the client.
    pub fn ends_with_an_error(&self) -> bool {
        let mut packets = Packets::new(&self.bytes[..], self.bytes.len() as u64);
        let mut is_error = false;
        loop {
            match packets.next() {
                Ok(Some(Packet::Line(line))) => is_error = line.starts_with(b"ERR "),
                Ok(Some(_)) => is_error = false,
                Ok(None) => return is_error,
                Err(_) => return false,
            }
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_the_last_packet_or_none() {
        let ends_with_an_error = |output: &[u8]| {
            let mut start = OutputStart::default();
            start.add(output);
            start.ends_with_an_error()
        };
        assert!(ends_with_an_error(b"0009ERR x"));
        assert!(!ends_with_an_error(b"0009ERR x0000") && !ends_with_an_error(b"PACK"));
    }
}
