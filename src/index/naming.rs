//! The names of the branch.
//!
//! The name that the operator has chosen holds the commits. `main` and `master` are symbolic references to it: `main` for
//! this program, `master` for tools that know no other name. So all names show the same commit at every moment, the
//! branch moves in one step, and git itself lists them. A second branch that is moved beside the first one would be behind
//! it whenever a process is killed in between, and an alias that is only advertised would be unknown to git.
//!
//! A change of the name may end at any step: `main` leads to the newest commit after each of them, and the next start
//! does the rest. At worst the earlier name stays as a branch at the commit of that moment, if it was not `main`.

use git2::{ErrorCode, Oid, ReferenceType, Repository};

use super::branch::{self, MAIN};
use super::error::{IndexError, optional};
use super::writer::Writer;

/// The name for old tools.
const MASTER: &str = "refs/heads/master";

const HEAD: &str = "HEAD";
const HEADS: &str = "refs/heads/";

impl Writer {
    /// Names the branch, without `refs/heads/`. HEAD and the other names lead to it afterwards. An empty index has no
    /// branch yet, and is unchanged: `git fsck` reports names that lead nowhere.
    ///
    /// # Errors
    ///
    /// [`IndexError::BranchTaken`] if there is a branch of that name with commits that the index does not have.
    pub fn name_branch(&self, name: &str) -> Result<(), IndexError> {
        let path = self.index.path();
        let repository = self.index.open_handle()?;
        let failed = |error| IndexError::git("name the branch", path)(error);
        // git has no `main/x` beside `main`. At a remote, the branch may have such a name.
        let name = if ["main/", "master/"].iter().any(|above| name.starts_with(above)) { "main" } else { name };
        let wanted = format!("{HEADS}{name}");
        let before = branch::real(&repository).map_err(failed)?;
        let Some(commit) = self.index.head()?.commit else { return Ok(()) };
        if before != wanted {
            if is_taken(&repository, &wanted, commit).map_err(failed)? {
                return Err(IndexError::BranchTaken { path: path.to_owned(), name: name.to_owned() });
            }
            rename(&repository, &before, &wanted, commit).map_err(failed)?;
            tracing::info!(branch = name, "named the branch of the index");
        }
        point(&repository, HEAD, &wanted).map_err(failed)?;
        if wanted != MASTER && !alias(&repository, MASTER).map_err(failed)? {
            tracing::warn!(
                "the index has a branch `master` of its own, and old tools read that instead of the index: run `git \
                 update-ref -d {MASTER}` in {} and restart supercargo",
                path.display()
            );
        }
        Ok(())
    }
}

/// Whether a reference has commits that the index does not have. One that an interrupted change left is behind it.
fn is_taken(repository: &Repository, name: &str, head: Oid) -> Result<bool, git2::Error> {
    match optional(repository.find_reference(name))?.and_then(|reference| reference.target()) {
        Some(theirs) if theirs != head => Ok(!repository.graph_descendant_of(head, theirs)?),
        _ => Ok(false),
    }
}

/// Makes `wanted` the branch instead of `before`.
fn rename(repository: &Repository, before: &str, wanted: &str, commit: Oid) -> Result<(), git2::Error> {
    // From here to the end, HEAD is right as long as `main` is.
    point(repository, HEAD, MAIN)?;
    repository.reference(wanted, commit, true, "the branch of the index")?;
    if wanted != MAIN {
        point(repository, MAIN, wanted)?;
    }
    if before != MAIN {
        point(repository, before, MAIN)?;
    }
    Ok(())
}

/// Makes `name` a symbolic reference to `target`.
fn point(repository: &Repository, name: &str, target: &str) -> Result<(), git2::Error> {
    let present = optional(repository.find_reference(name))?;
    if present.and_then(|present| present.symbolic_target_bytes().map(|found| found == target.as_bytes())) == Some(true)
    {
        return Ok(());
    }
    repository.reference_symbolic(name, target, true, "the branch of the index").map(drop)
}

/// Makes `name` a name of the branch; false if it is a branch of its own.
fn alias(repository: &Repository, name: &str) -> Result<bool, git2::Error> {
    if let Some(present) = optional(repository.find_reference(name))? {
        return Ok(present.kind() == Some(ReferenceType::Symbolic));
    }
    match repository.reference_symbolic(name, MAIN, false, "the branch of the index") {
        Ok(_) => Ok(true),
        // A branch below it: `master/x`.
        Err(error) if [ErrorCode::Exists, ErrorCode::Directory].contains(&error.code()) => Ok(false),
        Err(error) => Err(error),
    }
}
