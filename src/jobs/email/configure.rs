//! Addresses of users: entered, confirmed, removed; and of what a user wants mail.

use chrono::{TimeDelta, Utc};
use diesel::PgConnection;
use rand::rngs::SysError;
use serde_json::json;

use super::concerned::GROUPS;
use super::send_to_address::SendToAddress;
use crate::database::access::audit::{self, Action, Actor, Event};
use crate::database::access::users::User;
use crate::database::email::notices;
use crate::database::email::recipients::{self, EmailSecret, Recipient};
use crate::email::EmailAddress;
use crate::queue::{Enqueue, EnqueueError};

/// Between two links for one user: the address may be somebody else's.
const PAUSE: TimeDelta = TimeDelta::minutes(1);
/// Links for one user in a day.
const A_DAY: i64 = 10;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum EmailError {
    #[error("a link was sent less than a minute ago: wait a minute, and look for it in the folder for unwanted mail")]
    TooSoon,
    #[error("ten links were sent to addresses of yours in the last 24 hours: enter another address tomorrow")]
    TooMany,
    #[error("{0} has no e-mail address here: enter one on /me/email first")]
    NoAddress(String),
    #[error("this link was used, has expired, or was replaced: enter the address again on /me/email")]
    NoLink,
    #[error("the system returned no random numbers")]
    Randomness(#[from] SysError),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

/// Enters the address of a user, who gets a link that confirms it. The one before gets word, and no more mail. False if the user gets
/// mail there already.
pub fn enter(
    connection: &mut PgConnection,
    user: &User,
    address: &EmailAddress,
    actor: &Actor,
) -> Result<bool, EmailError> {
    recipients::lock(connection, &[user.id])?;
    let before = recipients::find(connection, user.id)?;
    if before.as_ref().is_some_and(|one| one.confirmed_at.is_some() && one.address == address.as_str()) {
        return Ok(false);
    }
    // The row of the recipient would not know of addresses that were removed again.
    let now = Utc::now();
    if audit::count(connection, Action::EmailSet, &user.login, now - PAUSE)? > 0 {
        return Err(EmailError::TooSoon);
    }
    if audit::count(connection, Action::EmailSet, &user.login, now - TimeDelta::days(1))? >= A_DAY {
        return Err(EmailError::TooMany);
    }
    recipients::set(connection, user.id, address, false, &EmailSecret::random()?)?;
    let link = SendToAddress::Confirmation { user_id: user.id, address: address.to_string() };
    Enqueue::new(&link).requested_by(&user.login).insert(connection)?;
    tell_former(connection, user, before)?;
    Event::new(Action::EmailSet).about(&user.login).record(connection, actor)?;
    Ok(true)
}

/// Sets the address of a user that an operator or an identity provider knows to be the user's.
pub fn set_confirmed(
    connection: &mut PgConnection,
    user: &User,
    address: &EmailAddress,
    actor: &Actor,
) -> Result<bool, EmailError> {
    recipients::lock(connection, &[user.id])?;
    let before = recipients::find(connection, user.id)?;
    if before.as_ref().is_some_and(|one| one.confirmed_at.is_some() && one.address == address.as_str()) {
        return Ok(false);
    }
    recipients::set(connection, user.id, address, true, &EmailSecret::random()?)?;
    tell_former(connection, user, before)?;
    Event::new(Action::EmailSet).about(&user.login).detail(json!({ "confirmed": true })).record(connection, actor)?;
    Ok(true)
}

/// Removes the address of a user; false if there was none.
pub fn remove(connection: &mut PgConnection, user: &User, actor: &Actor) -> Result<bool, EmailError> {
    recipients::lock(connection, &[user.id])?;
    let before = recipients::find(connection, user.id)?;
    if !recipients::remove(connection, user.id)? {
        return Ok(false);
    }
    tell_former(connection, user, before)?;
    Event::new(Action::EmailRemove).about(&user.login).record(connection, actor)?;
    Ok(true)
}

/// Somebody else with the user's session would otherwise stop the mail about what is done with it unnoticed.
fn tell_former(connection: &mut PgConnection, user: &User, before: Option<Recipient>) -> Result<(), EmailError> {
    if let Some(before) = before.filter(|one| one.confirmed_at.is_some()) {
        let word = SendToAddress::Replaced { user_id: user.id, address: before.address };
        Enqueue::new(&word).requested_by(&user.login).insert(connection)?;
    }
    Ok(())
}

/// Confirms the address that a link was sent to; returns the login and the address.
pub fn confirm(connection: &mut PgConnection, secret: &EmailSecret) -> Result<(String, String), EmailError> {
    let (id, ..) = recipients::to_confirm(connection, secret)?.ok_or(EmailError::NoLink)?;
    recipients::lock(connection, &[id])?;
    // Under the lock: it may have been replaced meanwhile.
    let (id, login, address) = recipients::to_confirm(connection, secret)?.ok_or(EmailError::NoLink)?;
    recipients::confirm(connection, id)?;
    let actor = Actor::registry();
    Event::new(Action::EmailConfirm).about(&login).record(connection, &actor)?;
    Ok((login, address))
}

/// Sets of what a user wants mail: of these groups of event types, and of others that come later.
pub fn choose(connection: &mut PgConnection, user: &User, wanted: &[&str]) -> Result<(), EmailError> {
    if recipients::lock(connection, &[user.id])?.is_empty() {
        return Err(EmailError::NoAddress(user.login.clone()));
    }
    let all = GROUPS.iter().map(|(group, _)| *group);
    let unwanted: Vec<String> = all.filter(|group| !wanted.contains(group)).map(str::to_owned).collect();
    recipients::set_unwanted(connection, user.id, &unwanted)?;
    Ok(notices::remove_unwanted(connection, user.id)?)
}

/// Ends all mail to the user whom a link was sent to; returns the login.
pub fn unsubscribe(connection: &mut PgConnection, key: &EmailSecret) -> Result<String, EmailError> {
    let (login, recipient) = recipients::of_key(connection, key)?.ok_or(EmailError::NoLink)?;
    recipients::lock(connection, &[recipient.user_id])?;
    recipients::set_unwanted(connection, recipient.user_id, &["*".to_owned()])?;
    notices::remove_unwanted(connection, recipient.user_id)?;
    Ok(login)
}
