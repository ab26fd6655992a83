//! The server's unix socket, in the cluster directory.
//!
//! A socket's address holds 107 bytes of path. The server binds relative to its working directory, so the limit does
//! not apply to it. A client with a longer path connects through `/proc/self/fd/N`, where N is a descriptor of the
//! cluster directory that the kernel follows like a link.

use std::os::fd::IntoRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::error::EmbeddedError;
use super::settings::{PORT, SUPERUSER};

/// Bytes of path in a unix socket's address, without the closing zero (`sun_path` in unix(7)).
const ADDRESS_LIMIT: usize = 107;

/// The name PostgreSQL gives a socket on port 5432, and the lock file beside it.
const FILE: &str = ".s.PGSQL.5432";
pub(super) const LOCK_FILE: &str = ".s.PGSQL.5432.lock";

/// The socket of one cluster, as this process reaches it.
#[derive(Debug)]
pub(super) struct Socket {
    cluster: PathBuf,
    directory: PathBuf,
}

impl Socket {
    /// The socket in an existing cluster directory.
    pub(super) fn of(cluster: &Path) -> Result<Socket, EmbeddedError> {
        let length = cluster.join(FILE).as_os_str().len();
        // A comma ends a host in libpq.
        let has_comma = cluster.as_os_str().as_bytes().contains(&b',');
        let directory =
            if length <= ADDRESS_LIMIT && !has_comma { cluster.to_owned() } else { through_descriptor(cluster)? };
        Ok(Socket { cluster: cluster.to_owned(), directory })
    }

    pub(super) fn cluster(&self) -> &Path {
        &self.cluster
    }

    /// The connection URL of a database, for libpq.
    pub(super) fn url(&self, database: &str) -> String {
        let mut host = String::new();
        for byte in self.directory.as_os_str().as_bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => host.push(*byte as char),
                _ => host.push_str(&format!("%{byte:02X}")),
            }
        }
        // An empty address keeps the variable PGHOSTADDR from leading to another server.
        format!("postgresql:///{database}?host={host}&hostaddr=&port={PORT}&user={SUPERUSER}&connect_timeout=10")
    }
}

/// A path through a descriptor that is never closed: URLs with its number are copied into pools, and the number of a
/// closed descriptor is reused for another file.
fn through_descriptor(cluster: &Path) -> Result<PathBuf, EmbeddedError> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let descriptor = open(cluster, flags, Mode::empty())
        .map_err(|errno| EmbeddedError::directory("open", cluster, errno.into()))?
        .into_raw_fd();
    Ok(PathBuf::from(format!("/proc/self/fd/{descriptor}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_readable_and_escapes_what_libpq_would_misread() -> Result<(), EmbeddedError> {
        let url = Socket::of(Path::new("/srv/my registry&co/postgres"))?.url("supercargo");
        insta::assert_snapshot!(url, @"postgresql:///supercargo?host=/srv/my%20registry%26co/postgres&hostaddr=&port=5432&user=supercargo&connect_timeout=10");
        Ok(())
    }
}
