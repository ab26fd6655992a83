//! Holding an answer back until its job is done, for a bounded time.

use tokio::sync::oneshot;
use tracing::Instrument;

use crate::jobs::Completion;
use crate::trace::STEP;
use crate::web::App;

/// Waits for a job of the index, at most as long as the operator allows. True if the job is done and readers of this process
/// see its result; if another machine has run the job, this requires that the mirror has fetched it.
pub async fn is_shown(app: &App, mut completion: Completion) -> bool {
    let shown = async {
        completion.done().await?;
        mirror_is_current(app).await
    };
    let waiting = tracing::trace_span!(target: STEP, "wait for index");
    matches!(tokio::time::timeout(app.settings.publish_wait, shown.instrument(waiting)).await, Ok(Ok(())))
}

/// Waits until this machine has fetched what the index's remote has now; at once without a remote.
pub async fn mirror_is_current(app: &App) -> Result<(), oneshot::error::RecvError> {
    let Some(remote) = app.index.view.index().remote() else { return Ok(()) };
    let (sender, fetched) = oneshot::channel();
    remote.fetch_requests().request_and_notify(move || {
        // The receiver is gone if the answer has stopped waiting.
        let _ = sender.send(());
    });
    fetched.await
}
