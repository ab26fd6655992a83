//! The second check of a crate, and the comparison that both checks share.

use std::time::{Duration, Instant};

use crate::database::upkeep::crate_states::{self, CrateState};
use crate::index::{Head, Index};
use crate::jobs::DeleteCrate;
use crate::package::index_path::index_path;
use crate::queue::{Job, inspection};
use crate::verify::comparison::{compare, compare_derived, compare_noted};
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;

/// Pause between two checks of a crate that is in flight.
const CHECK_EVERY: Duration = Duration::from_millis(20);

/// The result of a second check.
pub enum CrateCheck {
    /// Empty if the crate agrees.
    Differences(Vec<Difference>),
    /// A job is pending, or rows were written during the check.
    InFlight,
}

/// Checks a crate in the order that the introduction of `verify` justifies.
pub fn recheck(context: &Context<'_>, id: i32) -> Result<CrateCheck, VerifyError> {
    let read = || context.database(|connection| crate_states::one(connection, id));
    let Some(before) = read()? else { return Ok(CrateCheck::Differences(Vec::new())) };
    let (name, path) = (before.name.to_string(), index_path(&before.name));
    if context.is_pending(&[&name, &path])? {
        return Ok(CrateCheck::InFlight);
    }
    let dead = dead_versions(context, &before)?;
    let head = context.index.head()?;
    let differences = differences(context.index, &before, &head, &dead)?;
    if differences.is_empty() || read()?.as_ref() == Some(&before) {
        return Ok(CrateCheck::Differences(differences));
    }
    Ok(CrateCheck::InFlight)
}

/// Checks a crate until it is no longer in flight, or the patience of the settings ends.
pub fn recheck_until_settled(context: &Context<'_>, id: i32) -> Result<CrateCheck, VerifyError> {
    let until = Instant::now() + context.settings.patience;
    loop {
        match recheck(context, id)? {
            CrateCheck::InFlight if Instant::now() < until && !context.is_stopped() => {
                std::thread::sleep(CHECK_EVERY);
            }
            settled => return Ok(settled),
        }
    }
}

/// The differences between a crate's rows and the index at `head`. `dead` are the versions that dead jobs already report.
pub fn differences(
    index: &Index,
    krate: &CrateState,
    head: &Head,
    dead: &[i32],
) -> Result<Vec<Difference>, VerifyError> {
    let file = index.read(head, &index_path(&krate.name))?;
    let mut differences = compare(krate, file.as_ref().map(|file| &file.content[..]), dead);
    if differences.is_empty() {
        differences.extend(compare_noted(krate, file.as_ref()));
    }
    differences.extend(compare_derived(krate));
    differences.extend(unknown_commits(index, krate)?);
    Ok(differences)
}

/// The versions of a crate that have dead jobs.
fn dead_versions(context: &Context<'_>, krate: &CrateState) -> Result<Vec<i32>, VerifyError> {
    let kinds = &context.index_kinds;
    let dead = context.database(|connection| inspection::dead_of_key(connection, kinds, krate.name.as_str()))?;
    if dead.iter().any(|job| job.kind == DeleteCrate::KIND) {
        return Ok(krate.versions.iter().map(|version| version.id).collect());
    }
    let version = |job: &inspection::JobView| job.payload.as_ref()?["version_id"].as_i64()?.try_into().ok();
    Ok(dead.iter().filter_map(version).collect())
}

fn unknown_commits(index: &Index, krate: &CrateState) -> Result<Vec<Difference>, VerifyError> {
    let mut differences = Vec::new();
    for version in &krate.versions {
        if let Some(commit) = &version.commit_id
            && !index.has_commit(commit)?
        {
            let difference = Difference::new(Kind::UnknownCommit, commit, "a commit of the index that shows it");
            differences.push(difference.of_crate(&krate.name, krate.id).of_version(&version.num, version.id));
        }
    }
    Ok(differences)
}
