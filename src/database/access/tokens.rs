//! API tokens. Only the SHA-256 of a token is stored. That is enough for 256 random bits, which nobody can guess: a
//! slow password hash would add nothing.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use sha2::{Digest, Sha256};

use super::provenance::Trusted;
use super::scope::Scope;
use crate::database::schema::{api_tokens, users};
use crate::database::types::TextArray;
use crate::package::crate_pattern::CratePattern;

/// The latest end of a token, the last second of the year 9999: RFC 3339 has years of four digits.
const LAST_SECOND: i64 = 253_402_300_799;
/// Random bytes of a secret.
const ENTROPY: usize = 32;

/// The properties of a token, without the token itself.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = api_tokens)]
pub struct Token {
    pub id: i32,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// The actions it is restricted to; None for all.
    pub scopes: Option<TextArray<Scope>>,
    /// The crates it is restricted to; None for all.
    pub crate_patterns: Option<TextArray<CratePattern>>,
    /// The time at which it expires; None for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// The token with which it was created; None if an operator created it.
    pub created_by_token: Option<i32>,
    /// What it may publish if it is from an exchange of an ID token; None for a token of a user.
    pub trusted: Option<Trusted>,
    /// How its user signed in, if it is the token of a session, which is never shown and never sent; None for all others.
    pub sign_in: Option<String>,
    /// Until when its device may renew it; None if it is not of a device.
    pub renewable_until: Option<DateTime<Utc>>,
}

/// Whether a token is valid, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    Valid,
    Revoked,
    Expired,
}

impl TokenState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

impl Token {
    /// The details of a token for the audit log, without its name.
    pub fn describe(&self) -> serde_json::Value {
        serde_json::json!({
            "token_id": self.id,
            "scopes": self.scopes.as_ref().map(ToString::to_string),
            "crates": self.crate_patterns.as_ref().map(ToString::to_string),
            "expires_at": self.end(),
            "created_by_token": self.created_by_token,
        })
    }

    /// The time at which it expires, cut to a date that RFC 3339 can express: older versions accepted later ones.
    pub fn end(&self) -> Option<DateTime<Utc>> {
        self.expires_at.map(|end| DateTime::from_timestamp(LAST_SECOND, 0).map_or(end, |last| end.min(last)))
    }

    pub fn state(&self) -> TokenState {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => TokenState::Revoked,
            (None, Some(end)) if end <= Utc::now() => TokenState::Expired,
            _ => TokenState::Valid,
        }
    }
}

/// The tokens of one user, or of all, with their users' logins, the oldest first. Those of sessions are none of them.
pub fn list(connection: &mut PgConnection, user: Option<i32>) -> QueryResult<Vec<(Token, String)>> {
    let mut query = api_tokens::table
        .inner_join(users::table)
        .select((Token::as_select(), users::login))
        .filter(api_tokens::sign_in.is_null())
        .order(api_tokens::id)
        .into_boxed();
    if let Some(user) = user {
        query = query.filter(api_tokens::user_id.eq(user));
    }
    query.load(connection)
}

/// The number of a user's valid tokens, without those of sessions.
pub fn count_valid(connection: &mut PgConnection, user: i32) -> QueryResult<i64> {
    api_tokens::table
        .filter(api_tokens::user_id.eq(user))
        .filter(api_tokens::revoked_at.is_null())
        .filter(api_tokens::sign_in.is_null())
        .filter(
            api_tokens::expires_at
                .is_null()
                .or(api_tokens::expires_at.gt(diesel::dsl::now))
                .or(api_tokens::renewable_until.gt(diesel::dsl::now).assume_not_null()),
        )
        .count()
        .get_result(connection)
}

/// A new secret: a prefix, by which people and secret scanners recognise it, and digits from the system's random numbers.
pub(in crate::database) fn random_secret(prefix: &str) -> Result<String, SysError> {
    let mut bytes = [0; ENTROPY];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(prefix.to_owned() + &hex(&bytes))
}

/// Random characters of an alphabet, which has at most 256.
pub(in crate::database) fn random_text(alphabet: &[u8], length: usize) -> Result<String, SysError> {
    // Bytes beyond would make the first characters likelier.
    let fair = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0; 64];
        SysRng.try_fill_bytes(&mut bytes)?;
        let fair = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair).take(length - text.len());
        text.extend(fair.map(|byte| char::from(alphabet[byte % alphabet.len()])));
    }
    Ok(text)
}

/// Whether a text can be a secret with a prefix.
pub(in crate::database) fn is_secret(prefix: &str, text: &str) -> bool {
    let digits = text.strip_prefix(prefix);
    digits.is_some_and(|digits| digits.len() == 2 * ENTROPY && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The SHA-256 of a token, which is stored and looked up.
pub(in crate::database) fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Bytes as lower-case digits.
pub(in crate::database) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
