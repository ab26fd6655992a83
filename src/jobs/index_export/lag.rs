//! How far a copy is behind the index.

use chrono::Utc;

use super::plan::known;
use crate::database::upkeep::index_exports::IndexExport;
use crate::index::{Index, IndexError, Oid};

/// The most commits that are counted.
const MOST: usize = 10_000;

/// What a copy lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Commits that are not exported.
    pub commits: usize,
    /// The age of the oldest of them, in seconds.
    pub seconds: i64,
}

impl Lag {
    /// The lag behind a head; `None` if no export is complete, or the history was rewritten since.
    pub fn of(index: &Index, state: &IndexExport, head: Oid) -> Result<Option<Self>, IndexError> {
        let Some(exported) = known(state.commit_id.as_deref()) else { return Ok(None) };
        if exported == head {
            return Ok(Some(Self::default()));
        }
        let Some(history) = index.distance(exported, head, MOST)? else {
            // A mirror may be behind what was exported from another one.
            if index.is_in(head, exported)? {
                return Ok(Some(Self::default()));
            }
            // Beyond the limit the age is at least known to be that of the export, or somewhat more.
            let at = if index.is_in(exported, head)? { state.exported_at } else { None };
            return Ok(at.map(|at| Self { commits: MOST, seconds: (Utc::now() - at).num_seconds().max(0) }));
        };
        let age = history.oldest.map_or(0, |oldest| Utc::now().timestamp() - oldest);
        Ok(Some(Self { commits: history.commits, seconds: age.max(0) }))
    }
}
