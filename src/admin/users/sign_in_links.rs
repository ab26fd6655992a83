//! `supercargo admin user sign-in-link`.

use chrono::Utc;
use diesel::{Connection, PgConnection};
use serde_json::json;

use super::existing;
use super::invitation::RegistryAddress;
use crate::admin::output::{complain, print_json, say};
use crate::admin::{AdminError, tokens};
use crate::config::SignInLinkOptions;
use crate::database::access::audit::Actor;
use crate::database::access::users;
use crate::database::catalog::user_changes;
use crate::database::sign_in::links::LONGEST;

/// Creates a link for each user and prints it. All links are created, or none.
pub fn create(
    connection: &mut PgConnection,
    operator: &Actor,
    options: &SignInLinkOptions,
    registry: &RegistryAddress,
) -> Result<(), AdminError> {
    let expires_at = tokens::expiry(options.expires_in)?;
    if expires_at > Utc::now() + LONGEST {
        return Err(AdminError::LinkTooLong { days: LONGEST.num_days() });
    }
    let created = connection.transaction(|connection| {
        users::lock_all(connection)?;
        let mut created = Vec::new();
        for login in &options.logins {
            let user = match users::find(connection, login)? {
                None if options.create => user_changes::create(connection, login, operator)?,
                _ => existing(connection, login)?,
            };
            user.check_active()?;
            let secret = user_changes::create_link(connection, &user, expires_at, operator)?;
            created.push((user.login, format!("{}/sign-in/link?code={}", registry.url, secret.reveal())));
        }
        Ok::<_, AdminError>(created)
    })?;
    if options.output.json {
        let created =
            created.iter().map(|(login, url)| json!({ "login": login, "url": url, "expires_at": expires_at }));
        return Ok(print_json(&created.collect::<Vec<_>>())?);
    }
    match &created[..] {
        [(_, url)] => say!("{url}"),
        several => several.iter().for_each(|(login, url)| say!("{login} {url}")),
    }
    complain!(
        "each link signs its user in once, until {}: send it to that user alone, in a way that others cannot read",
        expires_at.format("%Y-%m-%d at %H:%M UTC")
    );
    Ok(())
}
