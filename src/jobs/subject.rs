//! The subject of a job of the index: a version, or a file.

use std::collections::BTreeSet;

use diesel::{PgConnection, QueryResult};

use super::version_change::VersionChange;
use crate::database::catalog::versions::DesiredLine;
use crate::database::catalog::{crates, versions};
use crate::package::index_path::{crate_path, index_path};

/// The subject of a job of the index.
pub enum Subject {
    /// A version whose desired state was changed.
    VersionChange(VersionChange),
    /// A file of the index. Its crate is looked up when the job runs; without one, the file is removed.
    File(String),
}

/// The desired lines of all crates of the subjects.
pub(super) fn desired_lines(connection: &mut PgConnection, subjects: &[Subject]) -> QueryResult<Vec<DesiredLine>> {
    let mut ids = BTreeSet::new();
    for subject in subjects {
        match subject {
            Subject::VersionChange(change) => drop(ids.insert(change.crate_id)),
            Subject::File(path) => {
                let Some(name) = crate_path(path) else { continue };
                let found = crates::find(connection, &name)?.filter(|found| index_path(&found.name) == *path);
                ids.extend(found.map(|found| found.id));
            }
        }
    }
    let ids: Vec<i32> = ids.into_iter().collect();
    versions::desired_lines(connection, &ids)
}
