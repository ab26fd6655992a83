//! Grants: parts of paths that let a browser read the documentation of one crate of a private registry, for about an hour.
//!
//! Scripts of the documentation see the path, and so the grant. It is of no use for another crate, nor for anything else.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::package::CrateName;

/// How long a grant is valid at least.
const LASTS: Duration = Duration::from_secs(60 * 60);
/// The ends of grants are multiples of this, in seconds, so that what a browser has kept has the same address for a while.
const STEP: u64 = 10 * 60;
/// The bytes of a signature.
const SIGNATURE: usize = 16;

/// The key of grants, the same for all processes of a registry.
#[derive(Clone)]
pub(super) struct Key(Hmac<Sha256>);

impl Key {
    pub fn new(bytes: &[u8]) -> Self {
        Self(Hmac::new_from_slice(bytes).expect("HMAC has no invalid length")) // it hashes long keys
    }

    /// A grant for the documentation of a crate; `now` in seconds.
    pub fn grant(&self, name: &CrateName, now: u64) -> String {
        let end = (now + LASTS.as_secs()).next_multiple_of(STEP);
        format!("{end:x}-{}", URL_SAFE_NO_PAD.encode(self.signature(name, end)))
    }

    /// Whether a grant is valid for the documentation of a crate.
    pub fn admits(&self, grant: &str, name: &CrateName, now: u64) -> bool {
        let Some((end, signature)) = grant.split_once('-') else { return false };
        let (Ok(end), Ok(signature)) = (u64::from_str_radix(end, 16), URL_SAFE_NO_PAD.decode(signature)) else {
            return false;
        };
        let is_signed: bool = self.signature(name, end).ct_eq(&signature).into();
        is_signed && now < end
    }

    fn signature(&self, name: &CrateName, end: u64) -> Vec<u8> {
        let mut mac = self.0.clone();
        mac.update(b"docs\0");
        mac.update(name.canonical().as_bytes());
        mac.update(b"\0");
        mac.update(&end.to_be_bytes());
        mac.finalize().into_bytes()[..SIGNATURE].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_for_one_crate_and_ends() {
        let (key, name) = (Key::new(b"key"), |name: &str| name.parse::<CrateName>().unwrap());
        let grant = key.grant(&name("foo-bar"), 1_000_000);
        assert!(key.admits(&grant, &name("Foo_Bar"), 1_000_000 + 3599));
        assert!(!key.admits(&grant, &name("foo-bar"), 1_000_000 + 3600 + 600));
        assert!(!key.admits(&grant, &name("foo"), 1_000_000));
        assert!(!Key::new(b"other").admits(&grant, &name("foo-bar"), 1_000_000));
        let (end, signature) = grant.split_once('-').unwrap();
        let later = format!("{:x}-{signature}", u64::from_str_radix(end, 16).unwrap() + 600);
        for wrong in ["", "-", &later, &format!("{end}-"), &format!("{end}-{}", &signature[1..]), &format!("+{grant}x")]
        {
            assert!(!key.admits(wrong, &name("foo-bar"), 1_000_000), "{wrong}");
        }
        assert_eq!(key.grant(&name("foo-bar"), 1_000_001), grant);
    }
}
