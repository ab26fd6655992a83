//! Rules about crates and versions of upstreams, which operators and admins make and release.

use diesel::{Connection, PgConnection};
use serde_json::json;

use crate::database::access::administrator::Administrator;
use crate::database::access::audit::{Action, Event};
use crate::database::access::caller::Denied;
use crate::database::catalog::refusal::{self, ChangeRefusal, MAX_MESSAGE};
use crate::database::upstream_rules::{self, Decision, Rule, Subject};

/// Why no rule was made or released.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    #[error("the rule needs a reason of 1 to {MAX_MESSAGE} characters: it is shown to users whose download is refused")]
    NoReason,
    #[error("there is no rule about {0}, and nothing was changed: see `supercargo upstream rules`")]
    NoRule(String),
    #[error(transparent)]
    Reason(Box<ChangeRefusal>),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

/// A subject for people: `serde`, `serde@1.0.0` or `serde*`.
pub fn named(subject: &Subject) -> String {
    match &subject.version {
        Some(version) => format!("{}@{version} of {}", subject.crates, subject.upstream),
        None => format!("{} of {}", subject.crates, subject.upstream),
    }
}

/// Makes a rule, in place of the one about the same; None if nothing changed.
pub fn decide(
    connection: &mut PgConnection,
    subject: &Subject,
    (decision, reason): (Decision, &str),
    who: Administrator<'_>,
) -> Result<Option<Rule>, DecisionError> {
    let checked =
        refusal::message("reason", Some(reason)).map_err(|refusal| DecisionError::Reason(Box::new(refusal)))?;
    let reason = checked.ok_or(DecisionError::NoReason)?;
    connection.transaction(|connection| {
        let actor = who.confirm(connection)??;
        let made = upstream_rules::set(connection, subject, (decision, reason), &actor.name)?;
        if let Some(rule) = &made {
            let action = match decision {
                Decision::Allow => Action::UpstreamAllow,
                Decision::Hold => Action::UpstreamHold,
                Decision::Block => Action::UpstreamBlock,
            };
            let detail = json!({ "crate": rule.crate_name, "version": subject.version, "reason": reason });
            Event::new(action).about(&subject.upstream).detail(detail).record(connection, &actor)?;
        }
        Ok(made)
    })
}

/// Removes a rule.
pub fn release(
    connection: &mut PgConnection,
    subject: &Subject,
    who: Administrator<'_>,
) -> Result<Rule, DecisionError> {
    connection.transaction(|connection| {
        let actor = who.confirm(connection)??;
        let released = upstream_rules::remove(connection, subject)?;
        let rule = released.ok_or_else(|| DecisionError::NoRule(named(subject)))?;
        let was = json!({
            "crate": rule.crate_name, "version": subject.version, "was": rule.decision.as_str(), "reason": rule.reason,
        });
        Event::new(Action::UpstreamRelease).about(&subject.upstream).detail(was).record(connection, &actor)?;
        Ok(rule)
    })
}
