//! The newest files of another repository, which is no index: fetched without history, and read one by one.
//!
//! Everything of it is from a stranger: git may neither follow another protocol nor write a larger pack than allowed, and an object is
//! read only if its size is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{ObjectType, Oid, Repository, Tree};

use super::git_limits::{Dies, GitLimits};
use super::git_program::{Ended, GitProgram, run_to_its_end_within};
use super::initialise;

/// Where the fetched commit is.
const FETCHED: &str = "refs/supercargo/fetched";
/// Directories within directories, at most.
const DEPTH: usize = 8;
/// The largest directory, in bytes.
const LARGEST_TREE: usize = 32 * 1024 * 1024;

/// How a repository is reached.
#[derive(Clone, Debug)]
pub struct Reach {
    pub git: GitProgram,
    /// Variables about proxies and certificate authorities.
    pub environment: Vec<(OsString, OsString)>,
    /// For each command.
    pub limit: Duration,
    /// The largest pack, in bytes.
    pub max_pack: u64,
}

/// Why files cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ForeignFilesError {
    #[error("the git program {} cannot be run: install git, or set --git", .0.display())]
    Missing(PathBuf, #[source] std::io::Error),
    #[error("git took longer than {0:?} and was stopped; {1}")]
    TimedOut(Duration, String),
    #[error("git has failed: {0}")]
    Failed(String),
    #[error("the repository has no branch that it shows by default (HEAD)")]
    NoHead,
    #[error("a directory of the repository is too large, or too deep")]
    TooLarge,
    #[error("the fetched repository cannot be read: {0}")]
    Unreadable(#[from] git2::Error),
}

/// A file of a repository: its path and its size.
#[derive(Clone, Debug)]
pub struct ForeignFile {
    pub path: String,
    id: Oid,
}

/// A repository without history, in a directory that its owner removes.
pub struct ForeignFiles {
    repository: Repository,
    head: Oid,
}

impl Reach {
    /// The commit that a repository shows by default.
    pub fn head(&self, url: &str) -> Result<String, ForeignFilesError> {
        let ended = self.run(url, &["ls-remote", "--quiet", "--", url, "HEAD"])?;
        let line = ended.stdout.lines().find_map(|line| line.strip_suffix("\tHEAD"));
        line.map(str::to_owned).ok_or(ForeignFilesError::NoHead)
    }

    /// Fetches what a repository shows by default, into an empty directory.
    pub fn fetch(&self, url: &str, directory: &Path) -> Result<ForeignFiles, ForeignFilesError> {
        initialise::isolate_libgit2();
        let repository = Repository::init_bare(directory)?;
        let place = directory.to_string_lossy();
        let refspec = format!("+HEAD:{FETCHED}");
        let arguments = [
            "--git-dir",
            &*place,
            "fetch",
            "--quiet",
            "--depth=1",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--refmap=",
            "--",
            url,
            &refspec,
        ];
        self.run(url, &arguments)?;
        let head = repository.refname_to_id(FETCHED)?;
        Ok(ForeignFiles { repository, head })
    }

    fn run(&self, url: &str, arguments: &[&str]) -> Result<Ended, ForeignFilesError> {
        let scheme = url.split_once("://").map_or("https", |(scheme, _)| scheme);
        let settings = [
            ("credential.helper", ""),
            ("protocol.allow", "never"),
            (&*format!("protocol.{scheme}.allow"), "always"),
            // A fetch of loose objects would have no bound.
            ("fetch.unpackLimit", "1"),
            ("http.lowSpeedLimit", "1000"),
            ("http.lowSpeedTime", "60"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut command = self.git.command_with(&settings);
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).args(arguments);
        let limits = GitLimits { file_size: Some(self.max_pack), ..GitLimits::REMOTE };
        let ended = run_to_its_end_within((limits, Dies::WithItsStarter), command, self.limit)
            .map_err(|source| ForeignFilesError::Missing(self.git.executable.clone(), source))?;
        let said = ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        match ended.status {
            None => Err(ForeignFilesError::TimedOut(self.limit, said)),
            Some(status) if status.success() => Ok(ended),
            Some(status) => Err(ForeignFilesError::Failed(format!("{status}: {said}"))),
        }
    }
}

impl ForeignFiles {
    /// The id of the commit.
    pub fn revision(&self) -> String {
        self.head.to_string()
    }

    /// Its files, by path, without links and submodules. Those of hidden directories are left out.
    pub fn list(&self) -> Result<Vec<ForeignFile>, ForeignFilesError> {
        let mut files = Vec::new();
        let root = self.repository.find_commit(self.head)?.tree_id();
        self.walk(root, "", DEPTH, &mut files)?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(files)
    }

    fn walk(
        &self,
        tree: Oid,
        parent: &str,
        depth: usize,
        files: &mut Vec<ForeignFile>,
    ) -> Result<(), ForeignFilesError> {
        for (name, id, kind) in self.entries(&self.tree(tree)?) {
            let path = format!("{parent}{name}");
            match kind {
                Some(ObjectType::Blob) => files.push(ForeignFile { path, id }),
                Some(ObjectType::Tree) if name.starts_with('.') => {}
                Some(ObjectType::Tree) if depth == 0 => return Err(ForeignFilesError::TooLarge),
                Some(ObjectType::Tree) => self.walk(id, &format!("{path}/"), depth - 1, files)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn tree(&self, id: Oid) -> Result<Tree<'_>, ForeignFilesError> {
        let (size, _) = self.repository.odb()?.read_header(id)?;
        if size > LARGEST_TREE {
            return Err(ForeignFilesError::TooLarge);
        }
        Ok(self.repository.find_tree(id)?)
    }

    /// Regular files and directories.
    fn entries(&self, tree: &Tree<'_>) -> Vec<(String, Oid, Option<ObjectType>)> {
        let regular = tree.iter().filter(|entry| matches!(entry.filemode(), 0o040_000 | 0o100_644 | 0o100_755));
        regular
            .map(|entry| (String::from_utf8_lossy(entry.name_bytes()).into_owned(), entry.id(), entry.kind()))
            .collect()
    }

    /// The content of a file; its size if it is larger than that.
    pub fn read(&self, file: &ForeignFile, max: u64) -> Result<Result<Vec<u8>, u64>, ForeignFilesError> {
        let (size, _) = self.repository.odb()?.read_header(file.id)?;
        if size as u64 > max {
            return Ok(Err(size as u64));
        }
        Ok(Ok(self.repository.find_blob(file.id)?.content().to_vec()))
    }
}
