//! The files for which this process waits until another one has asked: looked for together, ten times a second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::database::SharedDatabase;
use crate::database::upstream_sharing::requests;

/// How often it is looked whether leases have ended.
const LOOK: Duration = Duration::from_millis(100);

/// The lease has not ended in time.
#[derive(Debug)]
pub(super) struct StillLeased;

/// The files of one upstream that are waited for.
pub(super) struct Waiting {
    upstream: String,
    database: Arc<SharedDatabase>,
    runtime: Handle,
    /// What is dropped when a lease has ended. While there is one, a task looks.
    subjects: Mutex<HashMap<String, watch::Sender<()>>>,
}

impl Waiting {
    pub(super) fn new(upstream: &str, database: Arc<SharedDatabase>, runtime: Handle) -> Self {
        Self { upstream: upstream.to_owned(), database, runtime, subjects: Mutex::default() }
    }

    /// Waits until no process has the lease of a file, or the database is away.
    pub(super) async fn until_released(self: &Arc<Self>, subject: &str, longest: Duration) -> Result<(), StillLeased> {
        let mut released = self.join(subject);
        tokio::time::timeout(longest, released.changed()).await.map(drop).map_err(|_| StillLeased)
    }

    fn join(self: &Arc<Self>, subject: &str) -> watch::Receiver<()> {
        let mut subjects = self.subjects.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = subjects.is_empty();
        let released = subjects.entry(subject.to_owned()).or_insert_with(|| watch::Sender::new(())).subscribe();
        drop(subjects);
        if is_first {
            let waiting = Arc::clone(self);
            self.runtime.spawn(async move { while waiting.look().await {} });
        }
        released
    }

    /// After a while, looks which leases have ended; false if none is waited for then.
    async fn look(self: &Arc<Self>) -> bool {
        tokio::time::sleep(LOOK).await;
        let subjects: Vec<String> = {
            let mut subjects = self.subjects.lock().unwrap_or_else(PoisonError::into_inner);
            subjects.retain(|_, sender| sender.receiver_count() > 0);
            subjects.keys().cloned().collect()
        };
        if subjects.is_empty() {
            return false;
        }
        let (waiting, asked) = (Arc::clone(self), subjects.clone());
        let leased = self.database.run(move |connection| requests::leased(connection, &waiting.upstream, &asked)).await;
        let leased = leased.unwrap_or_default();
        let mut waiting = self.subjects.lock().unwrap_or_else(PoisonError::into_inner);
        for subject in subjects.iter().filter(|subject| !leased.contains(subject)) {
            waiting.remove(subject);
        }
        !waiting.is_empty()
    }
}
