//! Repairs of index lines that are not what the crate file says: they are rebuilt from its manifest.

use diesel::Connection;
use serde_json::json;

use super::outcome::Outcome;
use super::repairs::Repairs;
use crate::database::access::audit::{Action, Event};
use crate::database::catalog::{crates, dependencies, dependents, new_dependencies, versions};
use crate::database::upkeep::crate_states::{self, LineState};
use crate::index::entry::rebuild::Rebuilt;
use crate::jobs::sync_crate;
use crate::package::contents::Extent;
use crate::package::index_path::index_path;
use crate::queue::JobId;
use crate::verify::context::Context;
use crate::verify::crate_file;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;
use crate::verify::manifest_comparison::{line, rebuild};

/// Rebuilds the line of a version. Its checksum, its yank state and its time of publication stay.
pub fn restore(context: &Context<'_>, repairs: &Repairs<'_>, difference: &Difference) -> Result<Outcome, VerifyError> {
    let id = difference.subject.version_id.unwrap_or_default();
    let Some(version) = context.database(|connection| crate_states::line(connection, id))? else {
        return Ok(Outcome::Left("the version no longer exists".to_owned()));
    };
    let Some(line) = line(&version) else {
        return Ok(Outcome::Left(Kind::UnreadableRow.remedy().to_owned()));
    };
    let package = (&version.crate_name, &version.num);
    let file = crate_file::read(context.crate_store, version.checksum, package, Extent::All)?;
    let manifest = match &file {
        Some(file) if file.checksum == version.checksum => file.manifest.as_deref().map_err(Clone::clone),
        Some(_) => Err("its crate file is damaged".to_owned()),
        None => Err("its crate file is missing".to_owned()),
    };
    let rebuilt = match rebuild(&version, &line, manifest, &context.registry_urls) {
        Ok(rebuilt) => rebuilt,
        Err(error) => {
            let remedy = "yank this one, or delete it with `supercargo admin version delete`";
            return Ok(Outcome::Left(format!("{error}, and {remedy}")));
        }
    };
    let before = context.index.head()?.commit.map_or_else(|| "none".to_owned(), |commit| commit.to_string());
    let job = context.pool.with(|connection| {
        connection.transaction(|connection| write(connection, repairs, difference, &version, &rebuilt))
    })??;
    Ok(Outcome::Requested(
        job,
        format!("rebuilt from the crate file; the old line is in the history, at commit {before}"),
    ))
}

fn write(
    connection: &mut diesel::PgConnection,
    repairs: &Repairs<'_>,
    difference: &Difference,
    version: &LineState,
    rebuilt: &Rebuilt,
) -> Result<JobId, VerifyError> {
    crates::lock_all(connection, difference.subject.crate_id.as_slice())?;
    // Only repairs change a line, and they run one at a time.
    let entry = &rebuilt.entry;
    let mut features = entry.features.clone();
    features.extend(entry.features2.clone().unwrap_or_default());
    let about = json!({ "features": features, "links": entry.links, "rust_version": entry.rust_version });
    versions::set_index_line(connection, version.version_id, &rebuilt.line(), &about)?;
    dependencies::remove_all(connection, version.version_id)?;
    new_dependencies::insert(connection, version.version_id, rebuilt.dependencies())?;
    dependents::follow(connection, difference.subject.crate_id.unwrap_or_default())?;
    Event::new(Action::Repair)
        .of_crate(&version.crate_name)
        .of_version(&version.num)
        .detail(json!({ "what": difference.kind, "found": difference.found, "expected": difference.expected }))
        .record(connection, &repairs.actor)?;
    Ok(sync_crate::request(connection, &index_path(&version.crate_name), &repairs.actor.name)?)
}
