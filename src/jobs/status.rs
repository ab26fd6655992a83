//! The way of a version into the index, for those who wait for it: what was accepted, which jobs are to write it, and what
//! the index shows.

use std::time::Duration;

use diesel::{PgConnection, QueryResult};

use super::delete_crate::DeleteCrate;
use super::delete_version::DeleteVersion;
use super::publish_version::PublishVersion;
use super::version_change::INDEX_POLICY;
use super::yank::{UnyankVersion, YankVersion};
use crate::database::access::caller::Caller;
use crate::database::catalog::crates::{self, Crate};
use crate::database::catalog::refusal::{self, ChangeRefusal};
use crate::database::catalog::version_progress::{self, VersionProgress};
use crate::database::catalog::{owners, version_actions};
use crate::package::{CrateName, Version};
use crate::queue::awaited::{self, Ahead, AwaitedJob, AwaitedState, Subject};
use crate::queue::{Job, JobId};

/// Jobs before one that are counted at most.
const COUNTED: i64 = 1000;
/// Receipts of the history among which those of a kind are looked for.
const RECEIPTS: i64 = 1000;
/// How long a job is due before the lack of a worker is shown.
const UNATTENDED_AFTER: Duration = Duration::from_secs(10);
/// How often the state is read again that changed while it was read.
const READINGS: usize = 3;

/// Starts after which a job is dead.
pub const MAX_ATTEMPTS: u32 = INDEX_POLICY.max_attempts;

/// What a request changes about a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Publish,
    Yank,
    Unyank,
    Delete,
}

impl Change {
    fn of_kind(kind: &str) -> Self {
        match kind {
            YankVersion::KIND => Self::Yank,
            UnyankVersion::KIND => Self::Unyank,
            DeleteVersion::KIND | DeleteCrate::KIND => Self::Delete,
            _ => Self::Publish,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Yank => "yank",
            Self::Unyank => "unyank",
            Self::Delete => "delete",
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Publish => PublishVersion::KIND,
            Self::Yank => YankVersion::KIND,
            Self::Unyank => UnyankVersion::KIND,
            Self::Delete => DeleteVersion::KIND,
        }
    }
}

/// How far the desired state of a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The index shows it.
    Done,
    Queued,
    Running,
    /// The last attempt failed, and another one follows.
    Failing,
    /// No attempt follows unless an admin does something.
    Stopped,
}

/// A request of which the job is pending or dead.
#[derive(Debug, Clone, PartialEq)]
pub struct Requested {
    pub change: Change,
    pub job: AwaitedJob,
    /// The login of the user who requested it, if the pages of the version show that.
    pub by: Option<String>,
}

/// The state of a version and of what is to change it.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    pub name: CrateName,
    pub version: VersionProgress,
    pub published_by: Option<String>,
    /// In the order of the requests; empty if the index shows the desired state. The first job that runs writes the desired
    /// state, which is the result of all of them.
    pub requested: Vec<Requested>,
    /// No pending job of the version was found, but others of its crate. Each job of a crate writes all that was requested.
    pub others_pending: bool,
    /// No worker takes the one that is next.
    pub is_unattended: bool,
    /// The jobs before the one that is next.
    pub ahead: Option<Ahead>,
    /// The median time in seconds from an accepted request of this kind to the index.
    pub usual_seconds: Option<f64>,
    /// Whether errors may be shown as they were recorded.
    pub shows_errors: bool,
    /// Whether the caller may look at the queue.
    pub shows_queue: bool,
}

impl Status {
    /// What the index is to show and does not show yet.
    pub fn outstanding(&self) -> Option<Change> {
        let version = &self.version;
        match (version.is_as_desired(), version.effective_yanked, version.desired_yanked) {
            (true, ..) => None,
            (false, ..) if version.deletion_requested_at.is_some() => Some(Change::Delete),
            (false, None, _) => Some(Change::Publish),
            (false, Some(_), true) => Some(Change::Yank),
            (false, Some(_), false) => Some(Change::Unyank),
        }
    }

    pub fn progress(&self) -> Progress {
        match (self.version.is_as_desired(), self.next().map(|next| next.job.state())) {
            (true, _) => Progress::Done,
            (false, Some(AwaitedState::Running)) => Progress::Running,
            (false, Some(AwaitedState::Waiting)) => Progress::Queued,
            (false, Some(AwaitedState::Failing)) => Progress::Failing,
            (false, Some(AwaitedState::Dead) | None) if self.others_pending => Progress::Queued,
            (false, Some(AwaitedState::Dead) | None) => Progress::Stopped,
        }
    }

    /// The request whose job writes the desired state first: one that runs, else one that waits, else the failing one that
    /// is started next, else the last of the dead ones.
    pub fn next(&self) -> Option<&Requested> {
        let urgency = |one: &&Requested| match one.job.state() {
            AwaitedState::Running => (0, 0),
            AwaitedState::Waiting => (1, one.job.id),
            AwaitedState::Failing => (2, one.job.at.timestamp_millis()),
            AwaitedState::Dead => (3, -one.job.id),
        };
        self.requested.iter().min_by_key(urgency)
    }

    /// Reads what is before the next job, whether a worker takes it, and how long such jobs usually take.
    fn look_ahead(&mut self, connection: &mut PgConnection) -> QueryResult<()> {
        if let Some(job) = self.next().map(|next| next.job.clone()) {
            self.is_unattended = awaited::lacks_a_worker(connection, &job, UNATTENDED_AFTER)?;
            if job.state() == AwaitedState::Waiting {
                self.ahead = Some(awaited::ahead(connection, &job, COUNTED)?);
            }
        }
        if let Some(change) = self.outstanding() {
            self.usual_seconds = awaited::usual_seconds(connection, change.kind(), RECEIPTS)?;
        }
        Ok(())
    }

    /// The jobs whose end changes this state.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        self.requested.iter().filter(|one| one.job.state() != AwaitedState::Dead).map(|one| one.job.id)
    }
}

/// The state of a version; a refusal if there is no such version. A deleted version has one, too.
pub fn read(
    connection: &mut PgConnection,
    name: &CrateName,
    num: &Version,
    caller: Option<&Caller>,
) -> QueryResult<Result<Status, ChangeRefusal>> {
    let Some(krate) = crates::find(connection, name)? else {
        return Ok(Err(ChangeRefusal::UnknownCrate(name.to_string())));
    };
    let mut readings = 0;
    loop {
        readings += 1;
        let Some((version, published_by)) = version_progress::find(connection, krate.id, num)? else {
            return Ok(refusal::present(name, Some(krate))
                .and_then(|krate| Err(ChangeRefusal::UnknownVersion { name: krate.name, num: num.to_string() })));
        };
        let (jobs, others_pending) = match version.is_as_desired() {
            true => (Vec::new(), false),
            false => jobs_of(connection, &krate, &version)?,
        };
        // A job may have ended after its version was read, or have been enqueued after the others were.
        if jobs.is_empty() && !version.is_as_desired() && readings < READINGS {
            continue;
        }
        let shows_errors = match caller {
            Some(caller) => owners::may_see_log(connection, krate.id, caller)?,
            None => false,
        };
        let requested = requested(connection, (&krate.name, num), &published_by, jobs)?;
        let mut status = Status {
            name: krate.name,
            version,
            published_by,
            requested,
            others_pending,
            is_unattended: false,
            ahead: None,
            usual_seconds: None,
            shows_errors,
            shows_queue: caller.is_some_and(|caller| caller.admin().is_ok()),
        };
        status.look_ahead(connection)?;
        return Ok(Ok(status));
    }
}

/// The jobs that write the desired state: the pending ones, or else the dead ones; and whether the crate has other pending
/// ones.
fn jobs_of(
    connection: &mut PgConnection,
    krate: &Crate,
    version: &VersionProgress,
) -> QueryResult<(Vec<AwaitedJob>, bool)> {
    let of_version = |kind| (kind, "version_id", version.id);
    let fields = [
        of_version(PublishVersion::KIND),
        of_version(YankVersion::KIND),
        of_version(UnyankVersion::KIND),
        of_version(DeleteVersion::KIND),
        (DeleteCrate::KIND, "crate_id", krate.id),
    ];
    let subject = Subject { key: krate.name.as_str(), fields: &fields };
    let pending = subject.pending(connection)?;
    match pending.jobs.is_empty() {
        true => Ok((subject.dead(connection)?, pending.has_others)),
        false => Ok((pending.jobs, false)),
    }
}

/// The requests of these jobs. Only users are named who are named as those who published or yanked the version.
fn requested(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
    published_by: &Option<String>,
    jobs: Vec<AwaitedJob>,
) -> QueryResult<Vec<Requested>> {
    let is_yank = |job: &AwaitedJob| matches!(Change::of_kind(&job.kind), Change::Yank | Change::Unyank);
    let actions = match jobs.iter().any(is_yank) {
        true => version_actions::of_versions(connection, &[(name, num)])?.into_values().next().unwrap_or_default(),
        false => Vec::new(),
    };
    let by = |job: &AwaitedJob| {
        let change = Change::of_kind(&job.kind);
        let did = |login: &&String| {
            actions.iter().any(|action| action.action == change.as_str() && action.user.login == **login)
        };
        match change {
            Change::Publish => published_by.clone(),
            Change::Yank | Change::Unyank => job.requested_by.as_ref().filter(did).cloned(),
            Change::Delete => None,
        }
    };
    Ok(jobs.into_iter().map(|job| Requested { change: Change::of_kind(&job.kind), by: by(&job), job }).collect())
}
