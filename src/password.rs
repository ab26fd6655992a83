//! Passwords: what one has to be, and Argon2id, by which one is hashed and compared.
//!
//! Sources: NIST SP 800-63B-4, section 3.1.1.2 (length, normalization, no rules about kinds of characters); OWASP Password Storage
//! Cheat Sheet (19 MiB, two passes, one lane, which are the defaults of the library).

use std::collections::HashSet;
use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use icu_normalizer::ComposingNormalizerBorrowed;
use rand::TryRng;

/// The fewest and the most characters of a password.
pub const MIN: usize = 15;
pub const MAX: usize = 256;
/// The fewest different characters.
const MIN_DIFFERENT: usize = 5;
/// Random bytes of a salt.
const SALT: usize = 16;

/// Why a password cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    #[error(
        "the password has {0} characters, and needs {MIN}: use several words, or let a password manager create one"
    )]
    Short(usize),
    #[error("the password is longer than {MAX} characters: use a shorter one")]
    Long,
    #[error("the password repeats a few characters: use several words, or let a password manager create one")]
    Repeated,
    #[error("the password has little besides the login: use other words, or let a password manager create one")]
    Login,
}

/// Why a password cannot be hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    #[error("the system returned no random numbers")]
    Randomness(#[from] rand::rngs::SysError),
    #[error("the password cannot be hashed")]
    Hash(#[from] argon2::password_hash::Error),
}

/// A password in plain text, which exists only while it is hashed or compared. It is normalized: one keyboard composes accented
/// letters and another does not.
pub struct Password(String);

impl Password {
    pub fn new(text: &str) -> Self {
        Self(ComposingNormalizerBorrowed::new_nfkc().normalize(text).into_owned())
    }

    /// Checks that it can be the password of a user.
    pub fn check(&self, login: &str) -> Result<(), WeakPassword> {
        let length = self.0.chars().count();
        if length < MIN {
            return Err(WeakPassword::Short(length));
        }
        if length > MAX {
            return Err(WeakPassword::Long);
        }
        if self.0.chars().collect::<HashSet<_>>().len() < MIN_DIFFERENT {
            return Err(WeakPassword::Repeated);
        }
        let rest = self.0.to_lowercase().replace(&login.to_lowercase(), "");
        if rest.chars().count() < MIN / 2 {
            return Err(WeakPassword::Login);
        }
        Ok(())
    }

    /// Hashes it, which takes tens of milliseconds and 19 MiB.
    pub fn hash(&self) -> Result<Hash, HashError> {
        let mut salt = [0; SALT];
        rand::rngs::SysRng.try_fill_bytes(&mut salt)?;
        let hash: PasswordHash = Argon2::default().hash_password_with_salt(self.0.as_bytes(), &salt)?;
        Ok(Hash(hash.to_string()))
    }

    /// Whether it is the password with this hash. Without a hash it is not, and the answer takes as long, so that the time does not
    /// tell which users have a password.
    pub fn is(&self, hash: Option<&Hash>) -> bool {
        static OF_NOBODY: LazyLock<Option<Hash>> = LazyLock::new(|| Password::new("").hash().ok());
        let is_of_somebody = hash.is_some();
        let Some(Hash(hash)) = hash.or(OF_NOBODY.as_ref()) else { return false };
        let is_it = Argon2::default().verify_password(self.0.as_bytes(), hash.as_str()).is_ok();
        is_it && is_of_somebody
    }
}

/// The hash of a password, in the PHC format.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash(String);

impl Hash {
    /// One that was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The text to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_its_own_alone_however_it_was_typed() {
        let password = Password::new("correct horse b\u{e4}ttery staple");
        let hash = password.hash().unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert_ne!(hash.as_str(), password.hash().unwrap().as_str());
        assert!(password.is(Some(&hash)));
        assert!(Password::new("correct horse ba\u{308}ttery staple").is(Some(&hash)));
        for other in ["", "correct horse battery staple", "Correct horse b\u{e4}ttery staple"] {
            assert!(!Password::new(other).is(Some(&hash)), "{other}");
        }
        assert!(!Password::new("").is(None));
        assert!(!password.is(Some(&Hash::stored("no hash".to_owned()))));
    }

    #[test]
    fn weak_passwords_are_refused() {
        let check = |text: &str| Password::new(text).check("Ann.Example");
        assert_eq!(check("correct horse battery"), Ok(()));
        assert_eq!(check("fourteen chars"), Err(WeakPassword::Short(14)));
        // Characters count, not bytes.
        assert_eq!(check(&"ä".repeat(14)), Err(WeakPassword::Short(14)));
        assert_eq!(check(&"abcde".repeat(60)), Err(WeakPassword::Long));
        assert_eq!(check(&"abab".repeat(5)), Err(WeakPassword::Repeated));
        assert_eq!(check("ann.exampleANN.EXAMPLE2026"), Err(WeakPassword::Login));
    }
}
