//! A refresh: the source is read, and replaces what is known of it.

use std::collections::HashSet;
use std::path::PathBuf;

use diesel::PgConnection;
use serde_json::json;

use super::Skipped;
use super::reading::{Found, SourceError};
use crate::advisory::place::Place;
use crate::database::advisories::exchange::{self, Changes, Present, Read, Row};
use crate::database::advisories::sources::{self, Source};
use crate::error_chain::ErrorChain;
use crate::index::Reach;
use crate::package::CrateName;

/// Of so many advisories or more, not most may go at once.
pub const MOST: usize = 10;
/// Rows of one upstream, which are in the memory of each process.
const MAX_ROWS: usize = 100_000;

/// What reads sources.
#[derive(Clone, Debug)]
pub struct Refresher {
    pub reach: Reach,
    /// A directory for repositories, which is emptied.
    pub work: PathBuf,
}

/// Why a refresh has failed. What is known stays.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    #[error("there is no source of advisories about {0}: name one with --advisories of `serve` or `worker`")]
    NoSource(String),
    #[error("the source of advisories is not valid: {0}")]
    Place(String),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("it has no advisory about a crate{}", first(.0))]
    Empty(Option<Skipped>),
    #[error(
        "{lost} of {known} advisories would be gone, which is an attack or a mistake: look at the source, and if it is right, accept it \
         with `supercargo advisory refresh --accept-withdrawals`"
    )]
    Lost { lost: usize, known: usize },
    #[error("it has more than {MAX_ROWS} advisories")]
    TooMany,
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

fn first(skipped: &Option<Skipped>) -> String {
    match skipped {
        None => String::new(),
        Some(Skipped { file, problem }) => format!("; the first file that cannot be read is {file}: {problem}"),
    }
}

/// What a refresh did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The repository is at the commit that was read last.
    Unchanged,
    Read {
        advisories: usize,
        changes: Changes,
        skipped: Vec<Skipped>,
    },
}

impl Refresher {
    /// Reads the source of an upstream. Only for the holder of the lock. A failure is noted at the source.
    pub fn run(
        &self,
        connection: &mut PgConnection,
        upstream: &str,
        accepts_withdrawals: bool,
    ) -> Result<Outcome, RefreshError> {
        let source = sources::find(connection, upstream)?;
        let source = source.ok_or_else(|| RefreshError::NoSource(upstream.to_owned()))?;
        let done = self.read(connection, &source, accepts_withdrawals);
        if let Err(error) = &done {
            sources::note_failure(connection, upstream, &ErrorChain::of(error).to_string())?;
        }
        done
    }

    fn read(
        &self,
        connection: &mut PgConnection,
        source: &Source,
        accepts_withdrawals: bool,
    ) -> Result<Outcome, RefreshError> {
        let place: Place = source.source.parse().map_err(RefreshError::Place)?;
        // A commit with files that could not be read is read again: this program may be another version.
        let known = source.revision.as_deref().filter(|_| source.skipped == 0);
        let Some(mut found) = Found::read(&place, known, (&self.reach, &self.work))? else {
            sources::note_unchanged(connection, &source.upstream)?;
            return Ok(Outcome::Unchanged);
        };
        let rows = rows(&source.upstream, &mut found);
        if rows.is_empty() {
            return Err(RefreshError::Empty(found.skipped.into_iter().next()));
        }
        if rows.len() > MAX_ROWS {
            return Err(RefreshError::TooMany);
        }
        if source.known_source.as_deref() == Some(&source.source) && !accepts_withdrawals {
            refuse_loss(&exchange::present(connection, &source.upstream)?, &rows, &found)?;
        }
        let read = Read {
            rows: &rows,
            stays: &|id| found.may_have(id),
            source: &source.source,
            revision: found.revision.as_deref(),
            skipped: found.skipped.len(),
            skipped_files: found.named_skips(),
        };
        let changes = exchange::exchange(connection, &source.upstream, &read)?;
        Ok(Outcome::Read { advisories: found.advisories.len(), changes, skipped: found.skipped })
    }
}

/// Refuses to withdraw more than half of what counts.
fn refuse_loss(present: &[Present], rows: &[Row], found: &Found) -> Result<(), RefreshError> {
    let read: HashSet<(&str, &str)> = rows
        .iter()
        .filter(|row| row.withdrawn_at.is_none())
        .map(|row| (&*row.advisory_id, &*row.canonical_name))
        .collect();
    let counted: Vec<&Present> = present.iter().filter(|one| one.counts()).collect();
    let is_lost = |one: &&&Present| {
        !read.contains(&(&*one.advisory_id, &*one.canonical_name)) && !found.may_have(&one.advisory_id)
    };
    let (known, lost) = (counted.len(), counted.iter().filter(is_lost).count());
    if known >= MOST && lost * 2 > known { Err(RefreshError::Lost { lost, known }) } else { Ok(()) }
}

/// A row for each crate that an advisory is about. Names that no crate can have are skipped.
fn rows(upstream: &str, found: &mut Found) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut wrong: Vec<(String, String)> = Vec::new();
    for advisory in &found.advisories {
        let begin = rows.len();
        for (name, ranges) in &advisory.crates {
            let name: CrateName = match name.parse() {
                Ok(name) => name,
                Err(error) => {
                    wrong.push((advisory.id.clone(), format!("{error}")));
                    continue;
                }
            };
            // Another spelling of the same crate.
            if !rows[begin..].iter().any(|row| row.canonical_name == name.canonical()) {
                rows.push(Row::of(upstream, advisory, &name, &json!(ranges)));
            }
        }
    }
    for (id, problem) in wrong {
        found.skip(&id, problem);
    }
    rows
}
