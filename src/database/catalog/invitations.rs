//! Invitations to own crates, which users accept or decline within thirty days. Crate and user have at most one.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;

use crate::database::schema::{crates, owner_invitations, users};
use crate::package::CrateName;

/// How long an invitation can be accepted.
pub const LASTS: TimeDelta = TimeDelta::days(30);

/// An invitation that has not expired.
#[derive(Queryable, Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    pub crate_id: i32,
    pub crate_name: CrateName,
    pub invitee_id: i32,
    pub invitee: String,
    pub inviter_id: i32,
    pub inviter: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// An invitation that was removed.
#[derive(Queryable, Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub inviter_id: i32,
    pub expires_at: DateTime<Utc>,
}

impl Taken {
    pub fn has_expired(&self) -> bool {
        self.expires_at <= Utc::now()
    }
}

/// Whose invitations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Crate(i32),
    Invitee(i32),
    Inviter(i32),
}

/// Invites a user, or renews the invitation; returns when it expires. The crate's row must be locked, and the user neither an owner
/// nor the one who invites.
pub fn invite(connection: &mut PgConnection, (crate_id, user): (i32, i32), inviter: i32) -> QueryResult<DateTime<Utc>> {
    let now = Utc::now();
    let columns = (
        owner_invitations::invited_by.eq(inviter),
        owner_invitations::created_at.eq(now),
        owner_invitations::expires_at.eq(now + LASTS),
    );
    diesel::insert_into(owner_invitations::table)
        .values((owner_invitations::crate_id.eq(crate_id), owner_invitations::user_id.eq(user), columns))
        .on_conflict((owner_invitations::crate_id, owner_invitations::user_id))
        .do_update()
        .set(columns)
        .execute(connection)?;
    Ok(now + LASTS)
}

/// Removes the invitation of a user, which may have expired. The crate's row must be locked.
pub fn take(connection: &mut PgConnection, crate_id: i32, user: i32) -> QueryResult<Option<Taken>> {
    diesel::delete(owner_invitations::table.find((crate_id, user)))
        .returning((owner_invitations::invited_by, owner_invitations::expires_at))
        .get_result(connection)
        .optional()
}

/// Removes all of a crate.
pub fn remove_of_crate(connection: &mut PgConnection, crate_id: i32) -> QueryResult<()> {
    diesel::delete(owner_invitations::table.filter(owner_invitations::crate_id.eq(crate_id)))
        .execute(connection)
        .map(drop)
}

/// The crates of the invitations that a user has and has sent, expired ones included.
pub fn crates_of(connection: &mut PgConnection, user: i32) -> QueryResult<Vec<i32>> {
    owner_invitations::table
        .filter(owner_invitations::user_id.eq(user).or(owner_invitations::invited_by.eq(user)))
        .select(owner_invitations::crate_id)
        .distinct()
        .order(owner_invitations::crate_id)
        .load(connection)
}

/// Removes all that a user has and has sent. The rows of their crates, and the user's rights, must be locked.
pub fn remove_of_user(connection: &mut PgConnection, user: i32) -> QueryResult<()> {
    let of_user = owner_invitations::user_id.eq(user).or(owner_invitations::invited_by.eq(user));
    diesel::delete(owner_invitations::table.filter(of_user)).execute(connection).map(drop)
}

/// The invitations that have not expired, the oldest first.
pub fn pending(connection: &mut PgConnection, of: Of) -> QueryResult<Vec<Invitation>> {
    let (invitees, inviters) = diesel::alias!(users as invitees, users as inviters);
    let query = owner_invitations::table
        .inner_join(crates::table)
        .inner_join(invitees.on(invitees.field(users::id).eq(owner_invitations::user_id)))
        .inner_join(inviters.on(inviters.field(users::id).eq(owner_invitations::invited_by)))
        .filter(owner_invitations::expires_at.gt(Utc::now()))
        .order((owner_invitations::created_at, owner_invitations::crate_id, owner_invitations::user_id))
        .select((
            owner_invitations::crate_id,
            crates::name,
            owner_invitations::user_id,
            invitees.field(users::login),
            owner_invitations::invited_by,
            inviters.field(users::login),
            owner_invitations::created_at,
            owner_invitations::expires_at,
        ));
    match of {
        Of::Crate(id) => query.filter(owner_invitations::crate_id.eq(id)).load(connection),
        Of::Invitee(id) => query.filter(owner_invitations::user_id.eq(id)).load(connection),
        Of::Inviter(id) => query.filter(owner_invitations::invited_by.eq(id)).load(connection),
    }
}
