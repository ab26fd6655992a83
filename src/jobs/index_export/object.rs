//! Writing one object.

use std::time::Instant;

use super::destination::{self, Destination};
use super::error::ExportError;
use crate::crate_store::Written;
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
}

/// How much of objects is known, and what is written without need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Care {
    /// Written even if it is right: it gets the new fence.
    Writes,
    /// Written if it is not right.
    Compares,
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
            let Some((blob, content)) = &file else {
                if seen.is_none() {
                    return Ok(Placed::Unchanged);
                }
                self.may_write()?;
                self.destination.bucket.remove(path)?;
                fault::point("export.object_written")?;
                return Ok(Placed::Removed);
            };
            let headers = self.destination.headers(path, *blob, (self.commit, self.fence));
            if let Some(object) = &seen {
                let is_ours = destination::fence(object) == self.fence;
                let is_current = destination::is_current(object, (*blob, content.len()), &headers);
                let is_right = match care {
                    Care::Writes | Care::IsAbsent => is_current && is_ours,
                    Care::Compares if !is_current => false,
                    Care::Compares => {
                        destination::is_tag_of(object.e_tag(), content)
                            || self.destination.bucket.read(path)?.as_ref() == Some(content)
                    }
                };
                if is_right {
                    return Ok(if is_ours { Placed::Written } else { Placed::Unchanged });
                }
            }
            self.may_write()?;
            if self.destination.bucket.store(path, content.clone(), &headers, seen.as_ref())? == Written::Stored {
                fault::point("export.object_written")?;
                return Ok(Placed::Written);
            }
        }
        Err(ExportError::Contended(path.to_owned()))
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
