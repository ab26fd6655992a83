//! `supercargo admin audit`.

use chrono::{TimeDelta, Utc};
use diesel::PgConnection;

use super::output::{print_json, print_table, time};
use super::{AdminError, crate_name};
use crate::config::AuditOptions;
use crate::database::access::audit::{self, Filter, Record};

pub fn list(connection: &mut PgConnection, options: &AuditOptions) -> Result<(), AdminError> {
    let action = |name: &String| name.parse().map_err(|_| AdminError::NoAction(name.clone()));
    let since = |duration| TimeDelta::from_std(duration).ok().and_then(|delta| Utc::now().checked_sub_signed(delta));
    let filter = Filter {
        crate_name: options.krate.as_deref().map(crate_name).transpose()?,
        actor: options.actor.clone(),
        action: options.action.as_ref().map(action).transpose()?,
        // A time before the earliest representable one filters nothing.
        since: options.since.and_then(since),
        before: None,
    };
    let entries = audit::list(connection, &filter, options.limit)?;
    if options.output.json {
        return Ok(print_json(&entries)?);
    }
    print_table(["WHEN", "WHO", "FROM", "TOKEN", "ACTION", "WHAT", "DETAIL"], entries.into_iter().map(row));
    Ok(())
}

fn row(entry: Record) -> [String; 7] {
    let dash = || "-".to_owned();
    let krate = entry.crate_name.map(|name| match &entry.version {
        Some(version) => format!("{name}@{version}"),
        None => name,
    });
    let what: Vec<String> = krate.into_iter().chain(entry.subject).collect();
    let detail: Vec<String> = entry
        .detail
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| format!("{key}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    [
        time(Some(entry.at)),
        entry.actor,
        entry.address.unwrap_or_else(dash),
        entry.token_name.unwrap_or_else(dash),
        entry.action,
        if what.is_empty() { dash() } else { what.join(" ") },
        detail.join(" "),
    ]
}
