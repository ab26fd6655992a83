//! The trees of the head in memory: from a path to its blob without opening the repository.
//!
//! The id of a tree identifies its content, so a tree in memory is never out of date, and heads share the trees that did not
//! change. Each look-up asks for the branch's file ([`BranchFile`]), so every process sees a move at its next look-up.

use std::cmp::Ordering;
use std::sync::Arc;

use git2::{ObjectType, Oid};
use parking_lot::RwLock;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::branch_file::BranchFile;
use super::error::IndexError;
use super::repository::{Head, Index};

/// The size of the trees that are kept, in bytes. Those of 200,000 crates have about 15 MB.
const CACHE_WEIGHT: u64 = 64 * 1024 * 1024;
/// The approximate size of a tree beside its content, in bytes.
const TREE_OVERHEAD: usize = 128;
/// The approximate number of trees.
const EXPECTED_TREES: usize = 32 * 1024;

/// The mode of an entry that is a tree.
const TREE: &[u8] = b"40000";
/// Bytes of an id.
const ID: usize = 20;

/// Trees that were read. The root of the head is kept apart, so that no other tree displaces it.
#[derive(Debug)]
pub(super) struct Trees {
    branch: BranchFile,
    head: RwLock<Option<(Oid, Arc<Tree>)>>,
    read: Cache<Oid, Arc<Tree>, BySize>,
}

#[derive(Debug, Clone)]
struct BySize;

impl Weighter<Oid, Arc<Tree>> for BySize {
    fn weight(&self, _id: &Oid, tree: &Arc<Tree>) -> u64 {
        (tree.raw.len() + tree.starts.len() * size_of::<u32>() + TREE_OVERHEAD) as u64
    }
}

impl Trees {
    pub fn of(index: &Index) -> Self {
        Self {
            branch: BranchFile::of(index.path()),
            head: RwLock::default(),
            read: Cache::with_weighter(EXPECTED_TREES, CACHE_WEIGHT, BySize),
        }
    }

    /// The blob of the path at the head, if memory has what is needed to tell: `Some(None)` if there is no such file.
    pub fn recall(&self, path: &str) -> Option<Option<Oid>> {
        let commit = self.branch.commit()?;
        let (known, root) = self.head.read().clone()?;
        if known != commit {
            return None;
        }
        walk(root, path, |id| self.read.get(&id).ok_or(())).ok()
    }

    /// The blob of the path at the head, with trees that are read if necessary.
    pub fn find(&self, index: &Index, path: &str) -> Result<Option<Oid>, IndexError> {
        let Head { commit: Some(commit) } = index.head()? else { return Ok(None) };
        let known = self.head.read().clone().filter(|(known, _)| *known == commit);
        let root = match known {
            Some((_, root)) => root,
            None => {
                let id =
                    index.with_handle("read a commit", |repository| Ok(repository.find_commit(commit)?.tree_id()))?;
                let root = read(index, id)?;
                *self.head.write() = Some((commit, Arc::clone(&root)));
                root
            }
        };
        walk(root, path, |id| self.read.get_or_insert_with(&id, || read(index, id)))
    }
}

fn read(index: &Index, id: Oid) -> Result<Arc<Tree>, IndexError> {
    index.with_handle("read a tree", |repository| {
        let objects = repository.odb()?;
        let object = objects.read(id)?;
        let is_tree = object.kind() == ObjectType::Tree;
        let tree = if is_tree { Tree::parse(object.data()) } else { None };
        tree.map(Arc::new).ok_or_else(|| git2::Error::from_str(&format!("{id} is not a tree")))
    })
}

/// Follows a path. `None` if there is no such file, or if a directory of the path is something else.
fn walk<E>(root: Arc<Tree>, path: &str, open: impl Fn(Oid) -> Result<Arc<Tree>, E>) -> Result<Option<Oid>, E> {
    let (directories, file) = path.rsplit_once('/').map_or((None, path), |(before, file)| (Some(before), file));
    let mut tree = root;
    for directory in directories.into_iter().flat_map(|directories| directories.split('/')) {
        let Some(id) = tree.get(directory.as_bytes(), true) else { return Ok(None) };
        tree = open(id)?;
    }
    Ok(tree.get(file.as_bytes(), false))
}

/// A tree as git stores it, with the places of its entries.
#[derive(Debug)]
struct Tree {
    raw: Box<[u8]>,
    starts: Box<[u32]>,
}

struct Entry<'a> {
    mode: &'a [u8],
    name: &'a [u8],
    id: &'a [u8],
}

impl Tree {
    /// `None` if the bytes are not entries of a tree: mode, space, name, NUL, id.
    fn parse(raw: &[u8]) -> Option<Self> {
        let (mut rest, mut starts) = (raw, Vec::new());
        while !rest.is_empty() {
            starts.push(u32::try_from(raw.len() - rest.len()).ok()?);
            (_, rest) = split_entry(rest)?;
        }
        Some(Self { raw: raw.into(), starts: starts.into() })
    }

    /// The id of the tree or blob with this name.
    fn get(&self, name: &[u8], is_tree: bool) -> Option<Oid> {
        let found = self.starts.binary_search_by(|start| {
            // Parsed once already.
            let Some((entry, _)) = split_entry(&self.raw[*start as usize..]) else { return Ordering::Less };
            compare((entry.name, entry.mode == TREE), (name, is_tree))
        });
        let (entry, _) = split_entry(&self.raw[*self.starts.get(found.ok()?)? as usize..])?;
        // A submodule is neither.
        let is_blob = entry.mode.starts_with(b"10") || entry.mode.starts_with(b"12");
        (is_tree || is_blob).then(|| Oid::from_bytes(entry.id).ok())?
    }
}

fn split_entry(raw: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let space = raw.iter().position(|&byte| byte == b' ')?;
    let end = space + raw[space..].iter().position(|&byte| byte == 0)?;
    let id = raw.get(end + 1..end + 1 + ID)?;
    Some((Entry { mode: &raw[..space], name: &raw[space + 1..end], id }, &raw[end + 1 + ID..]))
}

/// The order of git's trees: that of the bytes, with a slash at the end of the names of trees.
fn compare(one: (&[u8], bool), other: (&[u8], bool)) -> Ordering {
    fn bytes((name, is_tree): (&[u8], bool)) -> impl Iterator<Item = &u8> {
        name.iter().chain(is_tree.then_some(&b'/'))
    }
    bytes(one).cmp(bytes(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut raw = Vec::new();
        for (number, (mode, name)) in (1..).zip(entries) {
            raw.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            raw.extend([number; ID]);
        }
        raw
    }

    #[test]
    fn entries_are_found_by_name_and_kind_in_gits_order() {
        // A tree `a` comes after `a-b`, because its name ends with a slash.
        let entries = [
            ("100644", "a-b"),
            ("40000", "a"),
            ("100644", "a0"),
            ("100755", "b"),
            ("160000", "module"),
            ("120000", "z"),
        ];
        let parsed = Tree::parse(&tree(&entries)).unwrap();
        let id = |number: u8| Some(Oid::from_bytes(&[number; ID]).unwrap());
        assert_eq!(parsed.get(b"a-b", false), id(1));
        assert_eq!(parsed.get(b"a", true), id(2));
        assert_eq!(parsed.get(b"a0", false), id(3));
        assert_eq!(parsed.get(b"b", false), id(4));
        assert_eq!(parsed.get(b"z", false), id(6));
        for (name, is_tree) in
            [("a", false), ("a-b", true), ("module", false), ("module", true), ("", false), ("c", true)]
        {
            assert_eq!(parsed.get(name.as_bytes(), is_tree), None, "{name} {is_tree}");
        }
        assert!(Tree::parse(b"").unwrap().get(b"a", false).is_none());
    }

    #[test]
    fn what_is_cut_off_is_no_tree() {
        let raw = tree(&[("100644", "a"), ("40000", "b")]);
        let first = "100644 a".len() + 1 + ID;
        for length in 1..raw.len() {
            assert_eq!(Tree::parse(&raw[..length]).is_some(), length == first, "{length}");
        }
    }
}
