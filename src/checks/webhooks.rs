//! The check of webhooks: whether the registry has paused some, because they did not accept events for days.

use diesel::{PgConnection, QueryResult};
use serde_json::json;

use super::finding::{Finding, Severity};
use super::judged::Judged;
use crate::database::webhooks::endpoints::{self, Subject, Webhook, Which};

pub const WEBHOOKS: &str = "webhooks";

/// Webhooks in the details.
const NAMED: usize = 5;

/// Those that receive everything are an operator's; those of crates and teams have owners, who manage them.
pub fn check(connection: &mut PgConnection, _: &Judged<'_>) -> QueryResult<Finding> {
    let paused_by_itself = |webhook: &Webhook| webhook.pause.as_ref().is_some_and(|pause| pause.by.is_none());
    let mut paused: Vec<Webhook> =
        endpoints::list(connection, Which::All)?.into_iter().filter(paused_by_itself).collect();
    paused.sort_by_key(|webhook| webhook.subject != Subject::Everything);
    let count = paused.len();
    let Some(first) = paused.first() else {
        return Ok(Finding::new(WEBHOOKS, Severity::Ok, "the registry has paused no webhook").measured(
            0.0,
            "",
            None,
            Some(0.0),
        ));
    };
    let severity = if first.subject == Subject::Everything { Severity::Critical } else { Severity::Warning };
    let (first, others) = (first.id, if count == 1 { "" } else { " and others" });
    let noun = if count == 1 { "1 webhook is paused" } else { &format!("{count} webhooks are paused") };
    let summary = format!("{noun}, and events wait ({first}{others}): see `supercargo webhook show {first}`");
    let named = paused.iter().take(NAMED).map(|webhook| {
        let pause = webhook.pause.as_ref();
        json!({
            "id": webhook.id, "url": webhook.url, "paused_at": pause.map(|pause| pause.at),
            "reason": pause.and_then(|pause| pause.reason.as_deref()),
        })
    });
    #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52 webhooks")]
    let finding = Finding::new(WEBHOOKS, severity, summary).measured(count as f64, "", None, Some(0.0));
    Ok(finding.with(json!({ "webhooks": named.collect::<Vec<_>>() })))
}
