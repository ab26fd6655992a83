//! The paths of an archive as a set, under the rules of a file system that ignores case.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::TarballError;

/// Every path seen, in lower case, with whether it is a directory and with its own spelling where that differs.
#[derive(Default)]
pub struct Paths {
    seen: BTreeMap<String, (bool, Option<String>)>,
}

impl Paths {
    /// Adds a path.
    pub fn insert(&mut self, path: String, is_directory: bool) -> Result<(), TarballError> {
        let folded = path.to_lowercase();
        if let Some((_, spelling)) = self.seen.get(&folded) {
            let first = spelling.clone().unwrap_or_else(|| folded.clone());
            let problem = if first == path { "are the same path" } else { "differ only by letter case" };
            return Err(TarballError::Clash { first, second: path, problem });
        }
        let spelling = (path != folded).then_some(path);
        self.seen.insert(folded, (is_directory, spelling));
        Ok(())
    }

    /// Checks what only the whole set can tell: that no file stands where another path needs a directory.
    pub fn finish(&self) -> Result<(), TarballError> {
        for (path, (is_directory, spelling)) in &self.seen {
            if *is_directory {
                continue;
            }
            let below = format!("{path}/");
            let next = self.seen.range::<str, _>((Bound::Included(below.as_str()), Bound::Unbounded)).next();
            if let Some((inner, (_, inner_spelling))) = next.filter(|(inner, _)| inner.starts_with(&below)) {
                return Err(TarballError::Clash {
                    first: spelling.as_ref().unwrap_or(path).clone(),
                    second: inner_spelling.as_ref().unwrap_or(inner).clone(),
                    problem: "would have to be a file and a directory at once",
                });
            }
        }
        Ok(())
    }
}
