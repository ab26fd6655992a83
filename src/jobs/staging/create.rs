//! Creating a release set, and changing how long it is open and who may see it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::{check_manager, lock_open};
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::caller::{Caller, Denied};
use crate::database::access::scope::Scope;
use crate::database::catalog::refusal;
use crate::database::catalog::set_refusal::{MAX_OPEN, SetRefusal};
use crate::database::staging::SetName;
use crate::database::staging::sets::{self, NewSet, ReleaseSet};
use crate::jobs::admission::Admission;
use crate::jobs::request::RequestError;
use crate::jobs::staging::draw;

/// How long a set is open unless its creator says otherwise.
pub const USUAL_TIME: Duration = Duration::from_secs(14 * 24 * 3600);
/// The longest time from now until the end of a set.
pub const LONGEST_TIME: Duration = Duration::from_secs(90 * 24 * 3600);

/// What a set is created with.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// None: a generated name, which cannot be guessed.
    pub name: Option<&'a SetName>,
    pub title: Option<&'a str>,
    pub is_preview: bool,
    /// The time until its end.
    pub expires_in: Option<Duration>,
    /// Whether it is for the only version that a plain publish stages.
    pub is_of_publish: bool,
}

/// Creates a set for a user.
pub fn request_as(
    connection: &mut PgConnection,
    wanted: &Wanted<'_>,
    (caller, admission): (&Caller, &Admission),
) -> Result<ReleaseSet, RequestError> {
    check_may_stage(caller)?;
    connection.transaction(|connection| {
        let caller = caller.confirm(connection)??;
        // It counts as a publish, so that a user cannot take all names.
        draw(connection, (&caller, admission), Scope::PublishUpdate)?;
        let set = create(connection, wanted, &caller)?;
        note(connection, &set, &caller.actor())?;
        Ok(set)
    })
}

/// Creates a set in the transaction of a change, before that locks its crate. [`note`] follows when the caller is confirmed.
pub(super) fn create(
    connection: &mut PgConnection,
    wanted: &Wanted<'_>,
    caller: &Caller,
) -> Result<ReleaseSet, RequestError> {
    check_may_stage(caller)?;
    if sets::open_of(connection, caller.user.id)? >= MAX_OPEN {
        return Err(SetRefusal::TooManyOpen { login: caller.user.login.clone() }.into());
    }
    insert(connection, wanted, Some(caller.user.id))
}

/// Notes the creation of a set.
pub(super) fn note(connection: &mut PgConnection, set: &ReleaseSet, actor: &Actor) -> Result<(), RequestError> {
    Event::new(Action::SetCreate)
        .about(set.name.as_str())
        .detail(json!({ "title": set.title, "preview": set.is_preview, "expires_at": set.expires_at }))
        .record(connection, actor)?;
    Ok(())
}

/// Creates a set for an operator.
pub fn request(
    connection: &mut PgConnection,
    wanted: &Wanted<'_>,
    operator: &Actor,
) -> Result<ReleaseSet, RequestError> {
    connection.transaction(|connection| {
        let set = insert(connection, wanted, None)?;
        note(connection, &set, operator)?;
        Ok(set)
    })
}

fn insert(
    connection: &mut PgConnection,
    wanted: &Wanted<'_>,
    created_by: Option<i32>,
) -> Result<ReleaseSet, RequestError> {
    let title = refusal::message("title", wanted.title)?;
    let generated;
    let name = match wanted.name {
        Some(name) => name,
        None => {
            generated = SetName::generate().map_err(RequestError::Randomness)?;
            &generated
        }
    };
    let expires_at = end_after(wanted.expires_in.unwrap_or(USUAL_TIME))?;
    let (is_preview, is_of_publish) = (wanted.is_preview, wanted.is_of_publish);
    let new = NewSet { name, title, is_preview, created_by, expires_at, is_of_publish };
    Ok(sets::create(connection, &new)?.ok_or_else(|| SetRefusal::NameTaken(name.clone()))?)
}

/// The end of a set that is open for this long from now.
fn end_after(time: Duration) -> Result<DateTime<Utc>, RequestError> {
    if time < Duration::from_secs(1) || time > LONGEST_TIME {
        return Err(SetRefusal::End { given: time }.into());
    }
    Ok(Utc::now() + TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX))
}

/// Checks that a token permits staging at all.
pub fn check_may_stage(caller: &Caller) -> Result<(), Denied> {
    const ANY: [Scope; 4] = [Scope::StageNew, Scope::StageUpdate, Scope::PublishNew, Scope::PublishUpdate];
    caller.has_one_of(&ANY, "stage-new or stage-update")
}

/// Changes of a set; None leaves it as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Update<'a> {
    pub title: Option<&'a str>,
    pub is_preview: Option<bool>,
    /// The new time until its end, from now.
    pub expires_in: Option<Duration>,
}

/// Changes a set for one of its members.
pub fn update_as(
    connection: &mut PgConnection,
    (name, update): (&SetName, Update<'_>),
    caller: &Caller,
) -> Result<ReleaseSet, RequestError> {
    check_may_stage(caller)?;
    connection.transaction(|connection| {
        let set = lock_open(connection, name)?;
        let caller = caller.confirm(connection)??;
        check_may_stage(&caller)?;
        check_manager(connection, &set, &caller)?;
        if update.is_preview == Some(true) && !set.is_preview {
            // Also what is staged later would be public, and crates that the token is not for.
            caller.unrestricted()?;
        }
        write(connection, set, update, &caller.actor())
    })
}

/// Changes a set for an operator.
pub fn update(
    connection: &mut PgConnection,
    (name, update): (&SetName, Update<'_>),
    operator: &Actor,
) -> Result<ReleaseSet, RequestError> {
    connection.transaction(|connection| {
        let set = lock_open(connection, name)?;
        write(connection, set, update, operator)
    })
}

fn write(
    connection: &mut PgConnection,
    mut set: ReleaseSet,
    update: Update<'_>,
    actor: &Actor,
) -> Result<ReleaseSet, RequestError> {
    let title = match update.title {
        Some(title) => refusal::message("title", Some(title))?.map(str::to_owned),
        None => set.title.clone(),
    };
    let expires_at = update.expires_in.map_or(Ok(set.expires_at), end_after)?;
    let is_preview = update.is_preview.unwrap_or(set.is_preview);
    sets::update(connection, set.id, (title.as_deref(), expires_at, is_preview))?;
    Event::new(Action::SetUpdate)
        .about(set.name.as_str())
        .detail(json!({ "title": title, "preview": is_preview, "expires_at": expires_at }))
        .record(connection, actor)?;
    (set.title, set.expires_at, set.is_preview) = (title, expires_at, is_preview);
    Ok(set)
}
