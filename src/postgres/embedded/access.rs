//! The cluster's access rules: only the user of this process and root can connect, both as the superuser.
//!
//! The server reads the user of a connection from its socket (`peer`). The server's own account, which is another one
//! when this process runs as root, cannot connect: it may be `nobody`, which other programs of the machine share. The
//! files are written before each start, so that clusters of older versions, whose rules were open, get these rules too.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::fchown;
use std::path::Path;

use nix::unistd::{Uid, User};

use super::account::Account;
use super::error::EmbeddedError;
use super::settings::SUPERUSER;

/// The first line of both files.
const HEADER: &str = "# supercargo writes this file at each start.\n";
/// The name of the map in `pg_ident.conf`.
const MAP: &str = "supercargo";

/// Writes `pg_hba.conf` and `pg_ident.conf`. In an existing cluster, a file that this program did not write is kept
/// with `.former` added to its name.
pub(super) fn write(cluster: &Path, account: Option<&Account>, is_new: bool) -> Result<(), EmbeddedError> {
    let names = admitted();
    for (file, text) in [("pg_hba.conf", rules(names.is_some())), ("pg_ident.conf", map(&names.unwrap_or_default()))] {
        let path = cluster.join(file);
        replace(&path, &text, account, is_new).map_err(|reason| EmbeddedError::directory("write", &path, reason))?;
    }
    Ok(())
}

/// The names of the users who can connect; None if this process's user has no name, as in some containers.
fn admitted() -> Option<Vec<String>> {
    let mut users = vec![Uid::effective(), Uid::from_raw(0)];
    users.dedup();
    let names: Vec<String> =
        users.iter().filter_map(|uid| User::from_uid(*uid).ok().flatten()).map(|user| user.name).collect();
    // The user of this process comes first, and root may have no name in a container.
    (User::from_uid(users[0]).is_ok_and(|user| user.is_some())).then_some(names)
}

/// PostgreSQL identifies users by name. Without a name, the socket's directory keeps others out: only the cluster's
/// account can enter it, and that is this process's own account in this case.
fn rules(by_name: bool) -> String {
    let how = if by_name { format!("peer map={MAP}") } else { "trust".to_owned() };
    format!(
        "{HEADER}local all {SUPERUSER} {how}\nlocal all all reject\nhost all all 0.0.0.0/0 reject\nhost all all ::/0 reject\n"
    )
}

fn map(names: &[String]) -> String {
    let lines = names.iter().map(|name| format!("{MAP} \"{}\" {SUPERUSER}\n", name.replace('"', "\"\"")));
    HEADER.to_owned() + &lines.collect::<String>()
}

/// Replaces a file in a directory that may belong to another user, without following links or writing to existing
/// files.
fn replace(path: &Path, text: &str, account: Option<&Account>, is_new: bool) -> io::Result<()> {
    let directory = path.parent().unwrap_or(path);
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    if let Some(account) = account {
        fchown(file.as_file(), Some(account.uid.as_raw()), Some(account.gid.as_raw()))?;
    }
    file.as_file().sync_all()?;
    if !is_new && fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) && !is_ours(path)? {
        fs::rename(path, path.with_extension("conf.former"))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    fs::File::open(directory)?.sync_all()
}

/// Whether this program wrote the file.
fn is_ours(path: &Path) -> io::Result<bool> {
    let text = fs::read(path)?;
    Ok(text.starts_with(HEADER.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_and_a_user_without_a_name_is_trusted() {
        assert_eq!(map(&["a\"b".to_owned()]).lines().last(), Some("supercargo \"a\"\"b\" supercargo"));
        assert!(rules(true).contains("local all supercargo peer map=supercargo\nlocal all all reject\n"));
        assert!(rules(false).contains("local all supercargo trust\nlocal all all reject\n"));
    }
}
