//! Each crate's rows and its file in the index.

use super::comparison::{compare, compare_derived};
use super::difference::{Difference, Kind};
use super::run::{Flow, Look, Run, VerifyError};
use super::standing::Phase;
use crate::database::upkeep::crate_states::{self, CrateState};
use crate::index::{Head, Index};
use crate::package::index_path::index_path;
use crate::queue::inspection;

impl Run<'_> {
    pub(super) fn look_at_crates(&mut self, cursor: &str) -> Result<Flow, VerifyError> {
        let mut after: i32 = cursor.parse().unwrap_or(0);
        loop {
            let page = self.verifier.settings.page;
            let crates = self.verifier.database(|connection| crate_states::page(connection, after, page))?;
            let Some(last) = crates.last() else { break };
            after = last.id;
            let head = self.verifier.index.head()?;
            let mut found = Vec::new();
            for krate in &crates {
                self.crates.take(1, &|| self.verifier.is_stopped());
                if self.verifier.is_stopped() {
                    return Ok(Flow::Stopped);
                }
                if self.is_suspect(krate, &head)? {
                    match self.look_again_at_crate(krate.id)? {
                        Look::Differences(differences) => found.extend(differences),
                        Look::InFlight => self.pending.push((krate.id, krate.name.to_string())),
                    }
                }
                self.report.counts.crates += 1;
                self.report.counts.versions += krate.versions.len() as u64;
            }
            self.settled(found)?;
            self.stand_at(Phase::Crates, &after.to_string())?;
        }
        self.settle()
    }

    /// The first look: it may be wrong, because the rows are older than the head.
    fn is_suspect(&self, krate: &CrateState, head: &Head) -> Result<bool, VerifyError> {
        Ok(!self.differences(krate, head, &[])?.is_empty())
    }

    /// The second look, in the order that the module's introduction argues for.
    pub(super) fn look_again_at_crate(&self, id: i32) -> Result<Look, VerifyError> {
        let read = || self.verifier.database(|connection| crate_states::one(connection, id));
        let Some(before) = read()? else { return Ok(Look::Differences(Vec::new())) };
        let (name, path) = (before.name.to_string(), index_path(&before.name));
        if self.is_owed(&[&name, &path])? {
            return Ok(Look::InFlight);
        }
        let dead = self.dead_versions(&name)?;
        let head = self.verifier.index.head()?;
        let differences = self.differences(&before, &head, &dead)?;
        if differences.is_empty() {
            return Ok(Look::Differences(differences));
        }
        Ok(if read()?.as_ref() == Some(&before) { Look::Differences(differences) } else { Look::InFlight })
    }

    /// Whether a job that writes the index is owed for one of these keys.
    pub(super) fn is_owed(&self, keys: &[&str]) -> Result<bool, VerifyError> {
        let kinds = &self.index_kinds;
        Ok(!self.verifier.database(|connection| inspection::pending_keys(connection, kinds, keys))?.is_empty())
    }

    /// The versions of a crate that dead jobs are about.
    fn dead_versions(&self, name: &str) -> Result<Vec<i32>, VerifyError> {
        let kinds = &self.index_kinds;
        let dead = self.verifier.database(|connection| inspection::dead_of_key(connection, kinds, name))?;
        let version = |job: &inspection::JobView| job.payload.as_ref()?["version_id"].as_i64()?.try_into().ok();
        Ok(dead.iter().filter_map(version).collect())
    }

    fn differences(&self, krate: &CrateState, head: &Head, dead: &[i32]) -> Result<Vec<Difference>, VerifyError> {
        let index = self.verifier.index;
        let file = index.read(head, &index_path(&krate.name))?;
        let mut differences = compare(krate, file.as_ref().map(|file| &file.content[..]), dead);
        differences.extend(compare_derived(krate));
        differences.extend(unknown_commits(index, krate)?);
        Ok(differences)
    }
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
