//! The branch that holds the index.
//!
//! Everything in this program reads and writes the index as `main`. If the operator names another branch
//! ([`naming`](super::naming)), that one holds the commits, and `main` is a symbolic reference to it.

use git2::Repository;

use super::error::optional;

/// The branch as this program names it.
pub(super) const MAIN: &str = "refs/heads/main";

/// The reference that holds the commits: [`MAIN`], or the one to which it is a symbolic reference.
pub(super) fn real(repository: &Repository) -> Result<String, git2::Error> {
    let main = optional(repository.find_reference(MAIN))?;
    let target = main.as_ref().and_then(|main| main.symbolic_target_bytes());
    Ok(target.map_or_else(|| MAIN.to_owned(), |target| String::from_utf8_lossy(target).into_owned()))
}
