//! What release sets show beyond the main index, in memory.
//!
//! Each reading of a set from the database holds for a tenth of a second. A change by this process ends it at once, so that a
//! version can be read as soon as its publish is answered; one by another process is seen when the reading is over.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use quick_cache::sync::Cache;

use super::merged::merged;
use crate::database::staging::SetName;
use crate::database::staging::overlay::{OverlaidLine, Overlay};
use crate::index::{IndexError, Oid, View, blob_id};
use crate::package::index_path::index_path;

/// The number of sets whose state is in memory.
const SETS: usize = 1024;
/// The sets that are read at once.
const TURNS: usize = 32;
/// How long a reading holds.
const HOLDS: Duration = Duration::from_millis(100);
/// After this time one request reads again, while the others still use the reading.
const READ_AGAIN: Duration = Duration::from_millis(50);

/// The sets that were read.
pub struct Overlays {
    read: Cache<String, Arc<Reading>>,
    /// Raised by each change of a set by this process.
    changes: AtomicU64,
    /// Whose turn it is to read a set; several sets may share one.
    turns: [tokio::sync::Mutex<()>; TURNS],
}

/// A reading that is about to begin.
pub(super) struct Begun {
    at: Instant,
    changes: u64,
}

/// One reading of a set.
struct Reading {
    /// None: there is no such set.
    files: Option<Arc<Files>>,
    at: Instant,
    is_being_read: AtomicBool,
}

/// The files of a set's index that differ from those of the main index.
pub struct Files {
    pub set_id: i32,
    /// Whether it takes versions.
    pub is_open: bool,
    is_preview: bool,
    revision: i64,
    lines: HashMap<String, Vec<OverlaidLine>>,
    /// By path, each made from a file of the main index.
    made: Mutex<HashMap<String, Made>>,
}

/// A file that was made.
#[derive(Clone)]
struct Made {
    of: Option<Oid>,
    /// None: no line is left.
    file: Option<(Oid, Bytes)>,
}

impl Default for Overlays {
    fn default() -> Self {
        Self { read: Cache::new(SETS), changes: AtomicU64::new(0), turns: Default::default() }
    }
}

impl Overlays {
    /// What is known of a set, if a reading holds; `Some(None)` if there is no such set. Does not block.
    pub fn recall(&self, set: &str) -> Option<Option<Arc<Files>>> {
        let reading = self.read.get(set)?;
        let age = reading.at.elapsed();
        let is_due = age > READ_AGAIN && !reading.is_being_read.swap(true, Ordering::Relaxed);
        (age <= HOLDS && !is_due).then(|| reading.files.clone())
    }

    /// The turn to read a set from the database.
    pub(super) async fn turn(&self, set: &SetName) -> tokio::sync::MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        set.as_str().hash(&mut hasher);
        self.turns[hasher.finish() as usize % TURNS].lock().await
    }

    /// What another request has read while this one waited for its turn.
    pub(super) fn just_read(&self, set: &str) -> Option<Option<Arc<Files>>> {
        let reading = self.read.get(set)?;
        (reading.at.elapsed() <= READ_AGAIN).then(|| reading.files.clone())
    }

    /// A change of the set was committed.
    pub fn forget(&self, set: &SetName) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.read.remove(set.as_str());
    }

    /// To be called before a reading.
    pub(super) fn begin(&self) -> Begun {
        Begun { at: Instant::now(), changes: self.changes.load(Ordering::SeqCst) }
    }

    /// Notes what was read, unless something was changed meanwhile.
    pub(super) fn note(&self, set: &SetName, begun: Begun, found: Option<Overlay>) -> Option<Arc<Files>> {
        let before = self.read.peek(set.as_str()).and_then(|reading| reading.files.clone());
        let files = found.map(|overlay| {
            let files = Files::of(overlay);
            match before {
                // With the files that were made.
                Some(before) if before.has_same(&files) => before,
                _ => Arc::new(files),
            }
        });
        let reading = Reading { files: files.clone(), at: begun.at, is_being_read: AtomicBool::new(false) };
        if self.changes.load(Ordering::SeqCst) == begun.changes {
            self.read.insert(set.as_str().to_owned(), Arc::new(reading));
        }
        files
    }
}

impl Files {
    fn of(overlay: Overlay) -> Self {
        let mut lines: HashMap<String, Vec<OverlaidLine>> = HashMap::new();
        for line in overlay.lines {
            lines.entry(index_path(&line.name)).or_default().push(line);
        }
        let Overlay { set_id, revision, is_open, is_preview, .. } = overlay;
        Self { set_id, is_open, is_preview, revision, lines, made: Mutex::default() }
    }

    fn has_same(&self, other: &Self) -> bool {
        let of = |files: &Self| (files.set_id, files.is_open, files.is_preview, files.revision);
        of(self) == of(other) && self.lines == other.lines
    }

    /// Whether only its members may read it.
    pub fn is_private(&self) -> bool {
        self.is_open && !self.is_preview
    }

    /// Whether a file differs from that of the main index.
    pub fn changes(&self, path: &str) -> bool {
        self.lines.contains_key(path)
    }

    /// A file that differs, if it was made from the file that the main index has now.
    pub fn recall(&self, path: &str, main: Option<Oid>) -> Option<Option<(Oid, Bytes)>> {
        let made = self.made.lock();
        made.get(path).filter(|made| made.of == main).map(|made| made.file.clone())
    }

    /// The same, made if necessary; None if no line is left. It may block.
    pub fn file(&self, view: &View, path: &str) -> Result<Option<(Oid, Bytes)>, IndexError> {
        let main = view.file(path)?;
        let of = main.as_ref().map(|file| file.id);
        if let Some(known) = self.recall(path, of) {
            return Ok(known);
        }
        let content = main.as_ref().map_or(&[][..], |file| &file.content);
        let lines = self.lines.get(path).map_or(&[][..], Vec::as_slice);
        let content = Bytes::from(merged(content, lines));
        let file = if content.is_empty() { None } else { Some((blob_id(&content)?, content)) };
        self.made.lock().insert(path.to_owned(), Made { of, file: file.clone() });
        Ok(file)
    }
}
