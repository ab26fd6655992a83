//! `supercargo advisory add`, `edit` and `withdraw`: advisories about crates of this registry.

use diesel::PgConnection;

use super::AdminError;
use super::output::{complain, say};
use crate::database::access::administrator::Administrator;
use crate::database::access::audit::Actor;
use crate::own_advisories::change::{self, Given, Published};
use crate::package::CrateName;

/// Affected versions that are named.
const NAMED: usize = 10;

pub fn add(
    connection: &mut PgConnection,
    operator: &Actor,
    about: (&CrateName, Option<&str>),
    given: &Given,
) -> Result<(), AdminError> {
    let published = change::publish(connection, about, given, Administrator::Operator(operator))?;
    say!("published {}: {}", published.id, published.draft.title);
    say_affected(&published);
    Ok(())
}

pub fn edit(connection: &mut PgConnection, operator: &Actor, id: &str, given: &Given) -> Result<(), AdminError> {
    let published = change::edit(connection, id, given, Administrator::Operator(operator))?;
    if published.is_changed {
        say!("changed {id}: {}", published.draft.title);
        say_affected(&published);
    } else {
        say!("nothing changed: {id} says this already");
    }
    Ok(())
}

pub fn withdraw(connection: &mut PgConnection, operator: &Actor, id: &str, reason: &str) -> Result<(), AdminError> {
    change::withdraw(connection, id, reason, Administrator::Operator(operator))?;
    say!("withdrew {id}: it does not count any more, and its page says why");
    Ok(())
}

/// Says which versions of the crate are affected, and what is missing.
fn say_affected(of: &Published) {
    let name = &of.draft.krate;
    let Some(versions) = of.versions.filter(|versions| *versions > 0) else {
        let what = if of.versions.is_some() { "no version of the crate" } else { "no crate" };
        complain!("warning: the index has {what} {name}: if the name is wrong, withdraw the advisory");
        return;
    };
    let named: Vec<String> = of.affected.iter().take(NAMED).map(ToString::to_string).collect();
    let more = of.affected.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    match of.affected.len() {
        0 => complain!(
            "warning: it affects none of the {versions} versions of {name} in the index: check the requirements"
        ),
        count => say!("it affects {count} of {versions} versions of {name}: {}{more}", named.join(", ")),
    }
    if of.draft.patched.is_empty() && of.draft.informational.is_none() {
        say!("no version is patched; when there is one: supercargo advisory edit {} --patched '>=VERSION'", of.id);
    }
}
