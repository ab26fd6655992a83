//! The check after a repair: which differences remain.

use std::collections::BTreeSet;

use crate::database::catalog::crates;
use crate::package::Checksum;
use crate::package::index_path::{crate_path, index_path};
use crate::queue::inspection;
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;
use crate::verify::recheck::crates::{CrateCheck, recheck_until_settled};
use crate::verify::recheck::upstream_files::IndexPlace;
use crate::verify::recheck::{counts, crate_files, index_export, index_files, remote, upstream_files};

/// Checks everything again that these differences are about.
pub fn check(context: &Context<'_>, differences: &[Difference]) -> Result<Vec<Difference>, VerifyError> {
    let mut remaining = Vec::new();
    let mut crate_ids: BTreeSet<i32> = BTreeSet::new();
    let mut checksums: BTreeSet<Checksum> = BTreeSet::new();
    let mut are_counted = false;
    for difference in differences {
        match (difference.kind, &difference.path, difference.subject) {
            (Kind::StagedLeftover | Kind::BrokenRepository | Kind::ConfigJson, _, _) => {}
            (Kind::DamagedUpstreamFile, _, subject) => {
                if let Some(checksum) = subject.checksum {
                    remaining.extend(upstream_files::recheck_crate_file(context, checksum)?);
                }
            }
            (Kind::DamagedUpstreamIndexFile, path, _) => {
                if let Some(place) = path.as_deref().and_then(IndexPlace::parse) {
                    remaining.extend(upstream_files::recheck_index_file(context, &place)?);
                }
            }
            (Kind::MissingExportedFile | Kind::StaleExportedFile | Kind::ForeignExportedFile, Some(path), _) => {
                remaining.extend(index_export::recheck(context, path)?);
            }
            (Kind::RemoteDiffers, _, _) => remaining.extend(remote::recheck(context)?),
            (Kind::DeadJob, _, subject) => {
                let job = subject.job.unwrap_or_default();
                let view = context.database(|connection| inspection::show(connection, job))?;
                if view.is_some_and(|view| view.state == "dead") {
                    remaining.push(difference.clone());
                }
            }
            (Kind::CountDiffers, _, _) => are_counted = true,
            (Kind::OrphanFile, Some(_), subject) => checksums.extend(subject.checksum),
            (_, Some(path), subject) if subject.crate_id.is_none() => {
                remaining.extend(index_files::recheck(context, path, crate_path(path).as_ref())?);
                crate_ids.extend(crate_at(context, path)?);
            }
            (_, _, subject) if subject.checksum.is_some() => checksums.extend(subject.checksum),
            (_, _, subject) => crate_ids.extend(subject.crate_id),
        }
    }
    if are_counted {
        remaining.extend(counts::check(context)?);
    }
    for id in crate_ids {
        if let CrateCheck::Differences(differences) = recheck_until_settled(context, id)? {
            remaining.extend(differences);
        }
    }
    for checksum in checksums {
        remaining.extend(crate_files::recheck(context, checksum)?);
        remaining.extend(crate_files::recheck_docs(context, checksum)?);
    }
    Ok(remaining)
}

/// The crate whose index file is at `path`.
fn crate_at(context: &Context<'_>, path: &str) -> Result<Option<i32>, VerifyError> {
    let Some(name) = crate_path(path) else { return Ok(None) };
    let found = context.database(|connection| crates::find(connection, &name))?;
    Ok(found.filter(|found| index_path(&found.name) == path).map(|found| found.id))
}
