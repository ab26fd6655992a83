//! Holding an answer back until its job is done, for a bounded time.

use tokio::sync::oneshot;

use crate::jobs::Completion;
use crate::web::App;

/// Waits for a job of the index, at most as long as the operator allows. True if the job is done and readers of this process
/// see its result; if another machine has run the job, this requires that the mirror has fetched it.
pub async fn is_shown(app: &App, mut completion: Completion) -> bool {
    let shown = async {
        completion.done().await?;
        mirror_is_current(app).await
    };
    matches!(tokio::time::timeout(app.settings.publish_wait, shown).await, Ok(Ok(())))
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
