//! Packets of the git protocol (`pkt-line`). Source: git's `gitprotocol-common`.

use std::io::{self, Read};

use crate::package::characters::is_hidden;

/// Longest packet, in bytes, with its prefix.
const LONGEST: usize = 65_520;

/// The length of the prefix, which is the packet's length in hexadecimal.
const PREFIX: usize = 4;

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// `0000`.
    Flush,
    /// `0001`.
    Delimiter,
    /// The content, without the newline at its end.
    Line(&'a [u8]),
}

/// Why a packet cannot be read.
#[derive(Debug)]
pub enum Unreadable {
    /// It is not a packet; the text says what is wrong.
    Malformed(String),
    /// The source is longer than the limit.
    TooLong,
    /// The source cannot be read, because it is not valid gzip.
    Source,
}

/// Reads packets one by one, and no more bytes than its limit.
pub struct Packets<R> {
    source: R,
    read: u64,
    limit: u64,
    line: Vec<u8>,
}

impl<R: Read> Packets<R> {
    pub fn new(source: R, limit: u64) -> Self {
        Self { source, read: 0, limit, line: Vec::new() }
    }

    /// The length of the packets read so far, in bytes.
    pub fn length(&self) -> u64 {
        self.read
    }

    /// Reads the next packet; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Packet<'_>>, Unreadable> {
        let mut prefix = [0; PREFIX];
        let got = self.fill(&mut prefix)?;
        if got == 0 {
            return Ok(None);
        }
        if got < PREFIX {
            return Err(Unreadable::Malformed("it ends inside a packet length".to_owned()));
        }
        let length = match length(prefix) {
            Some(0) => return Ok(Some(Packet::Flush)),
            Some(1) => return Ok(Some(Packet::Delimiter)),
            Some(length @ PREFIX..=LONGEST) => length - PREFIX,
            _ => {
                let prefix = shown(&prefix);
                return Err(Unreadable::Malformed(format!("{prefix} is not a packet length")));
            }
        };
        let mut line = std::mem::take(&mut self.line);
        line.resize(length, 0);
        let got = self.fill(&mut line)?;
        self.line = line;
        if got < length {
            return Err(Unreadable::Malformed("it ends inside a packet".to_owned()));
        }
        Ok(Some(Packet::Line(self.line.strip_suffix(b"\n").unwrap_or(&self.line))))
    }

    /// Reads until the buffer is full or the source ends.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Unreadable> {
        let left = usize::try_from(self.limit - self.read).unwrap_or(usize::MAX);
        let mut filled = 0;
        while filled < buffer.len() {
            // At the limit, one more byte shows whether the source ends here.
            let is_over = filled >= left;
            let end = if is_over { filled + 1 } else { buffer.len().min(left) };
            match self.source.read(&mut buffer[filled..end]) {
                Ok(0) => break,
                Ok(_) if is_over => return Err(Unreadable::TooLong),
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Unreadable::Source),
            }
        }
        self.read += filled as u64;
        Ok(filled)
    }
}

/// Parses a prefix.
fn length(prefix: [u8; PREFIX]) -> Option<usize> {
    prefix.iter().try_fold(0, |sum, &byte| Some(sum * 16 + char::from(byte).to_digit(16)? as usize))
}

/// Writes a line packet.
pub fn put(out: &mut Vec<u8>, content: &[u8]) {
    out.extend_from_slice(format!("{:04x}", content.len() + PREFIX).as_bytes());
    out.extend_from_slice(content);
}

/// Writes a flush packet.
pub fn flush(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0000");
}

/// Quotes what a client sent, for a message to it: short, in backquotes, without hidden characters.
pub fn shown(sent: &[u8]) -> String {
    const SHOWN: usize = 40;
    let text: String = String::from_utf8_lossy(&sent[..sent.len().min(4 * SHOWN)])
        .chars()
        .map(|c| if is_hidden(c) || c == '`' { '\u{fffd}' } else { c })
        .collect();
    if text.chars().count() <= SHOWN && sent.len() <= 4 * SHOWN {
        return format!("`{text}`");
    }
    format!("`{}…`", text.chars().take(SHOWN).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(sent: &[u8], limit: u64) -> Result<Vec<String>, Unreadable> {
        let mut packets = Packets::new(sent, limit);
        let mut found = Vec::new();
        while let Some(packet) = packets.next()? {
            found.push(match packet {
                Packet::Flush => "flush".to_owned(),
                Packet::Delimiter => "delimiter".to_owned(),
                Packet::Line(line) => String::from_utf8_lossy(line).into_owned(),
            });
        }
        Ok(found)
    }

    #[test]
    fn packets_are_read_one_by_one() {
        let sent = b"000Ahello\n000bhello\n\n00040001" as &[u8];
        assert_eq!(all(sent, 100).unwrap(), ["hello", "hello\n", "", "delimiter"]);
        assert_eq!(all(b"00000000", 8).unwrap(), ["flush", "flush"]);
        assert_eq!(all(b"", 0).unwrap(), [""; 0]);
    }

    #[test]
    fn malformed_and_too_long_packets_are_refused() {
        for sent in [b"zzzz" as &[u8], b"0003", b"0002", b"00", b"0009ab", b"fff1", b"-001", b"+00a"] {
            assert!(matches!(all(sent, 100), Err(Unreadable::Malformed(_))), "{}", shown(sent));
        }
        assert!(matches!(all(b"00000000", 7), Err(Unreadable::TooLong)));
        assert!(matches!(all(&[b"0064" as &[u8], &[b'x'; 96]].concat(), 99), Err(Unreadable::TooLong)));
    }

    #[test]
    fn quoted_text_is_short_and_has_no_hidden_characters() {
        assert_eq!(shown(b"\x1b[31m`\n"), "`\u{fffd}[31m\u{fffd}\u{fffd}`");
        assert_eq!(shown("a\u{202e}b\u{200b}".as_bytes()), "`a\u{fffd}b\u{fffd}`");
        assert_eq!(shown(&[b'x'; 1000]).chars().count(), 43);
    }
}
