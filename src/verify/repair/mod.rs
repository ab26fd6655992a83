//! Repair of differences from what is left.
//!
//! A repair would be wrong only if its difference were none, and every difference was confirmed by a second check. The index
//! is written by jobs only: a repair requests the job that renders a file from its rows. Nothing is deleted: what leaves the
//! index stays in its history, and what leaves the store's own directories is in its quarantine. Whatever a repair touched
//! is checked once more, and a difference counts as repaired only if that check no longer finds it.

mod crate_files;
mod index_export;
mod index_files;
mod jobs;
mod lines;
mod lost_rows;
mod outcome;
mod remaining;
mod repairs;
mod rows;
mod upstream_files;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::fault;
use crate::queue::JobId;
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;
use outcome::Outcome;

pub use repairs::{Mirror, Repairs};

/// Repairs these differences as far as possible. The result holds them with what was done about each, and differences that
/// the repair has caused.
pub fn repair(
    context: &Context<'_>,
    repairs: &Repairs<'_>,
    differences: Vec<Difference>,
) -> Result<Vec<Difference>, VerifyError> {
    let mut outcomes = lost_rows::restore_all(context, repairs, &differences)?;
    let mut rendered = BTreeMap::new();
    for (place, difference) in differences.iter().enumerate() {
        if let Entry::Vacant(vacant) = outcomes.entry(place) {
            vacant.insert(repair_one(context, repairs, difference, &mut rendered)?);
        }
    }
    fault::point("verify.repaired")?;
    let requested: Vec<JobId> = outcomes.values().filter_map(Outcome::job).collect();
    jobs::wait_for(context, repairs, &requested)?;
    let remaining = remaining::check(context, &differences)?;
    let mut repaired = Vec::with_capacity(differences.len());
    for (difference, outcome) in differences.into_iter().zip(outcomes.into_values()) {
        repaired.push(outcome.apply(context, difference, &remaining)?);
    }
    let new: Vec<_> = remaining.into_iter().filter(|one| repaired.iter().all(|other| !one.is_same(other))).collect();
    // A file that was moved away because it was damaged is reported as damaged only.
    repaired.extend(new.into_iter().filter(|one| !matches!(one.kind, Kind::MissingCrateFile | Kind::MissingDocs)));
    Ok(repaired)
}

/// Repairs one difference. `rendered` holds the jobs that were requested, by index file.
fn repair_one(
    context: &Context<'_>,
    repairs: &Repairs<'_>,
    difference: &Difference,
    rendered: &mut BTreeMap<String, JobId>,
) -> Result<Outcome, VerifyError> {
    match difference.kind {
        Kind::BrokenRepository | Kind::ConfigJson | Kind::UnreadableRow => {
            Ok(Outcome::Left(difference.kind.remedy().to_owned()))
        }
        Kind::RemoteDiffers => Ok(index_files::follow_remote(context)),
        Kind::YankedDiffers if repairs.yanks_from_index => rows::take_yank_state(context, repairs, difference),
        Kind::ManifestDiffers => lines::restore(context, repairs, difference),
        Kind::UnknownCommit => rows::set_commit(context, repairs, difference),
        Kind::DerivedDiffers => rows::derive(context, repairs, difference),
        Kind::CountDiffers => rows::count(context, repairs, difference),
        Kind::DeadJob => jobs::retry_dead(context, repairs, difference),
        Kind::MissingCrateFile | Kind::DamagedCrateFile => crate_files::restore(context, repairs, difference),
        Kind::MissingDocs | Kind::DamagedDocs => crate_files::restore_docs(context, difference),
        Kind::SizeDiffers => rows::set_size(context, repairs, difference),
        Kind::DeletedCrateFile => crate_files::remove(context, repairs, difference),
        Kind::OrphanFile => crate_files::quarantine(context, difference),
        Kind::DamagedUpstreamFile => upstream_files::remove_crate_file(context, difference),
        Kind::DamagedUpstreamIndexFile => upstream_files::remove_index_file(context, difference),
        Kind::MissingExportedFile | Kind::StaleExportedFile | Kind::ForeignExportedFile => {
            index_export::write(context, difference)
        }
        Kind::StagedLeftover => crate_files::quarantine_unfinished(context, difference),
        _ => index_files::render(context, repairs, difference, rendered),
    }
}
