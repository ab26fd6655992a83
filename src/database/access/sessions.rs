//! Sessions of people who signed in on a page. A session belongs to a token: it has the token's rights, and ends when the
//! token expires or is revoked, or its user is disabled. It is the token that was entered or, after another sign-in, one that
//! was created for the session and is never shown: so a change on a page is confirmed, recorded and revoked like every other.
//!
//! The secret is in a cookie of the browser; only its SHA-256 is stored, which is enough for 256 random bits.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel::sql_types::{Binary, Integer};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::new_token::CreateTokenError;
use super::tokens::{Token, TokenState, digest, hex, is_secret, random_secret};
use super::users::{User, UserState};
use crate::database::schema::{api_tokens, users, web_sessions};

/// The prefix of every secret.
const PREFIX: &str = "scs_";
/// How long a session lasts without a request.
pub const IDLE: TimeDelta = TimeDelta::hours(12);
/// How long it lasts at most.
pub const LONGEST: TimeDelta = TimeDelta::days(7);
/// The shortest time between two updates of the last use, so that most requests only read.
const NOTE_USE_EVERY: TimeDelta = TimeDelta::minutes(10);
/// The most sessions of a token, and of a user without one; the oldest end when there are more.
pub const MAX_SESSIONS: i32 = 20;

/// The secret of a session, which exists in the browser and in the requests that it sends.
#[derive(Clone)]
pub struct SessionSecret(String);

impl SessionSecret {
    /// Generates one from the system's random numbers.
    pub fn random() -> Result<Self, rand::rngs::SysError> {
        random_secret(PREFIX).map(Self)
    }

    /// Reads one from a cookie; None if it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        is_secret(PREFIX, text).then(|| Self(text.to_owned()))
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

/// Where a session begins, for people who look at their sessions.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub address: Option<String>,
    /// What the browser calls itself.
    pub browser: Option<String>,
}

/// The longest name of a browser that is kept, in bytes.
const MAX_BROWSER: usize = 500;

impl Origin {
    pub fn new(address: Option<String>, browser: Option<&str>) -> Self {
        let plain =
            |text: &str| text.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).take(MAX_BROWSER).collect();
        Self { address, browser: browser.map(plain) }
    }
}

/// Begins a session with the rights of a token. Removes sessions that have ended.
pub fn begin(connection: &mut PgConnection, secret: &SessionSecret, token: i32, origin: &Origin) -> QueryResult<()> {
    connection.transaction(|connection| {
        let ended =
            web_sessions::last_used_at.lt(Utc::now() - IDLE).or(web_sessions::created_at.lt(Utc::now() - LONGEST));
        diesel::delete(web_sessions::table.filter(ended)).execute(connection)?;
        diesel::insert_into(web_sessions::table)
            .values((
                web_sessions::secret_sha256.eq(digest(secret.reveal()).as_slice()),
                web_sessions::token_id.eq(token),
                web_sessions::address.eq(&origin.address),
                web_sessions::browser.eq(&origin.browser),
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

/// Creates the token of a session whose user has signed in without one. It has all rights of the user, and is never shown. Of
/// the tokens of sessions, removes those that have expired and that no other refers to, and ends the oldest if there are many.
pub fn create_token(connection: &mut PgConnection, user: i32, sign_in: &str) -> Result<Token, CreateTokenError> {
    let unknown = SessionSecret::random()?;
    diesel::sql_query(
        "DELETE FROM api_tokens WHERE sign_in IS NOT NULL AND expires_at < now() - interval '1 day'
             AND NOT EXISTS (SELECT FROM api_tokens AS made WHERE made.created_by_token = api_tokens.id)
             AND NOT EXISTS (SELECT FROM set_approvals WHERE set_approvals.token_id = api_tokens.id)",
    )
    .execute(connection)?;
    diesel::sql_query(
        "UPDATE api_tokens SET revoked_at = now() WHERE id IN (
             SELECT id FROM api_tokens
             WHERE user_id = $1 AND sign_in IS NOT NULL AND revoked_at IS NULL AND expires_at > now()
             ORDER BY id DESC OFFSET $2)",
    )
    .bind::<Integer, _>(user)
    .bind::<Integer, _>(MAX_SESSIONS - 1)
    .execute(connection)?;
    let at = Utc::now();
    Ok(diesel::insert_into(api_tokens::table)
        .values((
            api_tokens::user_id.eq(user),
            api_tokens::name.eq(format!("session of {}", at.format("%Y-%m-%d %H:%M UTC"))),
            api_tokens::token_sha256.eq(digest(unknown.reveal()).as_slice()),
            api_tokens::expires_at.eq(at + LONGEST),
            api_tokens::sign_in.eq(sign_in),
        ))
        .returning(Token::as_returning())
        .get_result(connection)?)
}

/// A session that has not ended.
pub struct Session {
    pub user: User,
    pub token: Token,
    /// When its user last proved to be that user.
    pub proven_at: DateTime<Utc>,
    last_used_at: DateTime<Utc>,
}

/// A session, whose last use this request becomes; None if it has ended.
pub fn find(connection: &mut PgConnection, secret: &SessionSecret) -> QueryResult<Option<Session>> {
    let Some(session) = valid(connection, secret)? else { return Ok(None) };
    if Utc::now() - session.last_used_at > NOTE_USE_EVERY {
        diesel::update(web_sessions::table.find(digest(secret.reveal()).as_slice()))
            .set(web_sessions::last_used_at.eq(now))
            .execute(connection)?;
    }
    Ok(Some(session))
}

/// Checks a session again for a request that is still open, such as a stream. This does not extend the session.
pub fn confirm(connection: &mut PgConnection, secret: &SessionSecret) -> QueryResult<Option<(User, Token)>> {
    Ok(valid(connection, secret)?.map(|session| (session.user, session.token)))
}

fn valid(connection: &mut PgConnection, secret: &SessionSecret) -> QueryResult<Option<Session>> {
    let digest = digest(secret.reveal());
    type Found = (User, Token, DateTime<Utc>, DateTime<Utc>, DateTime<Utc>);
    let found: Option<Found> = web_sessions::table
        .inner_join(api_tokens::table.on(api_tokens::id.eq(web_sessions::token_id)))
        .inner_join(users::table.on(users::id.eq(api_tokens::user_id)))
        .filter(web_sessions::secret_sha256.eq(digest.as_slice()))
        .select((
            User::as_select(),
            Token::as_select(),
            web_sessions::created_at,
            web_sessions::last_used_at,
            web_sessions::proven_at,
        ))
        .first(connection)
        .optional()?;
    let Some((user, token, created_at, last_used_at, proven_at)) = found else { return Ok(None) };
    let at = Utc::now();
    let has_ended = at - last_used_at > IDLE || at - created_at > LONGEST;
    let is_valid = !has_ended && user.state() == UserState::Active && token.state() == TokenState::Valid;
    Ok(is_valid.then_some(Session { user, token, proven_at, last_used_at }))
}

/// Notes that the user of a session has proved to be that user. A new secret takes the place of the one before.
pub fn prove(connection: &mut PgConnection, secret: &SessionSecret, new: &SessionSecret) -> QueryResult<bool> {
    diesel::update(web_sessions::table.find(digest(secret.reveal()).as_slice()))
        .set((
            web_sessions::secret_sha256.eq(digest(new.reveal()).as_slice()),
            web_sessions::proven_at.eq(now),
            web_sessions::last_used_at.eq(now),
        ))
        .execute(connection)
        .map(|changed| changed > 0)
}

/// Notes that a sign-in at a provider has begun in a session, in place of one before. What the browser has of it could be forged by
/// somebody who has the session.
pub fn begin_flow(connection: &mut PgConnection, secret: &SessionSecret, flow: &str) -> QueryResult<()> {
    diesel::update(web_sessions::table.find(digest(secret.reveal()).as_slice()))
        .set((web_sessions::flow_sha256.eq(digest(flow).as_slice()), web_sessions::flow_at.eq(now)))
        .execute(connection)
        .map(drop)
}

/// Ends a sign-in that has begun in a session: when that was, or None if it was not, or has ended before.
pub fn end_flow(
    connection: &mut PgConnection,
    secret: &SessionSecret,
    flow: &str,
    longest: TimeDelta,
) -> QueryResult<Option<DateTime<Utc>>> {
    let own = digest(secret.reveal());
    let begun: Option<Option<DateTime<Utc>>> = web_sessions::table
        .find(own.as_slice())
        .filter(web_sessions::flow_sha256.eq(digest(flow).as_slice()))
        .filter(web_sessions::flow_at.gt(Utc::now() - longest))
        .select(web_sessions::flow_at)
        .for_update()
        .first(connection)
        .optional()?;
    diesel::update(web_sessions::table.find(own.as_slice()))
        .set((web_sessions::flow_sha256.eq(None::<Vec<u8>>), web_sessions::flow_at.eq(None::<DateTime<Utc>>)))
        .execute(connection)?;
    Ok(begun.flatten())
}

/// Ends the sessions of a user that have begun in a way, but for the one with a secret.
pub fn end_begun_with(
    connection: &mut PgConnection,
    user: i32,
    sign_in: &str,
    but: Option<&SessionSecret>,
) -> QueryResult<()> {
    let ended = of_user(connection, user)?
        .into_iter()
        .filter(|session| session.sign_in.as_deref() == Some(sign_in) && but.is_none_or(|secret| !session.is(secret)))
        .map(|session| session.id)
        .collect();
    end_some(connection, ended)
}

/// Ends a session, and its token if it was created for the session.
pub fn end(connection: &mut PgConnection, secret: &SessionSecret) -> QueryResult<()> {
    let digest = digest(secret.reveal());
    let ended = web_sessions::table.find(digest.as_slice()).select(web_sessions::id);
    let ended: Option<i32> = ended.first(connection).optional()?;
    end_some(connection, ended.into_iter().collect())
}

/// A session in the list of its user.
#[derive(Queryable, Clone, Debug)]
pub struct Listed {
    pub id: i32,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub address: Option<String>,
    pub browser: Option<String>,
    /// How the user signed in; None for a token that was entered, which is the next.
    pub sign_in: Option<String>,
    pub token: String,
    secret_sha256: Vec<u8>,
}

impl Listed {
    /// Whether it is the session with this secret.
    pub fn is(&self, secret: &SessionSecret) -> bool {
        self.secret_sha256 == digest(secret.reveal())
    }
}

/// The sessions of a user that have not ended, the last used first.
pub fn of_user(connection: &mut PgConnection, user: i32) -> QueryResult<Vec<Listed>> {
    let at = Utc::now();
    web_sessions::table
        .inner_join(api_tokens::table)
        .filter(api_tokens::user_id.eq(user).and(api_tokens::revoked_at.is_null()))
        .filter(api_tokens::expires_at.is_null().or(api_tokens::expires_at.gt(at)))
        .filter(web_sessions::last_used_at.gt(at - IDLE).and(web_sessions::created_at.gt(at - LONGEST)))
        .order((web_sessions::last_used_at.desc(), web_sessions::id.desc()))
        .select((
            web_sessions::id,
            web_sessions::created_at,
            web_sessions::last_used_at,
            web_sessions::address,
            web_sessions::browser,
            api_tokens::sign_in,
            api_tokens::name,
            web_sessions::secret_sha256,
        ))
        .load(connection)
}

/// Ends a session of a user, or all but the one with a secret; returns how many.
pub fn end_of_user(
    connection: &mut PgConnection,
    user: i32,
    which: Option<i32>,
    but: Option<&SessionSecret>,
) -> QueryResult<usize> {
    let ended: Vec<i32> = of_user(connection, user)?
        .into_iter()
        .filter(|session| which.is_none_or(|which| session.id == which))
        .filter(|session| but.is_none_or(|secret| !session.is(secret)))
        .map(|session| session.id)
        .collect();
    let count = ended.len();
    end_some(connection, ended)?;
    Ok(count)
}

/// A change that such a session has begun is complete, or refused, when this is done: its token is locked by it.
fn end_some(connection: &mut PgConnection, ids: Vec<i32>) -> QueryResult<()> {
    let tokens: Vec<i32> = diesel::delete(web_sessions::table.filter(web_sessions::id.eq_any(ids)))
        .returning(web_sessions::token_id)
        .get_results(connection)?;
    let of_sessions = api_tokens::id.eq_any(tokens).and(api_tokens::sign_in.is_not_null());
    diesel::update(api_tokens::table.filter(of_sessions.and(api_tokens::revoked_at.is_null())))
        .set(api_tokens::revoked_at.eq(now))
        .execute(connection)
        .map(drop)
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
