//! Creation of API tokens.

use chrono::{DateTime, Datelike, Utc};
use diesel::prelude::*;

use super::scope::Scope;
use super::tokens::{self, Token, digest, random_secret};
use super::users::{self, Inactive};
use crate::database::schema::api_tokens;
use crate::database::types::TextArray;
use crate::package::characters::{HiddenCharacter, check_line};
use crate::package::crate_pattern::CratePattern;

/// The prefix of every token.
pub const PREFIX: &str = "sct_";
/// The longest name of a token, in characters.
pub const MAX_NAME: usize = 100;
/// The most valid tokens that one user may have.
pub const MAX_TOKENS: i64 = 500;
/// The last year in which a token may end: RFC 3339 has years of four digits.
const LAST_YEAR: i32 = 9999;

/// A token in plain text, which exists only when it is created.
pub struct PlainToken(String);

impl PlainToken {
    /// Generates a token from the system's random numbers.
    pub(in crate::database) fn random() -> Result<Self, rand::rngs::SysError> {
        random_secret(PREFIX).map(Self)
    }

    /// The text, which is shown to its user once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// A token to create.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// The name that its user gives it.
    pub name: String,
    pub scopes: Option<Vec<Scope>>,
    pub crate_patterns: Option<Vec<CratePattern>>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why a token cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateTokenError {
    #[error("the system returned no random numbers")]
    Randomness(#[from] rand::rngs::SysError),
    #[error("{0:?} is not a valid token name: use 1 to {MAX_NAME} characters")]
    Name(String),
    #[error("{0:?} is not a valid token name, since it contains {1}: remove it")]
    Character(String, HiddenCharacter),
    #[error("a token with an empty list of {0} could do nothing: leave the list out for no restriction")]
    Nothing(&'static str),
    #[error("the token would already be expired on {0}: choose a time in the future")]
    Over(DateTime<Utc>),
    #[error("a token cannot expire in the year {0}: choose a year up to {LAST_YEAR}, or no expiry")]
    TooFar(i32),
    #[error("this user already has {MAX_TOKENS} valid tokens: revoke unused ones")]
    TooMany,
    #[error("a token with the scope administer cannot be restricted to crates: leave out one of the two")]
    AdministersCrates,
    #[error(
        "`{login}` is no admin, so a token with the scope administer would do nothing: make the user an admin first"
    )]
    AdministersNothing { login: String },
    #[error(transparent)]
    Inactive(#[from] Inactive),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

impl NewToken {
    /// A token without restrictions.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    fn administers(&self) -> bool {
        self.scopes.as_ref().is_some_and(|scopes| scopes.contains(&Scope::Administer))
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
        if self.administers() && self.crate_patterns.is_some() {
            return Err(CreateTokenError::AdministersCrates);
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

    /// Creates the token with another token, in the transaction that confirmed that one.
    pub fn create_by(
        self,
        connection: &mut PgConnection,
        (user, maker): (i32, i32),
    ) -> Result<(Token, PlainToken), CreateTokenError> {
        self.check()?;
        self.insert(connection, user, Some(maker))
    }

    /// Counts the user's tokens under the lock of the user's rights, so that concurrent requests count each other's
    /// tokens.
    fn insert(
        self,
        connection: &mut PgConnection,
        user: i32,
        maker: Option<i32>,
    ) -> Result<(Token, PlainToken), CreateTokenError> {
        users::lock(connection, user)?;
        let owner = users::read_to_give(connection, user)?;
        owner.check_active()?;
        if self.administers() && !owner.is_admin {
            return Err(CreateTokenError::AdministersNothing { login: owner.login });
        }
        if tokens::count_valid(connection, user)? >= MAX_TOKENS {
            return Err(CreateTokenError::TooMany);
        }
        let plain = PlainToken::random()?;
        let token = diesel::insert_into(api_tokens::table)
            .values((
                api_tokens::user_id.eq(user),
                api_tokens::name.eq(self.name.trim()),
                api_tokens::token_sha256.eq(digest(&plain.0).as_slice()),
                api_tokens::scopes.eq(self.scopes.map(TextArray)),
                api_tokens::crate_patterns.eq(self.crate_patterns.map(TextArray)),
                api_tokens::expires_at.eq(self.expires_at),
                api_tokens::created_by_token.eq(maker),
            ))
            .returning(Token::as_returning())
            .get_result(connection)?;
        Ok((token, plain))
    }
}
