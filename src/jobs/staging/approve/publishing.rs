//! The parts of an approval's transaction: locking the crates, and inserting each version and change.

use std::collections::BTreeMap;

use diesel::prelude::*;
use serde_json::json;

use crate::crate_store::CrateStoreError;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::caller::stager;
use crate::database::access::users;
use crate::database::catalog::crates::{self, Crate, Origin};
use crate::database::catalog::desired_yank::{DesiredYank, set_release_set};
use crate::database::catalog::new_version::NewVersion;
use crate::database::catalog::owners::{self, Rights};
use crate::database::catalog::publish_facts::Facts;
use crate::database::catalog::versions;
use crate::database::publishers::grants::{self, Grant};
use crate::database::staging::staged::{Change, StagedChange};
use crate::fault;
use crate::jobs::delete_version::DeleteVersion;
use crate::jobs::publish_version::PublishVersion;
use crate::jobs::request::RequestError;
use crate::jobs::staging::examine::{Examined, ExaminedVersion};
use crate::jobs::version_change::VersionChange;
use crate::jobs::version_docs;
use crate::jobs::yank::{UnyankVersion, YankVersion};
use crate::package::{Checksum, CrateName};
use crate::queue::{Enqueue, EnqueueError, Job, JobId};

/// The crates of a set, locked: those that exist in the order of their ids, and then the new ones in the order of their names.
pub(super) fn lock_crates(
    connection: &mut PgConnection,
    examined: &Examined,
) -> Result<BTreeMap<String, (Crate, Origin)>, RequestError> {
    let names: BTreeMap<String, &CrateName> =
        examined.versions.iter().map(|one| (one.staged.name.canonical(), &one.staged.name)).collect();
    let of_changes = examined.changes.iter().map(|one| &one.name);
    let all: Vec<&CrateName> = names.values().copied().chain(of_changes).collect();
    let ids = crates::ids_like(connection, &all)?;
    crates::lock_all(connection, &ids)?;
    let mut locked = BTreeMap::new();
    for (canonical, name) in names {
        locked.insert(canonical, crates::ensure_and_lock(connection, name)?);
    }
    fault::point("approve.crates_locked")?;
    Ok(locked)
}

/// The transaction of an approval.
pub(super) struct Publishing<'a> {
    pub set: i32,
    pub name: &'a str,
    pub locked: BTreeMap<String, (Crate, Origin)>,
    pub actor: &'a Actor,
    pub problems: Vec<String>,
}

impl Publishing<'_> {
    /// Finds the versions whose crates are deleted, which no approval can publish.
    pub fn find_deleted(&mut self, examined: &Examined) {
        for ExaminedVersion { staged, .. } in &examined.versions {
            if self.locked.get(&staged.name.canonical()).is_some_and(|(krate, _)| krate.deletion.is_deleted()) {
                let problem = "the crate was deleted: take the version out of the set";
                self.problems.push(format!("`{}@{}`: {problem}", staged.name, staged.num));
            }
        }
    }

    /// Inserts a version; None if there is a problem with it.
    pub fn publish(
        &mut self,
        connection: &mut PgConnection,
        version: &ExaminedVersion,
        is_stored: &dyn Fn(Checksum) -> Result<bool, CrateStoreError>,
    ) -> Result<Option<VersionChange>, RequestError> {
        let staged = &version.staged;
        let Some((krate, origin)) = self.locked.get_mut(&staged.name.canonical()) else { return Ok(None) };
        if krate.deletion.is_deleted() {
            // Found by `find_deleted`, and whatever else is wrong follows from it.
            return Ok(None);
        }
        let (krate, is_new) = (krate.clone(), origin.is_new());
        // The next version of a crate that is new belongs to its owner.
        *origin = Origin::Existing;
        let target = ((!is_new).then_some(krate.id), &staged.name);
        let trusted = staged.trusted.as_ref();
        let grant = trusted.map_or(Ok(None), |trusted| grants::find(connection, trusted, target))?;
        let new = NewVersion {
            krate: &krate,
            is_new,
            num: &staged.num,
            checksum: staged.checksum,
            size: staged.size,
            index_line: &version.index_line,
            metadata: &staged.metadata,
            about: &version.about,
            dependencies: &version.dependencies,
            created_by: staged.staged_by,
            owner: grant.as_ref().and_then(|grant| grant.owner).map_or(staged.staged_by, |(id, _)| id),
            provenance: trusted.map(|trusted| &trusted.provenance),
            draws: &[],
            release_set: Some(self.set),
        };
        let event = Event::new(Action::Publish).of_crate(&krate.name).of_version(&staged.num).detail(json!({
            "checksum": staged.checksum, "size": staged.size, "new_crate": is_new, "release_set": self.name,
            "approved_by": self.actor.name, "token": staged.token_name,
        }));
        let author = stager(staged.staged_by, &staged.login, staged.address.as_deref(), self.actor);
        let (id, facts) = new.insert(connection, event, &author)?;
        let label = format!("`{}@{}`", staged.name, staged.num);
        if let Some(problem) = problem(connection, version, (&krate, is_new), (&facts, grant.as_ref()))? {
            self.problems.push(format!("{label}: {problem}"));
            return Ok(None);
        }
        let Some(version_id) = id else {
            self.problems.push(format!("{label}: the number is taken since: publish another number"));
            return Ok(None);
        };
        if !is_stored(staged.checksum)? {
            self.problems.push(format!("{label}: its crate file is missing: stage it again"));
            return Ok(None);
        }
        Ok(Some(VersionChange { crate_id: krate.id, version_id, name: krate.name, num: staged.num.clone() }))
    }

    /// Writes the desired state of a version that is changed.
    pub fn change(
        &mut self,
        connection: &mut PgConnection,
        change: &StagedChange,
    ) -> Result<Option<VersionChange>, RequestError> {
        let label = format!("{} of `{}@{}`", change.change, change.name, change.num);
        let may = match change.change {
            Change::Delete => false,
            _ => owners::rights(connection, change.crate_id, change.staged_by)? >= Rights::Publish,
        };
        let user = users::read_to_give(connection, change.staged_by)?;
        if !may && !user.is_admin || user.check_active().is_err() {
            self.problems.push(format!("{label}: `{}` may not do that any longer", change.login));
            return Ok(None);
        }
        if versions::is_deleted(connection, change.version_id)? {
            self.problems.push(format!("{label}: the version was deleted since: take this out of the set"));
            return Ok(None);
        }
        let message = change.message.as_deref();
        let event = |action| Event::new(action).of_crate(&change.name).of_version(&change.num);
        let detail =
            json!({ "message": message, "reason": message, "release_set": self.name, "approved_by": self.actor.name });
        let author = stager(change.staged_by, &change.login, None, self.actor);
        match change.change {
            Change::Delete => {
                versions::request_deletion(connection, change.version_id, message.unwrap_or_default())?;
                version_docs::remove_with_version(connection, change.version_id)?;
                event(Action::VersionDelete).detail(detail).record(connection, &author)?;
            }
            Change::Yank | Change::Unyank => {
                let yanked = change.change == Change::Yank;
                let action = if yanked { Action::Yank } else { Action::Unyank };
                let state = DesiredYank { version_id: change.version_id, yanked, message: message.filter(|_| yanked) };
                state.write(connection, event(action).detail(detail), &author, (None, &[]))?;
            }
        }
        set_release_set(connection, change.version_id, self.set)?;
        let (crate_id, version_id) = (change.crate_id, change.version_id);
        Ok(Some(VersionChange { crate_id, version_id, name: change.name.clone(), num: change.num.clone() }))
    }
}

/// Why a version cannot be published, as the facts under the lock of its crate say.
fn problem(
    connection: &mut PgConnection,
    version: &ExaminedVersion,
    (krate, is_new): (&Crate, bool),
    (facts, grant): (&Facts, Option<&Grant>),
) -> QueryResult<Option<String>> {
    let staged = &version.staged;
    if krate.name != staged.name {
        return Ok(Some(format!("the crate is called `{}` here: publish it as that", krate.name)));
    }
    let user = users::read_to_give(connection, staged.staged_by)?;
    if user.check_enabled().is_err() {
        let (login, state) = (&staged.login, user.state().as_str());
        return Ok(Some(format!(
            "its publisher `{login}` is {state} now: have an owner of the crate stage it again, or take it out of the set"
        )));
    }
    if staged.trusted.is_some() && grant.is_none() {
        let login = &staged.login;
        return Ok(Some(format!(
            "`{login}`, which staged it, is no longer a trusted publisher of the crate: have an owner configure it again, or stage it \
             again"
        )));
    }
    if staged.trusted.is_none() && krate.trustpub_only && !is_new {
        return Ok(Some("only trusted publishers may publish the crate since: stage it again with one".to_owned()));
    }
    if !is_new && facts.rights < Rights::Publish && grant.is_none() {
        let login = &staged.login;
        return Ok(Some(format!(
            "`{login}`, who staged it, is not an owner of the crate: have an owner stage it again"
        )));
    }
    if let Some(reason) = facts.reserved.as_ref().filter(|_| is_new && !Grant::owner_or(grant, &user).1) {
        return Ok(Some(format!("the name is reserved in this registry ({reason})")));
    }
    let too_large = version.limits.check_index_file(if is_new { 0 } else { facts.index_bytes }, &version.index_line);
    Ok(too_large.err().map(|limit| limit.to_string()))
}

/// The job of a change.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Publish,
    Yank,
    Unyank,
    Delete,
}

impl Kind {
    pub fn of(change: Change) -> Self {
        match change {
            Change::Yank => Self::Yank,
            Change::Unyank => Self::Unyank,
            Change::Delete => Self::Delete,
        }
    }

    pub fn enqueue(
        self,
        connection: &mut PgConnection,
        change: VersionChange,
        by: (&str, Option<&str>),
    ) -> Result<JobId, EnqueueError> {
        fn insert(
            connection: &mut PgConnection,
            job: &impl Job,
            (by, request): (&str, Option<&str>),
        ) -> Result<JobId, EnqueueError> {
            Enqueue::new(job).requested_by(by).of_request(request).quietly().insert(connection)
        }
        match self {
            Self::Publish => insert(connection, &PublishVersion(change), by),
            Self::Yank => insert(connection, &YankVersion(change), by),
            Self::Unyank => insert(connection, &UnyankVersion(change), by),
            Self::Delete => insert(connection, &DeleteVersion(change), by),
        }
    }
}
