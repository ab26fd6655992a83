//! The set that a path names, for those who may see it.

use chrono::Utc;
use diesel::PgConnection;

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
    // A set that was approved is public, as its versions are.
    if set.state(Utc::now()) == SetState::Approved {
        return Ok(set);
    }
    Err(SetRefusal::NotMember { name: set.name, login: caller.user.login.clone() }.into())
}

/// A set as clients see it.
pub async fn view(app: &App, set: ReleaseSet) -> Result<ReleaseSetView, ApiError> {
    let base_url = app.settings.base_url.clone();
    app.with_connection(move |connection| ReleaseSetView::read(connection, set, &base_url)).await
}
