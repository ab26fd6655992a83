//! The rules that turn findings into events.

use chrono::{DateTime, Utc};

use super::event::{Action, Event};
use super::state::{CheckState, Incident, State};
use crate::checks::finding::{Finding, Severity};
use crate::config::PageFrom;

/// When an incident starts and ends.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The name of the installation.
    pub name: String,
    /// Rounds in a row that have to find a problem, or none.
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

    fn key(&self, check: &str) -> String {
        format!("{}/{check}", self.name)
    }

    fn event(&self, action: Action, finding: &Finding, since: DateTime<Utc>, at: DateTime<Utc>) -> Event {
        Event {
            action,
            key: self.key(finding.check),
            source: self.name.clone(),
            check: finding.check.to_owned(),
            severity: finding.severity,
            summary: finding.summary.clone(),
            details: finding.details.clone(),
            since,
            at,
        }
    }

    /// Applies the findings of a round to the state, and adds the resulting events to the outbox of each of the
    /// `receivers`. The result holds them too, for the log.
    pub fn apply(&self, state: &mut State, findings: &[Finding], receivers: &[&str], at: DateTime<Utc>) -> Vec<Event> {
        let mut events = Vec::new();
        for finding in findings.iter().filter(|finding| finding.severity != Severity::Skipped) {
            let check = state.checks.entry(finding.check.to_owned()).or_default();
            events.extend(self.apply_one(check, finding, at));
        }
        // The incident of a check that no longer exists would stay open forever.
        let exists = |name: &String| findings.iter().any(|finding| finding.check == name);
        state.checks.retain(|name, check| {
            if let (false, Some(incident)) = (exists(name), &check.incident) {
                let gone = Finding::new("", Severity::Ok, format!("{name} is no longer checked"));
                let event = self.event(Action::Resolve, &gone, incident.since, at);
                events.push(Event { key: self.key(name), check: name.clone(), ..event });
            }
            exists(name)
        });
        for receiver in receivers {
            let outbox = state.receivers.entry((*receiver).to_owned()).or_default();
            outbox.events.extend(events.iter().cloned());
        }
        events
    }

    fn apply_one(&self, check: &mut CheckState, finding: &Finding, at: DateTime<Utc>) -> Option<Event> {
        let bad = self.is_bad(finding.severity);
        if bad == check.incident.is_some() {
            // No change. A shorter streak of the opposite does not count.
            check.streak = 0;
            return None;
        }
        check.streak = check.streak.saturating_add(1);
        if check.streak < self.page_after {
            return None;
        }
        check.streak = 0;
        match check.incident.take() {
            None => {
                check.incident = Some(Incident { since: at });
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

    /// The events of several rounds with one check.
    fn events(rules: &Rules, rounds: &[Severity]) -> Vec<String> {
        let mut state = State::default();
        for (place, &severity) in rounds.iter().enumerate() {
            let at = DateTime::from_timestamp(1_800_000_000 + place as i64, 0).unwrap();
            rules.apply(&mut state, &[Finding::new("disk", severity, "s")], &["one", "two"], at);
        }
        assert_eq!(state.receivers["one"].events, state.receivers["two"].events);
        let of = |event: &Event| format!("{} {} {}", event.action.word(), event.key, event.at.timestamp() % 100);
        state.receivers["one"].events.iter().map(of).collect()
    }

    #[test]
    fn an_incident_is_triggered_once_and_resolved_once_however_often_it_is_found() {
        use Severity::{Critical, Ok, Unknown, Warning};
        let rounds = [Ok, Critical, Critical, Critical, Unknown, Ok, Ok, Ok, Warning];
        assert_eq!(events(&rules(), &rounds), ["trigger here/disk 2", "resolve here/disk 6"]);
        let all = Rules { page_from: PageFrom::Warning, ..rules() };
        assert_eq!(events(&all, &[Warning, Warning, Ok, Ok]), ["trigger here/disk 1", "resolve here/disk 3"]);
        let at_once = Rules { page_after: 1, ..rules() };
        assert_eq!(events(&at_once, &[Critical, Ok]), ["trigger here/disk 0", "resolve here/disk 1"]);
    }

    #[test]
    fn a_flapping_check_neither_opens_an_incident_nor_ends_one() {
        use Severity::{Critical, Ok};
        assert!(events(&rules(), &[Critical, Ok, Critical, Ok, Critical, Ok]).is_empty());
        let rounds = [Critical, Critical, Ok, Critical, Ok, Critical, Ok];
        assert_eq!(events(&rules(), &rounds), ["trigger here/disk 1"]);
    }

    #[test]
    fn a_skipped_check_changes_nothing() {
        use Severity::{Critical, Ok, Skipped};
        let rounds = [Critical, Critical, Skipped, Skipped, Skipped, Ok, Skipped, Ok];
        assert_eq!(events(&rules(), &rounds), ["trigger here/disk 1", "resolve here/disk 7"]);
    }

    #[test]
    fn the_incident_of_a_check_that_no_longer_exists_ends() {
        let mut state = State::default();
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let bad = [Finding::new("endpoint", Severity::Critical, "no answer")];
        rules().apply(&mut state, &bad, &["one"], at);
        let opened = rules().apply(&mut state, &bad, &["one"], at);
        let ended = rules().apply(&mut state, &[Finding::new("database", Severity::Ok, "fine")], &["one"], at);
        assert_eq!(
            (ended[0].action, &ended[0].key, &ended[0].check),
            (Action::Resolve, &opened[0].key, &"endpoint".to_owned())
        );
        assert_eq!(state.receivers["one"].events.len(), 2);
        assert!(rules().apply(&mut state, &[], &["one"], at).is_empty());
    }
}
