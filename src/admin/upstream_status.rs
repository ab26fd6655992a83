//! `supercargo upstream status`: what is known of upstreams without asking them.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{PgConnection, QueryResult};
use serde_json::json;

use super::AdminError;
use super::output::{print_json, print_table, say, time};
use crate::database::access::audit::Action;
use crate::database::access::audit_alarms;
use crate::database::upstream_pins;
use crate::database::upstream_rules::{self, Decision};
use crate::database::upstream_sharing::index_files;
use crate::upstream_cache::eviction::Evicted;

/// How long alarms are listed, and an outage counts whose end is not known.
const ALARMS: TimeDelta = TimeDelta::days(30);
const OUTAGE: TimeDelta = TimeDelta::days(7);

/// What is known of an upstream.
#[derive(Debug)]
pub struct State {
    upstream: String,
    /// Kept index files: in the directory of this machine, and in the database.
    index_files: (u64, i64),
    allow: usize,
    hold: usize,
    block: usize,
    pins: usize,
    /// Files that were wrong, changed or gone, in the last 30 days.
    alarms: usize,
    /// Since when it does not answer, if that was reported.
    away_since: Option<DateTime<Utc>>,
}

/// Reads it from the database; so many index files are in the directory of this machine.
pub fn of(connection: &mut PgConnection, upstream: &str, in_directory: u64) -> QueryResult<State> {
    let rules = upstream_rules::list(connection, Some(upstream))?;
    let count = |decision: Decision| rules.iter().filter(|rule| rule.decision == decision).count();
    let (allow, hold, block) = (count(Decision::Allow), count(Decision::Hold), count(Decision::Block));
    let since = |connection: &mut PgConnection, actions: &[Action], age| {
        let found = audit_alarms::since(connection, actions, Utc::now() - age)?;
        Ok::<_, diesel::result::Error>(
            found.into_iter().filter(|one| one.subject.as_deref() == Some(upstream)).collect::<Vec<_>>(),
        )
    };
    let wrong = [Action::UpstreamMismatch, Action::UpstreamChange, Action::UpstreamVanish];
    let alarms = since(connection, &wrong, ALARMS)?.len();
    let outages = since(connection, &[Action::UpstreamAway, Action::UpstreamBack], OUTAGE)?;
    let away_since = outages
        .last()
        .filter(|last| last.action == Action::UpstreamAway.as_str())
        .and_then(|last| last.detail["since"].as_str()?.parse().ok());
    Ok(State {
        upstream: upstream.to_owned(),
        index_files: (in_directory, index_files::count(connection, upstream)?),
        allow,
        hold,
        block,
        pins: upstream_pins::list(connection, Some(upstream))?.len(),
        alarms,
        away_since,
    })
}

/// Prints it with the size of the kept crate files, and the limit of that.
pub fn print(states: &[State], (files, limit): (&Evicted, u64), as_json: bool) -> Result<(), AdminError> {
    if as_json {
        let upstreams = states.iter().map(|state| {
            json!({
                "upstream": state.upstream,
                "index_files": { "directory": state.index_files.0, "database": state.index_files.1 },
                "rules": { "allow": state.allow, "hold": state.hold, "block": state.block },
                "pins": state.pins,
                "alarms_in_30_days": state.alarms,
                "away_since": state.away_since,
            })
        });
        let crate_files = json!({ "bytes": files.left, "pinned_bytes": files.pinned, "limit_bytes": limit });
        return Ok(print_json(&json!({ "upstreams": upstreams.collect::<Vec<_>>(), "crate_files": crate_files }))?);
    }
    if states.is_empty() {
        say!("no upstream is set: see `supercargo serve --help` for --upstream, or set it in the configuration file");
        return Ok(());
    }
    print_table(
        ["UPSTREAM", "INDEX FILES", "ALLOW", "HOLD", "BLOCK", "PINS", "ALARMS IN 30 DAYS", "AWAY SINCE"],
        states.iter().map(|state| {
            let (in_directory, in_database) = state.index_files;
            let kept = match in_database {
                0 => in_directory.to_string(),
                shared => format!("{shared} shared, {in_directory} here"),
            };
            let [allow, hold, block] = [state.allow, state.hold, state.block].map(|count| count.to_string());
            let away = state.away_since.map(|since| time(Some(since))).unwrap_or_default();
            [state.upstream.clone(), kept, allow, hold, block, state.pins.to_string(), state.alarms.to_string(), away]
        }),
    );
    let Evicted { left, pinned, .. } = files;
    say!("crate files of all upstreams: {left} bytes of {limit}, of which {pinned} are pinned");
    Ok(())
}
