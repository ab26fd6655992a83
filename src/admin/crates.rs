//! `supercargo admin crate`.

use diesel::{Connection, PgConnection};
use serde_json::json;

use super::output::{complain, print_json, print_table, say};
use super::{AdminError, check_text, crate_name};
use crate::config::LimitsOptions;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::catalog::crate_limits::{self, CrateLimits};
use crate::database::catalog::{crates, refusal, reserved_names};
use crate::jobs::delete_crate::{self, Accepted};
use crate::{jobs, queue};

/// Changes the given limits and prints the ones in effect.
pub fn limits(
    connection: &mut PgConnection,
    operator: &Actor,
    name: &str,
    options: &LimitsOptions,
    as_json: bool,
) -> Result<(), AdminError> {
    let name = crate_name(name)?;
    let limits = connection.transaction(|connection| {
        let krate = refusal::lock_crate(connection, &name)??;
        let before = krate.limits;
        let after = changed(if options.reset { CrateLimits::default() } else { before.clone() }, options);
        if after != before {
            crate_limits::set(connection, krate.id, &after)?;
            let detail = json!({ "before": described(&before), "after": described(&after) });
            Event::new(Action::CrateLimits).of_crate(&krate.name).detail(detail).record(connection, operator)?;
        }
        Ok::<_, AdminError>(after)
    })?;
    if as_json {
        return Ok(print_json(&described(&limits))?);
    }
    let shown = |limit: Option<String>, unit: &str| {
        limit.map_or_else(|| "registry default".to_owned(), |limit| format!("{limit}{unit}"))
    };
    print_table(
        ["LIMIT", "VALUE"],
        [
            ["crate size".to_owned(), shown(limits.max_crate_size.map(|n| n.to_string()), " bytes")],
            ["unpacked size".to_owned(), shown(limits.max_unpacked_size.map(|n| n.to_string()), " bytes")],
            ["features".to_owned(), shown(limits.max_features.map(|n| n.to_string()), "")],
            ["dependencies".to_owned(), shown(limits.max_dependencies.map(|n| n.to_string()), "")],
        ],
    );
    Ok(())
}

fn changed(before: CrateLimits, options: &LimitsOptions) -> CrateLimits {
    CrateLimits {
        max_crate_size: options.crate_size.or(before.max_crate_size),
        max_unpacked_size: options.unpacked_size.or(before.max_unpacked_size),
        max_features: options.features.or(before.max_features),
        max_dependencies: options.dependencies.or(before.max_dependencies),
    }
}

fn described(limits: &CrateLimits) -> serde_json::Value {
    json!({
        "crate_size": limits.max_crate_size, "unpacked_size": limits.max_unpacked_size,
        "features": limits.max_features, "dependencies": limits.max_dependencies,
    })
}

/// Deletes a crate, or releases the name of a deleted one.
pub fn delete(
    connection: &mut PgConnection,
    operator: &Actor,
    name: &str,
    reason: &str,
    release_name: bool,
) -> Result<(), AdminError> {
    let name = crate_name(name)?;
    match delete_crate::request(connection, &name, (reason, release_name), operator)? {
        Accepted::Released => say!("{name} was deleted before; its name is released now"),
        Accepted::Deleted { job, dependents } => {
            queue::announce(connection, jobs::QUEUE)?;
            if let Some(dependents) = dependents {
                complain!("warning: other crates depend on {name}, and builds of them will fail: {dependents}");
            }
            let of_name = if release_name { "may be published again" } else { "stays taken" };
            say!(
                "{name} is no longer served, and its name {of_name}; job {job} removes it from the index and deletes its \
                 files (see `supercargo jobs show {job}`)"
            );
        }
    }
    Ok(())
}

pub fn reserve(connection: &mut PgConnection, operator: &Actor, name: &str, reason: &str) -> Result<(), AdminError> {
    let name = crate_name(name)?;
    check_text("the reason", reason)?;
    connection.transaction(|connection| {
        reserved_names::reserve(connection, &name, reason)?;
        let event = Event::new(Action::NameReserve).of_crate(&name).detail(json!({ "reason": reason }));
        event.record(connection, operator)?;
        let taken = crates::find(connection, &name)?.is_some();
        say!("reserved the name {name}{}", if taken { "; the existing crate of that name is unchanged" } else { "" });
        Ok(())
    })
}

pub fn release(connection: &mut PgConnection, operator: &Actor, name: &str) -> Result<(), AdminError> {
    let name = crate_name(name)?;
    connection.transaction(|connection| {
        let was_reserved = reserved_names::release(connection, &name)?;
        if was_reserved {
            Event::new(Action::NameRelease).of_crate(&name).record(connection, operator)?;
        }
        // An event of its own: a name can be both.
        let was_deleted = delete_crate::release_name(connection, &name, operator)?;
        if !was_reserved && !was_deleted {
            return Err(AdminError::NotReserved(name.to_string()));
        }
        say!("released the name {name}");
        Ok(())
    })
}

pub fn reserved(connection: &mut PgConnection, as_json: bool) -> Result<(), AdminError> {
    let names = reserved_names::list(connection)?;
    if as_json {
        let names: Vec<_> = names.iter().map(|(name, reason)| json!({ "name": name, "reason": reason })).collect();
        return Ok(print_json(&names)?);
    }
    print_table(["NAME", "REASON"], names.into_iter().map(|(name, reason)| [name, reason]));
    Ok(())
}
