//! Links with which a user signs in once: for the first time, or after the password was lost. A user has one at most, and only its
//! SHA-256 is stored, which is enough for 256 random bits.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use rand::rngs::SysError;

use crate::database::access::tokens::{digest, is_secret, random_secret};
use crate::database::access::users::User;
use crate::database::schema::{one_time_links, users};

/// The prefix of every secret.
const PREFIX: &str = "scl_";
/// The longest time for which a link can be valid.
pub const LONGEST: TimeDelta = TimeDelta::days(30);

/// The secret in a link, which exists in the link alone.
#[derive(Clone)]
pub struct LinkSecret(String);

impl LinkSecret {
    fn random() -> Result<Self, SysError> {
        random_secret(PREFIX).map(Self)
    }

    /// Reads one that was sent; None if it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        is_secret(PREFIX, text.trim()).then(|| Self(text.trim().to_owned()))
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
    #[error(
        "`{0}` is a service account, which cannot sign in: change its role first, with `supercargo admin user role {0} member`"
    )]
    Service(String),
    #[error("the system returned no random numbers")]
    Randomness(#[from] SysError),
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
