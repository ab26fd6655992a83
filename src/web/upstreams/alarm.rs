//! What an upstream does that it never should, in the audit log, from which the monitor knows it.

use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tokio::runtime::Handle;

use crate::database::Pool;
use crate::database::access::audit::{Action, Actor, Event};

/// Writes entries of the registry itself. Clones share the database.
#[derive(Clone, Default)]
pub struct Alarm(Arc<OnceLock<Pool>>);

impl Alarm {
    /// The database to write to.
    pub fn attend(&self, pool: &Pool) {
        // The first one stays.
        let _ = self.0.set(pool.clone());
    }

    /// Writes an entry about something that needs an operator. The log has it, too, should the database be away.
    pub fn raise(&self, runtime: &Handle, action: Action, upstream: &str, detail: Value) {
        let what = match action {
            Action::UpstreamAway => "an upstream has not answered for long: what is kept is served",
            _ => "an upstream cannot be trusted about a file, which is not delivered",
        };
        tracing::error!(upstream, action = action.as_str(), %detail, "{what}");
        self.note(runtime, action, upstream, detail);
    }

    /// Writes an entry.
    pub fn note(&self, runtime: &Handle, action: Action, upstream: &str, detail: Value) {
        let Some(pool) = self.0.get().cloned() else { return };
        let upstream = upstream.to_owned();
        runtime.spawn_blocking(move || {
            let event = Event::new(action).about(&upstream).detail(detail);
            match pool.with(|connection| event.record(connection, &Actor::registry())) {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    tracing::error!(%error, "an alarm about an upstream cannot be written to the audit log")
                }
                Err(error) => tracing::error!(%error, "an alarm about an upstream cannot be written to the audit log"),
            }
        });
    }
}
