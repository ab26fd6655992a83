//! Sessions of people who signed in on a page. A session belongs to a token: it has the token's rights, and ends when the
//! token expires or is revoked, or its user is disabled.
//!
//! The secret is in a cookie of the browser; only its SHA-256 is stored, which is enough for 256 random bits.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel::sql_types::{Binary, Integer};
use hmac::{Hmac, KeyInit, Mac};
use rand::TryRng;
use sha2::{Digest, Sha256};

use super::tokens::{Token, TokenState, digest, hex};
use super::users::{User, UserState};
use crate::database::schema::{api_tokens, users, web_sessions};

/// The prefix of every secret, by which secret scanners recognise it.
const PREFIX: &str = "scs_";
/// Random bytes of a secret.
const ENTROPY: usize = 32;
/// How long a session lasts without a request.
pub const IDLE: TimeDelta = TimeDelta::hours(12);
/// How long it lasts at most.
pub const LONGEST: TimeDelta = TimeDelta::days(7);
/// The shortest time between two updates of the last use, so that most requests only read.
const NOTE_USE_EVERY: TimeDelta = TimeDelta::minutes(10);
/// The most sessions of a token; the oldest end when there are more.
pub const MAX_SESSIONS: i32 = 20;

/// The secret of a session, which exists in the browser and in the requests that it sends.
#[derive(Clone)]
pub struct SessionSecret(String);

impl SessionSecret {
    /// Generates one from the system's random numbers.
    pub fn random() -> Result<Self, rand::rngs::SysError> {
        let mut bytes = [0; ENTROPY];
        rand::rngs::SysRng.try_fill_bytes(&mut bytes)?;
        Ok(Self(PREFIX.to_owned() + &hex(&bytes)))
    }

    /// Reads one from a cookie; None if it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let is_one = digits.len() == 2 * ENTROPY && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| Self(text.to_owned()))
    }

    /// The text for the cookie.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The token of forms that this session is sent. Knowing it does not give the secret.
    pub fn form_token(&self) -> String {
        let digest = Sha256::new().chain_update("form of ").chain_update(&self.0).finalize();
        hex(&digest[..16])
    }

    /// The seal of a statement in a link that this session is redirected to. It cannot be produced without the secret, and
    /// does not match in another session.
    pub fn seal(&self, statement: &str) -> String {
        // HMAC takes keys of every length.
        let keyed = Hmac::<Sha256>::new_from_slice(self.0.as_bytes());
        keyed.map(|hmac| hex(&hmac.chain_update(statement).finalize().into_bytes())).unwrap_or_default()
    }
}

/// Begins a session with the rights of a token. Removes sessions that have ended.
pub fn begin(connection: &mut PgConnection, secret: &SessionSecret, token: i32) -> QueryResult<()> {
    connection.transaction(|connection| {
        let ended =
            web_sessions::last_used_at.lt(Utc::now() - IDLE).or(web_sessions::created_at.lt(Utc::now() - LONGEST));
        diesel::delete(web_sessions::table.filter(ended)).execute(connection)?;
        diesel::insert_into(web_sessions::table)
            .values((
                web_sessions::secret_sha256.eq(digest(secret.reveal()).as_slice()),
                web_sessions::token_id.eq(token),
            ))
            .execute(connection)?;
        diesel::sql_query(
            "DELETE FROM web_sessions WHERE secret_sha256 IN (
                 SELECT secret_sha256 FROM web_sessions WHERE token_id = $1
                 ORDER BY created_at DESC, secret_sha256 = $2 DESC OFFSET $3)",
        )
        .bind::<Integer, _>(token)
        .bind::<Binary, _>(digest(secret.reveal()).as_slice())
        .bind::<Integer, _>(MAX_SESSIONS)
        .execute(connection)
        .map(drop)
    })
}

/// The user and the token of a session, whose last use this request becomes; None if it has ended.
pub fn find(connection: &mut PgConnection, secret: &SessionSecret) -> QueryResult<Option<(User, Token)>> {
    let Some((user, token, last_used_at)) = valid(connection, secret)? else { return Ok(None) };
    if Utc::now() - last_used_at > NOTE_USE_EVERY {
        diesel::update(web_sessions::table.find(digest(secret.reveal()).as_slice()))
            .set(web_sessions::last_used_at.eq(now))
            .execute(connection)?;
    }
    Ok(Some((user, token)))
}

/// Checks a session again for a request that is still open, such as a stream. This does not extend the session.
pub fn confirm(connection: &mut PgConnection, secret: &SessionSecret) -> QueryResult<Option<(User, Token)>> {
    Ok(valid(connection, secret)?.map(|(user, token, _)| (user, token)))
}

/// The user, the token, and the last use of a session that has not ended.
fn valid(connection: &mut PgConnection, secret: &SessionSecret) -> QueryResult<Option<(User, Token, DateTime<Utc>)>> {
    let digest = digest(secret.reveal());
    let found: Option<(User, Token, DateTime<Utc>, DateTime<Utc>)> = web_sessions::table
        .inner_join(api_tokens::table.on(api_tokens::id.eq(web_sessions::token_id)))
        .inner_join(users::table.on(users::id.eq(api_tokens::user_id)))
        .filter(web_sessions::secret_sha256.eq(digest.as_slice()))
        .select((User::as_select(), Token::as_select(), web_sessions::created_at, web_sessions::last_used_at))
        .first(connection)
        .optional()?;
    let Some((user, token, created_at, last_used_at)) = found else { return Ok(None) };
    let at = Utc::now();
    let has_ended = at - last_used_at > IDLE || at - created_at > LONGEST;
    let is_valid = !has_ended && user.state() == UserState::Active && token.state() == TokenState::Valid;
    Ok(is_valid.then_some((user, token, last_used_at)))
}

/// Ends a session.
pub fn end(connection: &mut PgConnection, secret: &SessionSecret) -> QueryResult<()> {
    diesel::delete(web_sessions::table.find(digest(secret.reveal()).as_slice())).execute(connection).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_secret_as_it_is_generated_is_read() {
        let secret = SessionSecret::random().unwrap();
        assert_eq!(SessionSecret::parse(secret.reveal()).unwrap().form_token(), secret.form_token());
        assert!(!secret.reveal().contains(&secret.form_token()));
        for wrong in ["", "scs_", "sct_00", &secret.reveal()[1..], &format!("{}0", secret.reveal())] {
            assert!(SessionSecret::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_seal_is_of_one_statement_in_one_session() {
        let [secret, other] = [(); 2].map(|()| SessionSecret::random().unwrap());
        assert_eq!(secret.seal("a"), secret.seal("a"));
        assert_eq!(secret.seal("a").len(), 64);
        for foreign in [secret.seal("b"), secret.seal(""), other.seal("a"), secret.form_token()] {
            assert_ne!(secret.seal("a"), foreign);
        }
    }
}
