//! Links with which a user signs in once: for the first time, or after the password was lost. A user has one at most, and only its
//! SHA-256 is stored, which is enough for 256 random bits.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use rand::TryRng;

use crate::database::access::tokens::{digest, hex};
use crate::database::access::users::User;
use crate::database::schema::{one_time_links, users};

/// The prefix of every secret, by which secret scanners recognise it.
const PREFIX: &str = "scl_";
/// Random bytes of a secret.
const ENTROPY: usize = 32;
/// The longest time for which a link can be valid.
pub const LONGEST: TimeDelta = TimeDelta::days(30);

/// The secret in a link, which exists in the link alone.
#[derive(Clone)]
pub struct LinkSecret(String);

impl LinkSecret {
    fn random() -> Result<Self, rand::rngs::SysError> {
        let mut bytes = [0; ENTROPY];
        rand::rngs::SysRng.try_fill_bytes(&mut bytes)?;
        Ok(Self(PREFIX.to_owned() + &hex(&bytes)))
    }

    /// Reads one that was sent; None if it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix(PREFIX)?;
        let is_one = digits.len() == 2 * ENTROPY && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| Self(text.trim().to_owned()))
    }

    /// The text, for the link.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The user who may sign in with the link, unless it has expired or was used.
    pub fn user(&self, connection: &mut PgConnection) -> QueryResult<Option<User>> {
        one_time_links::table
            .inner_join(users::table)
            .filter(one_time_links::secret_sha256.eq(digest(&self.0).as_slice()))
            .filter(one_time_links::expires_at.gt(Utc::now()))
            .select(User::as_select())
            .first(connection)
            .optional()
    }

    /// Uses the link up; false if it cannot be used any more.
    pub fn use_up(&self, connection: &mut PgConnection) -> QueryResult<bool> {
        let digest = digest(&self.0);
        let own = one_time_links::secret_sha256.eq(digest.as_slice());
        diesel::delete(one_time_links::table.filter(own.and(one_time_links::expires_at.gt(Utc::now()))))
            .execute(connection)
            .map(|used| used > 0)
    }
}

/// Why a link cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateLinkError {
    #[error("the system returned no random numbers")]
    Randomness(#[from] rand::rngs::SysError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

/// Creates a link for a user, in place of one that the user may have.
pub fn create(
    connection: &mut PgConnection,
    user: i32,
    expires_at: DateTime<Utc>,
) -> Result<LinkSecret, CreateLinkError> {
    let secret = LinkSecret::random()?;
    diesel::delete(one_time_links::table.filter(one_time_links::expires_at.lt(Utc::now()))).execute(connection)?;
    revoke(connection, user)?;
    diesel::insert_into(one_time_links::table)
        .values((
            one_time_links::secret_sha256.eq(digest(&secret.0).as_slice()),
            one_time_links::user_id.eq(user),
            one_time_links::expires_at.eq(expires_at),
        ))
        .execute(connection)?;
    Ok(secret)
}

/// Revokes the link of a user; false if there was none.
pub fn revoke(connection: &mut PgConnection, user: i32) -> QueryResult<bool> {
    diesel::delete(one_time_links::table.filter(one_time_links::user_id.eq(user)))
        .execute(connection)
        .map(|removed| removed > 0)
}

/// When the link of a user expires; None if there is none that is valid.
pub fn end_of(connection: &mut PgConnection, user: i32) -> QueryResult<Option<DateTime<Utc>>> {
    one_time_links::table
        .filter(one_time_links::user_id.eq(user).and(one_time_links::expires_at.gt(Utc::now())))
        .select(one_time_links::expires_at)
        .first(connection)
        .optional()
}
