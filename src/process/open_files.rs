//! The limit of open files, which bounds the number of connections.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Open files of the database, the index, git processes and the program itself.
const OTHER_FILES: u64 = 256;
/// A connection and the crate file that is sent over it.
const FILES_A_CONNECTION: u64 = 2;
/// Enough for thousands of cargo clients, with little memory even if all of them upload.
const MOST_CONNECTIONS: u64 = 4096;
/// The minimum, whatever the limit is.
const FEWEST_CONNECTIONS: u64 = 16;

/// Raises the soft limit of open files and derives the number of connections.
pub fn connections_by_limit() -> u32 {
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(limits) => limits,
        Err(error) => {
            tracing::debug!(%error, "cannot read the limit of open files");
            (1024, 1024)
        }
    };
    let wanted = hard.min(OTHER_FILES + FILES_A_CONNECTION * MOST_CONNECTIONS);
    let limit = if wanted > soft && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok() { wanted } else { soft };
    connections(limit)
}

fn connections(limit: u64) -> u32 {
    let admitted = limit.saturating_sub(OTHER_FILES) / FILES_A_CONNECTION;
    u32::try_from(admitted.clamp(FEWEST_CONNECTIONS, MOST_CONNECTIONS)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_bounds_the_connections() {
        assert_eq!(connections(1024), 384);
        assert_eq!(connections(u64::MAX), 4096);
        assert_eq!(connections(100), 16);
        assert!(connections_by_limit() >= 16);
    }
}
