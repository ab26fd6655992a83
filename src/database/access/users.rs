//! Users: people and machines that have tokens and own crates.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::Integer;

use super::role::Role;
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
    /// Since when the user's tokens are refused; None for an active user.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Since when the user has nothing but the login; None for one who was not removed.
    pub removed_at: Option<DateTime<Utc>>,
    /// Whether it is a machine of trusted publishers, which has nothing but the tokens from exchanges.
    pub is_machine: bool,
    /// What the user may do at most.
    pub role: Role,
}

/// Whether a user may use the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    Active,
    Disabled,
    Removed,
}

impl UserState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Removed => "removed",
        }
    }
}

/// Why a user cannot be given anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inactive {
    #[error("the user `{login}` is {}: `supercargo admin user enable {login}` makes the user active again", .state.as_str())]
    Ended { login: String, state: UserState },
    #[error("`{login}` is a machine of trusted publishers, and can be given nothing else: name a person")]
    Machine { login: String },
}

impl User {
    pub fn state(&self) -> UserState {
        match (self.disabled_at, self.removed_at) {
            (_, Some(_)) => UserState::Removed,
            (Some(_), None) => UserState::Disabled,
            (None, None) => UserState::Active,
        }
    }

    /// Checks that the user may be given tokens, crates, memberships and rights.
    pub fn check_active(&self) -> Result<(), Inactive> {
        self.check_enabled()?;
        if self.is_machine {
            return Err(Inactive::Machine { login: self.login.clone() });
        }
        Ok(())
    }

    /// Checks that the user is neither disabled nor removed.
    pub fn check_enabled(&self) -> Result<(), Inactive> {
        match self.state() {
            UserState::Active => Ok(()),
            state => Err(Inactive::Ended { login: self.login.clone(), state }),
        }
    }
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
    // No login has others. In lower case, U+212A is a plain `k`, and PostgreSQL rejects NUL.
    if !login.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(None);
    }
    diesel::define_sql_function!(fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text);
    users::table
        .filter(lower(users::login).eq(login.to_ascii_lowercase()))
        .select(User::as_select())
        .first(connection)
        .optional()
}

/// The login of a user.
pub fn login_of(connection: &mut PgConnection, id: i32) -> QueryResult<Option<String>> {
    users::table.find(id).select(users::login).first(connection).optional()
}

/// Users by their ids.
pub fn with_ids(connection: &mut PgConnection, ids: &[i32]) -> QueryResult<Vec<User>> {
    users::table.filter(users::id.eq_any(ids)).order(users::id).select(User::as_select()).load(connection)
}

/// The first number of the advisory locks of users' rights.
pub(in crate::database) const RIGHTS: i32 = 0x7267_6874;

/// Locks a user's rights until the end of the transaction, to remove one of them or to change the user's tokens. Waits
/// for changes that the user has begun; later ones wait for this transaction and see its result.
pub fn lock(connection: &mut PgConnection, id: i32) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1, $2)")
        .bind::<Integer, _>(RIGHTS)
        .bind::<Integer, _>(id)
        .execute(connection)
        .map(drop)
}

/// The second number of the lock of [`lock_all`]; no user has this id.
const ALL: i32 = 0;

/// Locks the set of users until the end of the transaction: operators create, disable and remove users one at a time, so
/// that of two admins who are disabled at the same time one stays. It is acquired before all other locks.
pub fn lock_all(connection: &mut PgConnection) -> QueryResult<()> {
    lock(connection, ALL)
}

/// Reads a user and keeps the user's state until the end of the transaction, to give the user something. The row cannot be
/// written afterwards: two transactions that both do so would deadlock.
pub fn read_to_give(connection: &mut PgConnection, id: i32) -> QueryResult<User> {
    users::table.find(id).select(User::as_select()).for_share().first(connection)
}

/// Reads a user and locks the row, so that the user is given nothing until the end of the transaction.
pub fn read_to_take(connection: &mut PgConnection, id: i32) -> QueryResult<User> {
    users::table.find(id).select(User::as_select()).for_no_key_update().first(connection)
}

/// Whether there is an active admin besides a user.
pub fn has_other_admin(connection: &mut PgConnection, id: i32) -> QueryResult<bool> {
    let others = users::table.filter(users::is_admin).filter(users::disabled_at.is_null()).filter(users::id.ne(id));
    diesel::select(diesel::dsl::exists(others)).get_result(connection)
}

/// Makes an active user disabled; false if the user was not active. Waits for changes that the user has begun.
pub fn disable(connection: &mut PgConnection, id: i32) -> QueryResult<bool> {
    connection.transaction(|connection| {
        lock(connection, id)?;
        diesel::update(users::table.find(id).filter(users::disabled_at.is_null()))
            .set(users::disabled_at.eq(Utc::now()))
            .execute(connection)
            .map(|changed| changed > 0)
    })
}

/// Makes a disabled or removed user active; false if the user was.
pub fn enable(connection: &mut PgConnection, id: i32) -> QueryResult<bool> {
    diesel::update(users::table.find(id).filter(users::disabled_at.is_not_null()))
        .set((users::disabled_at.eq(None::<DateTime<Utc>>), users::removed_at.eq(None::<DateTime<Utc>>)))
        .execute(connection)
        .map(|changed| changed > 0)
}

/// Makes a user removed, and an ordinary one. The user's rights must be locked.
pub fn mark_removed(connection: &mut PgConnection, user: &User) -> QueryResult<()> {
    let now = Utc::now();
    diesel::update(users::table.find(user.id))
        .set((
            users::is_admin.eq(false),
            users::role.eq(Role::Member),
            users::disabled_at.eq(user.disabled_at.unwrap_or(now)),
            users::removed_at.eq(now),
        ))
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

/// Gives a user another role; false if the user has it. An admin has to be demoted first. Waits for changes that the user has
/// begun.
pub fn set_role(connection: &mut PgConnection, id: i32, role: Role) -> QueryResult<bool> {
    connection.transaction(|connection| {
        lock(connection, id)?;
        diesel::update(users::table.find(id).filter(users::role.ne(role)))
            .set(users::role.eq(role))
            .execute(connection)
            .map(|changed| changed > 0)
    })
}

/// Whether there is a user.
pub fn any(connection: &mut PgConnection) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(users::table.select(users::id))).get_result(connection)
}

/// Users on a page of a list, with a text in login or name whose case is ignored, and how many there are: people before
/// machines, by login.
pub fn page(connection: &mut PgConnection, part: &str, (limit, offset): (i64, i64)) -> QueryResult<(Vec<User>, i64)> {
    diesel::define_sql_function!(fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text);
    diesel::define_sql_function!(fn strpos(text: diesel::sql_types::Text, part: diesel::sql_types::Text) -> Integer);
    let part = part.to_lowercase();
    let shown = strpos(lower(users::login), part.clone())
        .gt(0)
        .or(strpos(lower(users::name.assume_not_null()), part).gt(0).and(users::name.is_not_null()));
    let total = users::table.filter(shown.clone()).count().get_result(connection)?;
    let found = users::table
        .filter(shown)
        .order((users::is_machine, lower(users::login)))
        .select(User::as_select())
        .limit(limit)
        .offset(offset)
        .load(connection)?;
    Ok((found, total))
}

/// All users, the oldest first.
pub fn list(connection: &mut PgConnection) -> QueryResult<Vec<User>> {
    users::table.order(users::id).select(User::as_select()).load(connection)
}
