//! Reading all advisories of a source.
//!
//! Below `crates/`, if there is such a directory, as in RustSec's database; else anywhere. Hidden directories are left out.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::advisory::place::Place;
use crate::advisory::{Advisory, Form, MAX_DOCUMENT, ReadError};
use crate::index::{ForeignFilesError, Reach};

/// The directory of advisory-db with advisories about crates.
const CRATES: &str = "crates/";
/// Files of a template.
const DRAFT: &str = "RUSTSEC-0000-0000";
/// Files of a source, and the bytes of all of them.
const MAX_FILES: usize = 200_000;
const MAX_BYTES: u64 = 128 * 1024 * 1024;
/// Directories within directories.
const DEPTH: usize = 8;
/// Skipped files that are named.
const NAMED: usize = 50;

/// Why a source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("the directory {} cannot be read", .0.display())]
    Directory(PathBuf, #[source] io::Error),
    #[error("a directory for the repository cannot be made in {}", .0.display())]
    Work(PathBuf, #[source] io::Error),
    #[error(transparent)]
    Repository(#[from] ForeignFilesError),
    #[error("it has more than {MAX_FILES} files: give a smaller directory")]
    TooManyFiles,
    #[error("its advisories have more than {} MiB together", MAX_BYTES / 1024 / 1024)]
    TooManyBytes,
}

/// A file that is left out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    pub file: String,
    pub problem: String,
}

/// What a source has.
#[derive(Debug, Default)]
pub struct Found {
    pub advisories: Vec<Advisory>,
    pub skipped: Vec<Skipped>,
    /// The commit of a repository.
    pub revision: Option<String>,
    ids: HashSet<String>,
    bytes: u64,
}

impl Found {
    /// Reads a source that has changed since a revision; None if it has not. Repositories are fetched into a directory that is emptied.
    pub fn read(
        place: &Place,
        known: Option<&str>,
        (reach, work): (&Reach, &Path),
    ) -> Result<Option<Self>, SourceError> {
        match place {
            Place::Directory(directory) => Self::of_directory(directory).map(Some),
            Place::Git(url) => {
                if known.is_some_and(|known| reach.head(url).is_ok_and(|head| head == known)) {
                    return Ok(None);
                }
                Self::of_repository(url, reach, work).map(Some)
            }
        }
    }

    fn of_repository(url: &str, reach: &Reach, work: &Path) -> Result<Self, SourceError> {
        // What a killed process has left.
        let _ = fs::remove_dir_all(work);
        let failed = |error| SourceError::Work(work.to_owned(), error);
        fs::create_dir_all(work).map_err(failed)?;
        let directory = tempfile::tempdir_in(work).map_err(failed)?;
        let files = reach.fetch(url, directory.path())?;
        let mut found = Self { revision: Some(files.revision()), ..Self::default() };
        let listed = files.list()?;
        let paths: Vec<&str> = listed.iter().map(|file| &*file.path).collect();
        for (place, form) in chosen(&paths)? {
            let content = files.read(&listed[place], MAX_DOCUMENT)?;
            found.take(paths[place], form, content.map_err(ReadError::TooLarge))?;
        }
        Ok(found)
    }

    fn of_directory(directory: &Path) -> Result<Self, SourceError> {
        let mut paths = Vec::new();
        list(directory, "", DEPTH, &mut paths).map_err(|error| SourceError::Directory(directory.to_owned(), error))?;
        paths.sort_unstable();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let mut found = Self::default();
        for (place, form) in chosen(&paths)? {
            let path = paths[place];
            match read_file(&directory.join(path)) {
                Ok(content) => found.take(path, form, content)?,
                Err(error) => found.skip(path, error.to_string()),
            }
        }
        Ok(found)
    }

    fn take(&mut self, path: &str, form: Form, content: Result<Vec<u8>, ReadError>) -> Result<(), SourceError> {
        let content = match content {
            Ok(content) => content,
            Err(error) => {
                self.skip(path, error.to_string());
                return Ok(());
            }
        };
        self.bytes += content.len() as u64;
        if self.bytes > MAX_BYTES {
            return Err(SourceError::TooManyBytes);
        }
        match form.read(&content) {
            Ok(advisory) if !self.ids.insert(advisory.id.clone()) => {
                self.skip(path, format!("another file has the id {} as well", advisory.id));
            }
            Ok(advisory) => self.advisories.push(advisory),
            // It is about another ecosystem.
            Err(ReadError::NoCrate) => {}
            Err(error) => self.skip(path, error.to_string()),
        }
        Ok(())
    }

    pub(super) fn skip(&mut self, file: &str, problem: String) {
        self.skipped.push(Skipped { file: file.to_owned(), problem });
    }

    /// Whether a file that was skipped has the advisory with this id, by its name. A name without a point is an id.
    pub(super) fn may_have(&self, id: &str) -> bool {
        self.skipped.iter().any(|skipped| {
            let name = skipped.file.rsplit('/').next().unwrap_or_default();
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            stem == id
        })
    }

    /// The first skipped files.
    pub(super) fn named_skips(&self) -> Value {
        self.skipped
            .iter()
            .take(NAMED)
            .map(|skipped| json!({ "file": skipped.file, "problem": skipped.problem }))
            .collect()
    }
}

/// The places of the files that are to be read, and their forms.
fn chosen(paths: &[&str]) -> Result<Vec<(usize, Form)>, SourceError> {
    if paths.len() > MAX_FILES {
        return Err(SourceError::TooManyFiles);
    }
    let is_database = paths.iter().any(|path| path.starts_with(CRATES));
    let chosen = paths.iter().enumerate().filter_map(|(place, path)| {
        let name = path.rsplit('/').next().unwrap_or_default();
        let form = Form::of(name)?;
        // Other Markdown files are about the directory itself.
        let is_advisory = if is_database { path.starts_with(CRATES) } else { form == Form::Osv };
        (is_advisory && !name.starts_with('.') && !name.starts_with(DRAFT)).then_some((place, form))
    });
    Ok(chosen.collect())
}

/// The regular files below a directory, by their paths in it.
fn list(directory: &Path, parent: &str, depth: usize, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let kind = entry.file_type()?;
        if kind.is_file() {
            paths.push(format!("{parent}{name}"));
        } else if kind.is_dir() && !name.starts_with('.') && depth > 0 {
            list(&entry.path(), &format!("{parent}{name}/"), depth - 1, paths)?;
        }
        if paths.len() > MAX_FILES {
            break;
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> io::Result<Result<Vec<u8>, ReadError>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    if size > MAX_DOCUMENT {
        return Ok(Err(ReadError::TooLarge(size)));
    }
    let mut content = Vec::new();
    file.take(MAX_DOCUMENT + 1).read_to_end(&mut content)?;
    Ok(Ok(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advisories_are_below_crates_or_are_osv_files() {
        let read = |paths: &[&str]| {
            let chosen = chosen(paths).unwrap();
            chosen.into_iter().map(|(place, form)| (paths[place].to_owned(), form)).collect::<Vec<_>>()
        };
        let database = [
            "README.md",
            "crates/foo/RUSTSEC-0000-0000.md",
            "crates/foo/RUSTSEC-2026-0001.md",
            "crates/x.json",
            "package.json",
            "rust/std/CVE-1.md",
        ];
        assert_eq!(
            read(&database),
            [("crates/foo/RUSTSEC-2026-0001.md".to_owned(), Form::RustSec), ("crates/x.json".to_owned(), Form::Osv)]
        );
        let directory = ["README.md", "a/GHSA-1.json", "MAL-1.json", "notes.txt", ".x.json"];
        assert_eq!(read(&directory), [("a/GHSA-1.json".to_owned(), Form::Osv), ("MAL-1.json".to_owned(), Form::Osv)]);
    }
}
