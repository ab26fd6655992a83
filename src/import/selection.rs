//! Which files of the other index belong to which crate.
//!
//! cargo requests a crate's file by one path, in lower case. Some git indexes have files in other directories or in upper
//! case, which no cargo finds. They are recognised by their names and lines.

use std::collections::BTreeMap;

use super::source::{Source, SourceError};
use crate::index::entry::line::named;
use crate::package::CrateName;
use crate::package::index_path::{crate_path, index_path};

/// The files of one crate. Of several lines of one version the last one counts, so the file that cargo reads comes last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrateFiles {
    /// The crate as reports name it.
    pub label: String,
    pub paths: Vec<String>,
}

/// The crates to import, and names that cannot be those of crates, with the reason.
#[derive(Debug, Default)]
pub struct Selection {
    pub crates: Vec<CrateFiles>,
    pub impossible: BTreeMap<String, String>,
}

/// Every crate of an index.
///
/// # Errors
///
/// The index is a sparse one, which cannot be listed.
pub fn all(source: &Source) -> Result<Selection, SourceError> {
    let files = files_by_name(source)?.ok_or(SourceError::NotListed)?;
    let crates = files.into_iter().map(|(label, paths)| CrateFiles { label, paths }).collect();
    Ok(Selection { crates, impossible: BTreeMap::new() })
}

/// The crates of these names, without duplicates, in their order. Empty names and those that begin with `#` are skipped.
pub fn named_crates<'a>(source: &Source, names: impl Iterator<Item = &'a str>) -> Result<Selection, SourceError> {
    let mut files = files_by_name(source)?.unwrap_or_default();
    let mut selection = Selection::default();
    for name in names.map(str::trim).filter(|name| !name.is_empty() && !name.starts_with('#')) {
        let name: CrateName = match name.parse() {
            Ok(name) => name,
            Err(error) => {
                let error: crate::package::name::NameError = error;
                selection.impossible.insert(name.to_owned(), error.to_string());
                continue;
            }
        };
        let path = index_path(&name);
        if selection.crates.iter().any(|one| one.paths.contains(&path)) {
            continue;
        }
        let mut paths = files.remove(&name.as_str().to_ascii_lowercase()).unwrap_or_default();
        if !paths.contains(&path) {
            paths.push(path);
        }
        selection.crates.push(CrateFiles { label: name.to_string(), paths });
    }
    Ok(selection)
}

/// The files of a git index by the names of their crates, in lower case. Files whose lines have no possible name are there
/// as well, so that they are reported; files without lines are not.
fn files_by_name(source: &Source) -> Result<Option<BTreeMap<String, Vec<String>>>, SourceError> {
    let Some(files) = source.files()? else { return Ok(None) };
    let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (expected, others): (Vec<String>, Vec<String>) = files.into_iter().partition(|path| crate_path(path).is_some());
    for path in others {
        if has_lines(source, &path)? {
            by_name.entry(file_name(&path).to_ascii_lowercase()).or_default().push(path);
        }
    }
    for path in expected {
        by_name.entry(file_name(&path).to_owned()).or_default().push(path);
    }
    Ok(Some(by_name))
}

fn has_lines(source: &Source, path: &str) -> Result<bool, SourceError> {
    let content = source.read(path)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&content).lines().any(|line| named(line).is_some()))
}

/// The last component of a path.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
