//! `supercargo advisory`.

use diesel::{Connection, PgConnection};
use serde_json::json;

use super::AdminError;
use super::output::{print_json, print_table, say, time};
use crate::advisory::draft::Origin;
use crate::advisory::is_id;
use crate::advisory_sources::Outcome;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::advisories::known::{self, Known, Wanted};
use crate::database::advisories::own::{self, OWN};
use crate::database::advisories::sources::{self, Source};
use crate::own_advisories::repository;
use crate::package::CrateName;

/// Says what a refresh did.
pub fn say_refreshed(upstream: &str, outcome: &Outcome) {
    match outcome {
        Outcome::Unchanged => say!("the source of advisories about {upstream} has not changed"),
        Outcome::Read { advisories, changes, skipped } => {
            say!(
                "read {advisories} advisories about {upstream}: {} new, {} changed, {} gone, {} files that cannot be read",
                changes.added,
                changes.changed,
                changes.vanished,
                skipped.len()
            );
            skipped.iter().for_each(|skipped| say!("skipped {}: {}", skipped.file, skipped.problem));
        }
    }
}

pub fn status(connection: &mut PgConnection, as_json: bool) -> Result<(), AdminError> {
    let (sources, counts) = (sources::list(connection)?, known::counts(connection)?);
    let count =
        |of: &Source| counts.iter().find(|(upstream, _)| *upstream == of.upstream).map_or(0, |(_, count)| *count);
    if as_json {
        let described = sources.iter().map(|of| {
            json!({
                "upstream": of.upstream, "source": of.source, "advisories": count(of), "revision": of.revision,
                "refreshed_at": of.refreshed_at, "checked_at": of.checked_at, "problem": of.problem,
                "skipped": of.skipped, "skipped_files": of.skipped_files,
            })
        });
        return Ok(print_json(&described.collect::<Vec<_>>())?);
    }
    print_table(
        ["UPSTREAM", "ADVISORIES", "SKIPPED", "REFRESHED", "CHECKED", "SOURCE"],
        sources.iter().map(|of| {
            let times = [of.refreshed_at, of.checked_at].map(time);
            let [refreshed, checked] = times;
            [of.upstream.clone(), count(of).to_string(), of.skipped.to_string(), refreshed, checked, of.source.clone()]
        }),
    );
    for of in &sources {
        if let Some(problem) = &of.problem {
            say!("the last refresh of {} has failed: {problem}", of.upstream);
        }
        for skipped in of.skipped_files.as_array().into_iter().flatten() {
            let text = |field: &str| skipped[field].as_str().unwrap_or("?").to_owned();
            say!("skipped {} of {}: {}", text("file"), of.upstream, text("problem"));
        }
    }
    Ok(())
}

pub fn list(
    connection: &mut PgConnection,
    (krate, upstream, with_former): (Option<CrateName>, Option<String>, bool),
    as_json: bool,
) -> Result<(), AdminError> {
    let wanted = Wanted { upstream, canonical_name: krate.map(|name| name.canonical()), with_former };
    let found = known::list(connection, &wanted)?;
    if as_json {
        let described = found.iter().map(|of| {
            json!({
                "upstream": Some(&of.upstream).filter(|upstream| *upstream != OWN), "id": of.advisory_id, "crate": of.crate_name,
                "severity": of.severity,
                "informational": of.informational, "title": of.title, "url": of.url, "patched": of.ranges["patched"],
                "withdrawn_at": of.withdrawn_at, "vanished_at": of.vanished_at, "first_seen": of.first_seen, "last_seen": of.last_seen,
            })
        });
        return Ok(print_json(&described.collect::<Vec<_>>())?);
    }
    print_table(
        ["UPSTREAM", "CRATE", "ID", "SEVERITY", "STATE", "TITLE"],
        found.into_iter().map(|of| {
            let state = state(&of);
            let severity = of.informational.unwrap_or(of.severity);
            let upstream = if of.upstream == OWN { "-".to_owned() } else { of.upstream };
            [upstream, of.crate_name, of.advisory_id, severity, state.to_owned(), of.title]
        }),
    );
    Ok(())
}

fn state(of: &Known) -> &'static str {
    match (of.withdrawn_at, of.vanished_at) {
        (_, Some(_)) => "gone",
        (Some(_), None) => "withdrawn",
        (None, None) => "counts",
    }
}

/// Shows an advisory. `base_url`: that of this registry, if it is known.
pub fn show(connection: &mut PgConnection, id: &str, base_url: Option<&str>) -> Result<(), AdminError> {
    let none = || AdminError::NoAdvisory(id.to_owned());
    if !is_id(id) {
        return Err(none());
    }
    let (upstream, document) = known::document(connection, id, None)?.ok_or_else(none)?;
    let own = if upstream == OWN { own::find(connection, id)? } else { None };
    let document = match (own, base_url) {
        (Some(revision), Some(base_url)) => repository::osv(&revision, &Origin::of(base_url))?,
        _ => document,
    };
    Ok(print_json(&document)?)
}

/// Notes that an operator accepts a source whatever it withdraws.
pub fn note_acceptance(connection: &mut PgConnection, operator: &Actor, upstream: &str) -> Result<(), AdminError> {
    Event::new(Action::AdvisoriesAccept).about(upstream).record(connection, operator)?;
    Ok(())
}

pub fn forget(connection: &mut PgConnection, operator: &Actor, upstream: &str) -> Result<(), AdminError> {
    connection.transaction(|connection| {
        if !sources::forget(connection, upstream)? {
            return Err(AdminError::NoAdvisories(upstream.to_owned()));
        }
        Event::new(Action::AdvisoriesForget).about(upstream).record(connection, operator)?;
        Ok(())
    })?;
    say!("removed the source of the advisories about {upstream}, and all that came from it");
    Ok(())
}
