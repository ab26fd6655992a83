//! Reads what versions are judged by from the database, every few seconds.

use std::sync::Arc;

use diesel::{PgConnection, QueryResult};

use super::upstream::Upstream;
use crate::database::advisories::known::{self, Wanted};
use crate::database::advisories::sources;
use crate::database::{Pool, upstream_rules};
use crate::upstream_cache::advisories::Advisories;
use crate::upstream_cache::rules::Rules;

/// The generation of the advisories of an upstream that has no source of them.
const NO_SOURCE: i64 = -1;

/// Reads all of it for these upstreams. What cannot be read stays as it is.
pub(super) fn read_all(pool: &Pool, upstreams: &[Arc<Upstream>]) {
    for (what, read) in [("rules", read_rules as Reader), ("advisories", read_advisories)] {
        match pool.with(|connection| read(connection, upstreams)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the {what} about upstreams cannot be read: the former ones count")
            }
            Err(error) => tracing::warn!(%error, "the {what} about upstreams cannot be read: the former ones count"),
        }
    }
}

type Reader = fn(&mut PgConnection, &[Arc<Upstream>]) -> QueryResult<()>;

fn read_rules(connection: &mut PgConnection, upstreams: &[Arc<Upstream>]) -> QueryResult<()> {
    let all = upstream_rules::list(connection, None)?;
    upstreams.iter().for_each(|one| one.judging.take_rules(Rules::of(&one.settings.name, &all)));
    Ok(())
}

/// Reads the advisories of the upstreams whose generation is another one.
fn read_advisories(connection: &mut PgConnection, upstreams: &[Arc<Upstream>]) -> QueryResult<()> {
    // Before the advisories: those of a change in between are read again.
    let generations = sources::generations(connection)?;
    for upstream in upstreams {
        let name = &upstream.settings.name;
        let current = generations.iter().find(|(of, _)| of == name).map_or(NO_SOURCE, |(_, generation)| *generation);
        if upstream.judging.generation() == Some(current) {
            continue;
        }
        let rows = match current {
            NO_SOURCE => Vec::new(),
            _ => known::list(connection, &Wanted { upstream: Some(name.clone()), ..Wanted::default() })?,
        };
        upstream.judging.take_advisories(current, Advisories::of(rows));
    }
    Ok(())
}
