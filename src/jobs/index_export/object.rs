//! Writing one object.

use std::time::Instant;

use super::destination::{self, Destination};
use super::error::ExportError;
use crate::crate_store::{Object, Written};
use crate::fault;
use crate::index::{Head, Index, Oid};

/// Attempts to write an object that another one keeps changing.
const TRIES: usize = 3;

/// What an attempt writes.
pub(super) struct Objects<'a> {
    pub index: &'a Index,
    pub destination: &'a Destination,
    pub commit: Oid,
    pub fence: i64,
    /// The smallest number of an object that need not be written again.
    pub since: i64,
    /// Whether the mirror was fetched under the lock: a commit that is not here is lost.
    pub is_fetched: bool,
    /// When the attempt has to end.
    pub until: Instant,
    pub is_stopped: &'a (dyn Fn() -> bool + Sync),
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    Unchanged,
    Written,
    Removed,
    /// It is wrong, and was left so: first the invalidation has to be noted.
    Pending,
}

/// How much of objects is known, and what is written without need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Care {
    /// Written even if it is right: it gets the new fence.
    Writes,
    /// Written if it is not right.
    Compares,
    /// Looked at.
    Looks,
    /// A listing had no such object.
    IsAbsent,
}

/// The content that a path has at a commit; `None` if there is no such file.
pub(super) fn placed(index: &Index, commit: Oid, path: &str) -> Result<Option<(Oid, bytes::Bytes)>, ExportError> {
    let file = index.read(&Head { commit: Some(commit) }, path)?;
    Ok(file.map(|file| (file.id, file.content)))
}

impl Objects<'_> {
    /// Makes the object at a path what the commit has there.
    pub fn place(&self, path: &str, care: Care) -> Result<Placed, ExportError> {
        let file = placed(self.index, self.commit, path)?;
        let mut known_absent = care == Care::IsAbsent;
        for _ in 0..TRIES {
            let seen = if std::mem::take(&mut known_absent) { None } else { self.destination.bucket.look_at(path)? };
            if let Some(theirs) = seen.as_ref().map(destination::fence).filter(|theirs| *theirs > self.fence) {
                return Err(ExportError::Superseded { path: path.to_owned(), theirs, ours: self.fence });
            }
            if let Some(object) = &seen {
                self.refuse_newer(object)?;
            }
            let Some((blob, content)) = &file else {
                if seen.is_none() {
                    return Ok(Placed::Unchanged);
                }
                if care == Care::Looks {
                    return Ok(Placed::Pending);
                }
                self.may_write()?;
                self.destination.bucket.remove(path)?;
                fault::point("export.object_written")?;
                return Ok(Placed::Removed);
            };
            let headers = self.destination.headers(path, *blob, (self.commit, self.fence));
            if let Some(object) = &seen {
                let is_ours = destination::fence(object) >= self.since;
                let is_current = destination::is_current(object, (*blob, content.len()), &headers);
                let is_right = match care {
                    Care::Writes | Care::IsAbsent => is_current && is_ours,
                    Care::Compares | Care::Looks if !is_current => false,
                    Care::Compares | Care::Looks => {
                        destination::is_tag_of(object.e_tag(), content)
                            || self.destination.bucket.read(path)?.as_ref() == Some(content)
                    }
                };
                if is_right {
                    return Ok(if is_ours { Placed::Written } else { Placed::Unchanged });
                }
            }
            if care == Care::Looks {
                return Ok(Placed::Pending);
            }
            self.may_write()?;
            if self.destination.bucket.store(path, content.clone(), &headers, seen.as_ref())? == Written::Stored {
                fault::point("export.object_written")?;
                return Ok(Placed::Written);
            }
        }
        Err(ExportError::Contended(path.to_owned()))
    }

    /// Ends an attempt whose mirror is behind the one from which an object was exported.
    fn refuse_newer(&self, object: &Object) -> Result<(), ExportError> {
        let Some(theirs) = destination::commit(object).filter(|theirs| *theirs != self.commit) else { return Ok(()) };
        let may_be_newer = self.index.remote().is_some() && !self.is_fetched;
        if self.index.is_after(theirs, self.commit)?.unwrap_or(may_be_newer) {
            return Err(ExportError::Behind(theirs.to_string()));
        }
        Ok(())
    }

    /// A process that was frozen writes nothing when it resumes.
    fn may_write(&self) -> Result<(), ExportError> {
        fault::point("export.object")?;
        if (self.is_stopped)() {
            return Err(ExportError::Stopped(0));
        }
        if Instant::now() >= self.until { Err(ExportError::OutOfTime(0)) } else { Ok(()) }
    }
}
