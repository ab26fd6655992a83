//! One read of a crate file: its checksum, its size and the manifest in it.

use std::io::{self, Read};

use crate::crate_store::{CrateReader, CrateStore, CrateStoreError};
use crate::package::checksum::Digest;
use crate::package::contents::{self, Extent};
use crate::package::{Checksum, CrateName, Limits, Version};

/// A crate file that was read.
pub(super) struct ReadFile {
    pub checksum: Checksum,
    /// In bytes.
    pub size: u64,
    /// The text of the manifest, or why there is none.
    pub manifest: Result<String, String>,
}

/// Reads the file of a package; None if it does not exist. It needs little more memory than the manifest.
pub(super) fn read(
    store: &CrateStore,
    checksum: Checksum,
    package: (&CrateName, &Version),
    extent: Extent,
) -> Result<Option<ReadFile>, CrateStoreError> {
    let Some(inner) = store.reader(checksum)? else { return Ok(None) };
    let mut file = Hashing { inner, digest: Digest::default() };
    let manifest = contents::manifest(&mut file, package, &Limits::default(), extent);
    // Only the store can fail: the rest is not interpreted.
    let _rest = io::copy(&mut file, &mut io::sink());
    if let Some(failure) = file.inner.failure() {
        return Err(failure);
    }
    let (checksum, size) = file.digest.finish();
    Ok(Some(ReadFile { checksum, size, manifest: manifest.map_err(|error| error.to_string()) }))
}

struct Hashing<'a> {
    inner: CrateReader<'a>,
    digest: Digest,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.digest.update(&buffer[..length]);
        Ok(length)
    }
}
