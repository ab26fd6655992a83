//! The check of the index's remote: reachable, and equal to the mirror.

use serde_json::json;

use crate::checks::finding::{Finding, Severity};
use crate::index::{Index, IndexError, Oid, Remote};

const INDEX_REMOTE: &str = "index_remote";

/// Compares the remote with the mirror in the data directory, if there is one.
pub fn check(remote: &Remote, mirror: &std::path::Path) -> Finding {
    let there = match remote.head() {
        Ok(there) => there,
        Err(error) => return Finding::new(INDEX_REMOTE, Severity::Critical, error.to_string()),
    };
    let named = |head: Option<Oid>| head.map_or("no commit".to_owned(), |commit| commit.to_string());
    match here(mirror) {
        Ok(Some(here)) if here != there => {
            let summary = format!("the index here is at {}, but its remote is at {}", named(here), named(there));
            let heads = json!({ "here": named(here), "remote": named(there) });
            Finding::new(INDEX_REMOTE, Severity::Critical, summary).with(heads)
        }
        Ok(Some(_)) => Finding::new(INDEX_REMOTE, Severity::Ok, "the index follows its remote"),
        Ok(None) => Finding::new(INDEX_REMOTE, Severity::Ok, "the index's remote answers"),
        Err(error) => Finding::new(INDEX_REMOTE, Severity::Unknown, error.to_string()),
    }
}

/// The head of the mirror; None if this machine has no mirror.
fn here(mirror: &std::path::Path) -> Result<Option<Option<Oid>>, IndexError> {
    if !mirror.exists() {
        return Ok(None);
    }
    Ok(Some(Index::open_or_init(mirror)?.head()?.commit))
}
