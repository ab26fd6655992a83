//! What will happen to a job, and what is lost without it.

use chrono::{DateTime, Utc};

use crate::checks::finding::span;
use crate::database::catalog::version_progress::VersionProgress;
use crate::jobs::{
    DeleteCrate, DeleteVersion, MaintainIndex, PublishVersion, RemoveCrateFile, SyncCrate, UnyankVersion, YankVersion,
};
use crate::queue::inspection::JobView;
use crate::queue::{Job, KnownKinds};
use crate::web::pages::parts::time::exact;

/// The colour of a state or an outcome.
pub fn tag(state: &str) -> &'static str {
    match state {
        "dead" | "discarded" => "tag bad",
        "failing" | "failed" | "lost" => "tag warn",
        "running" | "done" => "tag good",
        _ => "tag",
    }
}

/// What will happen next, as sentences.
pub fn next(job: &JobView, kinds: &KnownKinds, now: DateTime<Utc>) -> String {
    let policy = kinds.policy_of(&job.kind);
    let is_pending = job.run_at.is_some();
    if is_pending && policy.is_none() {
        return "Jobs of this kind are not run by this version of supercargo, only by one that has the kind."
            .to_owned();
    }
    let due = match job.run_at {
        Some(at) if at > now => format!("at {}", exact(at)),
        _ => "as soon as a worker is free".to_owned(),
    };
    match &*job.state {
        "running" => {
            let limit = policy.map_or(String::new(), |policy| {
                let limit = span(policy.time_limit.as_secs_f64());
                format!(" An attempt that takes longer than {limit} is ended and counts as failed.")
            });
            format!("A worker runs it now.{limit}")
        }
        "waiting" => {
            format!("It starts {due}. The jobs of a queue are taken by priority, and from requesters in turn.")
        }
        "delayed" => format!("It starts {due}."),
        "behind" => "It waits for another job of its kind and key, which comes first.".to_owned(),
        "failing" => {
            let most = policy.map_or(String::new(), |policy| format!(" of {}", policy.max_attempts));
            let sooner = match job.run_at {
                Some(at) if at > now => ", or as soon as the outage is over if one caused the failure",
                _ => "",
            };
            format!("Attempt {}{most} starts {due}{sooner}.", job.attempts.saturating_add(1))
        }
        "dead" => "It is not started again unless it is retried. If it must not run, discard it.".to_owned(),
        "discarded" => "It was discarded, and is not started again.".to_owned(),
        _ => "It has finished, and nothing is left to do.".to_owned(),
    }
}

/// By what else the index is written.
const UNTIL: &str = "until another job of its crate writes the index, or `supercargo verify --repair` does.";

/// What is not done if a job of this kind is discarded. `version` is the one that it is about.
pub fn lost_without(kind: &str, version: Option<&VersionProgress>) -> String {
    match kind {
        PublishVersion::KIND | YankVersion::KIND | UnyankVersion::KIND | DeleteVersion::KIND => without_writing(version),
        DeleteCrate::KIND => format!("What the index still has of the crate stays there {UNTIL}"),
        SyncCrate::KIND => format!("The crate's file in the index stays as it is {UNTIL}"),
        RemoveCrateFile::KIND => {
            "If the store still has the crate file of the deleted version, it stays there until unused files are removed.".to_owned()
        }
        MaintainIndex::KIND => {
            "Nothing is lost: the maintenance is requested again when the index needs it.".to_owned()
        }
        _ => "What the job was to do is not done.".to_owned(),
    }
}

/// What the index does not show of a version without a job. Every job of a crate writes all that was requested, so this does
/// not depend on the kind.
fn without_writing(version: Option<&VersionProgress>) -> String {
    let lost = match version {
        Some(version) if version.is_as_desired() => {
            return "Nothing is lost: the index already shows what was last requested for this version.".to_owned();
        }
        Some(version) if version.deletion_requested_at.is_some() => "The version is not removed from the index",
        Some(version) if version.effective_yanked.is_none() => "The version stays queued, and cargo cannot use it,",
        Some(version) if version.desired_yanked => "The index does not show that the version is yanked",
        Some(_) => "The index keeps showing the version as yanked",
        None => "What the index shows of the version stays as it is",
    };
    format!("{lost} {UNTIL}")
}
