//! An estimate of the memory that a publish's metadata takes when it is parsed.

/// The most memory that one bracket, comma or colon becomes, in bytes.
const PER_TOKEN: u64 = 160;

/// Counts tokens of JSON while a publish arrives: the first four bytes are the length of the metadata, which follows
/// them.
#[derive(Default)]
pub struct MetadataSize {
    prefix: Vec<u8>,
    /// Bytes of metadata that have not arrived.
    left: u64,
    tokens: u64,
}

impl MetadataSize {
    /// Counts the next piece of the body.
    pub fn count(&mut self, mut piece: &[u8]) {
        while self.prefix.len() < 4 {
            let Some((&first, rest)) = piece.split_first() else { return };
            piece = rest;
            self.prefix.push(first);
            if let Ok(length) = <[u8; 4]>::try_from(&self.prefix[..]) {
                self.left = u32::from_le_bytes(length).into();
            }
        }
        let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(piece.len());
        self.left -= here as u64;
        let is_token = |byte: &&u8| matches!(**byte, b',' | b':' | b'[' | b'{');
        self.tokens += piece[..here].iter().filter(is_token).count() as u64;
    }

    /// The memory of the parsed metadata, in bytes.
    pub fn parsed(&self) -> u64 {
        self.tokens * PER_TOKEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_counted_in_metadata_only_and_in_pieces_of_any_size() {
        let body = b"\x09\0\0\0[1,2,{:3],,,,,,";
        for size in 1..body.len() {
            let mut metadata = MetadataSize::default();
            body.chunks(size).for_each(|piece| metadata.count(piece));
            assert_eq!(metadata.tokens, 5, "{size}");
        }
    }
}
