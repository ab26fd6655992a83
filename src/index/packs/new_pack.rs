//! The pack of a batch, while it grows in memory.

use std::collections::HashMap;

use bytes::Bytes;
use git2::Oid;
use sha1::{Digest, Sha1};

use super::bases::{Base, Bases, LARGE};
use super::delta::delta;
use super::entry::{HEADER, ObjectKind, pack_header, push_delta, push_whole};
use super::index_file::{self, Entry};
use super::stream::{push_compressed, push_stored};
use super::tip::{LONGEST_CHAIN, Tip};
use crate::index::tree::{Replaced, Tree};

/// The size in bytes from which a delta is compressed. Those of trees are smaller, and mostly ids.
const COMPRESSED: usize = 512;

/// A growing pack. An object that is added again is in it once.
#[derive(Default)]
pub struct NewPack {
    entries: Vec<u8>,
    index: Vec<Entry>,
    known: HashMap<Oid, Tip>,
}

/// The content of a pack and of its index.
pub struct FinishedPack {
    pub pack: Vec<u8>,
    pub index: Vec<u8>,
    /// The SHA-1 of the content, which names the files.
    pub checksum: Oid,
}

impl NewPack {
    /// Adds an object.
    pub fn add(&mut self, kind: ObjectKind, id: Oid, content: &[u8]) {
        self.add_entry(id, 0, |pack, _| push_whole_entry(pack, kind, content));
    }

    /// Adds a version of a file. A large one is a delta of its base, if it has one, and else the base of the next ones.
    pub fn add_file(&mut self, path: &str, id: Oid, content: &Bytes, bases: &Bases) {
        if content.len() < LARGE {
            return self.add(ObjectKind::Blob, id, content);
        }
        if let Some((base, changed)) = bases.base_of(path, content) {
            self.add_entry(base.id, 0, |pack, _| pack.extend_from_slice(&base.entry));
            let Some(tip) = self.known.get(&base.id).copied() else { return };
            return self.add_entry(id, tip.chain + 1, |pack, place| {
                push_delta_entry(pack, place - tip.place, &delta(&base.content, content, &changed));
            });
        }
        let start = self.entries.len();
        self.add(ObjectKind::Blob, id, content);
        let entry: Box<[u8]> = self.entries[start..].into();
        if !entry.is_empty() {
            bases.keep(path, Base { id, content: content.clone(), entry });
        }
    }

    /// Adds a tree that was made from another one: as a delta if the pack has that one.
    pub fn add_edited(&mut self, tree: &Tree, before: &Tree, replaced: &Replaced) {
        let base = self.known.get(&before.id).copied().filter(|base| base.chain < LONGEST_CHAIN);
        // git refuses the delta of something empty.
        let base = base.filter(|_| !tree.is_empty() && !before.is_empty());
        let Some(base) = base else { return self.add(ObjectKind::Tree, tree.id, tree.raw()) };
        self.add_entry(tree.id, base.chain + 1, |pack, place| {
            push_delta_entry(
                pack,
                place - base.place,
                &delta(before.raw(), tree.raw(), std::slice::from_ref(replaced)),
            );
        });
    }

    fn add_entry(&mut self, id: Oid, chain: usize, push: impl FnOnce(&mut Vec<u8>, usize)) {
        let place = HEADER + self.entries.len();
        if self.known.contains_key(&id) {
            return;
        }
        self.known.insert(id, Tip { place, chain });
        push(&mut self.entries, place);
        let crc = crc32fast::hash(&self.entries[place - HEADER..]);
        self.index.push(Entry { id, crc, place });
    }

    /// The files' content.
    pub fn finish(self) -> FinishedPack {
        finish(self.entries, self.index)
    }
}

/// The pack of these entries.
pub(super) fn finish(entries: Vec<u8>, mut index: Vec<Entry>) -> FinishedPack {
    let count = u32::try_from(index.len()).unwrap_or(u32::MAX); // the places of entries have 31 bits
    let mut pack = Vec::with_capacity(entries.len() + 32);
    pack.extend_from_slice(&pack_header(count));
    pack.extend_from_slice(&entries);
    drop(entries);
    let checksum = Sha1::digest(&pack);
    pack.extend_from_slice(&checksum);
    let index = index_file::write(&mut index, &checksum);
    FinishedPack { pack, index, checksum: Oid::from_bytes(&checksum).expect("SHA-1 has 20 bytes") } // as an id has
}

/// Appends an object as it is. Trees are mostly ids, which do not compress.
pub(super) fn push_whole_entry(pack: &mut Vec<u8>, kind: ObjectKind, content: &[u8]) {
    push_whole(pack, kind, content.len());
    match kind {
        ObjectKind::Tree => push_stored(pack, content),
        ObjectKind::Blob | ObjectKind::Commit => push_compressed(pack, content),
    }
}

/// Appends a delta whose base is `distance` bytes before.
pub(super) fn push_delta_entry(pack: &mut Vec<u8>, distance: usize, delta: &[u8]) {
    push_delta(pack, delta.len(), distance);
    if delta.len() < COMPRESSED { push_stored(pack, delta) } else { push_compressed(pack, delta) }
}
