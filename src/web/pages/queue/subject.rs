//! The version that a job is about: in its payload, which is kept until the job has ended, and afterwards in the entry that its
//! request left in the audit log.

use std::collections::HashMap;

use diesel::{PgConnection, QueryResult};

use crate::database::access::audit::Action;
use crate::database::catalog::version_actions::{self, PastRequest};
use crate::jobs::{DeleteVersion, PublishVersion, UnyankVersion, YankVersion};
use crate::package::CrateName;
use crate::queue::inspection::JobView;
use crate::queue::{Job, JobId};

/// The versions of jobs. Jobs of other subjects have none.
pub type Subjects = HashMap<JobId, String>;

/// The versions of these jobs.
pub fn of(connection: &mut PgConnection, jobs: &[JobView]) -> QueryResult<Subjects> {
    let mut subjects: Subjects = jobs.iter().filter_map(|job| Some((job.id, in_payload(job)?.to_owned()))).collect();
    let ended: Vec<(JobId, PastRequest)> =
        jobs.iter().filter(|job| job.payload.is_none()).filter_map(|job| Some((job.id, request(job)?))).collect();
    if !ended.is_empty() {
        let (ids, requests): (Vec<JobId>, Vec<PastRequest>) = ended.into_iter().unzip();
        let versions = version_actions::of_requests(connection, &requests)?;
        subjects.extend(ids.into_iter().zip(versions).filter_map(|(id, version)| Some((id, version?))));
    }
    Ok(subjects)
}

fn in_payload(job: &JobView) -> Option<&str> {
    job.payload.as_ref()?.get("num")?.as_str()
}

/// The crate that a job is about. A key may be the path of a file, which ends with the name of the crate.
pub fn krate(job: &JobView) -> Option<CrateName> {
    job.key.as_deref()?.rsplit('/').next()?.parse().ok()
}

/// The request that enqueued a job, if it was about a version.
fn request(job: &JobView) -> Option<PastRequest> {
    let action = match &*job.kind {
        PublishVersion::KIND => Action::Publish,
        YankVersion::KIND => Action::Yank,
        UnyankVersion::KIND => Action::Unyank,
        DeleteVersion::KIND => Action::VersionDelete,
        _ => return None,
    };
    Some(PastRequest { krate: krate(job)?, action, actor: job.requested_by.clone()?, at: job.created_at })
}
