//! `supercargo upstream pins` and `unpin`.

use diesel::{Connection, PgConnection};
use serde_json::json;

use super::AdminError;
use super::output::{print_json, print_table, say, time};
use crate::config::CrateOrVersion;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::upstream_pins::{self, Pin};

/// Removes the pin of a version, or those of a crate.
pub fn unpin(
    connection: &mut PgConnection,
    operator: &Actor,
    (upstream, CrateOrVersion { name, version }): (&str, &CrateOrVersion),
) -> Result<(), AdminError> {
    let removed = connection.transaction(|connection| {
        let removed = upstream_pins::remove(connection, (upstream, name), version.as_ref())?;
        for pin in &removed {
            let detail = json!({ "crate": pin.crate_name, "version": pin.version, "reason": pin.reason });
            Event::new(Action::UpstreamUnpin).about(upstream).detail(detail).record(connection, operator)?;
        }
        Ok::<_, diesel::result::Error>(removed)
    })?;
    if removed.is_empty() {
        let what = version.as_ref().map_or_else(|| name.to_string(), |version| format!("{name}@{version}"));
        return Err(AdminError::NotPinned { what, upstream: upstream.to_owned() });
    }
    for pin in removed {
        say!(
            "{}@{} of {} is no longer pinned: its file stays in the cache as long as others do",
            pin.crate_name,
            pin.version,
            upstream
        );
    }
    Ok(())
}

pub fn list(connection: &mut PgConnection, upstream: Option<&str>, as_json: bool) -> Result<(), AdminError> {
    let pins = upstream_pins::list(connection, upstream)?;
    if as_json {
        let pins = pins.iter().map(|pin| {
            json!({
                "upstream": pin.upstream, "crate": pin.crate_name, "version": pin.version, "checksum": pin.checksum,
                "reason": pin.reason, "by": pin.actor, "since": pin.created_at,
            })
        });
        return Ok(print_json(&pins.collect::<Vec<_>>())?);
    }
    print_table(
        ["UPSTREAM", "CRATE", "VERSION", "BY", "SINCE", "REASON"],
        pins.into_iter().map(|pin| {
            let Pin { upstream, crate_name, version, reason, actor, created_at, .. } = pin;
            [upstream, crate_name.to_string(), version.to_string(), actor, time(Some(created_at)), reason]
        }),
    );
    Ok(())
}
