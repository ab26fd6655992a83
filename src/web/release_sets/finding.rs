//! The set that a path names, for those who may see it.

use chrono::Utc;
use diesel::{PgConnection, QueryResult};

use crate::database::access::caller::Caller;
use crate::database::catalog::set_refusal::SetRefusal;
use crate::database::staging::SetName;
use crate::database::staging::sets::{self, ReleaseSet, SetState};
use crate::database::staging::view::ReleaseSetView;
use crate::jobs::RequestError;
use crate::jobs::staging;
use crate::web::shortened::shortened;
use crate::web::{ApiError, App};

/// Parses the name of a set in a path.
pub fn set_name(text: &str) -> Result<SetName, ApiError> {
    text.parse().map_err(|_| ApiError::not_found(format!("there is no release set `{}`", shortened(text))))
}

/// The set, if the caller may see it.
pub fn visible(connection: &mut PgConnection, name: &SetName, caller: &Caller) -> Result<ReleaseSet, RequestError> {
    let set = staging::find(connection, name)?;
    if set.is_preview || caller.is_admin() || sets::is_member(connection, &set, caller.user.id)? {
        return Ok(set);
    }
    // A set that was approved is public, as its versions are. Why it was rejected is for those who staged something.
    if set.state(Utc::now()) == SetState::Approved || sets::had_staged(&set, &caller.user.login) {
        return Ok(set);
    }
    Err(SetRefusal::NotMember { name: set.name, login: caller.user.login.clone() }.into())
}

/// What a user may do with an open set, as far as that is known without trying.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Whether the user's approval is accepted. Whether it counts is up to each crate and rule.
    pub approves: bool,
    pub rejects: bool,
}

/// The part of a caller in a set.
pub fn part(connection: &mut PgConnection, set: &ReleaseSet, caller: &Caller) -> QueryResult<Part> {
    let (is_admin, user) = (caller.is_admin(), caller.user.id);
    Ok(Part {
        approves: is_admin || sets::is_member(connection, set, user)?,
        rejects: is_admin || sets::is_manager(connection, set, user)?,
    })
}

/// A set as a caller sees it: tokens are named for its members alone.
pub async fn view(app: &App, set: ReleaseSet, caller: &Caller) -> Result<ReleaseSetView, ApiError> {
    let (base_url, caller) = (app.settings.base_url.clone(), caller.clone());
    app.with_connection(move |connection| read_view(connection, set, (&base_url, &caller))).await
}

/// The same, in a reading of more.
pub fn read_view(
    connection: &mut PgConnection,
    set: ReleaseSet,
    (base_url, caller): (&str, &Caller),
) -> QueryResult<ReleaseSetView> {
    let is_member = belongs(connection, &set, caller)?;
    let view = ReleaseSetView::read(connection, set, base_url)?;
    Ok(if is_member { view } else { view.without_tokens() })
}

/// Whether a caller belongs to a set, or did when it ended, or is an admin. Others may read it at most.
pub fn belongs(connection: &mut PgConnection, set: &ReleaseSet, caller: &Caller) -> QueryResult<bool> {
    let user = caller.user.id;
    Ok(caller.is_admin()
        || set.created_by == Some(user)
        || sets::had_staged(set, &caller.user.login)
        || sets::has_part(connection, set, user)?)
}
