//! API tokens. Only their SHA-256 is stored, which is enough for a random token of 256 bits: nobody can guess what to
//! hash, so there is nothing to slow down with a password hash.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use rand::TryRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::schema::{api_tokens, users};
use super::users::User;

/// Lets people and secret scanners recognise a token of ours.
pub const PREFIX: &str = "sct_";
/// Random bytes of a token.
const ENTROPY: usize = 32;
/// The last use is noted this often at most, so that reads stay reads.
const NOTE_USE_EVERY: chrono::TimeDelta = chrono::TimeDelta::minutes(10);

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
}

/// Why a token could not be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateTokenError {
    #[error("the system gives no randomness")]
    Randomness(#[from] rand::rngs::SysError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Creates a token for a user. `name` is what its owner calls it.
pub fn create(connection: &mut PgConnection, user: i32, name: &str) -> Result<(Token, PlainToken), CreateTokenError> {
    let plain = PlainToken::random()?;
    let token = diesel::insert_into(api_tokens::table)
        .values((
            api_tokens::user_id.eq(user),
            api_tokens::name.eq(name),
            api_tokens::token_sha256.eq(digest(&plain.0).as_slice()),
        ))
        .returning(Token::as_returning())
        .get_result(connection)?;
    Ok((token, plain))
}

/// Whose token this is; None if it is unknown or revoked.
pub fn authenticate(connection: &mut PgConnection, plain: &str) -> QueryResult<Option<(User, Token)>> {
    let digest = digest(plain);
    let found: Option<(User, Token, Vec<u8>)> = api_tokens::table
        .inner_join(users::table)
        .filter(api_tokens::token_sha256.eq(digest.as_slice()))
        .filter(api_tokens::revoked_at.is_null())
        .select((User::as_select(), Token::as_select(), api_tokens::token_sha256))
        .first(connection)
        .optional()?;
    // The index lookup compares digests, whose bytes tell nothing about the token's; the answer itself is compared in
    // constant time.
    let Some((user, token, _)) = found.filter(|(_, _, stored)| bool::from(stored.ct_eq(&digest))) else {
        return Ok(None);
    };
    note_use(connection, &token)?;
    Ok(Some((user, token)))
}

fn note_use(connection: &mut PgConnection, token: &Token) -> QueryResult<()> {
    let now = Utc::now();
    if token.last_used_at.is_none_or(|last| now - last > NOTE_USE_EVERY) {
        diesel::update(api_tokens::table.find(token.id)).set(api_tokens::last_used_at.eq(now)).execute(connection)?;
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

/// Ends a token at once; false if there is none with that id, or if it was revoked before.
pub fn revoke(connection: &mut PgConnection, id: i32) -> QueryResult<bool> {
    diesel::update(api_tokens::table.find(id).filter(api_tokens::revoked_at.is_null()))
        .set(api_tokens::revoked_at.eq(Utc::now()))
        .execute(connection)
        .map(|changed| changed > 0)
}
