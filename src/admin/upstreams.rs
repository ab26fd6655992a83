//! `supercargo upstream`.

use diesel::PgConnection;
use serde_json::json;

use super::AdminError;
use super::output::{complain, print_json, print_table, say, time};
use crate::database::access::administrator::Administrator;
use crate::database::access::audit::Actor;
use crate::database::upstream_policies;
use crate::database::upstream_rules::{self, Decision, Rule, Subject};
use crate::jobs::upstream_decisions::{self, named};

pub fn decide(
    connection: &mut PgConnection,
    operator: &Actor,
    subject: &Subject,
    (decision, reason): (Decision, &str),
) -> Result<(), AdminError> {
    let made = upstream_decisions::decide(connection, subject, (decision, reason), Administrator::Operator(operator))?;
    let what = named(subject);
    let known: Vec<String> = upstream_policies::list(connection)?.into_iter().map(|(name, _)| name).collect();
    if !known.contains(&subject.upstream) {
        let there = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
        complain!(
            "warning: the last `serve` had no upstream {}, and without one the rule has no effect: {there}. If the name is wrong, remove the \
             rule with `supercargo upstream release`",
            subject.upstream
        );
    }
    match (made, decision) {
        (None, _) => say!("nothing changed: there is this rule about {what} already, for the same reason"),
        (Some(_), Decision::Allow) => {
            say!("{what} passes however young it is, within seconds, in every `serve` that has this upstream")
        }
        (Some(_), Decision::Hold) => {
            say!(
                "{what} is shown as yanked and delivered only if it is kept, within seconds, in every `serve` that has this upstream"
            )
        }
        (Some(_), Decision::Block) => {
            say!(
                "{what} is shown as yanked and never delivered, within seconds, in every `serve` that has this upstream"
            )
        }
    }
    if subject.version.is_none() {
        say_exceptions(connection, subject, decision)?;
    }
    Ok(())
}

/// Names the rules that count before one about a whole crate, or about several.
fn say_exceptions(connection: &mut PgConnection, subject: &Subject, decision: Decision) -> Result<(), AdminError> {
    let rules = upstream_rules::list(connection, Some(&subject.upstream))?;
    let (beginning, is_beginning) = subject.crates.canonical();
    let is_narrower = |rule: &&Rule| {
        let name = &rule.canonical_name;
        rule.decision != decision
            && if is_beginning {
                name.starts_with(&beginning) && *name != subject.crates.canonical_text()
            } else {
                *name == beginning && !rule.version.is_empty()
            }
    };
    for Rule { crate_name, version, decision: other, .. } in rules.iter().filter(is_narrower) {
        let what = if is_beginning { crate_name } else { version };
        let of_it = if is_beginning && !version.is_empty() { format!("@{version}") } else { String::new() };
        say!(
            "except {what}{of_it}, for which the rule `{other}` counts: release it with `supercargo upstream release`"
        );
    }
    Ok(())
}

pub fn release(connection: &mut PgConnection, operator: &Actor, subject: &Subject) -> Result<(), AdminError> {
    let rule = upstream_decisions::release(connection, subject, Administrator::Operator(operator))?;
    let did = match rule.decision {
        Decision::Allow => "allowed",
        Decision::Hold => "held",
        Decision::Block => "blocked",
    };
    say!("removed the rule that {did} {}", named(subject));
    Ok(())
}

pub fn list(connection: &mut PgConnection, upstream: Option<&str>, as_json: bool) -> Result<(), AdminError> {
    let rules = upstream_rules::list(connection, upstream)?;
    if as_json {
        let rules = rules.iter().map(|rule| {
            json!({
                "upstream": rule.upstream, "crate": rule.crate_name, "version": Some(&rule.version).filter(|version| !version.is_empty()),
                "decision": rule.decision.as_str(), "reason": rule.reason, "by": rule.actor, "since": rule.created_at,
            })
        });
        return Ok(print_json(&rules.collect::<Vec<_>>())?);
    }
    print_table(
        ["UPSTREAM", "CRATE", "VERSION", "DECISION", "BY", "SINCE", "REASON"],
        rules.into_iter().map(|rule| {
            let Rule { upstream, crate_name, version, decision, reason, actor, created_at, .. } = rule;
            let version = if version.is_empty() { "all".to_owned() } else { version };
            [upstream, crate_name, version, decision.to_string(), actor, time(Some(created_at)), reason]
        }),
    );
    Ok(())
}
