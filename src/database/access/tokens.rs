//! API tokens. Only their SHA-256 is stored, which is enough for a random token of 256 bits: nobody can guess what to
//! hash, so there is nothing to slow down with a password hash.

use std::fmt;

use chrono::{DateTime, Datelike, Utc};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{Array, Integer, Nullable, Text, Timestamptz};
use rand::TryRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::audit::{Action, Actor, Event};
use super::caller::Authority;
use super::scope::{CratePattern, Scope};
use super::users::{self as accounts, User};
use crate::database::schema::{api_tokens, users};
use crate::package::characters::{HiddenCharacter, check_line};

/// Lets people and secret scanners recognise a token of ours.
pub const PREFIX: &str = "sct_";
/// Random bytes of a token.
const ENTROPY: usize = 32;
/// The longest name of a token, in characters.
pub const MAX_NAME: usize = 100;
/// Tokens that one user may have at the same time.
pub const MAX_TOKENS: i64 = 500;
/// The last use is noted this often at most, so that reads stay reads.
const NOTE_USE_EVERY: chrono::TimeDelta = chrono::TimeDelta::minutes(10);
/// The last year in which a token may end, and its last second: RFC 3339 has four digits.
const LAST_YEAR: i32 = 9999;
const LAST_SECOND: i64 = 253_402_300_799;

/// A token in clear, which exists only at the moment of its creation.
pub struct PlainToken(String);

impl PlainToken {
    /// Draws a token from the system's randomness.
    fn random() -> Result<Self, rand::rngs::SysError> {
        let mut bytes = [0; ENTROPY];
        rand::rngs::SysRng.try_fill_bytes(&mut bytes)?;
        Ok(Self(bytes.iter().fold(PREFIX.to_owned(), |token, byte| token + &format!("{byte:02x}"))))
    }

    /// The text to hand out once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Several texts in one column, each of which is a value of its own kind.
#[derive(Clone, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Array<Text>)]
pub struct Words<T>(pub Vec<T>);

impl<T: fmt::Display + fmt::Debug> ToSql<Array<Text>, Pg> for Words<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        <Vec<String> as ToSql<Array<Text>, Pg>>::to_sql(&texts, &mut out.reborrow())
    }
}

impl<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>> FromSql<Array<Text>, Pg> for Words<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let texts = <Vec<String> as FromSql<Array<Text>, Pg>>::from_sql(value)?;
        Ok(Self(texts.iter().map(|text| text.parse()).collect::<Result<_, _>>()?))
    }
}

impl<T: fmt::Display> Words<T> {
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

impl<T: fmt::Display> fmt::Display for Words<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.texts().join(", "))
    }
}

/// What is known of a token besides itself.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = api_tokens)]
pub struct Token {
    pub id: i32,
    pub user_id: i32,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// What it is good for; None: for everything.
    pub scopes: Option<Words<Scope>>,
    /// The crates it is good for; None: for all.
    pub crate_patterns: Option<Words<CratePattern>>,
    /// When it ends; None: never.
    pub expires_at: Option<DateTime<Utc>>,
    /// The token that made it; None: an operator did.
    pub created_by_token: Option<i32>,
}

/// Whether a token is good for anything.
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
    /// What the audit log keeps of a token besides its name.
    pub fn describe(&self) -> serde_json::Value {
        serde_json::json!({
            "token_id": self.id,
            "scopes": self.scopes.as_ref().map(ToString::to_string),
            "crates": self.crate_patterns.as_ref().map(ToString::to_string),
            "expires_at": self.end(),
            "created_by_token": self.created_by_token,
        })
    }

    /// When it ends, as a date that RFC 3339 has: an older version of the program took others.
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

/// A token about to be made.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// What its owner calls it.
    pub name: String,
    pub scopes: Option<Vec<Scope>>,
    pub crate_patterns: Option<Vec<CratePattern>>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why a token could not be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateTokenError {
    #[error("the system gives no randomness")]
    Randomness(#[from] rand::rngs::SysError),
    #[error("{0:?} can't be a token's name: give it 1 to {MAX_NAME} characters")]
    Name(String),
    #[error("{0:?} can't be a token's name: it contains {1}; remove it")]
    Character(String, HiddenCharacter),
    #[error("an empty list of {0} would make a token that is good for nothing: leave it out for no restriction")]
    Nothing(&'static str),
    #[error("a token that ends on {0} would be over already: give a time in the future")]
    Over(DateTime<Utc>),
    #[error(
        "a token cannot end in the year {0}: give an end before the year 10000, or none for a token that does not end"
    )]
    TooFar(i32),
    #[error("this user has {MAX_TOKENS} tokens already: revoke some that are no longer used")]
    TooMany,
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl NewToken {
    /// A token without restrictions.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    fn check(&self) -> Result<(), CreateTokenError> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME {
            return Err(CreateTokenError::Name(self.name.chars().take(MAX_NAME).collect()));
        }
        check_line(name).map_err(|found| CreateTokenError::Character(name.to_owned(), found))?;
        if self.scopes.as_ref().is_some_and(Vec::is_empty) {
            return Err(CreateTokenError::Nothing("scopes"));
        }
        if self.crate_patterns.as_ref().is_some_and(Vec::is_empty) {
            return Err(CreateTokenError::Nothing("crates"));
        }
        match self.expires_at {
            Some(end) if end.year() > LAST_YEAR => Err(CreateTokenError::TooFar(end.year())),
            Some(end) if end <= Utc::now() => Err(CreateTokenError::Over(end)),
            _ => Ok(()),
        }
    }

    /// Creates the token for a user, as an operator.
    pub fn create(self, connection: &mut PgConnection, user: i32) -> Result<(Token, PlainToken), CreateTokenError> {
        self.check()?;
        connection.transaction(|connection| self.insert(connection, user, None))
    }

    /// Creates the token for the user of another token, in the transaction that confirmed that one.
    pub fn create_by(
        self,
        connection: &mut PgConnection,
        maker: &Authority,
    ) -> Result<(Token, PlainToken), CreateTokenError> {
        self.check()?;
        self.insert(connection, maker.user.id, Some(maker.token.id))
    }

    /// Counts under the lock of the user's row, so that requests that arrive at once count each other.
    fn insert(
        self,
        connection: &mut PgConnection,
        user: i32,
        maker: Option<i32>,
    ) -> Result<(Token, PlainToken), CreateTokenError> {
        accounts::lock(connection, user)?;
        let held: i64 = api_tokens::table
            .filter(api_tokens::user_id.eq(user))
            .filter(api_tokens::revoked_at.is_null())
            .filter(api_tokens::expires_at.is_null().or(api_tokens::expires_at.gt(diesel::dsl::now)))
            .count()
            .get_result(connection)?;
        if held >= MAX_TOKENS {
            return Err(CreateTokenError::TooMany);
        }
        let plain = PlainToken::random()?;
        let token = diesel::insert_into(api_tokens::table)
            .values((
                api_tokens::user_id.eq(user),
                api_tokens::name.eq(self.name.trim()),
                api_tokens::token_sha256.eq(digest(&plain.0).as_slice()),
                api_tokens::scopes.eq(self.scopes.map(Words)),
                api_tokens::crate_patterns.eq(self.crate_patterns.map(Words)),
                api_tokens::expires_at.eq(self.expires_at),
                api_tokens::created_by_token.eq(maker),
            ))
            .returning(Token::as_returning())
            .get_result(connection)?;
        Ok((token, plain))
    }
}

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

/// Tokens of one user, or of all, with their owners' logins, oldest first.
pub fn list(connection: &mut PgConnection, user: Option<i32>) -> QueryResult<Vec<(Token, String)>> {
    let mut query = api_tokens::table
        .inner_join(users::table)
        .select((Token::as_select(), users::login))
        .order(api_tokens::id)
        .into_boxed();
    if let Some(user) = user {
        query = query.filter(api_tokens::user_id.eq(user));
    }
    query.load(connection)
}

/// Tokens that were revoked together.
#[derive(Clone, Debug)]
pub struct Revoked {
    /// The oldest one first.
    pub tokens: Vec<Token>,
    /// Tokens that were made with these, directly or not, and that are still valid.
    pub valid_descendants: Vec<Token>,
}

impl Revoked {
    /// Writes an entry of the log for each token; `id` is the one that was named.
    pub fn record(&self, connection: &mut PgConnection, id: i32, actor: &Actor) -> QueryResult<()> {
        for token in &self.tokens {
            let mut detail = token.describe();
            if token.id != id {
                detail["descendant_of"] = id.into();
            }
            Event::new(Action::TokenRevoke).about(&token.name).detail(detail).record(connection, actor)?;
        }
        Ok(())
    }
}

/// Revokes a token at once; None if there is none with that id, of that user if one is given, or if it was revoked before.
/// Waits for changes that its user has begun.
pub fn revoke(connection: &mut PgConnection, id: i32, of: Option<i32>) -> QueryResult<Option<Revoked>> {
    revoke_some(connection, id, of, |token| token.id == id)
}

/// Revokes a token, if that was not done before, and all that were made with it, directly or not. None if nothing is left to
/// revoke.
pub fn revoke_with_descendants(
    connection: &mut PgConnection,
    id: i32,
    of: Option<i32>,
) -> QueryResult<Option<Revoked>> {
    revoke_some(connection, id, of, |_| true)
}

fn revoke_some(
    connection: &mut PgConnection,
    id: i32,
    of: Option<i32>,
    chosen: impl Fn(&Token) -> bool,
) -> QueryResult<Option<Revoked>> {
    connection.transaction(|connection| {
        let owner: Option<i32> = api_tokens::table.find(id).select(api_tokens::user_id).first(connection).optional()?;
        let Some(owner) = owner.filter(|owner| of.is_none_or(|user| *owner == user)) else { return Ok(None) };
        accounts::lock(connection, owner)?;
        let family = family(connection, id)?;
        let (chosen, others): (Vec<_>, Vec<_>) =
            family.into_iter().filter(|token| token.revoked_at.is_none()).partition(|token| chosen(token));
        let ids: Vec<i32> = chosen.iter().map(|token| token.id).collect();
        diesel::update(api_tokens::table.filter(api_tokens::id.eq_any(ids)))
            .set(api_tokens::revoked_at.eq(Utc::now()))
            .execute(connection)?;
        let valid_descendants = others.into_iter().filter(|token| token.state() == TokenState::Valid).collect();
        Ok((!chosen.is_empty()).then_some(Revoked { tokens: chosen, valid_descendants }))
    })
}

/// A token and all that were made with it, also by way of tokens that were revoked since.
fn family(connection: &mut PgConnection, id: i32) -> QueryResult<Vec<Token>> {
    #[derive(QueryableByName)]
    struct Member {
        #[diesel(sql_type = Integer)]
        id: i32,
    }
    // A program from before this column can have made tokens since the migration, during an upgrade or after a rollback.
    diesel::sql_query(
        "UPDATE api_tokens SET created_by_token = maker.id
         FROM audit_log JOIN api_tokens AS maker ON maker.id = audit_log.token_id
         WHERE audit_log.action = 'token-create' AND audit_log.detail->'token_id' = to_jsonb(api_tokens.id)
             AND maker.user_id = api_tokens.user_id AND maker.id < api_tokens.id
             AND api_tokens.created_by_token IS NULL
             AND api_tokens.user_id = (SELECT user_id FROM api_tokens WHERE id = $1)",
    )
    .bind::<Integer, _>(id)
    .execute(connection)?;
    let members: Vec<Member> = diesel::sql_query(
        "WITH RECURSIVE family AS (
            SELECT id FROM api_tokens WHERE id = $1
            UNION SELECT api_tokens.id FROM api_tokens JOIN family ON api_tokens.created_by_token = family.id)
         SELECT id FROM family",
    )
    .bind::<Integer, _>(id)
    .get_results(connection)?;
    let ids = members.into_iter().map(|member| member.id);
    api_tokens::table
        .filter(api_tokens::id.eq_any(ids))
        .order(api_tokens::id)
        .select(Token::as_select())
        .load(connection)
}
