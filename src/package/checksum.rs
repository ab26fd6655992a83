//! The SHA-256 of a `.crate` file: its address in the crate store and `cksum` in the index.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::excerpt::Excerpt;

/// A SHA-256, shown as 64 lower-case hexadecimal digits.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    diesel::expression::AsExpression,
    diesel::deserialize::FromSqlRow,
)]
#[diesel(sql_type = diesel::sql_types::Binary)]
#[serde(try_from = "String", into = "String")]
pub struct Checksum([u8; 32]);

/// A text that is not 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a SHA-256 checksum: write it as 64 hexadecimal digits", Excerpt(.0))]
pub struct ChecksumError(String);

impl Checksum {
    /// The checksum of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A checksum from its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Computes the checksum of data in pieces.
#[derive(Clone, Default)]
pub struct Digest {
    state: Sha256,
    size: u64,
}

impl Digest {
    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// The checksum of all pieces, and their size in bytes.
    pub fn finish(self) -> (Checksum, u64) {
        (Checksum(self.state.finalize().into()), self.size)
    }
}

impl FromStr for Checksum {
    type Err = ChecksumError;

    fn from_str(text: &str) -> Result<Self, ChecksumError> {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let parse = || {
            let (pairs, rest) = text.as_bytes().as_chunks::<2>();
            let pairs: &[[u8; 2]; 32] = pairs.try_into().ok().filter(|_| rest.is_empty())?;
            let mut bytes = [0; 32];
            for (byte, [high, low]) in bytes.iter_mut().zip(*pairs) {
                *byte = digit(high)? << 4 | digit(low)?;
            }
            Some(Self(bytes))
        };
        parse().ok_or_else(|| ChecksumError(text.to_owned()))
    }
}

impl TryFrom<String> for Checksum {
    type Error = ChecksumError;

    fn try_from(text: String) -> Result<Self, ChecksumError> {
        text.parse()
    }
}

impl From<Checksum> for String {
    fn from(checksum: Checksum) -> Self {
        checksum.to_string()
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::Checksum;

    #[test]
    fn the_text_of_a_checksum_is_lower_case_hex_and_reads_back() {
        let checksum = Checksum::of(b"abc");
        insta::assert_snapshot!(checksum, @"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(checksum.to_string().parse(), Ok(checksum));
        assert_eq!(checksum.to_string().to_uppercase().parse(), Ok(checksum));
        assert_eq!(Checksum::from_bytes(*checksum.as_bytes()), checksum);
    }

    #[test]
    fn what_is_no_sha256_is_refused() {
        let hex = Checksum::of(b"").to_string();
        for text in [
            "",
            "abc",
            &hex[1..],
            &format!("{hex}0"),
            &format!("{hex}00"),
            &hex.replace('e', "g"),
            "é".repeat(32).as_str(),
        ] {
            assert!(text.parse::<Checksum>().is_err(), "{text:?}");
        }
    }
}
