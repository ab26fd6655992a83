//! Which tree and which file of a pack was made from which: those of a commit from those of its parent.

use std::borrow::Cow;
use std::collections::HashMap;

use git2::Oid;

use super::delta::{apply, delta};
use super::difference::difference;
use super::entry::{self, ObjectKind};
use super::index_file::Entry;
use super::stream;
use super::tip::{LONGEST_CHAIN, Tip};
use crate::index::tree::changed;

/// The most bytes of trees that are in memory. What is beyond is copied as it is.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// The trees and files of some packs, and the one before each.
#[derive(Default)]
pub(super) struct Ancestry<'a> {
    trees: HashMap<Oid, Vec<u8>>,
    /// The entries of files.
    files: HashMap<Oid, &'a [u8]>,
    before: HashMap<Oid, Oid>,
}

impl<'a> Ancestry<'a> {
    /// Reads commits and trees; `entries` are those of one pack after the other.
    pub fn of(entries: impl Iterator<Item = (Entry, &'a [u8])>) -> Self {
        let mut commits: Vec<(Oid, Oid, Option<Oid>)> = Vec::new();
        let mut ancestry = Self::default();
        // The trees of the present pack by place.
        let mut places: HashMap<usize, Oid> = HashMap::new();
        let (mut bytes, mut last) = (0, 0);
        for (Entry { id, place, .. }, raw) in entries {
            if place <= last {
                places.clear();
            }
            last = place;
            let Some(header) = entry::read(raw) else { continue };
            let content = match (header.distance, header.kind) {
                (None, Some(ObjectKind::Commit)) => {
                    let commit = inflate(raw, &header).and_then(|content| parse_commit(&content));
                    commits.extend(commit.map(|(tree, parent)| (id, tree, parent)));
                    continue;
                }
                (None, Some(ObjectKind::Blob)) => {
                    ancestry.files.insert(id, raw);
                    continue;
                }
                (None, Some(ObjectKind::Tree)) => inflate(raw, &header),
                (Some((distance, _)), _) => {
                    let base = place.checked_sub(distance).and_then(|base| ancestry.trees.get(places.get(&base)?));
                    base.and_then(|base| apply(base, &inflate(raw, &header)?))
                }
                _ => continue,
            };
            let Some(content) = content else { continue };
            bytes += content.len();
            if bytes > MOST_BYTES {
                break;
            }
            places.insert(place, id);
            ancestry.trees.insert(id, content);
        }
        let roots: HashMap<Oid, Oid> = commits.iter().map(|(id, tree, _)| (*id, *tree)).collect();
        for (_, tree, parent) in commits {
            if let Some(before) = parent.and_then(|parent| roots.get(&parent)) {
                ancestry.note(tree, *before);
            }
        }
        ancestry
    }

    /// Notes a tree and the one before, and what differs in them; or a file and the one before.
    fn note(&mut self, id: Oid, before: Oid) {
        if id == before || self.before.contains_key(&id) {
            return;
        }
        if self.files.contains_key(&id) && self.files.contains_key(&before) {
            self.before.insert(id, before);
            return;
        }
        let changed = match (self.trees.get(&id), self.trees.get(&before)) {
            (Some(after), Some(earlier)) => changed(after, earlier).unwrap_or_default(),
            _ => return,
        };
        self.before.insert(id, before);
        for (after, earlier) in changed {
            self.note(after, earlier);
        }
    }

    /// The object as a delta of the one before, if that one is in the pack that is being written; and where it is.
    pub fn delta(&self, id: Oid, written: &HashMap<Oid, Tip>) -> Option<(Tip, Vec<u8>)> {
        let before = self.before.get(&id)?;
        let base = written.get(before).filter(|base| base.chain < LONGEST_CHAIN)?;
        let (old, new) = (self.content(*before)?, self.content(id)?);
        let replaced = difference(&old, &new);
        (replaced.new.len() < new.len() / 2).then(|| (*base, delta(&old, &new, &[replaced])))
    }

    fn content(&self, id: Oid) -> Option<Cow<'_, [u8]>> {
        if let Some(tree) = self.trees.get(&id) {
            return Some(Cow::Borrowed(tree));
        }
        let raw = self.files.get(&id)?;
        inflate(raw, &entry::read(raw)?).map(Cow::Owned)
    }
}

/// The tree and the first parent of a commit.
fn parse_commit(content: &[u8]) -> Option<(Oid, Option<Oid>)> {
    let mut lines = content.split(|byte| *byte == b'\n');
    let mut id = |key: &[u8]| Oid::from_str(std::str::from_utf8(lines.next()?.strip_prefix(key)?).ok()?).ok();
    let tree = id(b"tree ")?;
    Some((tree, id(b"parent ")))
}

fn inflate(raw: &[u8], header: &entry::Header) -> Option<Vec<u8>> {
    stream::read(raw.get(header.length()..)?)
}
