//! Changes of webhooks in the audit log.

use diesel::{PgConnection, QueryResult};
use serde_json::Value;

use crate::database::access::audit::{Action, Actor, Event};
use crate::database::webhooks::endpoints::{Subject, Webhook};

/// Records a change of a webhook.
pub fn record(
    connection: &mut PgConnection,
    (action, webhook): (Action, &Webhook),
    detail: Value,
    actor: &Actor,
) -> QueryResult<()> {
    let number = webhook.id.to_string();
    let event = Event::new(action).about(&number).detail(detail);
    match &webhook.subject {
        Subject::Crate { name, .. } => event.of_crate(name).record(connection, actor),
        _ => event.record(connection, actor),
    }
}
