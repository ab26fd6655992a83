//! Crate files: those that versions name, and those that none does. A 256th of the checksums at a time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::difference::{Difference, Kind};
use super::run::{Depth, Flow, Look, Run, VerifyError};
use super::standing::Phase;
use crate::crate_store::{CrateStore, StoredFile};
use crate::database::upkeep::crate_states::{self, NamedFile};
use crate::jobs::RemoveCrateFile;
use crate::package::Checksum;
use crate::queue::{Job, inspection};

/// How often a file is looked at whose rows are being written.
const TRIES: usize = 100;

impl Run<'_> {
    pub(super) fn look_at_crate_files(&mut self, cursor: &str) -> Result<Flow, VerifyError> {
        let begin = cursor.parse::<u16>().map_or(0, |done| done + 1);
        for byte in (0..=u8::MAX).filter(|byte| u16::from(*byte) >= begin) {
            // The files first: a file that no version names afterwards was not stored for one that was accepted before.
            let stored = self.verifier.crate_store.list(byte)?;
            let named = self.verifier.database(|connection| crate_states::files_beginning(connection, byte))?;
            if self.look_at_files(&stored, &named)? == Flow::Stopped {
                return Ok(Flow::Stopped);
            }
            self.look_for_staged(byte)?;
            self.stand_at(Phase::CrateFiles, &byte.to_string())?;
        }
        Ok(Flow::Done)
    }

    fn look_at_files(&mut self, stored: &[StoredFile], named: &[NamedFile]) -> Result<Flow, VerifyError> {
        let by_checksum: BTreeMap<Checksum, &StoredFile> =
            stored.iter().filter_map(|file| Some((file.checksum?, file))).collect();
        let mut suspects = Vec::new();
        for (place, file) in named.iter().enumerate() {
            if self.verifier.is_stopped() {
                return Ok(Flow::Stopped);
            }
            let is_first = place == 0 || named[place - 1].checksum != file.checksum;
            if self.is_file_suspect(file, by_checksum.get(&file.checksum).copied(), is_first)? {
                suspects.push(file.checksum);
            }
        }
        suspects.dedup();
        for checksum in suspects {
            let differences = self.look_again_at_file(checksum)?;
            self.settled(differences)?;
        }
        for file in stored {
            let is_named =
                file.checksum.is_some_and(|one| named.binary_search_by(|row| row.checksum.cmp(&one)).is_ok());
            if !is_named && self.is_old(file.modified) {
                let differences = self.look_again_at_orphan(file)?;
                self.settled(differences)?;
            }
        }
        Ok(Flow::Done)
    }

    fn is_old(&self, modified: DateTime<Utc>) -> bool {
        let age = Utc::now().signed_duration_since(modified).to_std().unwrap_or_default();
        age >= self.verifier.settings.orphan_age
    }

    /// The first look.
    fn is_file_suspect(
        &mut self,
        named: &NamedFile,
        stored: Option<&StoredFile>,
        is_first: bool,
    ) -> Result<bool, VerifyError> {
        if named.deletion_requested {
            return Ok(named.state == "deleted" && stored.is_some());
        }
        self.report.counts.crate_files += 1;
        let Some(stored) = stored.filter(|stored| i64::try_from(stored.size) == Ok(named.size)) else {
            return Ok(true);
        };
        if self.verifier.settings.depth == Depth::Light || !is_first {
            return Ok(false);
        }
        self.bytes.take(stored.size, &|| self.verifier.is_stopped());
        let digest = self.verifier.crate_store.digest(named.checksum)?;
        self.report.counts.bytes += stored.size;
        Ok(digest.is_none_or(|(checksum, _)| checksum != named.checksum))
    }

    /// The second look at the file of a checksum.
    pub(super) fn look_again_at_file(&self, checksum: Checksum) -> Result<Vec<Difference>, VerifyError> {
        for _ in 0..TRIES {
            let read = || self.verifier.database(|connection| crate_states::naming(connection, checksum));
            let before = read()?;
            let found = self.differences_of_file(checksum, &before)?;
            match found {
                Look::Differences(differences) if differences.is_empty() => return Ok(differences),
                Look::Differences(differences) if read()? == before => return Ok(differences),
                _ if self.verifier.is_stopped() => break,
                _ => {}
            }
        }
        Ok(Vec::new())
    }

    fn differences_of_file(&self, checksum: Checksum, named: &[NamedFile]) -> Result<Look, VerifyError> {
        let (unwanted, wanted): (Vec<_>, Vec<_>) = named.iter().partition(|file| file.deletion_requested);
        let place = CrateStore::place(checksum);
        let told = |difference: Difference, file: &NamedFile| {
            let difference =
                difference.of_crate(&file.crate_name, file.crate_id).of_version(&file.num, file.version_id);
            difference.at(&*place).about_file(checksum)
        };
        if wanted.is_empty() {
            let Some(deleted) = unwanted.iter().find(|file| file.state == "deleted") else {
                return Ok(Look::Differences(Vec::new()));
            };
            let (kind, id) = (RemoveCrateFile::KIND, i64::from(deleted.version_id));
            let owed = self
                .verifier
                .database(|connection| inspection::any_pending_about(connection, kind, "version_id", id))?;
            let is_there = !owed && self.verifier.crate_store.size(checksum)?.is_some();
            let difference = || told(Difference::new(Kind::DeletedCrateFile, "a file", "no file, or a job"), deleted);
            return Ok(Look::Differences(is_there.then(difference).into_iter().collect()));
        }
        let digest = self.verifier.crate_store.digest(checksum)?;
        let of_each = wanted.into_iter().filter_map(|file| {
            let difference = match digest {
                None => Difference::new(Kind::MissingCrateFile, "no file", format!("{} bytes", file.size)),
                Some((found, size)) if found != checksum => {
                    let found = format!("{found}, {size} bytes");
                    Difference::new(Kind::DamagedCrateFile, found, format!("{checksum}, {} bytes", file.size))
                }
                Some((_, size)) if i64::try_from(size) != Ok(file.size) => {
                    let found = format!("the right content of {size} bytes");
                    Difference::new(Kind::SizeDiffers, found, format!("{} bytes", file.size))
                }
                Some(_) => return None,
            };
            Some(told(difference, file))
        });
        Ok(Look::Differences(of_each.collect()))
    }

    /// A file that no version named when the rows were read; now they are read again, and the file is looked at.
    fn look_again_at_orphan(&self, file: &StoredFile) -> Result<Vec<Difference>, VerifyError> {
        if let Some(checksum) = file.checksum {
            let is_there = self.verifier.crate_store.size(checksum)?.is_some();
            let named = self.verifier.database(|connection| crate_states::naming(connection, checksum))?;
            if !is_there || !named.is_empty() {
                return Ok(Vec::new());
            }
        }
        let found = format!("{} bytes, last written at {}", file.size, file.modified.format("%Y-%m-%dT%H:%M:%SZ"));
        let mut difference = Difference::new(Kind::OrphanFile, found, "a version, or no file").at(&file.location);
        difference.subject.checksum = file.checksum;
        Ok(vec![difference])
    }

    /// Unfinished files of interrupted writes.
    fn look_for_staged(&mut self, byte: u8) -> Result<(), VerifyError> {
        let mut differences = Vec::new();
        for file in self.verifier.crate_store.list_unfinished(byte)? {
            if self.is_old(file.modified) {
                let modified = file.modified.format("%Y-%m-%dT%H:%M:%SZ");
                let found = format!("{} bytes, last written at {modified}", file.size);
                differences.push(Difference::new(Kind::StagedLeftover, found, "no file").at(file.location));
            }
        }
        self.settled(differences)
    }
}
