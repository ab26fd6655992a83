//! `supercargo set rule`.

use diesel::{Connection, PgConnection};
use serde_json::json;

use super::AdminError;
use super::output::{print_json, print_table, say};
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::teams::{self, Team};
use crate::database::staging::rules::{self, NewRule, Subject};
use crate::jobs::team_changes::TeamError;

/// A rule as it is given.
pub struct Wanted {
    pub subject: String,
    pub approvals: i32,
    pub by_another: bool,
    pub approved_by: Option<String>,
}

fn team(connection: &mut PgConnection, name: &str) -> Result<Team, AdminError> {
    teams::find(connection, name)?.ok_or_else(|| TeamError::NoTeam(name.to_owned()).into())
}

pub fn add(connection: &mut PgConnection, operator: &Actor, wanted: &Wanted) -> Result<(), AdminError> {
    connection.transaction(|connection| {
        let subject = match wanted.subject.strip_prefix(teams::PREFIX) {
            Some(name) => {
                let team = team(connection, name)?;
                Subject::OfTeam(team.id, team.name)
            }
            None => Subject::Crates(wanted.subject.parse()?),
        };
        let approved_by = wanted
            .approved_by
            .as_deref()
            .map(|name| team(connection, name.strip_prefix(teams::PREFIX).unwrap_or(name)))
            .transpose()?;
        let (approvals, by_another) = (wanted.approvals, wanted.by_another);
        let rule = NewRule { subject, approvals, by_another, approved_by: approved_by.map(|team| team.id) };
        let id = rules::add(connection, &rule)?.ok_or_else(|| AdminError::RuleExists(wanted.subject.clone()))?;
        Event::new(Action::SetRuleAdd)
            .about(&wanted.subject)
            .detail(json!({ "approvals": approvals, "by_another": by_another, "approved_by": wanted.approved_by }))
            .record(connection, operator)?;
        let noun = if approvals == 1 { "approval" } else { "approvals" };
        let who = match (&wanted.approved_by, by_another) {
            (Some(team), _) => format!(" of members of the team {}", team.strip_prefix(teams::PREFIX).unwrap_or(team)),
            (None, _) => " of users who may publish them".to_owned(),
        };
        let other = if by_another { ", and did not stage them" } else { "" };
        say!("rule {id}: versions of {} are published with {approvals} {noun}{who}{other}", wanted.subject);
        Ok(())
    })
}

pub fn list(connection: &mut PgConnection, as_json: bool) -> Result<(), AdminError> {
    let rules = rules::list(connection)?;
    if as_json {
        return Ok(print_json(&rules)?);
    }
    print_table(
        ["ID", "CRATES", "APPROVALS", "BY"],
        rules.into_iter().map(|rule| {
            let who = rule.approved_by.map_or_else(|| "publishers".to_owned(), |team| format!("team:{team}"));
            let other = if rule.by_another { ", not who staged it" } else { "" };
            [rule.id.to_string(), rule.subject, rule.approvals.to_string(), format!("{who}{other}")]
        }),
    );
    Ok(())
}

pub fn remove(connection: &mut PgConnection, operator: &Actor, id: i32) -> Result<(), AdminError> {
    connection.transaction(|connection| {
        let subject = rules::remove(connection, id)?.ok_or(AdminError::NoRule(id))?;
        Event::new(Action::SetRuleRemove).about(&subject).record(connection, operator)?;
        say!("removed the rule {id}: versions of {subject} need no approval by it");
        Ok(())
    })
}
