//! What will happen to a job, and what is lost without it.

use chrono::{DateTime, Utc};

use crate::checks::finding::span;
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
        return "This program does not have the kind of this job, and leaves it to one that does.".to_owned();
    }
    let due = match job.run_at {
        Some(at) if at > now => format!("at {}", exact(at)),
        _ => "as soon as a worker is free".to_owned(),
    };
    match &*job.state {
        "running" => {
            let limit = policy.map_or(String::new(), |policy| {
                let limit = span(policy.time_limit.as_secs_f64());
                format!(" If it takes longer than {limit}, it is cut off, and that counts as a failure.")
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
            format!(
                "Attempt {}{most} starts {due}, or earlier if its failure was an outage that has ended.",
                job.attempts.saturating_add(1)
            )
        }
        "dead" => "Nothing, until an admin or an operator retries or discards it.".to_owned(),
        "discarded" => "Nothing: it was discarded.".to_owned(),
        _ => "Nothing: it is done.".to_owned(),
    }
}

/// What is not done if a job of this kind is discarded.
pub fn lost_without(kind: &str) -> &'static str {
    match kind {
        PublishVersion::KIND => {
            "The version stays queued: cargo cannot use it until another job of its crate writes the index, or until \
             `supercargo verify --repair` does."
        }
        YankVersion::KIND | UnyankVersion::KIND => {
            "The index keeps showing the version as it is now, against what was requested, until another job of its crate \
             writes the index, or until `supercargo verify --repair` does."
        }
        DeleteVersion::KIND | DeleteCrate::KIND => {
            "What was to be deleted stays in the index until another job of the crate writes it, or until `supercargo verify \
             --repair` does."
        }
        SyncCrate::KIND => {
            "The crate's file in the index stays as it is until another job of the crate writes it, or until `supercargo \
             verify --repair` does."
        }
        RemoveCrateFile::KIND => {
            "The crate file of a deleted version stays in the store until unused files are removed."
        }
        MaintainIndex::KIND => "Nothing is lost: the maintenance is requested again when the index needs it.",
        _ => "What the job was to do is not done.",
    }
}
