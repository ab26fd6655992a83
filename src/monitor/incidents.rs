//! From looks to events.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::finding::{Finding, Severity};
use super::state::{Course, Incident, State};
use crate::config::PageFrom;

/// What a receiver is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Of this event alone, and the same each time it is sent.
    pub id: String,
    pub action: Action,
    /// Of the check in this installation: the incident's trigger and its resolve have the same.
    pub key: String,
    /// What the installation is called.
    pub source: String,
    pub check: String,
    pub severity: Severity,
    pub summary: String,
    pub details: Value,
    /// When the incident was opened.
    pub since: DateTime<Utc>,
    /// When this happened.
    pub at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Trigger,
    Resolve,
}

impl Action {
    pub fn word(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Resolve => "resolve",
        }
    }
}

/// When an incident begins and ends.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What the installation is called.
    pub name: String,
    /// FetchRequests in a row.
    pub page_after: u32,
    pub page_from: PageFrom,
}

impl Rules {
    fn is_bad(&self, severity: Severity) -> bool {
        match self.page_from {
            PageFrom::Critical => severity >= Severity::Unknown,
            PageFrom::Warning => severity >= Severity::Warning,
        }
    }

    pub(super) fn event(&self, action: Action, finding: &Finding, since: DateTime<Utc>, at: DateTime<Utc>) -> Event {
        let key = format!("{}/{}", self.name, finding.check);
        Event {
            id: format!("{key}/{}/{}", since.timestamp_millis(), action.word()),
            action,
            key,
            source: self.name.clone(),
            check: finding.check.to_owned(),
            severity: finding.severity,
            summary: finding.summary.clone(),
            details: finding.details.clone(),
            since,
            at,
        }
    }

    /// Takes a look into account. The events that follow from it are in the state afterwards, once for each of the
    /// `receivers`; they are answered too, for the log.
    pub fn note(&self, state: &mut State, findings: &[Finding], receivers: &[&str], at: DateTime<Utc>) -> Vec<Event> {
        let mut events = Vec::new();
        for finding in findings.iter().filter(|finding| finding.severity != Severity::Skipped) {
            let course = state.courses.entry(finding.check.to_owned()).or_default();
            events.extend(self.note_one(course, finding, at));
        }
        // What is no longer looked at would stay open for ever.
        let looked_at = |check: &String| findings.iter().any(|finding| finding.check == check);
        state.courses.retain(|check, course| {
            if let (false, Some(incident)) = (looked_at(check), &course.incident) {
                let gone =
                    Finding { check: "", ..Finding::new("", Severity::Ok, format!("{check} is no longer looked at")) };
                let mut event = self.event(Action::Resolve, &gone, incident.since, at);
                event.key = format!("{}/{check}", self.name);
                event.id = format!("{}/{}/resolve", event.key, incident.since.timestamp_millis());
                event.check.clone_from(check);
                events.push(event);
            }
            looked_at(check)
        });
        for receiver in receivers {
            let outbox = state.receivers.entry((*receiver).to_owned()).or_default();
            outbox.events.extend(events.iter().cloned());
        }
        events
    }

    fn note_one(&self, course: &mut Course, finding: &Finding, at: DateTime<Utc>) -> Option<Event> {
        let bad = self.is_bad(finding.severity);
        if bad == course.incident.is_some() {
            // As it was; a shorter spell of something else doesn't count.
            course.looks = 0;
            return None;
        }
        course.looks = course.looks.saturating_add(1);
        if course.looks < self.page_after {
            return None;
        }
        course.looks = 0;
        match course.incident.take() {
            None => {
                course.incident = Some(Incident { since: at });
                Some(self.event(Action::Trigger, finding, at, at))
            }
            Some(incident) => Some(self.event(Action::Resolve, finding, incident.since, at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules { name: "here".to_owned(), page_after: 2, page_from: PageFrom::Critical }
    }

    /// What a row of looks at one check leads to.
    fn events(rules: &Rules, looks: &[Severity]) -> Vec<String> {
        let mut state = State::default();
        for (place, &severity) in looks.iter().enumerate() {
            let at = DateTime::from_timestamp(1_800_000_000 + place as i64, 0).unwrap();
            rules.note(&mut state, &[Finding::new("disk", severity, "s")], &["one", "two"], at);
        }
        assert_eq!(state.receivers["one"].events, state.receivers["two"].events);
        let of = |event: &Event| format!("{} {} {}", event.action.word(), event.key, event.at.timestamp() % 100);
        state.receivers["one"].events.iter().map(of).collect()
    }

    #[test]
    fn an_incident_is_triggered_once_and_resolved_once_however_often_it_is_seen() {
        use Severity::{Critical, Ok, Unknown, Warning};
        let looks = [Ok, Critical, Critical, Critical, Unknown, Ok, Ok, Ok, Warning];
        assert_eq!(events(&rules(), &looks), ["trigger here/disk 2", "resolve here/disk 6"]);
        let all = Rules { page_from: PageFrom::Warning, ..rules() };
        assert_eq!(events(&all, &[Warning, Warning, Ok, Ok]), ["trigger here/disk 1", "resolve here/disk 3"]);
        let at_once = Rules { page_after: 1, ..rules() };
        assert_eq!(events(&at_once, &[Critical, Ok]), ["trigger here/disk 0", "resolve here/disk 1"]);
    }

    #[test]
    fn what_flaps_neither_opens_an_incident_nor_ends_one() {
        use Severity::{Critical, Ok};
        assert!(events(&rules(), &[Critical, Ok, Critical, Ok, Critical, Ok]).is_empty());
        let looks = [Critical, Critical, Ok, Critical, Ok, Critical, Ok];
        assert_eq!(events(&rules(), &looks), ["trigger here/disk 1"]);
    }

    #[test]
    fn what_could_not_be_looked_at_for_another_reason_changes_nothing() {
        use Severity::{Critical, Ok, Skipped};
        let looks = [Critical, Critical, Skipped, Skipped, Skipped, Ok, Skipped, Ok];
        assert_eq!(events(&rules(), &looks), ["trigger here/disk 1", "resolve here/disk 7"]);
    }

    #[test]
    fn an_incident_of_a_check_that_is_given_up_ends() {
        let mut state = State::default();
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let bad = [Finding::new("endpoint", Severity::Critical, "no answer")];
        rules().note(&mut state, &bad, &["one"], at);
        let opened = rules().note(&mut state, &bad, &["one"], at);
        let ended = rules().note(&mut state, &[Finding::new("database", Severity::Ok, "fine")], &["one"], at);
        assert_eq!(
            (ended[0].action, &ended[0].key, &ended[0].check),
            (Action::Resolve, &opened[0].key, &"endpoint".to_owned())
        );
        assert_eq!(state.receivers["one"].events.len(), 2);
        assert!(rules().note(&mut state, &[], &["one"], at).is_empty());
    }
}
