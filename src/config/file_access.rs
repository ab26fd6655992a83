//! Who owns the configuration file, and who else can read or change it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::file::Entry;
use super::location::Location;

/// Why a data directory's file is not used: its options name programs, and a program of another user must not be run.
pub(super) fn untrusted(location: &Location, user: u32) -> Option<String> {
    let Location::DataDirectory(path) = location else { return None };
    let found = std::fs::metadata(path).ok()?;
    let shown = path.display();
    if found.uid() != user && found.uid() != 0 {
        return Some(format!(
            "{shown} belongs to another user (uid {}): run this as that user, or use the file with --config {shown}",
            found.uid()
        ));
    }
    (found.mode() & 0o002 != 0)
        .then(|| format!("every user of this machine can change {shown}: run `chmod 600 {shown}`"))
}

/// A warning about secrets in a file that every user of the machine can read.
pub(super) fn warning_of_readers(path: &Path, entries: &[Entry]) -> Option<String> {
    let secret = entries.iter().find(|entry| entry.is_secret && !entry.value.is_empty())?;
    let found = std::fs::metadata(path).ok()?;
    let path = path.display();
    (found.permissions().mode() & 0o004 != 0)
        .then(|| format!("every user of this machine can read {} in {path}: run `chmod 600 {path}`", secret.key))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn a_data_directorys_file_of_another_user_is_used_only_if_it_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("supercargo.toml");
        std::fs::write(&file, "git = \"/bin/true\"\n").unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let owner = std::fs::metadata(&file).unwrap().uid();
        let in_data_directory = Location::DataDirectory(file.clone());
        assert_eq!(untrusted(&in_data_directory, owner), None);
        assert_eq!(untrusted(&in_data_directory, owner + 1).is_some(), owner != 0);
        std::fs::set_permissions(&file, Permissions::from_mode(0o602)).unwrap();
        assert!(untrusted(&in_data_directory, owner).unwrap().contains("chmod 600"));
        assert_eq!(untrusted(&Location::Named(file), owner), None);
    }
}
