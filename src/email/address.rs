//! Addresses of users.

use std::fmt;
use std::str::FromStr;

/// RFC 5321, section 4.5.3.1.3: a path has 256 octets at most, two of them for `<` and `>`.
const LONGEST: usize = 254;

/// An address to which mail is sent. The part before the `@` is kept as it was given: its server decides what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailAddress(String);

/// The text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no e-mail address: use one such as `ann@example.com`, without a name in front of it")]
pub struct InvalidAddress(String);

impl EmailAddress {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let text = text.trim();
        let invalid = || InvalidAddress(text.chars().take(100).collect());
        if text.len() > LONGEST || !text.is_ascii() {
            return Err(invalid());
        }
        let address: lettre::Address = text.parse().map_err(|_| invalid())?;
        // A domain of one word, or the address of a machine, is not of the Internet. Few servers take quoted names.
        let top = address.domain().rsplit_once('.').map_or("", |(_, top)| top);
        if top.is_empty() || top.bytes().all(|byte| byte.is_ascii_digit()) || text.contains(['[', '"']) {
            return Err(invalid());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_it_is_and_nothing_else() {
        for right in ["ann@example.com", " ann+crates@mail.example.com ", "Ann.Lee@EXAMPLE.com", "o'hara@example.ie"] {
            assert_eq!(right.parse::<EmailAddress>().unwrap().as_str(), right.trim());
        }
        let long = format!("{}@example.com", "a".repeat(250));
        let wrong = [
            "",
            "ann",
            "ann@",
            "@example.com",
            "ann@localhost",
            "ann@[127.0.0.1]",
            "ann@1.2.3.4",
            "\"a b\"@example.com",
            "\"x\"@example.com",
            "Ann <ann@example.com>",
            &long,
        ];
        let hostile = [
            "ann@example.com\nBcc: bob@example.com",
            "ann@example.com,bob@example.com",
            "a b@example.com",
            "ann@exämple.com",
        ];
        for wrong in wrong.iter().chain(&hostile) {
            let error = wrong.parse::<EmailAddress>().unwrap_err().to_string();
            assert!(error.contains("is no e-mail address: use one such as"), "{wrong}: {error}");
        }
    }
}
