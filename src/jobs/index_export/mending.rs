//! A single object: whether it is what was exported, and writing it again.

use std::time::{Duration, Instant};

use bytes::Bytes;
use diesel::PgConnection;

use super::destination::Destination;
use super::error::ExportError;
use super::invalidation::Stale;
use super::object::{Care, Objects, placed};
use super::plan::known;
use crate::database::upkeep::index_exports;
use crate::index::{Index, Oid};

/// The longest that one object takes.
const LIMIT: Duration = Duration::from_secs(60);

/// A path of the copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The content in the index at the commit that was exported.
    pub expected: Option<Bytes>,
    /// The content in the bucket.
    pub found: Option<Bytes>,
}

/// Reads both, in a transaction whose lock keeps an export from writing in between; `None` if another process has the lock, or
/// no export is complete.
pub fn look(
    connection: &mut PgConnection,
    index: &Index,
    destination: &Destination,
    path: &str,
) -> Result<Option<Exported>, ExportError> {
    let Some((commit, _)) = lock(connection, destination)? else { return Ok(None) };
    let expected = placed(index, commit, path)?.map(|(_, content)| content);
    Ok(Some(Exported { expected, found: destination.bucket.read(path)? }))
}

/// Makes an object what was exported, in a transaction; false if another process has the lock.
pub fn mend(
    connection: &mut PgConnection,
    index: &Index,
    destination: &Destination,
    path: &str,
) -> Result<bool, ExportError> {
    let Some((commit, fence)) = lock(connection, destination)? else { return Ok(false) };
    let until = Instant::now() + LIMIT;
    let objects = Objects { index, destination, commit, fence, until, is_stopped: &|| false };
    objects.place(path, Care::Compares)?;
    if let Some(invalidation) = &destination.invalidation {
        invalidation.run(&Stale::of([path.to_owned()].into()))?;
    }
    Ok(true)
}

fn lock(connection: &mut PgConnection, destination: &Destination) -> Result<Option<(Oid, i64)>, ExportError> {
    let state = index_exports::lock(connection, &destination.key())?;
    Ok(state.and_then(|state| Some((known(state.commit_id.as_deref())?, state.fence))))
}
