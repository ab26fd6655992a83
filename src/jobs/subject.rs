//! What the jobs of the index are about.

use std::collections::BTreeSet;

use diesel::{PgConnection, QueryResult};

use super::VersionChange;
use crate::database::catalog::versions::DesiredLine;
use crate::database::catalog::{crates, versions};
use crate::package::index_path::{crate_path, index_path};

/// What a job of the index is about.
pub enum Subject {
    /// A version of which something was wanted.
    VersionChange(VersionChange),
    /// A file of the index, whose crate is looked up when the job runs. It is removed if no crate has it.
    File(String),
}

/// The wanted rows of all crates that the subjects are about, as far as there are any.
pub(super) fn desired_lines(connection: &mut PgConnection, subjects: &[Subject]) -> QueryResult<Vec<DesiredLine>> {
    let mut ids = BTreeSet::new();
    for subject in subjects {
        match subject {
            Subject::VersionChange(wish) => drop(ids.insert(wish.crate_id)),
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
