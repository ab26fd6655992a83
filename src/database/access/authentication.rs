//! Authentication: from the text of a token to its user.

use chrono::Utc;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Nullable, Timestamptz};
use subtle::ConstantTimeEq;

use super::tokens::{Token, TokenState, digest};
use super::users::User;
use crate::database::schema::{api_tokens, users};

/// The shortest time between two updates of a token's last use, so that most requests only read.
const NOTE_USE_EVERY: chrono::TimeDelta = chrono::TimeDelta::minutes(10);

/// What a token turned out to be.
#[derive(Clone, Debug)]
pub enum Authentication {
    Known(User, Token),
    /// Never made, or revoked.
    Unknown,
    Expired(Token),
}

/// Whose token this is.
pub fn authenticate(connection: &mut PgConnection, plain: &str) -> QueryResult<Authentication> {
    let digest = digest(plain);
    let found: Option<(User, Token, Vec<u8>)> = api_tokens::table
        .inner_join(users::table)
        .filter(api_tokens::token_sha256.eq(digest.as_slice()))
        .select((User::as_select(), Token::as_select(), api_tokens::token_sha256))
        .first(connection)
        .optional()?;
    // The index lookup compares digests, whose bytes tell nothing about the token's; the answer itself is compared in
    // constant time.
    let Some((user, token, _)) = found.filter(|(_, _, stored)| bool::from(stored.ct_eq(&digest))) else {
        return Ok(Authentication::Unknown);
    };
    match token.state() {
        TokenState::Valid => {}
        TokenState::Expired => return Ok(Authentication::Expired(token)),
        TokenState::Revoked => return Ok(Authentication::Unknown),
    }
    note_use(connection, &token)?;
    Ok(Authentication::Known(user, token))
}

/// Of many requests that arrive with one token at once, one writes, and none waits for a change that has the row locked.
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
