//! What was asked and answered. Crates are shared, but each version, and each owner beside the first, belongs to one client,
//! who asks one thing after the other and therefore knows the last answered change.

use std::collections::BTreeMap;
use std::sync::Mutex;

#[derive(Default)]
pub struct Model {
    pub crates: Mutex<BTreeMap<String, Crate>>,
    /// Names and numbers of the sets that are being approved, or were.
    pub sets: Mutex<Vec<Vec<(String, String)>>>,
    /// Names and numbers of sets that were rejected or have expired: they are never shown.
    pub gone: Mutex<Vec<(String, String)>>,
}

#[derive(Default, Clone)]
pub struct Crate {
    /// Wanted yanked, by version.
    pub versions: BTreeMap<String, bool>,
    /// Who was made an owner, and whether that is still wanted.
    pub owners: BTreeMap<String, bool>,
}

impl Model {
    pub fn published(&self, name: &str, num: &str) {
        self.change(name, |krate| krate.versions.insert(num.to_owned(), false));
    }

    pub fn yanked(&self, name: &str, num: &str, yanked: bool) {
        self.change(name, |krate| krate.versions.insert(num.to_owned(), yanked));
    }

    pub fn owner(&self, name: &str, login: &str, is_owner: bool) {
        self.change(name, |krate| krate.owners.insert(login.to_owned(), is_owner));
    }

    fn change<T>(&self, name: &str, change: impl FnOnce(&mut Crate) -> T) {
        change(self.crates.lock().unwrap().entry(name.to_owned()).or_default());
    }
}
