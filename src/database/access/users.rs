//! Users: people and machines that have tokens and own crates.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::Integer;

use crate::database::schema::users;

#[derive(Queryable, Selectable, Identifiable, Clone, Debug, PartialEq, Eq)]
#[diesel(table_name = users)]
pub struct User {
    pub id: i32,
    pub login: String,
    pub name: Option<String>,
    /// Whether the user can use the API's admin endpoints.
    pub is_admin: bool,
    pub created_at: DateTime<Utc>,
}

/// Why a user cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateUserError {
    #[error("the user {0:?} already exists (case is ignored): choose another login")]
    Exists(String),
    #[error(
        "{0:?} is not a valid login: use 1 to 64 letters, digits, '-', '_', '.' or '@', beginning with a letter or \
         digit"
    )]
    Login(String),
    #[error(transparent)]
    Database(#[from] Error),
}

/// Creates a user without crates and tokens.
pub fn create(connection: &mut PgConnection, login: &str, name: Option<&str>) -> Result<User, CreateUserError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    let begins_well = login.starts_with(|c: char| c.is_ascii_alphanumeric());
    if login.len() > 64 || !begins_well || !login.chars().all(allowed) {
        return Err(CreateUserError::Login(login.to_owned()));
    }
    diesel::insert_into(users::table)
        .values((users::login.eq(login), users::name.eq(name)))
        .returning(User::as_returning())
        .get_result(connection)
        .map_err(|error| match error {
            Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => CreateUserError::Exists(login.to_owned()),
            other => other.into(),
        })
}

/// Finds a user by login, ignoring case.
pub fn find(connection: &mut PgConnection, login: &str) -> QueryResult<Option<User>> {
    if login.contains('\0') {
        // PostgreSQL rejects such a text.
        return Ok(None);
    }
    diesel::define_sql_function!(fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text);
    users::table
        .filter(lower(users::login).eq(login.to_lowercase()))
        .select(User::as_select())
        .first(connection)
        .optional()
}

/// The first number of the advisory locks of users' rights.
pub(super) const RIGHTS: i32 = 0x7267_6874;

/// Locks a user's rights until the end of the transaction, to remove one of them or to change the user's tokens. Waits
/// for changes that the user has begun; later ones wait for this transaction and see its result.
pub fn lock(connection: &mut PgConnection, id: i32) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1, $2)")
        .bind::<Integer, _>(RIGHTS)
        .bind::<Integer, _>(id)
        .execute(connection)
        .map(drop)
}

/// Makes a user an admin, or an ordinary user; false if nothing changed. Waits for changes that the user has begun.
pub fn set_admin(connection: &mut PgConnection, id: i32, admin: bool) -> QueryResult<bool> {
    connection.transaction(|connection| {
        lock(connection, id)?;
        diesel::update(users::table.find(id).filter(users::is_admin.ne(admin)))
            .set(users::is_admin.eq(admin))
            .execute(connection)
            .map(|changed| changed > 0)
    })
}

/// Whether there is a user.
pub fn any(connection: &mut PgConnection) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(users::table.select(users::id))).get_result(connection)
}

/// All users, the oldest first.
pub fn list(connection: &mut PgConnection) -> QueryResult<Vec<User>> {
    users::table.order(users::id).select(User::as_select()).load(connection)
}
