//! The file with the tokens, for its owner alone. One process at a time changes it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::replace_file::replace_file;

const NAME: &str = "supercargo-credentials.json";
const LOCK: &str = "supercargo-credentials.lock";

/// What is kept for a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The registry's URL.
    pub api: String,
    pub token: String,
    /// Seconds since 1970.
    pub expires_at: u64,
    /// Gives another token.
    pub renewal: String,
}

pub struct Store {
    directory: PathBuf,
}

/// The content, locked against changes by other processes.
pub struct Held {
    path: PathBuf,
    entries: BTreeMap<String, Entry>,
    _lock: File,
}

impl Store {
    pub fn open(directory: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        Ok(Self { directory: directory.to_owned() })
    }

    /// Waits for other processes, and reads the file.
    pub fn lock(&self) -> Result<Held, String> {
        let (path, lock) = (self.directory.join(NAME), self.directory.join(LOCK));
        let failed = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock);
        let opened = opened.and_then(|file| file.lock().map(|()| file)).map_err(|error| failed(&lock, &error))?;
        let entries = match std::fs::read(&path) {
            Ok(content) => serde_json::from_slice(&content)
                .map_err(|error| format!("{} cannot be read ({error}): remove it, and log in again", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(failed(&path, &error)),
        };
        Ok(Held { path, entries, _lock: opened })
    }
}

impl Held {
    /// What is kept for the registry with this index.
    pub fn entry(&self, index: &str) -> Option<Entry> {
        self.entries.get(index).cloned()
    }

    /// Keeps this for a registry, or nothing.
    pub fn put(&mut self, index: &str, entry: Option<Entry>) -> Result<(), String> {
        match entry {
            Some(entry) => drop(self.entries.insert(index.to_owned(), entry)),
            None => drop(self.entries.remove(index)),
        }
        let content = serde_json::to_vec_pretty(&self.entries).map_err(|error| error.to_string())?;
        replace_file(&self.path, &content).map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_put_is_kept_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("cargo");
        let store = Store::open(&home).unwrap();
        let entry = Entry { api: "a".into(), token: "t".into(), expires_at: 1, renewal: "r".into() };
        assert_eq!(store.lock().unwrap().entry("i"), None);
        store.lock().unwrap().put("i", Some(entry.clone())).unwrap();
        assert_eq!(store.lock().unwrap().entry("i"), Some(entry));
        assert_eq!(home.join(NAME).metadata().unwrap().permissions().mode() & 0o777, 0o600);
        store.lock().unwrap().put("i", None).unwrap();
        assert_eq!(store.lock().unwrap().entry("i"), None);
        std::fs::write(home.join(NAME), "x").unwrap();
        assert!(store.lock().err().unwrap().contains("remove it, and log in again"));
    }
}
