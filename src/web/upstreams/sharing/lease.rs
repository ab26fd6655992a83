//! Leases that this process holds: renewed together, and ended one by one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::database::SharedDatabase;
use crate::database::upstream_sharing::requests::{self, Outcome, Seen};

/// How often leases are renewed: three times in the time that one lasts.
const RENEWAL: Duration = Duration::from_secs(3);

/// The leases of this process about one upstream.
pub(super) struct Leases {
    upstream: String,
    /// Names this process.
    holder: i64,
    database: Arc<SharedDatabase>,
    runtime: Handle,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    subjects: BTreeSet<String>,
    /// Whether a task renews them.
    is_renewing: bool,
}

/// The right to ask an upstream for a file. Dropped without an outcome, the request has failed.
pub struct Lease {
    leases: Arc<Leases>,
    subject: Option<String>,
}

impl Leases {
    pub(super) fn new(upstream: &str, database: Arc<SharedDatabase>, runtime: Handle) -> Self {
        Self { upstream: upstream.to_owned(), holder: rand::random(), database, runtime, held: Mutex::default() }
    }

    /// Takes the lease for a file, if no process has it and the last answer is at least so old. None if the database is away.
    pub(super) async fn take(self: &Arc<Self>, subject: &str, age: Duration) -> Option<(Option<Lease>, Seen)> {
        let (leases, asked) = (Arc::clone(self), subject.to_owned());
        let taken = self
            .database
            .run(move |connection| requests::take(connection, (&leases.upstream, &asked), leases.holder, age));
        let seen = taken.await?;
        Some((seen.is_taken.then(|| self.hold(subject)), seen))
    }

    fn hold(self: &Arc<Self>, subject: &str) -> Lease {
        let was_renewing = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.subjects.insert(subject.to_owned());
            std::mem::replace(&mut held.is_renewing, true)
        };
        if !was_renewing {
            let leases = Arc::clone(self);
            self.runtime.spawn(async move { while leases.renew().await {} });
        }
        Lease { leases: Arc::clone(self), subject: Some(subject.to_owned()) }
    }

    /// Renews the leases after a while; false if there is none then.
    async fn renew(self: &Arc<Self>) -> bool {
        tokio::time::sleep(RENEWAL).await;
        let subjects: Vec<String> = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.is_renewing = !held.subjects.is_empty();
            held.subjects.iter().cloned().collect()
        };
        if subjects.is_empty() {
            return false;
        }
        let leases = Arc::clone(self);
        let renewed = self
            .database
            .run(move |connection| requests::renew(connection, &leases.upstream, &subjects, leases.holder));
        // A lease that could not be renewed ends, and another machine may ask as well.
        let _ = renewed.await;
        true
    }

    async fn end(self: Arc<Self>, subject: String, outcome: Outcome) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).subjects.remove(&subject);
        let leases = Arc::clone(&self);
        let ended = self
            .database
            .run(move |connection| requests::end(connection, (&leases.upstream, &subject), leases.holder, outcome));
        // Otherwise it ends by itself.
        let _ = ended.await;
    }
}

impl Lease {
    /// Ends it with what came of the request.
    pub async fn end(mut self, outcome: Outcome) {
        if let Some(subject) = self.subject.take() {
            Arc::clone(&self.leases).end(subject, outcome).await;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(subject) = self.subject.take() {
            self.leases.runtime.spawn(Arc::clone(&self.leases).end(subject, Outcome::Failed));
        }
    }
}
