//! The effective state: what the index shows of a batch's crates, written into the database.

use std::collections::HashMap;

use diesel::PgConnection;
use serde::Serialize;

use super::index_error::index_failed;
use super::remove_crate_file;
use super::written::Written;
use crate::database::catalog::derived::Undescribed;
use crate::database::catalog::versions::Shown;
use crate::database::catalog::{crates, derived, versions};
use crate::fault;
use crate::index::Index;
use crate::index::shown::shown_versions;
use crate::package::CrateName;
use crate::package::index_path::index_path;
use crate::queue::JobError;

/// A crate whose index file or database rows could not be written completely.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    #[serde(rename = "crate")]
    pub crate_name: CrateName,
    pub problem: String,
}

/// Writes the effective state of the crates to the database: what the index shows of them now. Returns the crates whose
/// description the database refused.
pub(super) fn note_what_is_shown(
    connection: &mut PgConnection,
    index: &Index,
    written: &Written,
) -> Result<Vec<Disagreement>, JobError> {
    let good = || written.crates.iter().filter(|(_, krate)| krate.outcome.is_ok());
    let ids: Vec<i32> = good().map(|(&id, _)| id).collect();
    crates::lock_all(connection, &ids)?;
    let head = index.head().map_err(index_failed)?;
    let head_commit = head.commit.map(|commit| commit.to_string()).unwrap_or_default();
    let (mut shown, mut gone) = (Vec::new(), Vec::new());
    for (_, krate) in good() {
        let file = index.read(&head, &index_path(&krate.name)).map_err(index_failed)?;
        let in_index: HashMap<String, bool> = shown_versions(file.as_ref().map_or(&[], |file| &file.content[..]))?
            .into_iter()
            .map(|one| (one.vers, one.yanked))
            .collect();
        let commit_id = krate.outcome.as_ref().ok().and_then(Option::as_deref).unwrap_or(&head_commit);
        for line in &krate.lines {
            match in_index.get(&line.num.to_string()) {
                Some(&yanked) => shown.push(Shown { version_id: line.version_id, yanked, commit_id }),
                None if line.deleted => gone.push(line.version_id),
                None => {}
            }
        }
    }
    fault::point("job.crates_locked")?;
    let deleted = versions::note_deleted(connection, &gone)?;
    remove_crate_file::enqueue(connection, &deleted)?;
    if versions::note_shown(connection, &shown)? == 0 && deleted.is_empty() {
        return Ok(Vec::new());
    }
    let undescribed = derived::describe_all(connection, &ids)?;
    let disagreement = |one: Undescribed| {
        let crate_name = written.crates.get(&one.crate_id)?.name.clone();
        Some(Disagreement { crate_name, problem: format!("its description could not be written: {}", one.problem) })
    };
    Ok(undescribed.into_iter().filter_map(disagreement).collect())
}

/// Logs the crates that are shown without their description, which an operator has to repair.
pub(super) fn log_undescribed(undescribed: &[Disagreement]) {
    for Disagreement { crate_name, problem } in undescribed {
        tracing::error!(
            name = %crate_name, error = problem,
            "a crate is published, but its description could not be written: run `supercargo verify --repair`"
        );
    }
}
