//! What the content of a file is, as far as it decides how the file is shown.

use std::str;

/// How many bytes decide whether a file is binary: as many as git looks at.
const LOOKED_AT: usize = 8000;

/// What the content of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Form {
    /// UTF-8 text.
    Text = 0,
    /// Text in another or an unknown encoding.
    OtherText = 1,
    /// There is a NUL in its first 8,000 bytes, which is git's rule.
    Binary = 2,
    /// A link. The registry refuses to publish those; packages of another registry can have them, and cargo does not
    /// follow them here either. Its content is its target.
    Link = 3,
}

impl Form {
    /// The form by its number in a listing.
    pub(super) fn of_number(number: u8) -> Option<Self> {
        [Self::Text, Self::OtherText, Self::Binary, Self::Link].into_iter().find(|form| *form as u8 == number)
    }
}

/// Finds the form and the number of lines of a content that is given piece by piece.
#[derive(Debug, Default)]
pub(super) struct Inspector {
    seen: usize,
    has_nul: bool,
    is_not_utf8: bool,
    /// The bytes of a character that is cut off at the end of a piece.
    cut: Vec<u8>,
    line_feeds: u64,
    last: Option<u8>,
}

impl Inspector {
    pub fn add(&mut self, piece: &[u8]) {
        let looked_at = &piece[..piece.len().min(LOOKED_AT.saturating_sub(self.seen))];
        self.has_nul |= looked_at.contains(&0);
        self.seen += piece.len();
        self.line_feeds += bytecount(piece);
        self.last = piece.last().copied().or(self.last);
        if !self.has_nul && !self.is_not_utf8 {
            self.check_encoding(piece);
        }
    }

    /// The form, and the number of lines: a last line may be without a line feed.
    pub fn finish(self) -> (Form, u32) {
        let lines = self.line_feeds + u64::from(self.last.is_some_and(|last| last != b'\n'));
        let form = if self.has_nul {
            Form::Binary
        } else if self.is_not_utf8 || !self.cut.is_empty() {
            Form::OtherText
        } else {
            Form::Text
        };
        (form, u32::try_from(lines).unwrap_or(u32::MAX))
    }

    fn check_encoding(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !self.cut.is_empty() && !rest.is_empty() {
            self.cut.push(rest[0]);
            rest = &rest[1..];
            match str::from_utf8(&self.cut) {
                Ok(_) => self.cut.clear(),
                Err(error) if error.error_len().is_none() => {}
                Err(_) => self.is_not_utf8 = true,
            }
            if self.is_not_utf8 {
                return;
            }
        }
        if let Err(error) = str::from_utf8(rest) {
            match error.error_len() {
                None => self.cut = rest[error.valid_up_to()..].to_vec(),
                Some(_) => self.is_not_utf8 = true,
            }
        }
    }
}

fn bytecount(piece: &[u8]) -> u64 {
    // The compiler vectorises this sum of bytes, which needs no library.
    piece.chunks(255).map(|chunk| u64::from(chunk.iter().map(|&byte| u8::from(byte == b'\n')).sum::<u8>())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(content: &[u8], piece: usize) -> (Form, u32) {
        let mut inspector = Inspector::default();
        content.chunks(piece).for_each(|piece| inspector.add(piece));
        inspector.finish()
    }

    #[test]
    fn the_form_does_not_depend_on_how_the_content_is_cut() {
        let late_nul = [&[b'a'; LOOKED_AT][..], b"\0"].concat();
        let early_nul = [&[b'a'; LOOKED_AT - 1][..], b"\0"].concat();
        let cases: [(&[u8], Form, u32); 10] = [
            (b"", Form::Text, 0),
            (b"a", Form::Text, 1),
            (b"a\n", Form::Text, 1),
            (b"a\n\nb", Form::Text, 3),
            ("größe 漢語 👍\n".as_bytes(), Form::Text, 1),
            (b"gr\xf6\xdfe\n", Form::OtherText, 1),
            (b"cut \xe6\xbc", Form::OtherText, 1),
            (b"\x7fELF\0\n", Form::Binary, 1),
            (&late_nul, Form::Text, 1),
            (&early_nul, Form::Binary, 1),
        ];
        for (content, form, lines) in cases {
            for piece in [1, 2, 3, 7, 8000, 9000] {
                assert_eq!(of(content, piece), (form, lines), "{content:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn line_feeds_are_counted_in_any_number() {
        assert_eq!(of(&[b'\n'; 1000], 1000).1, 1000);
    }
}
