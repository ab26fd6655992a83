//! `supercargo admin email`.

use diesel::{Connection, PgConnection};
use serde_json::json;

use super::AdminError;
use super::output::{print_json, print_table, say};
use super::users::existing;
use crate::database::access::audit::Actor;
use crate::database::email::recipients::{self, Recipient};
use crate::email::EmailAddress;
use crate::jobs::email::{configure, text};
use crate::upstream::smtp::{Mail, Smtp};

/// Sets the address of a user, without a link that confirms it.
pub fn set(
    connection: &mut PgConnection,
    operator: &Actor,
    login: &str,
    address: &EmailAddress,
) -> Result<(), AdminError> {
    connection.transaction(|connection| {
        let user = existing(connection, login)?;
        user.check_active()?;
        if configure::set_confirmed(connection, &user, address, operator)? {
            say!("{} gets mail at {address}", user.login);
        } else {
            say!("nothing changed: {} gets mail at {address} already", user.login);
        }
        Ok(())
    })
}

/// Removes the address of a user.
pub fn remove(connection: &mut PgConnection, operator: &Actor, login: &str) -> Result<(), AdminError> {
    connection.transaction(|connection| {
        let user = existing(connection, login)?;
        if configure::remove(connection, &user, operator)? {
            say!("{} gets no more mail", user.login);
        } else {
            say!("nothing changed: {} has no e-mail address", user.login);
        }
        Ok(())
    })
}

fn state(recipient: &Recipient) -> &'static str {
    match recipient {
        Recipient { problem: Some(_), .. } => "refused",
        Recipient { confirmed_at: None, .. } => "unconfirmed",
        Recipient { unwanted, .. } if unwanted.iter().any(|group| group == "*") => "unsubscribed",
        _ => "active",
    }
}

/// Lists the addresses.
pub fn list(connection: &mut PgConnection, as_json: bool) -> Result<(), AdminError> {
    let all = recipients::list(connection)?;
    if as_json {
        let all = all.iter().map(|(login, one)| {
            json!({
                "login": login, "address": one.address, "state": state(one), "confirmed_at": one.confirmed_at,
                "unwanted": one.unwanted, "problem": one.problem,
            })
        });
        return Ok(print_json(&all.collect::<Vec<_>>())?);
    }
    print_table(
        ["USER", "ADDRESS", "STATE", "PROBLEM"],
        all.into_iter().map(|(login, one)| {
            let state = state(&one).to_owned();
            [login, one.address, state, one.problem.unwrap_or_else(|| "-".to_owned())]
        }),
    );
    Ok(())
}

/// Sends a test, at once and not by a job.
pub fn test(smtp: &Smtp, address: &EmailAddress, registry: &str) -> Result<(), AdminError> {
    let written = text::test(registry);
    let id = format!("test.{:032x}", rand::random::<u128>());
    let mail = Mail { to: address, subject: &written.subject, text: &written.text, id: &id, unsubscribe: None };
    smtp.send(&mail)?;
    say!("the mail server has taken a test for {address}: see whether it arrives");
    Ok(())
}
