//! What publishes, yanks and deletions have in common: how their request ends, and why it fails.

use diesel::PgConnection;
use tokio::sync::oneshot;

use crate::crate_store::CrateStoreError;
use crate::database::PoolError;
use crate::database::access::caller::Authority;
use crate::database::catalog::refusal::ChangeRefusal;
use crate::fault::{self, Fault};
use crate::queue::wakeup::Registration;
use crate::queue::{Completions, Enqueue, EnqueueError, Job, JobId};

/// Why a request changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error(transparent)]
    Refused(ChangeRefusal),
    #[error("the crate file was removed while the version was being accepted: store it again")]
    FileRemoved,
    #[error("the system returned no random numbers")]
    Randomness(#[source] rand::rngs::SysError),
    #[error(transparent)]
    CrateStore(#[from] CrateStoreError),
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl<R: Into<ChangeRefusal>> From<R> for RequestError {
    fn from(refusal: R) -> Self {
        Self::Refused(refusal.into())
    }
}

/// The end of a job that a request has enqueued, to be waited for.
pub struct Completion {
    done: oneshot::Receiver<()>,
    /// Removes itself when it is dropped.
    _registration: Registration,
}

impl Completion {
    fn register(completions: &Completions, job: JobId) -> Self {
        let (sender, done) = oneshot::channel();
        let registration = completions.register(job, move || {
            // The receiver is gone if the request has stopped waiting.
            let _ = sender.send(());
        });
        Self { done, _registration: registration }
    }

    /// Resolves when the job is done.
    pub fn done(&mut self) -> &mut oneshot::Receiver<()> {
        &mut self.done
    }
}

/// The last steps of the transaction of several changes that one batch writes: enqueues the jobs, and registers for the end
/// of the first, which is that of all.
pub(super) fn enqueue_together(
    connection: &mut PgConnection,
    enqueue: impl FnOnce(&mut PgConnection, &mut dyn FnMut(JobId)) -> Result<(), EnqueueError>,
    completions: &Completions,
) -> Result<Option<Completion>, RequestError> {
    let mut first = None;
    enqueue(connection, &mut |id| {
        first.get_or_insert(id);
    })?;
    let completion = first.map(|id| Completion::register(completions, id));
    fault::point("request.before_commit")?;
    Ok(completion)
}

/// The last steps of a request's transaction: enqueues the job, registers for its end, and checks that the client is still
/// connected. The registration precedes the commit, so that the end of the job cannot be missed; the workers are woken
/// after the commit, by the caller.
pub(super) fn enqueue(
    connection: &mut PgConnection,
    job: &impl Job,
    caller: &Authority,
    completions: &Completions,
) -> Result<Completion, RequestError> {
    let id = Enqueue::new(job)
        .requested_by(&caller.user.login)
        .of_request(caller.request_id.as_deref())
        .quietly()
        .insert(connection)?;
    let completion = Completion::register(completions, id);
    fault::point("request.before_commit")?;
    caller.connection.check()?;
    Ok(completion)
}
