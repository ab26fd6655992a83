//! Files of the index that no crate of the database has.

use std::collections::BTreeSet;

use super::difference::{Difference, Kind};
use super::run::{Flow, Run, VerifyError};
use super::standing::Phase;
use crate::database::catalog::crates;
use crate::index::ConfigJson;
use crate::package::CrateName;
use crate::package::index_path::{crate_path, index_path};

/// Names that the database is asked for at once.
const TOGETHER: usize = 1000;

impl Run<'_> {
    pub(super) fn look_at_index_files(&mut self, cursor: &str) -> Result<Flow, VerifyError> {
        // Files that come and go meanwhile are of crates with rows: a row is there before its file, and stays.
        let head = self.verifier.index.head()?;
        let entries = self.verifier.index.root_entries(&head)?;
        for entry in entries.iter().filter(|entry| *entry.name > *cursor) {
            let paths = if entry.is_directory {
                self.verifier.index.files_below(&head, &entry.name)?
            } else {
                vec![entry.name.clone()]
            };
            for some in paths.chunks(TOGETHER) {
                if self.verifier.is_stopped() {
                    return Ok(Flow::Stopped);
                }
                self.look_at_paths(some)?;
            }
            self.stand_at(Phase::IndexFiles, &entry.name)?;
        }
        Ok(Flow::Done)
    }

    fn look_at_paths(&mut self, paths: &[String]) -> Result<(), VerifyError> {
        self.report.counts.index_files += paths.len() as u64;
        let named: Vec<(&String, Option<CrateName>)> = paths.iter().map(|path| (path, crate_path(path))).collect();
        let names: Vec<&CrateName> = named.iter().filter_map(|(_, name)| name.as_ref()).collect();
        let known = self.verifier.database(|connection| crates::names_like(connection, &names))?;
        let known: BTreeSet<String> = known.iter().map(index_path).collect();
        let suspects: Vec<_> =
            named.iter().filter(|(path, _)| !known.contains(*path) && *path != ConfigJson::PATH).collect();
        let mut found = Vec::new();
        for (path, name) in suspects {
            found.extend(self.look_again_at_path(path, name.as_ref())?);
        }
        self.settled(found)
    }

    /// The file first, the row afterwards: a row that is not there now was not there when the file was written.
    pub(super) fn look_again_at_path(
        &self,
        path: &str,
        name: Option<&CrateName>,
    ) -> Result<Vec<Difference>, VerifyError> {
        if self.is_owed(&[path])? {
            return Ok(Vec::new());
        }
        let head = self.verifier.index.head()?;
        if self.verifier.index.find(&head, path)?.is_none() {
            return Ok(Vec::new());
        }
        let Some(name) = name else {
            return Ok(vec![Difference::new(Kind::UnexpectedFile, "a file", "no file").at(path)]);
        };
        let known = self.verifier.database(|connection| crates::names_like(connection, &[name]))?;
        if known.iter().any(|known| index_path(known) == path) {
            return Ok(Vec::new());
        }
        let expected = match known.first() {
            Some(other) => format!("no file: the crate is called {other}"),
            None => "a crate in the database, or no file".to_owned(),
        };
        let mut difference = Difference::new(Kind::UnknownCrate, "a file", expected).at(path);
        difference.crate_name = Some(name.to_string());
        Ok(vec![difference])
    }
}
