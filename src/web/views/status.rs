//! The JSON of a version's way into the index. The page of a version's status shows the same.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::text::shown;
use crate::full_disk;
use crate::jobs::status::{Change, MAX_ATTEMPTS, Progress, Requested, Status};
use crate::package::characters::harmless;
use crate::queue::awaited::AwaitedState;

/// The state of a version, and of what is to change it.
#[derive(Serialize, ToSchema, Clone, Debug, PartialEq)]
#[schema(as = Status)]
pub struct StatusView {
    /// The crate's name.
    #[serde(rename = "crate")]
    pub krate: String,
    pub num: String,
    /// What the index shows: `queued` until it shows the version, then `published`, and `deleted` after a deletion.
    #[schema(example = "published")]
    pub state: &'static str,
    /// How far the last requested state is: `done` if the index shows it, `queued`, `running`, `failing` if the last attempt
    /// failed and another one follows, or `stopped` if an admin has to do something.
    #[schema(example = "done")]
    pub progress: &'static str,
    /// What the index does not show yet: `publish`, `yank`, `unyank` or `delete`; null if it shows everything.
    #[schema(example = "yank")]
    pub awaited: Option<&'static str>,
    /// The same in one sentence.
    pub message: String,
    /// The steps of the publish, or of what is awaited.
    pub stages: Vec<StageView>,
    /// Whether the index shows it as yanked.
    pub yanked: bool,
    /// Whether it is to be yanked.
    pub desired_yanked: bool,
    /// Why it is yanked, or to be yanked.
    pub yank_message: Option<String>,
    /// When the version was accepted.
    pub created_at: DateTime<Utc>,
    /// The login of the user who published it.
    pub published_by: Option<String>,
    /// When the index began to show it.
    pub published_at: Option<DateTime<Utc>>,
    /// The commit of the index that published it.
    pub index_commit: Option<String>,
    /// Why it was deleted, or is to be deleted.
    pub deletion_reason: Option<String>,
    /// The requests that are not done, in order. The first job that runs writes the result of all of them.
    pub requests: Vec<RequestView>,
    /// Jobs that run before the next one of these.
    pub jobs_ahead: Option<i64>,
    /// Whether there may be more of them: not all are counted.
    pub jobs_ahead_at_least: bool,
    /// Whether the next job has been due for ten seconds and no worker is there to take it.
    pub without_worker: bool,
    /// The median time in seconds that such requests took lately, from the request to the index.
    pub usual_seconds: Option<f64>,
    /// Whether the caller may look at the jobs.
    #[serde(skip)]
    pub shows_queue: bool,
}

/// A step on the way into the index.
#[derive(Serialize, ToSchema, Clone, Debug, PartialEq)]
#[schema(as = StatusStage)]
pub struct StageView {
    /// `accepted`, `queued`, `index` or `effective`.
    #[schema(example = "queued")]
    pub stage: &'static str,
    /// `done`, `current`, `failed` or `ahead`.
    #[schema(example = "current")]
    pub state: &'static str,
    /// When it was done, if known.
    pub at: Option<DateTime<Utc>>,
}

/// A request that is not done.
#[derive(Serialize, ToSchema, Clone, Debug, PartialEq)]
#[schema(as = StatusRequest)]
pub struct RequestView {
    /// `publish`, `yank`, `unyank` or `delete`.
    #[schema(example = "publish")]
    pub change: &'static str,
    /// The number of its job, by which an admin finds it.
    pub job: i64,
    /// `queued`, `running`, `failing` or `dead`.
    #[schema(example = "queued")]
    pub state: &'static str,
    pub accepted_at: DateTime<Utc>,
    /// The login of the user who requested it.
    pub requested_by: Option<String>,
    /// Starts so far. Attempts that an outage ended do not count.
    pub attempts: i32,
    /// Starts after which the registry gives up.
    pub max_attempts: u32,
    /// When the next attempt may start, after a failure.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// What went wrong in the last attempt.
    pub problem: Option<&'static str>,
    /// The recorded error, for owners of the crate and admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl StatusView {
    pub fn new(status: Status) -> Self {
        let (progress, awaited) = (status.progress(), status.outstanding());
        let version = &status.version;
        let state = match version.effective_yanked {
            _ if version.is_deleted() => "deleted",
            Some(_) => "published",
            None => "queued",
        };
        Self {
            state,
            progress: progress_name(progress),
            awaited: awaited.map(Change::as_str),
            message: message(&status, progress, awaited),
            stages: stages(&status, progress, awaited),
            yanked: version.effective_yanked.unwrap_or(false),
            desired_yanked: version.desired_yanked,
            yank_message: shown(version.yank_message.clone().filter(|_| version.desired_yanked)),
            created_at: version.created_at,
            published_at: version.published_at,
            index_commit: version.commit_id.clone(),
            deletion_reason: shown(version.deletion_reason.clone()),
            num: version.num.to_string(),
            requests: status.requested.iter().map(|one| RequestView::new(one, status.shows_errors)).collect(),
            jobs_ahead: status.ahead.map(|ahead| ahead.jobs),
            jobs_ahead_at_least: status.ahead.is_some_and(|ahead| ahead.at_least),
            without_worker: status.is_unattended,
            usual_seconds: status.usual_seconds,
            shows_queue: status.shows_queue,
            published_by: status.published_by,
            krate: status.name.into(),
        }
    }

    /// Whether nothing is awaited.
    pub fn is_done(&self) -> bool {
        self.awaited.is_none()
    }
}

impl RequestView {
    fn new(requested: &Requested, shows_errors: bool) -> Self {
        let job = &requested.job;
        let (state, next_attempt_at) = match job.state() {
            AwaitedState::Running => ("running", None),
            AwaitedState::Waiting => ("queued", None),
            AwaitedState::Failing => ("failing", Some(job.at)),
            AwaitedState::Dead => ("dead", None),
        };
        Self {
            change: requested.change.as_str(),
            job: job.id,
            state,
            accepted_at: job.created_at,
            requested_by: requested.by.clone(),
            attempts: job.attempts,
            max_attempts: MAX_ATTEMPTS,
            next_attempt_at,
            problem: problem(requested),
            error: job.error.clone().filter(|_| shows_errors && job.state() != AwaitedState::Waiting).map(harmless),
        }
    }
}

fn progress_name(progress: Progress) -> &'static str {
    match progress {
        Progress::Done => "done",
        Progress::Queued => "queued",
        Progress::Running => "running",
        Progress::Failing => "failing",
        Progress::Stopped => "stopped",
    }
}

/// What went wrong, for people who do not run the registry.
fn problem(requested: &Requested) -> Option<&'static str> {
    let job = &requested.job;
    let error = job.error.as_deref()?;
    Some(match job.state() {
        // An admin has retried it, and the error is from before.
        AwaitedState::Waiting => return None,
        _ if full_disk::is_named_in(error) => "storage is full on the server: its operator has to free some space",
        AwaitedState::Dead => "every attempt to write it to the index failed",
        _ if job.awaits_recovery => "the registry cannot reach its index or its storage at the moment",
        _ => "the last attempt to write it to the index failed",
    })
}

/// What is to be known in one sentence.
fn message(status: &Status, progress: Progress, awaited: Option<Change>) -> String {
    let Some(awaited) = awaited else { return settled(status) };
    let accepted = match awaited {
        Change::Publish if status.version.desired_yanked => {
            "The version is accepted and to be published as yanked, and cargo does not see it yet"
        }
        Change::Publish => "The version is accepted, and cargo does not see it yet",
        Change::Yank => "The yank is accepted, and cargo still sees the version as not yanked",
        Change::Unyank => "The unyank is accepted, and cargo still sees the version as yanked",
        Change::Delete if status.version.effective_yanked.is_none() => {
            "The deletion is accepted, and the version is no longer served"
        }
        Change::Delete => "The deletion is accepted and the version is no longer served, but the index still has it",
    };
    let then = match progress {
        _ if status.is_unattended => {
            "no worker is running, so it waits until an operator of this registry starts one; nothing is lost"
                .to_owned()
        }
        Progress::Queued if status.others_pending => {
            "another job of this crate is pending, and it writes this as well".to_owned()
        }
        Progress::Done | Progress::Queued => "nothing more has to be done".to_owned(),
        Progress::Running => "the index is being written now".to_owned(),
        Progress::Failing => {
            let why = status.next().and_then(problem).unwrap_or("the last attempt failed");
            format!("{why}; nothing is lost, and another attempt follows")
        }
        Progress::Stopped => stopped(status, awaited),
    };
    format!("{accepted}: {then}.")
}

fn settled(status: &Status) -> String {
    match (status.version.is_deleted(), status.version.desired_yanked) {
        (true, _) => "The version was deleted, and its number stays taken.",
        (false, true) => "The version is published and yanked: cargo uses it only where a lock file names it already.",
        (false, false) => "The version is published: cargo sees it.",
    }
    .to_owned()
}

/// What is left to do if no attempt follows.
fn stopped(status: &Status, awaited: Change) -> String {
    let (what, fate) = match awaited {
        Change::Delete => ("remove it from the index", "the version stays in the index until then"),
        _ => ("write it to the index", "nothing is lost"),
    };
    let Some(next) = status.next() else {
        // A request for a yank enqueues a job in any case; a publish of an accepted version is refused.
        let remedy = match awaited {
            Change::Yank => "yank the version again, or ask",
            Change::Unyank => "unyank the version again, or ask",
            Change::Publish | Change::Delete => "ask",
        };
        return format!(
            "no job is left to {what}, as when an admin has discarded it; {fate}: {remedy} an operator of this registry to \
             run `supercargo verify --repair`"
        );
    };
    let why = problem(next).unwrap_or("every attempt to write it to the index failed");
    let id = next.job.id;
    format!("{why}, and no further attempt follows; {fate}: ask an admin of this registry to retry job {id}")
}

fn stages(status: &Status, progress: Progress, awaited: Option<Change>) -> Vec<StageView> {
    let version = &status.version;
    let requested_at = status.requested.iter().rfind(|one| Some(one.change) == awaited).map(|one| one.job.created_at);
    let (accepted_at, done_at) = match awaited {
        Some(Change::Delete) => (version.deletion_requested_at, None),
        Some(Change::Yank | Change::Unyank) => (requested_at, None),
        Some(Change::Publish) => (Some(version.created_at), None),
        None if version.is_deleted() => (version.deletion_requested_at, None),
        None => (Some(version.created_at), version.published_at),
    };
    let [queued, index, effective] = match progress {
        Progress::Done => ["done", "done", "done"],
        Progress::Queued => ["current", "ahead", "ahead"],
        Progress::Running => ["done", "current", "ahead"],
        Progress::Failing | Progress::Stopped => ["done", "failed", "ahead"],
    };
    let stage = |stage, state, at| StageView { stage, state, at };
    vec![
        stage("accepted", "done", accepted_at),
        stage("queued", queued, None),
        stage("index", index, done_at),
        stage("effective", effective, done_at),
    ]
}
