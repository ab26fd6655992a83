//! Where in an archive the documentation of the crate is: at its top, or below one directory.

use std::collections::BTreeSet;

use super::index::File;
use super::refusal::Refusal;

const INDEX: &str = "index.html";
/// The most crates that a refusal names.
const NAMED: usize = 5;

/// The documentation of a crate in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// What the paths of all files that count begin with: empty, or a directory with a slash.
    pub prefix: String,
    /// The directory of the crate, below the prefix.
    pub directory: String,
}

/// Finds the documentation of a crate among the files, which are sorted. `wanted` is the name of its library, or of the directory
/// that the uploader has named (`is_exact`).
pub(super) fn find(files: &[File], wanted: &str, is_exact: bool) -> Result<Place, Refusal> {
    let place = |prefix: &str, directory: &str| Place { prefix: prefix.to_owned(), directory: directory.to_owned() };
    let prefixes: Vec<String> = std::iter::once(String::new()).chain(only_directory(files)).collect();
    for prefix in &prefixes {
        if has(files, &format!("{prefix}{wanted}/{INDEX}")) {
            return Ok(place(prefix, wanted));
        }
    }
    for prefix in prefixes.iter().filter(|_| !is_exact) {
        let crates = crates_below(files, prefix);
        match crates.iter().collect::<Vec<_>>()[..] {
            [] => {}
            [one] => return Ok(place(prefix, one)),
            _ => {
                let mut found: Vec<&str> = crates.iter().take(NAMED).copied().collect();
                found.extend((crates.len() > NAMED).then_some("…"));
                return Err(Refusal::WhichCrate { wanted: wanted.to_owned(), found: found.join(", ") });
            }
        }
    }
    Err(Refusal::NoCrate(format!("{wanted}/{INDEX}")))
}

fn has(files: &[File], path: &str) -> bool {
    files.binary_search_by(|file| (*file.path).cmp(path)).is_ok()
}

/// The directory that has all files, with a slash.
fn only_directory(files: &[File]) -> Option<String> {
    let (first, _) = files.first()?.path.split_once('/')?;
    let prefix = format!("{first}/");
    files.iter().all(|file| file.path.starts_with(&prefix)).then_some(prefix)
}

/// The directories directly below a prefix that have a page of their own.
fn crates_below<'a>(files: &'a [File], prefix: &str) -> BTreeSet<&'a str> {
    let below = files.iter().filter_map(|file| file.path.strip_prefix(prefix));
    let pages = below.filter_map(|path| path.split_once('/')).filter(|(_, rest)| *rest == INDEX);
    pages.map(|(directory, _)| directory).filter(|directory| *directory != "src").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(paths: &[&str], wanted: &str, is_exact: bool) -> Result<(String, String), Refusal> {
        let mut files: Vec<File> = paths.iter().map(|path| File::stored(path, 0, 0)).collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        find(&files, wanted, is_exact).map(|place| (place.prefix, place.directory))
    }

    #[test]
    fn the_documentation_is_at_the_top_or_below_one_directory() {
        let own = |prefix: &str, directory: &str| Ok((prefix.to_owned(), directory.to_owned()));
        assert_eq!(found(&["demo/index.html", "other/index.html", "help.html"], "demo", false), own("", "demo"));
        assert_eq!(found(&["doc/demo/index.html", "doc/help.html"], "demo", false), own("doc/", "demo"));
        assert_eq!(found(&["demo/index.html", "demo/all.html"], "demo", false), own("", "demo"));
        // A library may have another name than its crate.
        assert_eq!(found(&["lib/index.html", "src/index.html", "a.js"], "demo", false), own("", "lib"));
        assert_eq!(found(&["doc/lib/index.html", "doc/a.js"], "demo", false), own("doc/", "lib"));
        assert_eq!(found(&["a/index.html", "b/index.html"], "b", true), own("", "b"));
        let which = Refusal::WhichCrate { wanted: "demo".to_owned(), found: "a, b".to_owned() };
        assert_eq!(found(&["a/index.html", "b/index.html"], "demo", false), Err(which));
        for (paths, is_exact) in
            [(&["a/index.html"][..], true), (&["index.html"], false), (&["a/b/c/index.html"], false), (&[], false)]
        {
            assert!(matches!(found(paths, "demo", is_exact), Err(Refusal::NoCrate(_))), "{paths:?}");
        }
    }
}
