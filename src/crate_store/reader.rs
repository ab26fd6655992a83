//! Reading a stored file piece by piece, with the interface of the standard library.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;

use super::{CrateStore, CrateStoreError, file};
use crate::package::Checksum;

/// A stored file that is being read. It holds one piece in memory.
pub struct CrateReader<'a> {
    store: &'a CrateStore,
    checksum: Checksum,
    content: BoxStream<'static, object_store::Result<Bytes>>,
    piece: Bytes,
    failure: Option<CrateStoreError>,
}

impl CrateStore {
    /// Opens a file for reading; `None` if it does not exist.
    pub fn reader(&self, checksum: Checksum) -> Result<Option<CrateReader<'_>>, CrateStoreError> {
        let opened = self.stored(checksum)?;
        Ok(opened.map(|opened| CrateReader {
            store: self,
            checksum,
            content: opened.into_stream(),
            piece: Bytes::new(),
            failure: None,
        }))
    }
}

impl CrateReader<'_> {
    /// Why reading has failed, if it has: the reason behind the error of [`Read::read`].
    pub fn failure(&mut self) -> Option<CrateStoreError> {
        self.failure.take()
    }
}

impl Read for CrateReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.store.wait_for(file(self.checksum), None, self.content.try_next()) {
                Ok(Some(piece)) => self.piece = piece,
                Ok(None) => return Ok(0),
                Err(failure) => {
                    let error = io::Error::other(failure.to_string());
                    self.failure = Some(failure);
                    return Err(error);
                }
            }
        }
        let length = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
