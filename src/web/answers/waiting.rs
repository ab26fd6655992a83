//! Holding an answer back until its job is done, for a bounded time.

use tokio::sync::oneshot;

use crate::jobs::Completion;
use crate::web::App;

/// Waits for a job of the index, at most as long as the operator allows. True if the job is done and readers of this process
/// see its result; if another machine has run the job, this requires that the mirror has fetched it.
pub async fn is_shown(app: &App, mut completion: Completion) -> bool {
    let shown = async {
        completion.done().await?;
        match app.index.view.index().remote() {
            None => Ok(()),
            Some(remote) => {
                let (sender, fetched) = oneshot::channel();
                remote.fetch_requests().request_and_notify(move || {
                    // The receiver is gone if the answer has stopped waiting.
                    let _ = sender.send(());
                });
                fetched.await
            }
        }
    };
    matches!(tokio::time::timeout(app.settings.publish_wait, shown).await, Ok(Ok(())))
}
