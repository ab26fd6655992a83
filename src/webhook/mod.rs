//! What a webhook sends: signed as [Standard Webhooks](https://www.standardwebhooks.com) 1.0.0 says, and to no address that its
//! owner could not reach without the registry.

pub mod address;
pub mod event_type;

use std::fmt;
use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use sha2::Sha256;

const PREFIX: &str = "whsec_";
/// Bytes of a secret that the specification allows.
const SECRET_BYTES: RangeInclusive<usize> = 24..=64;
/// Bytes of a secret that is made here.
const NEW_BYTES: usize = 32;

/// The key of the signatures of one receiver. It is not shown by `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// What is said of a text that is not a secret.
pub const SECRET_FORMAT: &str =
    "it must be `whsec_` and 24 to 64 bytes in base64, as the command `echo whsec_$(openssl rand -base64 32)` prints";

/// The text is not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{SECRET_FORMAT}")]
pub struct InvalidSecret;

impl Secret {
    pub fn random() -> Result<Self, SysError> {
        let mut bytes = vec![0; NEW_BYTES];
        SysRng.try_fill_bytes(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The secret that a text in the format of the specification encodes. One without the prefix is rejected: the libraries of
    /// the specification would decode it as base64, too, and no receiver would accept the signature of its text.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).and_then(|encoded| STANDARD.decode(encoded).ok());
        encoded.filter(|bytes| SECRET_BYTES.contains(&bytes.len())).map(Self).ok_or(InvalidSecret)
    }

    /// As it is stored.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As its receiver needs it.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The signature of a message, for the header `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp: &str, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC has no invalid length"); // it hashes long keys
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signature is that of the specification's reference libraries, and of
    /// `printf '%s' ID.TIMESTAMP.BODY | openssl dgst -sha256 -mac HMAC -macopt hexkey:… -binary | base64`.
    #[test]
    fn the_signature_is_that_of_the_reference_libraries() {
        let secret = Secret::parse(&format!("{PREFIX}MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_of_another_format_or_length_is_rejected() {
        let encoded = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        assert!(Secret::parse(&encoded(24)).is_ok() && Secret::parse(&encoded(64)).is_ok());
        let plain = "0123456789abcdef0123456789abcdef";
        for wrong in [&*encoded(23), &*encoded(65), plain, "whsec_", "whsec_*", "whsk_AAAA"] {
            assert!(Secret::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_new_secret_is_read_again_and_not_shown_by_debug() {
        let secret = Secret::random().unwrap();
        assert_eq!(Secret::parse(&secret.reveal()), Ok(secret.clone()));
        assert_ne!(secret, Secret::random().unwrap());
        assert_eq!(format!("{secret:?}"), "Secret");
    }
}
