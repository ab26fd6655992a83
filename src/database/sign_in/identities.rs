//! Accounts at identity providers. An account is an issuer and a subject, and belongs to one user; a user may have several.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;

use crate::database::access::users::User;
use crate::database::schema::{identities, users};
use crate::package::characters::plain;

/// The longest name of an account that is kept, in bytes.
const MAX_LABEL: usize = 255;

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = identities)]
pub struct Identity {
    pub id: i32,
    pub issuer: String,
    pub subject: String,
    /// What the provider called it at the last sign-in.
    pub label: String,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
}

/// An account, as a provider has just said.
#[derive(Clone, Debug)]
pub struct Account {
    pub issuer: String,
    pub subject: String,
    label: String,
}

impl Account {
    pub fn new(issuer: &str, subject: &str, label: &str) -> Self {
        let mut label = plain(label).into_owned();
        while label.len() > MAX_LABEL {
            label.pop();
        }
        Self { issuer: issuer.to_owned(), subject: subject.to_owned(), label }
    }

    pub fn label(&self) -> &str {
        &self.label
    }

    /// The user whom the account belongs to.
    pub fn user(&self, connection: &mut PgConnection) -> QueryResult<Option<User>> {
        identities::table
            .inner_join(users::table)
            .filter(identities::issuer.eq(&self.issuer).and(identities::subject.eq(&self.subject)))
            .select(User::as_select())
            .first(connection)
            .optional()
    }

    /// Gives the account to a user; false if it belongs to one already.
    pub fn add_to(&self, connection: &mut PgConnection, user: i32) -> QueryResult<bool> {
        diesel::insert_into(identities::table)
            .values((
                identities::user_id.eq(user),
                identities::issuer.eq(&self.issuer),
                identities::subject.eq(&self.subject),
                identities::label.eq(&self.label),
            ))
            .on_conflict_do_nothing()
            .execute(connection)
            .map(|added| added > 0)
    }

    /// Notes a sign-in, and what the provider calls the account now.
    pub fn note_use(&self, connection: &mut PgConnection) -> QueryResult<()> {
        let own = identities::issuer.eq(&self.issuer).and(identities::subject.eq(&self.subject));
        diesel::update(identities::table.filter(own))
            .set((identities::label.eq(&self.label), identities::last_used_at.eq(now)))
            .execute(connection)
            .map(drop)
    }
}

/// The accounts of a user, the oldest first.
pub fn of_user(connection: &mut PgConnection, user: i32) -> QueryResult<Vec<Identity>> {
    identities::table
        .filter(identities::user_id.eq(user))
        .order(identities::id)
        .select(Identity::as_select())
        .load(connection)
}

/// The users who have accounts.
pub fn users(connection: &mut PgConnection) -> QueryResult<Vec<i32>> {
    identities::table.select(identities::user_id).distinct().load(connection)
}

/// Takes all accounts from a user.
pub fn remove_all(connection: &mut PgConnection, user: i32) -> QueryResult<()> {
    diesel::delete(identities::table.filter(identities::user_id.eq(user))).execute(connection).map(drop)
}

/// Takes an account from a user; None if the user has no such account.
pub fn remove(connection: &mut PgConnection, user: i32, id: i32) -> QueryResult<Option<Identity>> {
    diesel::delete(identities::table.filter(identities::id.eq(id).and(identities::user_id.eq(user))))
        .returning(Identity::as_returning())
        .get_result(connection)
        .optional()
}
