//! People and machines that may hold tokens and own crates.

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
    /// May do by the API what an operator may.
    pub is_admin: bool,
}

/// Why a user could not be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateUserError {
    #[error("there is already a user {0:?}; logins that differ only in case are the same")]
    Exists(String),
    #[error(
        "{0:?} can't be a login: use 1 to 64 letters, digits, '-', '_', '.' or '@', beginning with a letter or a digit"
    )]
    Login(String),
    #[error(transparent)]
    Database(#[from] Error),
}

/// Creates a user who owns nothing yet and has no token.
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

/// Finds a user by login, whatever its case.
pub fn find(connection: &mut PgConnection, login: &str) -> QueryResult<Option<User>> {
    if login.contains('\0') {
        // Nobody is called so, and PostgreSQL takes no such text.
        return Ok(None);
    }
    diesel::define_sql_function!(fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text);
    users::table
        .filter(lower(users::login).eq(login.to_lowercase()))
        .select(User::as_select())
        .first(connection)
        .optional()
}

/// Keeps the locks of users' rights apart from other advisory locks with two numbers.
pub(super) const RIGHTS: i32 = 0x7267_6874;

/// Locks a user's rights to the end of the transaction: for what takes one away, and for changes of the user's tokens. Changes
/// that the user has begun end before; those that begin later wait, and see what was done.
pub fn lock(connection: &mut PgConnection, id: i32) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1, $2)")
        .bind::<Integer, _>(RIGHTS)
        .bind::<Integer, _>(id)
        .execute(connection)
        .map(drop)
}

/// Makes a user an admin, or no admin any more; false if nothing changed. Waits for changes that the user has begun.
pub fn set_admin(connection: &mut PgConnection, id: i32, admin: bool) -> QueryResult<bool> {
    connection.transaction(|connection| {
        lock(connection, id)?;
        diesel::update(users::table.find(id).filter(users::is_admin.ne(admin)))
            .set(users::is_admin.eq(admin))
            .execute(connection)
            .map(|changed| changed > 0)
    })
}

/// Whether there is any user at all.
pub fn any(connection: &mut PgConnection) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(users::table.select(users::id))).get_result(connection)
}

/// All users, the first one first.
pub fn list(connection: &mut PgConnection) -> QueryResult<Vec<User>> {
    users::table.order(users::id).select(User::as_select()).load(connection)
}
