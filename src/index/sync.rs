//! Flushing a file or a directory to the disk.

use std::fs::File;
use std::io;
use std::path::Path;

/// Flushes the content of a file, or the names in a directory.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
