//! The cloned index of another registry. Read only; its branch may have any name.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Repository, TreeWalkMode, TreeWalkResult};

use super::error::IndexError;
use super::initialise;

/// A repository with the index of another registry.
pub struct ForeignIndex {
    repository: Repository,
    path: PathBuf,
}

impl ForeignIndex {
    /// Opens a repository, bare or not. Its HEAD is the index.
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        initialise::isolate_libgit2();
        let repository = Repository::open(path).map_err(|error| match error.code() {
            ErrorCode::NotFound => IndexError::NotARepository { path: path.to_owned() },
            _ => IndexError::git("open the repository", path)(error),
        })?;
        Ok(Self { repository, path: path.to_owned() })
    }

    /// The paths of all files, in order.
    pub fn files(&self) -> Result<Vec<String>, IndexError> {
        let mut paths = Vec::new();
        let mut walk = || {
            let tree = self.repository.head()?.peel_to_tree()?;
            tree.walk(TreeWalkMode::PreOrder, |parent, entry| {
                if entry.kind() == Some(ObjectType::Blob) {
                    paths.push(format!("{parent}{}", String::from_utf8_lossy(entry.name_bytes())));
                }
                TreeWalkResult::Ok
            })
        };
        walk().map_err(IndexError::git("list the files", &self.path))?;
        Ok(paths)
    }

    /// The URLs of its remotes: those under which its registry is known elsewhere.
    pub fn remote_urls(&self) -> Vec<String> {
        let remotes = self.repository.remotes().ok();
        let names = remotes.iter().flat_map(|names| names.iter()).flatten().flatten();
        names.filter_map(|name| self.repository.find_remote(name).ok()?.url().ok().map(str::to_owned)).collect()
    }

    /// The content of a file; `None` if it does not exist.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, IndexError> {
        let read = || {
            let tree = self.repository.head()?.peel_to_tree()?;
            let Some(entry) = super::error::optional(tree.get_path(Path::new(path)))? else { return Ok(None) };
            Ok(Some(self.repository.find_blob(entry.id())?.content().to_vec()))
        };
        read().map_err(IndexError::git("read a file", &self.path))
    }
}
