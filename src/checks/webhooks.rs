//! The check of webhooks: whether some are paused although no user or operator asked for that.

use diesel::{PgConnection, QueryResult};
use serde_json::json;

use super::finding::{Finding, Severity};
use super::judged::Judged;
use crate::database::webhooks::endpoints::{self, RESTORE, Subject, Webhook, Which};

pub const WEBHOOKS: &str = "webhooks";

/// Webhooks in the details.
const NAMED: usize = 5;

/// Those that receive everything are an operator's; those of crates and teams have owners, who manage them. After a restore all
/// of them wait for somebody.
pub fn check(connection: &mut PgConnection, _: &Judged<'_>) -> QueryResult<Finding> {
    let severity_of = |webhook: &Webhook| match webhook.pause.as_ref()?.by.as_deref() {
        None if webhook.subject == Subject::Everything => Some(Severity::Critical),
        None | Some(RESTORE) => Some(Severity::Warning),
        Some(_) => None,
    };
    let all = endpoints::list(connection, Which::All)?;
    let mut paused: Vec<(Severity, &Webhook)> =
        all.iter().filter_map(|webhook| Some((severity_of(webhook)?, webhook))).collect();
    paused.sort_by_key(|(severity, webhook)| (std::cmp::Reverse(*severity), webhook.id));
    let count = paused.len();
    let Some(&(severity, first)) = paused.first() else {
        return Ok(Finding::new(WEBHOOKS, Severity::Ok, "the registry has paused no webhook").measured(
            0.0,
            "",
            None,
            Some(0.0),
        ));
    };
    let id = first.id;
    let summary = match count {
        1 => format!("the webhook {id} is paused, and its events wait: see `supercargo webhook show {id}`"),
        _ => format!(
            "{count} webhooks are paused, and their events wait: see `supercargo webhook show {id}` and `webhook list`"
        ),
    };
    let named = paused.iter().take(NAMED).map(|(_, webhook)| {
        let pause = webhook.pause.as_ref();
        json!({
            "id": webhook.id, "description": webhook.description, "paused_at": pause.map(|pause| pause.at),
            "reason": pause.and_then(|pause| pause.reason.as_deref()),
        })
    });
    #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52 webhooks")]
    let finding = Finding::new(WEBHOOKS, severity, summary).measured(count as f64, "", None, Some(0.0));
    Ok(finding.with(json!({ "webhooks": named.collect::<Vec<_>>() })))
}
