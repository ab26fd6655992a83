//! Tests of the index as a whole: commits, readers, the git program, crashes.

mod bitmap;
mod branch;
mod large_files;
mod maintenance;
mod opening;
mod reading;
mod serving;
mod slow;
mod writing;

use std::path::Path;
use std::process::Output;

use bytes::Bytes;

use super::{Change, GitProgram, Index};

pub(super) struct TestIndex {
    pub directory: tempfile::TempDir,
    pub index: Index,
}

impl TestIndex {
    pub fn new() -> TestIndex {
        let directory = tempfile::tempdir().unwrap();
        let index = Index::open_or_init(&directory.path().join("index")).unwrap();
        TestIndex { directory, index }
    }

    /// Commits the changes on the current head.
    pub fn commit(&self, changes: &[Change]) -> super::Committed {
        let writer = self.index.lock_writer().unwrap();
        writer.commit(&self.index.head().unwrap(), changes).unwrap()
    }

    pub fn text(&self, path: &str) -> Option<String> {
        text(&self.index, path)
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let output = git(self.index.path(), arguments);
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Writes everything as one pack, as an operator's git may while the index is read.
    pub fn repack_all(&self) {
        self.git(&["repack", "-a", "-d", "-q"]);
    }

    /// Asserts that git finds no damage.
    pub fn fsck(&self) {
        let output = git(self.index.path(), &["fsck", "--full", "--strict", "--no-dangling"]);
        let stderr = super::git_program::readable_stderr(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    }

    pub fn size_of_packs(&self) -> u64 {
        let files = std::fs::read_dir(self.index.path().join("objects/pack")).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
    }

    pub fn packs(&self) -> usize {
        let files = std::fs::read_dir(self.index.path().join("objects/pack")).unwrap();
        files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "pack")).count()
    }
}

pub(super) fn text(index: &Index, path: &str) -> Option<String> {
    let file = index.read(&index.head().unwrap(), path).unwrap()?;
    Some(String::from_utf8(file.content.to_vec()).unwrap())
}

pub(super) fn git(repository: &Path, arguments: &[&str]) -> Output {
    GitProgram::default().command().arg("-C").arg(repository).args(arguments).output().unwrap()
}

pub(super) fn put(path: &str, content: &str) -> Change {
    let message = format!("Publish {content}");
    Change { path: path.to_owned(), content: Some(Bytes::copy_from_slice(content.as_bytes())), message }
}

pub(super) fn remove(path: &str) -> Change {
    Change { path: path.to_owned(), content: None, message: format!("Remove {path}") }
}
