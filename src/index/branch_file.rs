//! The commit of the branch, as the branch's file has it: one system call while the file is the same.
//!
//! Git, libgit2 and this program write another file and rename it. While a known file is open no other file can get its
//! inode, so a file with the same inode is the same one, even if the branch moved twice within one tick of the clock. Size and
//! times show most changes of the file itself.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use git2::Oid;
use parking_lot::RwLock;

use super::branch::{self, MAIN};

/// The file of `main`, and that of the branch to which `main` is a symbolic reference.
#[derive(Debug)]
pub(super) struct BranchFile {
    directory: PathBuf,
    known: RwLock<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    files: Vec<Reference>,
    commit: Oid,
}

/// The file of a reference that was read. It stays open, which reserves its inode.
#[derive(Debug)]
struct Reference {
    path: PathBuf,
    identity: Identity,
    _open: File,
}

#[derive(Debug, PartialEq, Eq)]
struct Identity {
    inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl BranchFile {
    pub fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), known: RwLock::default() }
    }

    /// The commit; `None` if there is no such file, or something else in it.
    pub fn commit(&self) -> Option<Oid> {
        if let Some(known) = &*self.known.read()
            && known.files.iter().all(Reference::is_unchanged)
        {
            return Some(known.commit);
        }
        let read = self.read()?;
        let commit = read.commit;
        *self.known.write() = Some(read);
        Some(commit)
    }

    fn read(&self) -> Option<Known> {
        let (main, mut line) = Reference::read(self.directory.join(MAIN))?;
        let mut files = vec![main];
        if let Some(branch) = line.strip_prefix("ref: ") {
            let (target, commit) = Reference::read(self.directory.join(branch))?;
            files.push(target);
            line = commit;
        }
        Some(Known { files, commit: Oid::from_str(&line).ok()? })
    }
}

impl Reference {
    /// The file, and the line in it.
    fn read(path: PathBuf) -> Option<(Self, String)> {
        let mut open = File::open(&path).ok()?;
        let identity = Identity::of(&open.metadata().ok()?);
        let line = branch::line(&mut open)?;
        Some((Self { path, identity, _open: open }, line))
    }

    fn is_unchanged(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|found| Identity::of(&found) == self.identity)
    }
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replaces a file as git does.
    fn replace(path: &Path, line: &str) {
        let lock = path.with_extension("lock");
        std::fs::write(&lock, format!("{line}\n")).unwrap();
        std::fs::rename(lock, path).unwrap();
    }

    fn id(number: usize) -> Oid {
        Oid::from_str(&format!("{number:040x}")).unwrap()
    }

    #[test]
    fn every_move_is_seen_however_soon_it_follows_another() {
        let directory = tempfile::tempdir().unwrap();
        let main = directory.path().join(MAIN);
        std::fs::create_dir_all(main.parent().unwrap()).unwrap();
        let branch = BranchFile::of(directory.path());
        assert_eq!(branch.commit(), None);
        for round in 0..500 {
            // The second new file would get the inode of the first one, which is free by then.
            replace(&main, &id(2 * round).to_string());
            assert_eq!(branch.commit(), Some(id(2 * round)));
            replace(&main, &id(9).to_string());
            replace(&main, &id(2 * round + 1).to_string());
            assert_eq!((branch.commit(), branch.commit()), (Some(id(2 * round + 1)), Some(id(2 * round + 1))));
        }
        std::fs::remove_file(&main).unwrap();
        assert_eq!(branch.commit(), None);
    }

    #[test]
    fn a_symbolic_reference_and_its_target_are_both_watched() {
        let directory = tempfile::tempdir().unwrap();
        let main = directory.path().join(MAIN);
        std::fs::create_dir_all(main.parent().unwrap()).unwrap();
        let branch = BranchFile::of(directory.path());
        replace(&main, "ref: refs/heads/index");
        assert_eq!(branch.commit(), None);
        replace(&main.with_file_name("index"), &id(1).to_string());
        assert_eq!(branch.commit(), Some(id(1)));
        replace(&main.with_file_name("index"), &id(2).to_string());
        assert_eq!(branch.commit(), Some(id(2)));
        replace(&main, &id(3).to_string());
        assert_eq!(branch.commit(), Some(id(3)));
    }
}
