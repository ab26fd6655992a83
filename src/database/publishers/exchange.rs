//! ID tokens that were exchanged, the machine users that they stand for, and the tokens that they were exchanged for.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;

use crate::database::access::provenance::Trusted;
use crate::database::access::scope::Scope;
use crate::database::access::tokens::{Token, digest, random_text};
use crate::database::access::users::User;
use crate::database::schema::{api_tokens, used_id_tokens, users};
use crate::database::types::TextArray;
use crate::package::crate_pattern::CratePattern;

/// The prefix of every token from an exchange.
pub const PREFIX: &str = "sctp_";
/// How long such a token is valid.
pub const VALID_FOR: TimeDelta = TimeDelta::minutes(30);
/// How long the row of one is kept after that, so that a late request is refused as expired.
const KEPT: TimeDelta = TimeDelta::days(1);
/// Characters between the prefix and the check character: 184 random bits.
const LENGTH: usize = 31;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A token in plain text, which exists only when it is created.
pub struct PlainToken(String);

impl PlainToken {
    /// Generates one from the system's random numbers.
    pub fn random() -> Result<Self, rand::rngs::SysError> {
        let text = random_text(ALPHABET, LENGTH)?;
        let check = check_character(&text);
        Ok(Self(format!("{PREFIX}{text}{check}")))
    }

    /// Reads one that was sent; None if it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let (random, check) = rest.split_at_checked(LENGTH)?;
        let is_one =
            random.bytes().all(|byte| byte.is_ascii_alphanumeric()) && check == check_character(random).to_string();
        is_one.then(|| Self(text.to_owned()))
    }

    /// The text, which is sent once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// A mistyped token is recognised by it.
fn check_character(text: &str) -> char {
    char::from(ALPHABET[usize::from(text.bytes().fold(0, |sum, byte| sum ^ byte) % 62)])
}

/// Notes that an ID token was exchanged; false if it was before.
pub fn note_use(connection: &mut PgConnection, sha256: [u8; 32], forget_at: DateTime<Utc>) -> QueryResult<bool> {
    diesel::delete(used_id_tokens::table.filter(used_id_tokens::forget_at.lt(Utc::now()))).execute(connection)?;
    diesel::insert_into(used_id_tokens::table)
        .values((used_id_tokens::sha256.eq(sha256.as_slice()), used_id_tokens::forget_at.eq(forget_at)))
        .on_conflict_do_nothing()
        .execute(connection)
        .map(|inserted| inserted > 0)
}

/// The machine user of an issuer with a login, which is created if there is none. None if another user has the login.
pub fn machine(connection: &mut PgConnection, login: &str, issuer: &str) -> QueryResult<Option<User>> {
    diesel::insert_into(users::table)
        .values((users::login.eq(login), users::is_machine.eq(true), users::machine_issuer.eq(issuer)))
        .on_conflict_do_nothing()
        .execute(connection)?;
    users::table
        .filter(diesel::dsl::sql::<diesel::sql_types::Text>("lower(login)").eq(login.to_lowercase()))
        .filter(users::is_machine)
        .filter(users::machine_issuer.eq(issuer))
        .select(User::as_select())
        .first(connection)
        .optional()
}

/// A token of a machine user to create.
pub struct NewTrustedToken<'a> {
    pub user: i32,
    pub name: &'a str,
    pub scopes: Vec<Scope>,
    pub crates: Vec<CratePattern>,
    pub trusted: &'a Trusted,
}

impl NewTrustedToken<'_> {
    /// Creates the token. Removes those that have expired long ago.
    pub fn create(self, connection: &mut PgConnection, plain: &PlainToken) -> QueryResult<Token> {
        let old = api_tokens::trusted.is_not_null().and(api_tokens::expires_at.lt(Utc::now() - KEPT));
        diesel::delete(api_tokens::table.filter(old)).execute(connection)?;
        diesel::insert_into(api_tokens::table)
            .values((
                api_tokens::user_id.eq(self.user),
                api_tokens::name.eq(self.name),
                api_tokens::token_sha256.eq(digest(plain.reveal()).as_slice()),
                api_tokens::scopes.eq(Some(TextArray(self.scopes))),
                api_tokens::crate_patterns.eq(Some(TextArray(self.crates))),
                api_tokens::expires_at.eq(Some(Utc::now() + VALID_FOR)),
                api_tokens::trusted.eq(Some(self.trusted)),
            ))
            .returning(Token::as_returning())
            .get_result(connection)
    }
}

/// Revokes a token from an exchange. None if there is no such token, or it was revoked before.
pub fn revoke(connection: &mut PgConnection, plain: &PlainToken) -> QueryResult<Option<(Token, i32)>> {
    diesel::update(api_tokens::table)
        .filter(api_tokens::token_sha256.eq(digest(plain.reveal()).as_slice()))
        .filter(api_tokens::trusted.is_not_null())
        .filter(api_tokens::revoked_at.is_null())
        .set(api_tokens::revoked_at.eq(diesel::dsl::now))
        .returning((Token::as_returning(), api_tokens::user_id))
        .get_result(connection)
        .optional()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_in_its_check_character() {
        let plain = PlainToken::random().unwrap();
        let text = plain.reveal();
        assert_eq!(text.len(), PREFIX.len() + LENGTH + 1);
        assert!(PlainToken::parse(text).is_some());
        let other = if text.ends_with('A') { 'B' } else { 'A' };
        let mistyped = format!("{}{other}", &text[..text.len() - 1]);
        for wrong in ["", "sctp_", "sct_abc", &text[1..], &format!("{text}A"), &mistyped, &text[..text.len() - 1]] {
            assert!(PlainToken::parse(wrong).is_none(), "{wrong}");
        }
    }
}
