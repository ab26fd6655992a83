//! `supercargo admin crate`.

use diesel::{Connection, PgConnection};
use serde_json::json;

use super::output::{complain, print_json, print_table, say};
use super::{AdminError, crate_name};
use crate::config::LimitsOptions;
use crate::database::access::administrator::Administrator;
use crate::database::access::audit::Actor;
use crate::database::catalog::crate_limits::{self, CrateLimits, NamedLimits};
use crate::database::catalog::{crates, reserved_names};
use crate::jobs::crate_limit_changes::{self, described};
use crate::jobs::delete_crate::{self, Accepted};
use crate::jobs::name_reservations;
use crate::package::CrateName;
use crate::{jobs, queue};

/// Changes the given limits of a name and prints the ones in effect. The name may have no crate yet.
pub fn limits(
    connection: &mut PgConnection,
    operator: &Actor,
    name: &str,
    options: &LimitsOptions,
    as_json: bool,
) -> Result<(), AdminError> {
    let name = crate_name(name)?;
    if *options != LimitsOptions::default() {
        connection.transaction(|connection| {
            let change = |before| changed(if options.reset { CrateLimits::default() } else { before }, options);
            crate_limit_changes::change(connection, &name, change, operator)
        })?;
    }
    let limits = crate_limits::of(connection, &name)?;
    let exists = crates::find(connection, &name)?.is_some();
    if as_json {
        let mut shown = described(&limits);
        shown["exists"] = exists.into();
        return Ok(print_json(&shown)?);
    }
    let bytes = |limit: Option<i64>| limit.map(|limit| format!("{limit} bytes"));
    let count = |limit: Option<i32>| limit.map(|limit| limit.to_string());
    let rows = [
        ("crate size", bytes(limits.max_crate_size)),
        ("unpacked size", bytes(limits.max_unpacked_size)),
        ("features", count(limits.max_features)),
        ("dependencies", count(limits.max_dependencies)),
    ];
    let shown = |limit: Option<String>| limit.unwrap_or_else(|| "registry default".to_owned());
    print_table(["LIMIT", "VALUE"], rows.map(|(name, limit)| [name.to_owned(), shown(limit)]));
    if !exists {
        say!("there is no crate {name} yet: limits of this name apply from its first publish on");
    }
    Ok(())
}

/// Lists the names with limits of their own.
pub fn all_limits(connection: &mut PgConnection, as_json: bool) -> Result<(), AdminError> {
    let all = crate_limits::list(connection)?;
    if as_json {
        let of = |named: &NamedLimits| {
            let mut shown = described(&named.limits);
            shown["name"] = named.name.as_str().into();
            shown["exists"] = named.exists.into();
            shown
        };
        return Ok(print_json(&all.iter().map(of).collect::<Vec<_>>())?);
    }
    let shown = |limit: Option<i64>| limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
    let rows = all.into_iter().map(|NamedLimits { name, exists, limits }| {
        [
            name,
            if exists { "yes" } else { "not yet" }.to_owned(),
            shown(limits.max_crate_size),
            shown(limits.max_unpacked_size),
            shown(limits.max_features.map(i64::from)),
            shown(limits.max_dependencies.map(i64::from)),
        ]
    });
    print_table(["NAME", "EXISTS", "CRATE SIZE", "UNPACKED SIZE", "FEATURES", "DEPENDENCIES"], rows);
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

/// How names were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    One,
    Listed,
}

/// Reserves all of these names, or none.
pub fn reserve(
    connection: &mut PgConnection,
    operator: &Actor,
    (names, named): (&[CrateName], Named),
    reason: &str,
) -> Result<(), AdminError> {
    let all = connection.transaction(|connection| {
        let one = |name| name_reservations::reserve(connection, name, reason, Administrator::Operator(operator));
        names.iter().map(one).collect::<Result<Vec<_>, _>>()
    })?;
    let mut changed = 0;
    for (name, reserved) in names.iter().zip(&all) {
        if !reserved.changed {
            if named == Named::One {
                say!("nothing changed: the name {name} is reserved for this reason already");
            }
            continue;
        }
        changed += 1;
        say!(
            "reserved the name {name}{}",
            if reserved.has_crate { "; the existing crate of that name is unchanged" } else { "" }
        );
    }
    if named == Named::Listed && changed < names.len() {
        say!("unchanged: {} names that are reserved for this reason already", names.len() - changed);
    }
    Ok(())
}

/// Reports names that an upstream should have and lacks.
pub fn complain_of_unknown(unknown: Option<(&str, &[CrateName])>) {
    let Some((upstream, names)) = unknown.filter(|(_, names)| !names.is_empty()) else { return };
    let names = names.iter().map(CrateName::as_str).collect::<Vec<_>>().join(", ");
    complain!("warning: {upstream} has no crates of these names, which are reserved as well: {names}");
}

pub fn release(connection: &mut PgConnection, operator: &Actor, name: &str) -> Result<(), AdminError> {
    let name = crate_name(name)?;
    name_reservations::release(connection, &name, Administrator::Operator(operator))?;
    say!("released the name {name}");
    Ok(())
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
