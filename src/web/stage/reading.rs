//! Reading the state of a set, by those who may.

use std::sync::Arc;

use axum::http::request::Parts;

use super::overlays::Files;
use crate::database::catalog::refusal::ChangeRefusal;
use crate::database::catalog::set_refusal::SetRefusal;
use crate::database::staging::{SetName, overlay, sets};
use crate::web::extract::auth;
use crate::web::{ApiError, App};

/// The files of a set; None if there is no such set.
async fn files_of(app: &App, set: &SetName) -> Result<Option<Arc<Files>>, ApiError> {
    if let Some(known) = app.overlays.recall(set.as_str()) {
        return Ok(known);
    }
    // One reads, and the others wait for what it finds.
    let _turn = app.overlays.turn(set).await;
    if let Some(known) = app.overlays.just_read(set.as_str()) {
        return Ok(known);
    }
    let begun = app.overlays.begin();
    let asked = set.clone();
    let found = app.with_connection(move |connection| overlay::of(connection, &asked)).await?;
    Ok(app.overlays.note(set, begun, found))
}

/// The files of a set, if the request may see them: those of a private set are for its members.
pub(super) async fn readable(app: &App, set: &SetName, parts: &Parts) -> Result<Option<Arc<Files>>, ApiError> {
    let files = files_of(app, set).await?;
    let Some(private) = files.as_ref().filter(|files| files.is_private()) else { return Ok(files) };
    let caller = auth::authenticate(app, parts).await?;
    if caller.is_admin() {
        return Ok(files);
    }
    let (name, user, set_id) = (set.clone(), caller.user.id, private.set_id);
    let is_member = app
        .with_connection(move |connection| {
            let found = sets::find(connection, &name)?.filter(|found| found.id == set_id);
            found.map_or(Ok(false), |found| sets::is_member(connection, &found, user))
        })
        .await?;
    if is_member {
        return Ok(files);
    }
    let refused = SetRefusal::NotMember { name: set.clone(), login: caller.user.login };
    Err(ChangeRefusal::from(refused).into())
}
