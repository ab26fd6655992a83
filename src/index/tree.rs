//! A directory of the index as git stores it: looking up names, and making the tree that an edit results in.

use std::cmp::Ordering;
use std::ops::Range;

use git2::Oid;

use super::object_id;

/// The modes of entries, as git writes them.
const DIRECTORY: &[u8] = b"40000";
const FILE: &[u8] = b"100644";

/// Bytes of an id.
const ID: usize = 20;

/// A tree object, with the places of its entries.
#[derive(Debug)]
pub(super) struct Tree {
    pub id: Oid,
    raw: Box<[u8]>,
    starts: Box<[u32]>,
}

/// The kind of an entry of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    /// A file or a symbolic link.
    File,
    /// A commit of another repository.
    Submodule,
}

/// What an edit replaces: these bytes of the old tree, by the bytes at the same start in the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replaced {
    pub old: Range<usize>,
    pub new: Range<usize>,
}

struct Entry<'a> {
    mode: &'a [u8],
    name: &'a [u8],
    id: &'a [u8],
}

impl Entry<'_> {
    fn kind(&self) -> Kind {
        match self.mode {
            DIRECTORY => Kind::Directory,
            mode if mode.starts_with(b"10") || mode.starts_with(b"12") => Kind::File,
            _ => Kind::Submodule,
        }
    }
}

impl Tree {
    /// The tree without entries.
    pub fn empty() -> Self {
        Self { id: object_id::tree(&[]), raw: Box::default(), starts: Box::default() }
    }

    /// `None` if the bytes are not entries of a tree: mode, space, name, NUL, id.
    pub fn parse(id: Oid, raw: &[u8]) -> Option<Self> {
        let (mut rest, mut starts) = (raw, Vec::new());
        while !rest.is_empty() {
            starts.push(u32::try_from(raw.len() - rest.len()).ok()?);
            (_, rest) = split_entry(rest)?;
        }
        Some(Self { id, raw: raw.into(), starts: starts.into() })
    }

    /// The object's content.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The bytes of memory, without those of the struct itself.
    pub fn weight(&self) -> usize {
        self.raw.len() + self.starts.len() * size_of::<u32>()
    }

    /// The kind and the id of the entry with this name.
    pub fn get(&self, name: &[u8]) -> Option<(Kind, Oid)> {
        [false, true].into_iter().find_map(|is_tree| {
            let entry = self.entry(self.place(name, is_tree).ok()?)?;
            Some((entry.kind(), Oid::from_bytes(entry.id).ok()?))
        })
    }

    /// The tree in which `name` is this file or directory, or in which nothing has the name. An entry of the other kind stays.
    pub fn with(&self, name: &[u8], is_tree: bool, id: Option<Oid>) -> (Self, Replaced) {
        let place = self.place(name, is_tree);
        let (Ok(number) | Err(number)) = place;
        let start = self.start(number);
        let end = if place.is_ok() { self.start(number + 1) } else { start };
        let mut entry = Vec::with_capacity(DIRECTORY.len() + name.len() + ID + 3);
        if let Some(id) = id {
            entry.extend_from_slice(if is_tree { DIRECTORY } else { FILE });
            entry.push(b' ');
            entry.extend_from_slice(name);
            entry.push(0);
            entry.extend_from_slice(id.as_bytes());
        }
        let raw = [&self.raw[..start], &entry, &self.raw[end..]].concat();
        let after = number + usize::from(place.is_ok());
        let mut starts = Vec::with_capacity(self.starts.len() + 1);
        starts.extend_from_slice(&self.starts[..number]);
        starts.extend(id.map(|_| offset(start)));
        starts.extend(self.starts[after..].iter().map(|old| offset(*old as usize - end + start + entry.len())));
        let replaced = Replaced { old: start..end, new: start..start + entry.len() };
        (Self { id: object_id::tree(&raw), raw: raw.into(), starts: starts.into() }, replaced)
    }

    /// The number of the entry with this name, or the one before which it belongs.
    fn place(&self, name: &[u8], is_tree: bool) -> Result<usize, usize> {
        self.starts.binary_search_by(|start| {
            // Parsed once already.
            let Some((entry, _)) = split_entry(&self.raw[*start as usize..]) else { return Ordering::Less };
            compare((entry.name, entry.kind() == Kind::Directory), (name, is_tree))
        })
    }

    fn entry(&self, number: usize) -> Option<Entry<'_>> {
        Some(split_entry(&self.raw[*self.starts.get(number)? as usize..])?.0)
    }

    fn start(&self, number: usize) -> usize {
        self.starts.get(number).map_or(self.raw.len(), |start| *start as usize)
    }
}

/// The files and directories that have different ids in two trees: the ids after and before. `None` if something is no
/// tree.
pub(super) fn changed(after: &[u8], before: &[u8]) -> Option<Vec<(Oid, Oid)>> {
    let (mut after, mut before, mut changed) = (after, before, Vec::new());
    while !after.is_empty() && !before.is_empty() {
        let ((one, after_one), (other, after_other)) = (split_entry(after)?, split_entry(before)?);
        let order = compare((one.name, one.kind() == Kind::Directory), (other.name, other.kind() == Kind::Directory));
        if order.is_le() {
            after = after_one;
        }
        if order.is_ge() {
            before = after_other;
        }
        if order.is_eq() && one.id != other.id && one.kind() != Kind::Submodule && one.kind() == other.kind() {
            changed.push((Oid::from_bytes(one.id).ok()?, Oid::from_bytes(other.id).ok()?));
        }
    }
    Some(changed)
}

/// A place in a tree. A tree of 4 GiB would have a hundred million entries.
fn offset(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

fn split_entry(raw: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let space = raw.iter().position(|&byte| byte == b' ')?;
    let end = space + raw[space..].iter().position(|&byte| byte == 0)?;
    let id = raw.get(end + 1..end + 1 + ID)?;
    Some((Entry { mode: &raw[..space], name: &raw[space + 1..end], id }, &raw[end + 1 + ID..]))
}

/// The order of git's trees: that of the bytes, with a slash at the end of the names of trees.
fn compare(one: (&[u8], bool), other: (&[u8], bool)) -> Ordering {
    let common = one.0.len().min(other.0.len());
    one.0[..common].cmp(&other.0[..common]).then_with(|| {
        let next = |(name, is_tree): (&[u8], bool)| name.get(common).copied().or(is_tree.then_some(b'/'));
        next(one).cmp(&next(other)).then(one.0.len().cmp(&other.0.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut raw = Vec::new();
        for (number, (mode, name)) in (1..).zip(entries) {
            raw.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            raw.extend([number; ID]);
        }
        raw
    }

    fn parse(entries: &[(&str, &str)]) -> Tree {
        let raw = raw(entries);
        Tree::parse(object_id::tree(&raw), &raw).unwrap()
    }

    fn id(number: u8) -> Oid {
        Oid::from_bytes(&[number; ID]).unwrap()
    }

    #[test]
    fn entries_are_found_by_name_in_gits_order() {
        // A tree `a` comes after `a-b`, because its name ends with a slash.
        let parsed = parse(&[
            ("100644", "a-b"),
            ("40000", "a"),
            ("100644", "a0"),
            ("100755", "b"),
            ("160000", "module"),
            ("120000", "z"),
        ]);
        assert_eq!(parsed.get(b"a-b"), Some((Kind::File, id(1))));
        assert_eq!(parsed.get(b"a"), Some((Kind::Directory, id(2))));
        assert_eq!(parsed.get(b"a0"), Some((Kind::File, id(3))));
        assert_eq!(parsed.get(b"b"), Some((Kind::File, id(4))));
        assert_eq!(parsed.get(b"module"), Some((Kind::Submodule, id(5))));
        assert_eq!(parsed.get(b"z"), Some((Kind::File, id(6))));
        for name in ["", "a-", "c", "a-b0", "zz"] {
            assert_eq!(parsed.get(name.as_bytes()), None, "{name}");
        }
        assert!(Tree::empty().get(b"a").is_none());
    }

    #[test]
    fn what_is_cut_off_is_no_tree() {
        let raw = raw(&[("100644", "a"), ("40000", "b")]);
        let first = "100644 a".len() + 1 + ID;
        for length in 1..raw.len() {
            assert_eq!(Tree::parse(Tree::empty().id, &raw[..length]).is_some(), length == first, "{length}");
        }
    }

    #[test]
    fn what_both_trees_have_with_different_ids_has_changed() {
        let before = parse(&[("40000", "a"), ("40000", "b"), ("100644", "c"), ("40000", "d")]);
        let (after, _) = before.with(b"a", true, None);
        let (after, _) = after.with(b"b", true, Some(id(9)));
        let (after, _) = after.with(b"c", false, Some(id(9)));
        let (after, _) = after.with(b"e", true, Some(id(9)));
        assert_eq!(changed(after.raw(), before.raw()).unwrap(), [(id(9), id(2)), (id(9), id(3))]);
        assert!(changed(b"40000 a", before.raw()).is_none());
    }

    /// Random edits give the trees, and so the ids, that libgit2 makes of the same entries.
    #[test]
    fn edits_make_the_trees_that_libgit2_makes() {
        use rand::RngExt;
        let directory = tempfile::tempdir().unwrap();
        let repository = git2::Repository::init_bare(directory.path()).unwrap();
        let file = repository.blob(b"x").unwrap();
        let below = repository.treebuilder(None).unwrap().write().unwrap();
        let mut random = rand::rng();
        for _ in 0..20 {
            let (mut tree, mut expected) = (Tree::empty(), repository.treebuilder(None).unwrap());
            for _ in 0..60 {
                let length = random.random_range(1..3);
                let name: String = (0..length).map(|_| ['a', 'b', '-', '.', '0'][random.random_range(0..5)]).collect();
                let name = if name.chars().all(|one| one == '.') { "a".to_owned() } else { name };
                let is_tree = match tree.get(name.as_bytes()) {
                    Some((kind, _)) => kind == Kind::Directory,
                    None => random.random(),
                };
                let id = random.random_ratio(2, 3).then_some(if is_tree { below } else { file });
                let before = tree;
                let (after, replaced) = before.with(name.as_bytes(), is_tree, id);
                assert_eq!(before.raw()[..replaced.old.start], after.raw()[..replaced.new.start]);
                assert_eq!(before.raw()[replaced.old.end..], after.raw()[replaced.new.end..]);
                tree = after;
                match id {
                    Some(id) => drop(expected.insert(&name, id, if is_tree { 0o040_000 } else { 0o100_644 }).unwrap()),
                    None => drop(expected.remove(&name)),
                }
                assert_eq!(changed(tree.raw(), before.raw()).unwrap(), []);
                assert_eq!(tree.id, expected.write().unwrap());
                assert_eq!(tree.starts, Tree::parse(tree.id, tree.raw()).unwrap().starts);
            }
        }
    }
}
