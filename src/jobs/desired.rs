//! The desired state of a batch's crates: of most of them, only what their files lack.

use std::collections::BTreeSet;

use diesel::{PgConnection, QueryResult};

use super::subject::Subject;
use crate::database::catalog::index_files::{self, PendingCrate};
use crate::database::catalog::versions::DesiredLine;
use crate::database::catalog::{crates, versions};
use crate::package::index_path::{crate_path, index_path};
use crate::queue::Run;

/// The desired state of crates.
#[derive(Default)]
pub(super) struct Desired {
    /// Crates with the versions that are not as desired. Their files are edited.
    pub pending: Vec<PendingCrate>,
    /// All lines of other crates. Their files are rendered.
    pub lines: Vec<DesiredLine>,
}

/// The connection of a batch, or of a command that does its work.
pub(super) enum Session<'a, 'run> {
    Job(&'a mut Run<'run>),
    Command(&'a mut PgConnection),
}

impl Session<'_, '_> {
    pub fn with<R>(&mut self, f: impl FnOnce(&mut PgConnection) -> R) -> R {
        match self {
            Self::Job(run) => run.with_connection(f),
            Self::Command(connection) => f(connection),
        }
    }

    /// The desired lines of these crates.
    pub fn lines(&mut self, crate_ids: &[i32]) -> QueryResult<Vec<DesiredLine>> {
        if crate_ids.is_empty() {
            return Ok(Vec::new());
        }
        self.with(|connection| versions::desired_lines(connection, crate_ids))
    }
}

/// The desired state of the crates of the subjects. A file that a job names is rendered as a whole, because something may
/// be wrong with it.
pub(super) fn of_subjects(session: &mut Session<'_, '_>, subjects: &[Subject]) -> QueryResult<Desired> {
    let (mut changed, mut whole) = (BTreeSet::new(), BTreeSet::new());
    for subject in subjects {
        match subject {
            Subject::VersionChange(change) => drop(changed.insert(change.crate_id)),
            Subject::File(path) => {
                let Some(name) = crate_path(path) else { continue };
                let found = session.with(|connection| crates::find(connection, &name))?;
                whole.extend(found.filter(|found| index_path(&found.name) == *path).map(|found| found.id));
            }
        }
    }
    let changed: Vec<i32> = changed.difference(&whole).copied().collect();
    let whole: Vec<i32> = whole.into_iter().collect();
    let pending = match changed.is_empty() {
        true => Vec::new(),
        false => session.with(|connection| index_files::pending(connection, &changed))?,
    };
    Ok(Desired { pending, lines: session.lines(&whole)? })
}
