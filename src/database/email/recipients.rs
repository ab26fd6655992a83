//! Where users get mail, and of what. An address gets none but the link that confirms it until that was opened.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Nullable, Text};
use rand::rngs::SysError;

use crate::database::access::tokens::{digest, is_secret, random_secret};
use crate::database::schema::{email_recipients, users};
use crate::email::EmailAddress;

/// The prefix of the secrets in links.
const PREFIX: &str = "sce_";
/// How long the link that confirms an address is valid.
pub const VALID_FOR: TimeDelta = TimeDelta::hours(24);

/// The secret of a link in a mail. One kind confirms an address, the other ends mails.
#[derive(Clone)]
pub struct EmailSecret(String);

impl EmailSecret {
    pub fn random() -> Result<Self, SysError> {
        random_secret(PREFIX).map(Self)
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// The text is none of these secrets.
#[derive(Debug)]
pub struct NoSecret;

impl FromStr for EmailSecret {
    type Err = NoSecret;

    fn from_str(text: &str) -> Result<Self, NoSecret> {
        is_secret(PREFIX, text.trim()).then(|| Self(text.trim().to_owned())).ok_or(NoSecret)
    }
}

/// A user with an address.
#[derive(Queryable, Selectable, Clone, Debug, PartialEq, Eq)]
#[diesel(table_name = email_recipients)]
pub struct Recipient {
    pub user_id: i32,
    pub address: String,
    pub confirmed_at: Option<DateTime<Utc>>,
    pub unsubscribe_key: String,
    pub unwanted: Vec<String>,
    /// Why the mail server has refused the address.
    pub problem: Option<String>,
    pub changed_at: DateTime<Utc>,
}

impl Recipient {
    /// Whether the user wants mail of a group of event types.
    pub fn wants(&self, group: &str) -> bool {
        !self.unwanted.iter().any(|unwanted| unwanted == "*" || unwanted == group)
    }
}

pub fn find(connection: &mut PgConnection, user: i32) -> QueryResult<Option<Recipient>> {
    email_recipients::table.find(user).select(Recipient::as_select()).first(connection).optional()
}

/// Locks the rows of users, in the order of their numbers, until the transaction ends; returns those that have one.
pub fn lock(connection: &mut PgConnection, users: &[i32]) -> QueryResult<Vec<i32>> {
    email_recipients::table
        .filter(email_recipients::user_id.eq_any(users))
        .order(email_recipients::user_id)
        .select(email_recipients::user_id)
        .for_no_key_update()
        .load(connection)
}

/// All of them, with their logins.
pub fn list(connection: &mut PgConnection) -> QueryResult<Vec<(String, Recipient)>> {
    email_recipients::table
        .inner_join(users::table)
        .order(users::login)
        .select((users::login, Recipient::as_select()))
        .load(connection)
}

/// Gives a user an address, in place of another. What waited for the other is dropped, and mail is wanted again.
pub fn set(
    connection: &mut PgConnection,
    user: i32,
    address: &EmailAddress,
    is_confirmed: bool,
    key: &EmailSecret,
) -> QueryResult<()> {
    diesel::sql_query(
        "WITH dropped AS (DELETE FROM email_notices WHERE user_id = $1)
         INSERT INTO email_recipients AS old (user_id, address, confirmed_at, unsubscribe_key)
         VALUES ($1, $2, CASE WHEN $3 THEN now() END, $4)
         ON CONFLICT (user_id) DO UPDATE SET address = excluded.address, confirmed_at = excluded.confirmed_at,
             confirmation_sha256 = NULL, confirmation_until = NULL, unsubscribe_key = excluded.unsubscribe_key,
             unwanted = array_remove(old.unwanted, '*'), problem = NULL, changed_at = clock_timestamp()",
    )
    .bind::<Integer, _>(user)
    .bind::<Text, _>(address.as_str())
    .bind::<Bool, _>(is_confirmed)
    .bind::<Text, _>(key.reveal())
    .execute(connection)
    .map(drop)
}

/// Removes the address of a user; false if there was none.
pub fn remove(connection: &mut PgConnection, user: i32) -> QueryResult<bool> {
    diesel::delete(email_recipients::table.find(user)).execute(connection).map(|removed| removed > 0)
}

/// Makes the link valid that was sent to the address of a user, in place of the one before. It confirms no other address, should
/// the user have entered one meanwhile.
pub fn set_confirmation(
    connection: &mut PgConnection,
    user: i32,
    address: &str,
    secret: &EmailSecret,
) -> QueryResult<()> {
    diesel::update(email_recipients::table.find(user).filter(email_recipients::address.eq(address)))
        .filter(email_recipients::confirmed_at.is_null())
        .set((
            email_recipients::confirmation_sha256.eq(digest(secret.reveal()).as_slice()),
            email_recipients::confirmation_until.eq(Utc::now() + VALID_FOR),
        ))
        .execute(connection)
        .map(drop)
}

/// The login and the address that a link confirms, unless it has expired or was used.
pub fn to_confirm(connection: &mut PgConnection, secret: &EmailSecret) -> QueryResult<Option<(i32, String, String)>> {
    email_recipients::table
        .inner_join(users::table)
        .filter(email_recipients::confirmation_sha256.eq(digest(secret.reveal()).as_slice()))
        .filter(email_recipients::confirmation_until.gt(Utc::now()))
        .filter(users::disabled_at.is_null())
        .select((users::id, users::login, email_recipients::address))
        .first(connection)
        .optional()
}

/// Confirms the address of a user; the link is used up.
pub fn confirm(connection: &mut PgConnection, user: i32) -> QueryResult<()> {
    diesel::update(email_recipients::table.find(user))
        .set((
            email_recipients::confirmed_at.eq(Utc::now()),
            email_recipients::confirmation_sha256.eq(None::<Vec<u8>>),
            email_recipients::confirmation_until.eq(None::<DateTime<Utc>>),
            email_recipients::problem.eq(None::<String>),
        ))
        .execute(connection)
        .map(drop)
}

/// Notes that the mail server refuses the address of a user, which gets no mail until it is entered again.
pub fn note_refused(connection: &mut PgConnection, user: i32, address: &str, problem: &str) -> QueryResult<bool> {
    diesel::update(email_recipients::table.find(user).filter(email_recipients::address.eq(address)))
        .set((email_recipients::confirmed_at.eq(None::<DateTime<Utc>>), email_recipients::problem.eq(problem)))
        .execute(connection)
        .map(|noted| noted > 0)
}

/// Sets the groups of event types of which a user wants no mail.
pub fn set_unwanted(connection: &mut PgConnection, user: i32, unwanted: &[String]) -> QueryResult<()> {
    diesel::update(email_recipients::table.find(user))
        .set(email_recipients::unwanted.eq(unwanted))
        .execute(connection)
        .map(drop)
}

/// The login and the address to which a link that ends mails was sent.
pub fn of_key(connection: &mut PgConnection, key: &EmailSecret) -> QueryResult<Option<(String, Recipient)>> {
    email_recipients::table
        .inner_join(users::table)
        .filter(email_recipients::unsubscribe_key.eq(key.reveal()))
        .select((users::login, Recipient::as_select()))
        .first(connection)
        .optional()
}

/// Whose mail an event may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concerned {
    /// The users who own this crate, by its canonical name.
    pub owners_of: Option<String>,
    /// Users with these logins.
    pub logins: Vec<String>,
    /// The user of this token.
    pub token: Option<i32>,
    pub admins: bool,
}

/// Those of the concerned who get mail of a group of event types. A disabled user gets mail only of being disabled.
pub fn of(connection: &mut PgConnection, group: &str, concerned: &Concerned) -> QueryResult<Vec<i32>> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Integer)]
        user_id: i32,
    }
    let logins: Vec<String> = concerned.logins.iter().map(|login| login.to_lowercase()).collect();
    let found: Vec<Found> = diesel::sql_query(
        "SELECT user_id FROM email_recipients JOIN users ON users.id = user_id
         WHERE confirmed_at IS NOT NULL AND NOT unwanted && ARRAY['*', $1] AND (disabled_at IS NULL OR $1 = 'user')
             AND (lower(login) = ANY($2) OR ($3 AND is_admin) OR user_id = (SELECT user_id FROM api_tokens WHERE id = $5)
                  OR user_id IN (SELECT crate_owners.user_id FROM crate_owners JOIN crates ON crates.id = crate_id
                                 WHERE canonical_name = $4))
         ORDER BY user_id",
    )
    .bind::<Text, _>(group)
    .bind::<Array<Text>, _>(logins)
    .bind::<Bool, _>(concerned.admins)
    .bind::<Nullable<Text>, _>(&concerned.owners_of)
    .bind::<Nullable<Integer>, _>(concerned.token)
    .load(connection)?;
    Ok(found.into_iter().map(|one| one.user_id).collect())
}
