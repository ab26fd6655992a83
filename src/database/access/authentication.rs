//! Authentication: from the text of a token to its user.

use chrono::Utc;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Nullable, Timestamptz};
use subtle::ConstantTimeEq;

use super::tokens::{Token, TokenState, digest, hex};
use super::users::{User, UserState};
use crate::database::schema::{api_tokens, users};

/// The shortest time between two updates of a token's last use, so that most requests only read.
const NOTE_USE_EVERY: chrono::TimeDelta = chrono::TimeDelta::minutes(10);

/// The result of an authentication.
#[derive(Clone, Debug)]
pub enum Authentication {
    Known(User, Token),
    /// No such token; the first digits of its SHA-256.
    Unknown(String),
    /// A token of a user who is disabled or was removed.
    Inactive(User, Token),
    Revoked(User, Token),
    Expired(User, Token),
}

/// Finds the user of a token.
pub fn authenticate(connection: &mut PgConnection, plain: &str) -> QueryResult<Authentication> {
    let digest = digest(plain);
    let found: Option<(User, Token, Vec<u8>)> = api_tokens::table
        .inner_join(users::table)
        .filter(api_tokens::token_sha256.eq(digest.as_slice()))
        .select((User::as_select(), Token::as_select(), api_tokens::token_sha256))
        .first(connection)
        .optional()?;
    // The index lookup compares digests, which reveal nothing about the token. The result is compared in constant time.
    let Some((user, token, _)) = found.filter(|(_, _, stored)| bool::from(stored.ct_eq(&digest))) else {
        return Ok(Authentication::Unknown(fingerprint(digest)));
    };
    if user.state() != UserState::Active {
        return Ok(Authentication::Inactive(user, token));
    }
    match token.state() {
        TokenState::Valid => {}
        TokenState::Expired => return Ok(Authentication::Expired(user, token)),
        TokenState::Revoked => return Ok(Authentication::Revoked(user, token)),
    }
    note_use(connection, &token)?;
    Ok(Authentication::Known(user, token))
}

/// The first eight digits of a digest: enough to recognise a token in the log, and useless to guess it.
fn fingerprint(digest: [u8; 32]) -> String {
    hex(&digest[..4])
}

/// Updates the time of the token's last use. Of concurrent requests with one token one writes, and none waits for a
/// transaction that holds the row's lock.
fn note_use(connection: &mut PgConnection, token: &Token) -> QueryResult<()> {
    let now = Utc::now();
    if token.last_used_at.is_none_or(|last| now - last > NOTE_USE_EVERY) {
        diesel::sql_query(
            "UPDATE api_tokens SET last_used_at = $3
             WHERE id = (SELECT id FROM api_tokens WHERE id = $1 AND last_used_at IS NOT DISTINCT FROM $2
                         FOR NO KEY UPDATE SKIP LOCKED)",
        )
        .bind::<Integer, _>(token.id)
        .bind::<Nullable<Timestamptz>, _>(token.last_used_at)
        .bind::<Timestamptz, _>(now)
        .execute(connection)?;
    }
    Ok(())
}
