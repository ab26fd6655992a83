//! A single object: whether it is what was exported, and writing it again.

use std::time::{Duration, Instant};

use bytes::Bytes;
use diesel::PgConnection;

use super::destination::{self, Destination};
use super::error::ExportError;
use super::object::{Care, Objects, placed};
use super::plan::{known, refuse_behind};
use crate::database::upkeep::index_exports::{self, IndexExport};
use crate::index::{Head, Index, Oid};

/// The longest that one object takes.
const LIMIT: Duration = Duration::from_secs(60);

/// A path of the copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The content in the index, or what was found if the next export replaces it.
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
    let Some((state, head)) = lock(connection, index, destination)? else { return Ok(None) };
    let at = |commit| placed(index, commit, path).map(|file| file.map(|(_, content)| content));
    let (mut expected, found) = (at(head)?, destination.bucket.read(path)?);
    // Those of a history that was rewritten are not known any more.
    let exported = known(state.commit_id.as_deref()).filter(|exported| *exported != head);
    if let Some(exported) = exported
        && expected != found
        && index.is_in(exported, head)?
        && (at(exported)? == found || is_after(index, destination, path, exported)?)
    {
        expected.clone_from(&found);
    }
    Ok(Some(Exported { expected, found }))
}

/// Whether an attempt that was cut off has written the object.
fn is_after(index: &Index, destination: &Destination, path: &str, exported: Oid) -> Result<bool, ExportError> {
    let object = destination.bucket.look_at(path)?;
    let commit = object.as_ref().and_then(destination::commit);
    Ok(commit.map_or(Ok(None), |commit| index.is_after(commit, exported))?.unwrap_or(false))
}

/// Notes that caches have to forget what [`mend`] writes, in a transaction of its own before; false if another process has the
/// lock. The next export has them forget everything.
pub fn owe(connection: &mut PgConnection, destination: &Destination) -> Result<bool, ExportError> {
    Ok(index_exports::owe_invalidation(connection, &destination.key())?)
}

/// Makes an object what the index has, in a transaction; false if another process has the lock.
pub fn mend(
    connection: &mut PgConnection,
    index: &Index,
    destination: &Destination,
    path: &str,
) -> Result<bool, ExportError> {
    let Some((state, commit)) = lock(connection, index, destination)? else { return Ok(false) };
    let (fence, until) = (state.fence, Instant::now() + LIMIT);
    let objects =
        Objects { index, destination, commit, fence, since: fence, is_fetched: false, until, is_stopped: &|| false };
    objects.place(path, Care::Compares)?;
    Ok(true)
}

/// The state, locked, and the head; `None` if another process has the lock, or no export is complete.
fn lock(
    connection: &mut PgConnection,
    index: &Index,
    destination: &Destination,
) -> Result<Option<(IndexExport, Oid)>, ExportError> {
    let state = index_exports::lock(connection, &destination.key())?.filter(|state| state.commit_id.is_some());
    let (Some(state), Head { commit: Some(head) }) = (state, index.head()?) else { return Ok(None) };
    refuse_behind(connection, index, &state, (head, false))?;
    Ok(Some((state, head)))
}
