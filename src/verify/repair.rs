//! Restoring the agreement from what is left of it.
//!
//! Every repair is one that could be wrong to make only if the difference were none, and differences were seen twice. The
//! index is written by jobs, as always: a repair asks for the job that renders one file from its rows. Nothing is deleted:
//! what leaves the index is in its history, and what leaves the store's own places is in its quarantine. Whatever was touched
//! is looked at once more, and only what is no longer there counts as repaired.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chrono::Utc;
use diesel::Connection;
use serde_json::json;

use super::difference::{Difference, Kind};
use super::run::{Look, Run, VerifyError};
use crate::crate_store::CrateStore;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::catalog::owners::Owner;
use crate::database::catalog::{crates, derived, versions};
use crate::fault;
use crate::index::{Change, IndexError};
use crate::jobs::{RemoveCrateFile, sync_crate, unused_files};
use crate::package::index_path::{crate_path, index_path};
use crate::package::{Checksum, CrateName, Limits, Version};
use crate::queue::{Enqueue, JobId, inspection, intervention};
use crate::upstream::{Upstream, download_url};

/// How often jobs that were asked for are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long they are waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What may be done, and by whom.
pub struct Repairs<'a> {
    /// Another registry that has the same crate files.
    pub mirror: Option<Mirror>,
    /// Who shall own crates whose owners nobody knows any more.
    pub owners: Vec<Owner>,
    /// Give dead jobs another chance.
    pub retry_dead: bool,
    pub actor: Actor,
    /// Performs every job that is due, on this thread.
    pub perform: &'a dyn Fn() -> Result<(), String>,
    /// How long other workers are waited for before that.
    pub grace: Duration,
}

/// Where crate files can be had.
pub struct Mirror {
    /// As `dl` in a config.json.
    pub template: String,
    pub upstream: Upstream,
}

/// What became of a difference, before it is looked at again.
pub(super) enum Remedied {
    /// What was done.
    Done(String),
    /// What was asked for, and which job does it.
    By(JobId, String),
    /// Why nothing could be done.
    Left(String),
}

impl Run<'_> {
    /// Does what can be done about these differences, and answers what became of each.
    pub(super) fn repair(
        &self,
        repairs: &Repairs<'_>,
        differences: Vec<Difference>,
    ) -> Result<Vec<Difference>, VerifyError> {
        let mut remedied = self.restore_rows(repairs, &differences)?;
        let mut rendered = BTreeMap::new();
        for (place, difference) in differences.iter().enumerate() {
            if let std::collections::btree_map::Entry::Vacant(vacant) = remedied.entry(place) {
                vacant.insert(self.remedy(repairs, difference, &mut rendered)?);
            }
        }
        fault::point("verify.repaired")?;
        let jobs: Vec<JobId> = remedied
            .values()
            .filter_map(|one| match one {
                Remedied::By(job, _) => Some(*job),
                _ => None,
            })
            .collect();
        self.wait_for(repairs, &jobs)?;
        let still = self.look_again(&differences)?;
        let mut told = Vec::with_capacity(differences.len());
        for (difference, became) in differences.into_iter().zip(remedied.into_values()) {
            told.push(self.tell(difference, became, &still)?);
        }
        let new: Vec<_> = still.into_iter().filter(|one| told.iter().all(|other| !one.is_same(other))).collect();
        // A file that was moved away for being damaged is told as that.
        told.extend(new.into_iter().filter(|one| one.kind != Kind::MissingCrateFile));
        Ok(told)
    }

    fn remedy(
        &self,
        repairs: &Repairs<'_>,
        difference: &Difference,
        rendered: &mut BTreeMap<String, JobId>,
    ) -> Result<Remedied, VerifyError> {
        let subject = difference.subject;
        Ok(match difference.kind {
            Kind::BrokenRepository | Kind::ConfigJson | Kind::UnreadableRow => {
                Remedied::Left(difference.kind.remedy().to_owned())
            }
            Kind::RemoteDiffers => self.follow_the_remote().map_or_else(Remedied::Left, Remedied::Done),
            Kind::UnknownCommit => self.name_commit(repairs, difference)?,
            Kind::DerivedDiffers => self.derive(repairs, difference)?,
            Kind::DeadJob if !repairs.retry_dead => Remedied::Left(difference.kind.remedy().to_owned()),
            Kind::DeadJob => {
                let job = subject.job.unwrap_or_default();
                let by = &repairs.actor.name;
                self.verifier.database(|connection| intervention::retry(connection, job, by))?;
                Remedied::By(job, "the job was given another chance".to_owned())
            }
            Kind::MissingCrateFile | Kind::DamagedCrateFile => self.mend_file(repairs, difference)?,
            Kind::SizeDiffers => self.note_size(repairs, difference)?,
            Kind::DeletedCrateFile => self.remove_file(repairs, difference)?,
            Kind::OrphanFile => self.move_away(difference)?,
            Kind::StagedLeftover => self.move_part_away(difference)?,
            _ => self.render(repairs, difference, rendered)?,
        })
    }

    /// Asks for the job that makes a crate's file what its rows say.
    fn render(
        &self,
        repairs: &Repairs<'_>,
        difference: &Difference,
        rendered: &mut BTreeMap<String, JobId>,
    ) -> Result<Remedied, VerifyError> {
        let Some(path) = &difference.path else {
            return Ok(Remedied::Left("it is not known which file of the index this is about".to_owned()));
        };
        // A job about it could not be carried out, and would fail together with others of its batch.
        let change = Change { path: path.clone(), content: None, message: String::new() };
        if let Err(IndexError::InvalidPath { reason, .. }) = change.check_path() {
            return Ok(Remedied::Left(format!(
                "no job can write this path ({reason}): remove the file with git, in the index's repository"
            )));
        }
        let job = match rendered.get(path) {
            Some(job) => *job,
            None => *rendered.entry(path.clone()).or_insert(self.ask_for(repairs, path)?),
        };
        let mut done = "rendered from the database".to_owned();
        if matches!(
            difference.kind,
            Kind::UnexpectedFile | Kind::UnreadableIndexFile | Kind::LineDiffers | Kind::DuplicateLine
        ) && let Some(head) = self.verifier.index.head()?.commit
        {
            done = format!("{done}; what was there before is in the history, at commit {head}");
        }
        Ok(Remedied::By(job, done))
    }

    pub(super) fn ask_for(&self, repairs: &Repairs<'_>, path: &str) -> Result<JobId, VerifyError> {
        Ok(self.verifier.pool.with(|connection| sync_crate::request(connection, path, &repairs.actor.name))??)
    }

    fn name_commit(&self, repairs: &Repairs<'_>, difference: &Difference) -> Result<Remedied, VerifyError> {
        let Some(head) = self.verifier.index.head()?.commit.map(|commit| commit.to_string()) else {
            return Ok(Remedied::Left("the index is empty".to_owned()));
        };
        let id = difference.subject.version_id.unwrap_or_default();
        self.change(repairs, difference, |connection| versions::set_commit(connection, id, &head))?;
        Ok(Remedied::Done(format!("the database names the commit {head}, which shows it")))
    }

    fn derive(&self, repairs: &Repairs<'_>, difference: &Difference) -> Result<Remedied, VerifyError> {
        let id = difference.subject.crate_id.unwrap_or_default();
        match self.change(repairs, difference, |connection| derived::describe(connection, id)) {
            // One crate's trouble must not keep the others from being repaired.
            Err(VerifyError::Database(error)) if derived::is_refusal(&error) => {
                Ok(Remedied::Left(format!("the database refuses the description of the crate: {error}")))
            }
            done => done.map(|()| Remedied::Done("written again from its versions".to_owned())),
        }
    }

    fn note_size(&self, repairs: &Repairs<'_>, difference: &Difference) -> Result<Remedied, VerifyError> {
        let size = match difference.subject.checksum {
            Some(checksum) => self.verifier.crate_store.size(checksum)?,
            None => None,
        };
        let Some(size) = size.and_then(|size| i64::try_from(size).ok()) else {
            return Ok(Remedied::Left("the file is not there any more".to_owned()));
        };
        let id = difference.subject.version_id.unwrap_or_default();
        self.change(repairs, difference, |connection| versions::set_size(connection, id, size))?;
        Ok(Remedied::Done(format!("the database has its size of {size} bytes")))
    }

    /// Changes rows of a crate under its lock, with an entry in the log.
    fn change(
        &self,
        repairs: &Repairs<'_>,
        difference: &Difference,
        change: impl FnOnce(&mut diesel::PgConnection) -> diesel::QueryResult<()>,
    ) -> Result<(), VerifyError> {
        let name: Option<CrateName> = difference.crate_name.as_deref().and_then(|name| name.parse().ok());
        let num: Option<Version> = difference.version.as_deref().and_then(|num| num.parse().ok());
        self.verifier.database(|connection| {
            connection.transaction(|connection| {
                crates::lock_all(connection, difference.subject.crate_id.as_slice())?;
                change(connection)?;
                let mut event = Event::new(Action::Repair).detail(
                    json!({ "what": difference.kind, "found": difference.found, "expected": difference.expected }),
                );
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

    /// A file that is not there, or is not what it should be: from the quarantine, where a misjudged one may be, or from the
    /// mirror.
    fn mend_file(&self, repairs: &Repairs<'_>, difference: &Difference) -> Result<Remedied, VerifyError> {
        let store = self.verifier.crate_store;
        let Some(checksum) = difference.subject.checksum else {
            return Ok(Remedied::Left("its checksum is not known".to_owned()));
        };
        // Another version may have had the same file mended.
        if store.digest(checksum)?.is_some_and(|(found, _)| found == checksum) {
            return Ok(Remedied::Done("mended with that of another version".to_owned()));
        }
        let mut done = Vec::new();
        if difference.kind == Kind::DamagedCrateFile && store.size(checksum)?.is_some() {
            done.push(format!(
                "the damaged file is at {}",
                store.quarantine(&CrateStore::place(checksum), Utc::now())?
            ));
        }
        if let Some(from) = store.restore_quarantined(checksum)? {
            done.push(format!("put back from {from}"));
            return Ok(Remedied::Done(done.join("; ")));
        }
        let named = (difference.crate_name.as_deref(), difference.version.as_deref());
        let fetched = match named {
            (Some(name), Some(num)) => match (name.parse(), num.parse()) {
                (Ok(name), Ok(num)) => self.fetch(repairs, &name, &num, checksum),
                _ => Err("its name can't be read".to_owned()),
            },
            _ => Err("it is not known whose file it is".to_owned()),
        };
        Ok(match fetched {
            Ok((bytes, url)) => {
                store.put(checksum, bytes)?;
                done.push(format!("fetched from {url}"));
                Remedied::Done(done.join("; "))
            }
            Err(problem) => {
                done.push(problem);
                Remedied::Left(done.join("; "))
            }
        })
    }

    /// The file of a version, from the mirror, and where that had it.
    pub(super) fn fetch(
        &self,
        repairs: &Repairs<'_>,
        name: &CrateName,
        num: &Version,
        checksum: Checksum,
    ) -> Result<(bytes::Bytes, String), String> {
        let Some(mirror) = &repairs.mirror else {
            return Err(
                "no mirror was named: give --mirror the URL of a registry that has the file, or put it back from \
                        a backup"
                    .to_owned(),
            );
        };
        let url = download_url(&mirror.template, name, num, checksum);
        // As large as the largest crate file that any limit could allow.
        let limit = Limits::default().max_unpacked;
        let answer = mirror.upstream.fetch(&url, limit, &|| self.verifier.is_stopped());
        let bytes = answer.map_err(|error| error.to_string())?.ok_or_else(|| format!("{url} has no such file"))?;
        match Checksum::of(&bytes) {
            found if found == checksum => Ok((bytes, url)),
            found => Err(format!("{url} has a file with another checksum, {found}")),
        }
    }

    fn remove_file(&self, repairs: &Repairs<'_>, difference: &Difference) -> Result<Remedied, VerifyError> {
        let (Some(version_id), Some(checksum)) = (difference.subject.version_id, difference.subject.checksum) else {
            return Ok(Remedied::Left("it is not known whose file it is".to_owned()));
        };
        let job = RemoveCrateFile { version_id, checksum };
        let enqueue = Enqueue::new(&job).requested_by(&repairs.actor.name);
        let id = self.verifier.pool.with(|connection| enqueue.insert(connection))??;
        Ok(Remedied::By(id, "removed, as its deletion asked for".to_owned()))
    }

    fn move_away(&self, difference: &Difference) -> Result<Remedied, VerifyError> {
        let (store, path) = (self.verifier.crate_store, difference.path.as_deref().unwrap_or_default());
        let Some(checksum) = difference.subject.checksum else {
            let moved = store.quarantine(path, Utc::now())?;
            return Ok(Remedied::Done(format!("moved to {moved} in the crate store")));
        };
        let moved = self.verifier.pool.with(|connection| unused_files::quarantine(connection, store, checksum))??;
        Ok(Remedied::Done(match moved {
            Some(moved) => format!("moved to {moved} in the crate store"),
            None => "a version needs it by now, or it is gone".to_owned(),
        }))
    }

    fn move_part_away(&self, difference: &Difference) -> Result<Remedied, VerifyError> {
        let Some(path) = &difference.path else { return Ok(Remedied::Left("its path is not known".to_owned())) };
        let moved = self.verifier.crate_store.quarantine_unfinished(path, Utc::now())?;
        Ok(Remedied::Done(format!("moved to {moved} in the crate store")))
    }

    /// Waits for jobs: for other workers as long as they do something, and then with our own hands.
    fn wait_for(&self, repairs: &Repairs<'_>, jobs: &[JobId]) -> Result<(), VerifyError> {
        let owed = || self.verifier.database(|connection| inspection::any_of_pending(connection, jobs));
        let begun = Instant::now();
        while !jobs.is_empty() && owed()? && begun.elapsed() < PATIENCE && !self.verifier.is_stopped() {
            if begun.elapsed() >= repairs.grace {
                (repairs.perform)().map_err(VerifyError::Perform)?;
                if repairs.grace.is_zero() {
                    return Ok(());
                }
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// What is still so of everything that these are about.
    fn look_again(&self, differences: &[Difference]) -> Result<Vec<Difference>, VerifyError> {
        let mut still = Vec::new();
        let mut crate_ids: BTreeSet<i32> = BTreeSet::new();
        let mut checksums: BTreeSet<Checksum> = BTreeSet::new();
        for difference in differences {
            match (difference.kind, &difference.path, difference.subject) {
                (Kind::StagedLeftover | Kind::BrokenRepository | Kind::ConfigJson, _, _) => {}
                (Kind::RemoteDiffers, _, _) => still.extend(self.look_at_the_remote()?),
                (Kind::DeadJob, _, subject) => {
                    let job = subject.job.unwrap_or_default();
                    let view = self.verifier.database(|connection| inspection::show(connection, job))?;
                    if view.is_some_and(|view| view.state == "dead") {
                        still.push(difference.clone());
                    }
                }
                (Kind::OrphanFile, Some(_), subject) => checksums.extend(subject.checksum),
                (_, Some(path), subject) if subject.crate_id.is_none() => {
                    still.extend(self.look_again_at_path(path, crate_path(path).as_ref())?);
                    crate_ids.extend(self.crate_at(path)?);
                }
                (_, _, subject) if subject.checksum.is_some() => checksums.extend(subject.checksum),
                (_, _, subject) => crate_ids.extend(subject.crate_id),
            }
        }
        for id in crate_ids {
            if let Look::Differences(differences) = self.look_again_until_settled(id)? {
                still.extend(differences);
            }
        }
        for checksum in checksums {
            still.extend(self.look_again_at_file(checksum)?);
        }
        Ok(still)
    }

    fn crate_at(&self, path: &str) -> Result<Option<i32>, VerifyError> {
        let Some(name) = crate_path(path) else { return Ok(None) };
        let found = self.verifier.database(|connection| crates::find(connection, &name))?;
        Ok(found.filter(|found| index_path(&found.name) == path).map(|found| found.id))
    }

    fn look_again_until_settled(&self, id: i32) -> Result<Look, VerifyError> {
        let until = Instant::now() + self.verifier.settings.patience;
        loop {
            match self.look_again_at_crate(id)? {
                Look::InFlight if Instant::now() < until && !self.verifier.is_stopped() => {
                    std::thread::sleep(LOOK_EVERY)
                }
                look => return Ok(look),
            }
        }
    }

    /// What is told of a difference after its repair.
    fn tell(&self, difference: Difference, became: Remedied, still: &[Difference]) -> Result<Difference, VerifyError> {
        let is_still_so = still.iter().any(|one| one.is_same(&difference));
        Ok(match became {
            Remedied::Left(why) => Difference { left: Some(why), ..difference },
            Remedied::Done(done) if is_still_so => {
                Difference { left: Some(format!("{done}; and yet it is still so")), ..difference }
            }
            Remedied::Done(done) => Difference { repaired: Some(done), ..difference },
            Remedied::By(job, done) => {
                let view = self.verifier.database(|connection| inspection::show(connection, job))?;
                match view {
                    Some(view) if view.state == "done" && !is_still_so => {
                        let commit = view.detail.map_or_else(String::new, |detail| format!(", {detail}"));
                        Difference { repaired: Some(format!("{done} (job {job}{commit})")), ..difference }
                    }
                    Some(view) => {
                        let error = view.error.as_deref().and_then(|error| error.lines().next()).unwrap_or("");
                        let left = format!("the job {job} is {} {error}: see `supercargo jobs show {job}`", view.state);
                        Difference { left: Some(left), ..difference }
                    }
                    None => Difference { left: Some(format!("the job {job} is gone")), ..difference },
                }
            }
        })
    }
}
