//! The set of paths of an archive, under the rules of all file systems.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::error::{FILE_AND_DIRECTORY, TarballError, UnportablePath};
use super::portability::{self, key};

const TWO_SPELLINGS: &str = "has a directory that another path spells in another way";

/// The paths by their keys (see [`portability`]), each with its spelling if it differs from the key, and whether it is a
/// directory.
#[derive(Default)]
pub struct Paths {
    seen: BTreeMap<String, (bool, Option<String>)>,
    unportable: Vec<UnportablePath>,
}

impl Paths {
    /// Adds a path.
    pub fn insert(&mut self, path: String, is_directory: bool) -> Result<(), TarballError> {
        let key = key(&path);
        if let Some((_, spelling)) = self.seen.get(&key) {
            let first = spelling.clone().unwrap_or_else(|| key.clone());
            let problem = if first == path {
                "are the same path"
            } else if first.to_lowercase() == path.to_lowercase() {
                "differ only by letter case"
            } else {
                "are one path on some file systems"
            };
            return Err(TarballError::Clash { first, second: path, problem });
        }
        if let Some(problem) = portability::problem(&path) {
            self.unportable.push(UnportablePath { path: path.clone(), problem });
        }
        let spelling = (path != key).then_some(path);
        self.seen.insert(key, (is_directory, spelling));
        Ok(())
    }

    /// Checks that no file is where another path needs a directory. Gives the paths that some file systems cannot store,
    /// including those with a directory that another path spells differently.
    pub fn finish(mut self) -> Result<Vec<UnportablePath>, TarballError> {
        for (key, (is_directory, spelling)) in &self.seen {
            let below = format!("{key}/");
            let next = self.seen.range::<str, _>((Bound::Included(below.as_str()), Bound::Unbounded)).next();
            let Some((inner_key, (_, inner))) = next.filter(|(inner, _)| inner.starts_with(&below)) else { continue };
            let (path, inner) = (spelling.as_ref().unwrap_or(key), inner.as_ref().unwrap_or(inner_key));
            if !is_directory {
                let problem = FILE_AND_DIRECTORY;
                return Err(TarballError::Clash { first: path.clone(), second: inner.clone(), problem });
            }
            if !inner.starts_with(path) {
                self.unportable.push(UnportablePath { path: inner.clone(), problem: TWO_SPELLINGS });
            }
        }
        let mut previous: Option<(&String, &str)> = None;
        for (key, (_, spelling)) in &self.seen {
            let path = spelling.as_deref().unwrap_or(key);
            // All paths below a directory are adjacent, so it is enough to compare neighbours.
            if previous.is_some_and(|(other_key, other)| has_directory_in_two_ways((other_key, other), (key, path))) {
                self.unportable.push(UnportablePath { path: path.to_owned(), problem: TWO_SPELLINGS });
            }
            previous = Some((key, path));
        }
        Ok(self.unportable)
    }
}

/// Whether two paths share a directory by key but spell it differently.
fn has_directory_in_two_ways((one_key, one): (&str, &str), (other_key, other): (&str, &str)) -> bool {
    let keys = one_key.split('/').zip(other_key.split('/'));
    let shared = keys.take_while(|(one, other)| one == other).count();
    // The last component of a path is the entry itself.
    let directories = |path: &str| path.matches('/').count();
    let shared = shared.min(directories(one)).min(directories(other));
    one.split('/').zip(other.split('/')).take(shared).any(|(one, other)| one != other)
}
