//! The git repository of the advisories, in the layout of RustSec's database: `crates/NAME/ID.md`, and the same in the form of OSV as
//! `osv/ID.json`.
//!
//! It is a pure function of the revisions in the database and of the registry's URL: every machine of an installation makes the same
//! commits, and a lost repository is made again. Another URL makes other commits, since it is in every file.

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::PgConnection;
use parking_lot::Mutex;

use crate::advisory::ReadError;
use crate::advisory::draft::{Draft, Origin};
use crate::database::advisories::own::{self, Revision};
use crate::error_chain::ErrorChain;
use crate::index::{GitProgram, Index, IndexError};

/// The time of the first commit, 2026-01-01, which has no advisory.
const BEGINNING: i64 = 1_767_225_600;
/// Who has made the commits. The audit log has the people.
const AUTHOR: &str = "supercargo <supercargo@localhost>";

/// Why the repository cannot be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    #[error(
        "revision {0} of the advisories cannot be read, perhaps because a later version of supercargo has written it"
    )]
    Content(i64, #[source] serde_json::Error),
    #[error("revision {0} of the advisories cannot be written")]
    Form(i64, #[source] ReadError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

/// The repository, on the disk of this machine.
#[derive(Debug)]
pub struct Repository {
    path: PathBuf,
    git: GitProgram,
    origin: Origin,
    /// None until somebody reads it: what can be made again does not belong to the start of a registry.
    index: OnceLock<Index>,
    /// The last revision that this process has written.
    written: Mutex<Option<i64>>,
}

impl Repository {
    pub fn at(path: PathBuf, git: GitProgram, origin: Origin) -> Self {
        Self { path, git, origin, index: OnceLock::new(), written: Mutex::default() }
    }

    /// Brings it up to date with the database. The first time it is made in place of the one that a process before has left: whatever
    /// became of that, and however many packs it has.
    pub fn update(&self, connection: &mut PgConnection) -> Result<&Index, RepositoryError> {
        let mut written = self.written.lock();
        let index = match self.index.get() {
            Some(index) => index,
            None => {
                let made = anew(&self.path, self.git.clone())?;
                self.index.get_or_init(|| made)
            }
        };
        if *written == Some(own::last(connection)?) {
            return Ok(index);
        }
        let revisions = own::revisions(connection)?;
        let stream = stream(&revisions, &self.origin)?;
        if let Err(error) = index.replay(stream.as_bytes()) {
            tracing::warn!(error = %ErrorChain::of(&error), "the repository of the advisories is damaged, and is made again");
            anew(&self.path, self.git.clone())?.replay(stream.as_bytes())?;
            index.forget_handles();
        }
        *written = Some(revisions.last().map_or(0, |last| last.number));
        Ok(index)
    }
}

/// An empty repository in place of what is there.
fn anew(path: &Path, git: GitProgram) -> Result<Index, IndexError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(IndexError::file("remove", path)(error)),
        _ => Index::open_or_init_with(path, git),
    }
}

/// An advisory in the form of OSV, as it is published.
pub fn osv(revision: &Revision, origin: &Origin) -> Result<serde_json::Value, RepositoryError> {
    let draft = draft(revision)?;
    let read = draft.read(&revision.advisory_id, Some(origin));
    let mut document = read.map_err(|error| RepositoryError::Form(revision.number, error))?.document;
    document["modified"] = revision.at.to_rfc3339_opts(SecondsFormat::Secs, true).into();
    Ok(document)
}

fn draft(revision: &Revision) -> Result<Draft, RepositoryError> {
    serde_json::from_value(revision.content.clone()).map_err(|error| RepositoryError::Content(revision.number, error))
}

/// All commits, for `git fast-import`.
fn stream(revisions: &[Revision], origin: &Origin) -> Result<String, RepositoryError> {
    let mut stream = String::new();
    let beginning = DateTime::from_timestamp(BEGINNING, 0).unwrap_or_default();
    // Readers of the layout require the directory, and take each Markdown file in it for an advisory.
    let files = [("README.md".to_owned(), readme(origin)), ("crates/.gitkeep".to_owned(), String::new())];
    commit(&mut stream, (beginning, "Begin"), &files);
    for revision in revisions {
        let id = &revision.advisory_id;
        let draft = draft(revision)?;
        let markdown = draft.rustsec(id, Some(origin));
        let markdown = markdown.map_err(|error| RepositoryError::Form(revision.number, error))?;
        let document = format!("{:#}\n", osv(revision, origin)?);
        let files = [(format!("crates/{}/{id}.md", draft.krate), markdown), (format!("osv/{id}.json"), document)];
        commit(&mut stream, (revision.at, &format!("{id}: {}", draft.title)), &files);
    }
    Ok(stream)
}

fn readme(origin: &Origin) -> String {
    format!(
        "# Security advisories\n\nAbout crates of the registry {}, in the layout of RustSec's database.\nEach has its page below {}.\n",
        origin.source, origin.pages
    )
}

fn commit(stream: &mut String, (at, message): (DateTime<Utc>, &str), files: &[(String, String)]) {
    let seconds = at.timestamp();
    // Writing to a text does not fail.
    let _ = writeln!(stream, "commit refs/heads/main\ncommitter {AUTHOR} {seconds} +0000");
    let _ = writeln!(stream, "data {}\n{message}", message.len());
    for (path, content) in files {
        let _ = writeln!(stream, "M 100644 inline {path}\ndata {}\n{content}", content.len());
    }
}
