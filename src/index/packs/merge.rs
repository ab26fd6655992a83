//! Merging packs. The objects of a merged pack are those of its sources, whether or not a reference leads to them, so it is
//! safe beside a writer, as a geometric repack of git is. It takes a fraction of the time, because entries are copied as
//! they are, and nothing is compared except commits with their parents: each tree and file that a commit changed becomes a
//! delta of the one before. Where a chain of deltas would become too long for fast reading, the object is stored whole.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use git2::Oid;

use super::ancestry::Ancestry;
use super::delta::apply;
use super::entry::{self, HEADER, ObjectKind, TRAILER};
use super::index_file::{self, Entry};
use super::new_pack::{self, FinishedPack};
use super::place::write;
use super::stream;
use super::tip::{LONGEST_CHAIN, Tip};

/// Files beside a pack that forbid its removal or lose their meaning without it.
const BOUND: [&str; 4] = ["keep", "bitmap", "promisor", "mtimes"];

/// A pack that may be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path of the pack file.
    pub path: PathBuf,
    /// Its bytes.
    pub size: u64,
    modified: SystemTime,
}

/// The packs of the directory that may be merged, the oldest first.
pub fn mergeable(packs: &Path) -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for file in fs::read_dir(packs)? {
        let path = file?.path();
        let is_pack = path.extension().is_some_and(|end| end == "pack")
            && path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"pack-"));
        let is_bound = || BOUND.iter().any(|end| path.with_extension(end).exists());
        if !is_pack || !path.with_extension("idx").exists() || is_bound() {
            continue;
        }
        match fs::metadata(&path) {
            Ok(about) => sources.push(Source { size: about.len(), modified: about.modified()?, path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    sources.sort_by(|one, other| (one.modified, &one.path).cmp(&(other.modified, &other.path)));
    Ok(sources)
}

/// Writes one durable pack with the objects of the sources, and removes the sources.
///
/// # Errors
///
/// A source is damaged or in a form that is not merged here. Nothing was removed.
pub fn merge(packs: &Path, sources: &[Source]) -> io::Result<()> {
    let unusable = |source: &Source, why: &str| io::Error::other(format!("{}: {why}", source.path.display()));
    let mut read = Vec::with_capacity(sources.len());
    for source in sources {
        let (pack, index) = (fs::read(&source.path)?, fs::read(source.path.with_extension("idx"))?);
        read.push(Pack::parse(pack, &index).map_err(|why| unusable(source, why))?);
    }
    let mut merged = Merged { ancestry: Ancestry::of(read.iter().flat_map(Pack::raw_entries)), ..Merged::default() };
    for (source, pack) in sources.iter().zip(&read) {
        merged.append(pack).map_err(|why| unusable(source, why))?;
    }
    let finished = merged.finish();
    write(packs, &finished, None)?.place()?;
    let made = packs.join(format!("pack-{}.pack", finished.checksum));
    for source in sources.iter().filter(|source| source.path != made) {
        // The pack first: an index without a pack is removed as a leftover, should this process be killed between the two.
        for end in ["pack", "rev", "idx"] {
            match fs::remove_file(source.path.with_extension(end)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// A pack in memory.
struct Pack {
    content: Vec<u8>,
    /// In the order of their places.
    entries: Vec<Entry>,
}

impl Pack {
    fn parse(content: Vec<u8>, index: &[u8]) -> Result<Self, &'static str> {
        let entries = index_file::read(index, &content).ok_or("its index is damaged, or of another version or pack")?;
        let count = entry::objects_of(&content).ok_or("it is no pack of version 2")?;
        if usize::try_from(count) != Ok(entries.len()) {
            return Err("it and its index have different numbers of objects");
        }
        let pack = Self { content, entries };
        if pack.raw_entries().count() < pack.entries.len() {
            return Err("it is cut off");
        }
        if pack.raw_entries().any(|(entry, raw)| crc32fast::hash(raw) != entry.crc) {
            return Err("the checksum of an entry is wrong");
        }
        Ok(pack)
    }

    /// The entries with their bytes.
    fn raw_entries(&self) -> impl Iterator<Item = (Entry, &[u8])> {
        let end = self.content.len().saturating_sub(TRAILER);
        let ends = self.entries.iter().skip(1).map(|next| next.place).chain([end]);
        self.entries.iter().zip(ends).map_while(|(entry, end)| Some((*entry, self.content.get(entry.place..end)?)))
    }

    /// The type and the content of the object at this place, made from the deltas that lead to it. `None` if one is
    /// damaged, or if the object is of a type that this program does not write.
    fn object(&self, mut place: usize) -> Option<(ObjectKind, Vec<u8>)> {
        let mut deltas = Vec::new();
        loop {
            let raw = self.content.get(place..)?;
            let header = entry::read(raw)?;
            let content = stream::read(raw.get(header.length()..)?)?;
            match (header.distance, header.kind) {
                (Some((distance, _)), _) => {
                    deltas.push(content);
                    place = place.checked_sub(distance.max(1))?;
                }
                (None, kind) => {
                    let whole = deltas.iter().rev().try_fold(content, |base, delta| apply(&base, delta))?;
                    return Some((kind?, whole));
                }
            }
        }
    }
}

#[derive(Default)]
struct Merged<'a> {
    ancestry: Ancestry<'a>,
    entries: Vec<u8>,
    index: Vec<Entry>,
    known: HashMap<Oid, Tip>,
}

impl Merged<'_> {
    /// Appends the entries that are new.
    fn append(&mut self, pack: &Pack) -> Result<(), &'static str> {
        // From the places in this pack to those in the merged one.
        let mut moved: HashMap<usize, Tip> = HashMap::with_capacity(pack.entries.len());
        for (old, raw) in pack.raw_entries() {
            if let Some(known) = self.known.get(&old.id) {
                moved.insert(old.place, *known);
                continue;
            }
            let header = entry::read(raw).ok_or("the header of an entry is damaged")?;
            if header.is_by_id {
                // Copied as it is, it could become the base of its own base.
                return Err("it has deltas whose base is named by its id, as a fetch leaves them");
            }
            let place = HEADER + self.entries.len();
            let mut chain = 0;
            match header.distance {
                None => match self.ancestry.delta(old.id, &self.known) {
                    Some((base, delta)) => {
                        new_pack::push_delta_entry(&mut self.entries, place - base.place, &delta);
                        chain = base.chain + 1;
                    }
                    None => self.entries.extend_from_slice(raw),
                },
                Some((distance, _)) => {
                    let base = old.place.checked_sub(distance).and_then(|base| moved.get(&base));
                    let base = base.ok_or("the base of a delta is not in front of it")?;
                    if base.chain < LONGEST_CHAIN {
                        self.entries.extend_from_slice(&entry::with_distance(raw, &header, place - base.place));
                        chain = base.chain + 1;
                    } else {
                        let (kind, content) = pack.object(old.place).ok_or("a delta or its base is damaged")?;
                        new_pack::push_whole_entry(&mut self.entries, kind, &content);
                    }
                }
            }
            let crc = crc32fast::hash(&self.entries[place - HEADER..]);
            let tip = Tip { place, chain };
            moved.insert(old.place, tip);
            self.known.insert(old.id, tip);
            self.index.push(Entry { id: old.id, crc, place });
        }
        if HEADER + self.entries.len() > index_file::LAST_PLACE {
            return Err("the merged pack would be too large");
        }
        Ok(())
    }

    fn finish(self) -> FinishedPack {
        new_pack::finish(self.entries, self.index)
    }
}
