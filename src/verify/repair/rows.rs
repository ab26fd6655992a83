//! Repairs of rows: columns that are set from the index, the crate store, or the crate's versions.

use diesel::Connection;
use serde_json::json;

use super::index_files::request;
use super::outcome::Outcome;
use super::repairs::Repairs;
use crate::database::access::audit::{Action, Event};
use crate::database::catalog::{crates, dependents, descriptions, versions};
use crate::database::upkeep::registry_count_states;
use crate::jobs::describing;
use crate::package::{CrateName, Version};
use crate::verify::comparison::YANKED;
use crate::verify::context::Context;
use crate::verify::difference::Difference;
use crate::verify::error::VerifyError;
use crate::verify::recheck::counts;

/// Sets the commit of a version to the head of the index.
pub fn set_commit(
    context: &Context<'_>,
    repairs: &Repairs<'_>,
    difference: &Difference,
) -> Result<Outcome, VerifyError> {
    let Some(head) = context.index.head()?.commit.map(|commit| commit.to_string()) else {
        return Ok(Outcome::Left("the index is empty".to_owned()));
    };
    let id = difference.subject.version_id.unwrap_or_default();
    change(context, repairs, difference, |connection| versions::set_commit(connection, id, &head))?;
    Ok(Outcome::Done(format!("the database now names the commit {head}, which shows the version")))
}

/// Sets the desired yank state of a version to the one that the index shows, and requests a job that notes the effective one.
pub fn take_yank_state(
    context: &Context<'_>,
    repairs: &Repairs<'_>,
    difference: &Difference,
) -> Result<Outcome, VerifyError> {
    let Some(path) = &difference.path else {
        return Ok(Outcome::Left("the index file of this difference is not known".to_owned()));
    };
    let id = difference.subject.version_id.unwrap_or_default();
    let yanked = difference.found == YANKED;
    change(context, repairs, difference, |connection| versions::set_desired_yanked(connection, id, yanked))?;
    // One that was requested before may have read the former state.
    let job = request(context, repairs, path)?;
    Ok(Outcome::Requested(job, "the database now has the yank state of the index".to_owned()))
}

/// Writes the columns that are derived from a crate's versions.
pub fn derive(context: &Context<'_>, repairs: &Repairs<'_>, difference: &Difference) -> Result<Outcome, VerifyError> {
    let id = difference.subject.crate_id.unwrap_or_default();
    change(context, repairs, difference, |connection| {
        descriptions::request(connection, &[id])?;
        dependents::follow(connection, id)
    })?;
    let undescribed = context.database(|connection| describing::run(connection, &|| false))?;
    // A problem of one crate must not prevent the repair of the others.
    Ok(match undescribed.into_iter().find(|one| one.crate_id == id) {
        Some(one) => Outcome::Left(format!("the database rejects the description of the crate: {}", one.problem)),
        None => Outcome::Done("derived again from the crate's versions".to_owned()),
    })
}

/// Sets the size of a version to that of its file.
pub fn set_size(context: &Context<'_>, repairs: &Repairs<'_>, difference: &Difference) -> Result<Outcome, VerifyError> {
    let size = match difference.subject.checksum {
        Some(checksum) => context.crate_store.size(checksum)?,
        None => None,
    };
    let Some(size) = size.and_then(|size| i64::try_from(size).ok()) else {
        return Ok(Outcome::Left("the file no longer exists".to_owned()));
    };
    let id = difference.subject.version_id.unwrap_or_default();
    change(context, repairs, difference, |connection| versions::set_size(connection, id, size))?;
    Ok(Outcome::Done(format!("the database now has the file's size of {size} bytes")))
}

/// Corrects the numbers of the registry of one kind.
pub fn count(context: &Context<'_>, repairs: &Repairs<'_>, difference: &Difference) -> Result<Outcome, VerifyError> {
    let kind = difference.path.as_deref().and_then(counts::kind_at).unwrap_or_default();
    change(context, repairs, difference, |connection| registry_count_states::correct(connection, kind))?;
    Ok(Outcome::Done("counted again".to_owned()))
}

/// Changes rows of a crate under its lock, with an entry in the audit log.
fn change(
    context: &Context<'_>,
    repairs: &Repairs<'_>,
    difference: &Difference,
    change: impl FnOnce(&mut diesel::PgConnection) -> diesel::QueryResult<()>,
) -> Result<(), VerifyError> {
    let name: Option<CrateName> = difference.crate_name.as_deref().and_then(|name| name.parse().ok());
    let num: Option<Version> = difference.version.as_deref().and_then(|num| num.parse().ok());
    context.database(|connection| {
        connection.transaction(|connection| {
            crates::lock_all(connection, difference.subject.crate_id.as_slice())?;
            change(connection)?;
            let mut event = Event::new(Action::Repair)
                .detail(json!({ "what": difference.kind, "found": difference.found, "expected": difference.expected }));
            if let Some(name) = &name {
                event = event.of_crate(name);
            }
            if let Some(num) = &num {
                event = event.of_version(num);
            }
            event.record(connection, &repairs.actor)
        })
    })
}
