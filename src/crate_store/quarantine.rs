//! The quarantine: files that no version needs, and files whose content does not match their names. Each name there
//! begins with the time of the move, from which the age is known.

use chrono::{DateTime, NaiveDateTime, Utc};
use futures_util::{TryFutureExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path as Location;

use super::directories::QUARANTINE;
use super::{CrateStore, CrateStoreError, Place, location};
use crate::package::Checksum;

/// The format of the time before a name.
const TIME: &str = "%Y%m%dT%H%M%S%.6fZ";

/// A file that was moved away and can be put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    checksum: Checksum,
    place: Location,
}

impl SetAside {
    /// The current path in the store.
    pub fn place(&self) -> String {
        self.place.to_string()
    }
}

/// A file that was removed from the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    pub location: String,
    /// In bytes.
    pub size: u64,
}

pub(super) fn place_at(when: DateTime<Utc>, name: &str) -> Location {
    Location::from_iter([QUARANTINE, &format!("{}-{name}", when.format(TIME))])
}

/// The time at which a file was moved to the quarantine, by its name.
fn since(path: &Location) -> Option<DateTime<Utc>> {
    let (time, _) = path.filename()?.split_once('-')?;
    NaiveDateTime::parse_from_str(time, TIME).ok().map(|time| time.and_utc())
}

impl CrateStore {
    /// Moves the file at a path to the quarantine and returns its new path. `when` is part of the new name, so that two
    /// files of the same name do not collide.
    pub fn quarantine(&self, path: &str, when: DateTime<Utc>) -> Result<String, CrateStoreError> {
        let target = place_at(when, path.rsplit('/').next().unwrap_or(path));
        self.wait_for(|| path.to_owned(), None, self.store.rename(&Location::from(path), &target))?;
        Ok(target.to_string())
    }

    /// Moves a checksum's file away until it is certain that it can be removed; `None` if it does not exist. If the
    /// quarantine cannot be written, the file is renamed within its directory.
    pub fn set_aside(&self, checksum: Checksum) -> Result<Option<SetAside>, CrateStoreError> {
        let error = match self.move_to_quarantine(checksum) {
            Err(error) if matches!(self.place, Place::Directory(_)) => error,
            moved => return moved,
        };
        let name = format!("{checksum}.crate");
        let beside = Location::from_iter([&name[..2], &format!("{}-{name}", Utc::now().format(TIME))]);
        let moved = self.find(super::file(checksum), self.store.rename(&location(checksum), &beside))?;
        tracing::warn!(%error, file = %beside, "cannot move a crate file to the quarantine; renamed it in its directory instead");
        Ok(moved.map(|()| SetAside { checksum, place: beside }))
    }

    /// Moves a checksum's file to the quarantine; `None` if it does not exist.
    pub fn move_to_quarantine(&self, checksum: Checksum) -> Result<Option<SetAside>, CrateStoreError> {
        self.memory.iter().for_each(|memory| memory.forget(checksum));
        let place = place_at(Utc::now(), &format!("{checksum}.crate"));
        let moved = self.find(super::file(checksum), self.store.rename(&location(checksum), &place))?;
        Ok(moved.map(|()| SetAside { checksum, place }))
    }

    /// Moves a file back to its original path.
    pub fn put_back(&self, aside: &SetAside) -> Result<(), CrateStoreError> {
        let original = location(aside.checksum);
        self.wait_for(|| aside.place.to_string(), None, self.store.rename(&aside.place, &original))
    }

    /// Removes a file that was moved away.
    pub fn discard(&self, aside: &SetAside) -> Result<(), CrateStoreError> {
        self.find(|| aside.place.to_string(), self.store.delete(&aside.place)).map(drop)
    }

    /// Moves a checksum's file back from the quarantine if its content matches, and returns the path it had there;
    /// `None` if there is no such file.
    pub fn restore_quarantined(&self, checksum: Checksum) -> Result<Option<String>, CrateStoreError> {
        let name = format!("{checksum}.crate");
        let found = self.quarantined()?;
        for meta in found.into_iter().filter(|meta| meta.location.as_ref().ends_with(&name)) {
            let content = self.store.get(&meta.location).and_then(object_store::GetResult::bytes);
            let content = self.wait_for(|| meta.location.to_string(), None, content)?;
            if Checksum::of(&content) == checksum {
                self.put(checksum, content)?;
                self.wait_for(|| meta.location.to_string(), None, self.store.delete(&meta.location))?;
                return Ok(Some(meta.location.to_string()));
            }
        }
        Ok(None)
    }

    /// Removes the files that were moved to the quarantine before this time. Files with other names are kept.
    pub fn empty_quarantine(&self, before: DateTime<Utc>) -> Result<Vec<Expired>, CrateStoreError> {
        let mut expired = Vec::new();
        for meta in self.quarantined()?.into_iter().filter(|meta| since(&meta.location).is_some_and(|at| at < before)) {
            self.find(|| meta.location.to_string(), self.store.delete(&meta.location))?;
            expired.push(Expired { location: meta.location.to_string(), size: meta.size });
        }
        Ok(expired)
    }

    fn quarantined(&self) -> Result<Vec<object_store::ObjectMeta>, CrateStoreError> {
        let listed = self.store.list(Some(&Location::from(QUARANTINE))).try_collect::<Vec<_>>();
        self.wait_for(|| QUARANTINE.to_owned(), None, listed)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::TimeDelta;

    use super::*;

    fn stored(content: &'static [u8]) -> (tempfile::TempDir, CrateStore, Checksum) {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(directory.path()).unwrap();
        store.put(Checksum::of(content), Bytes::from_static(content)).unwrap();
        (directory, store, Checksum::of(content))
    }

    #[test]
    fn a_file_that_was_set_aside_is_put_back_or_discarded() {
        let (directory, store, checksum) = stored(b"content");
        let aside = store.set_aside(checksum).unwrap().unwrap();
        assert!(directory.path().join(aside.place()).exists());
        assert_eq!(store.size(checksum).unwrap(), None);
        assert_eq!(store.set_aside(checksum).unwrap(), None);
        store.put_back(&aside).unwrap();
        assert_eq!(store.digest(checksum).unwrap(), Some((checksum, 7)));
        let aside = store.set_aside(checksum).unwrap().unwrap();
        store.discard(&aside).unwrap();
        store.discard(&aside).unwrap();
        assert!(!directory.path().join(aside.place()).exists());
        assert_eq!(store.size(checksum).unwrap(), None);
    }

    #[test]
    fn only_old_files_are_removed_from_the_quarantine() {
        let (directory, store, checksum) = stored(b"content");
        let (now, other) = (Utc::now(), Checksum::of(b"other"));
        store.put(other, Bytes::from_static(b"other")).unwrap();
        let old = store.quarantine(&CrateStore::place(checksum), now - TimeDelta::days(31)).unwrap();
        let young = store.quarantine(&CrateStore::place(other), now - TimeDelta::days(29)).unwrap();
        std::fs::write(directory.path().join("quarantine/note.txt"), "why").unwrap();
        let expired = store.empty_quarantine(now - TimeDelta::days(30)).unwrap();
        assert_eq!(expired, [Expired { location: old, size: 7 }]);
        assert!(directory.path().join(young).exists() && directory.path().join("quarantine/note.txt").exists());
        assert_eq!(store.empty_quarantine(now - TimeDelta::days(30)).unwrap(), []);
    }
}
