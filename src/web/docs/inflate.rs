//! The content of a file as it is sent: as it is in the archive, as gzip, or unpacked piece by piece.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use flate2::{Decompress, FlushDecompress, Status};
use futures_util::stream::{BoxStream, Stream, StreamExt, once};

use crate::crate_store::Content;
use crate::docs_archive::File;

/// Bytes that are unpacked at a time.
const PIECE: usize = 64 * 1024;
/// The header of gzip: deflate, without a name or a time, by an unknown system. Source: RFC 1952, section 2.3.
const GZIP: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The bytes that gzip adds to deflated content.
pub(super) const GZIP_ADDS: u64 = 18;

pub(super) type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// The content as it is in the archive.
pub(super) fn plain(content: Content) -> Pieces {
    match content {
        Content::InMemory(content) => once(async { Ok(content) }).boxed(),
        Content::Pieces(pieces) => pieces,
    }
}

/// Deflated content with what makes it gzip. The archive has its checksum already.
pub(super) fn gzip(content: Content, file: &File) -> Pieces {
    // The size modulo 2^32.
    let size = u32::try_from(file.size & u64::from(u32::MAX)).unwrap_or(0);
    let end = [file.crc32.to_le_bytes(), size.to_le_bytes()].concat();
    let (begin, end) = (once(async { Ok(Bytes::from_static(&GZIP)) }), once(async { Ok(Bytes::from(end)) }));
    begin.chain(plain(content)).chain(end).boxed()
}

/// Deflated content, unpacked. An error if it is not exactly as large as the index says.
pub(super) fn inflated(content: Content, file: &File) -> Pieces {
    Inflating {
        from: plain(content),
        piece: Bytes::new(),
        state: Decompress::new(false),
        left: file.size,
        has_ended: false,
    }
    .boxed()
}

struct Inflating {
    from: Pieces,
    /// What was read and not unpacked.
    piece: Bytes,
    state: Decompress,
    left: u64,
    has_ended: bool,
}

impl Inflating {
    /// Unpacks some of what was read; None if more has to be read first.
    fn step(&mut self) -> io::Result<Option<Bytes>> {
        let mut unpacked = Vec::with_capacity(PIECE);
        let before = self.state.total_in();
        let status =
            self.state.decompress_vec(&self.piece, &mut unpacked, FlushDecompress::None).map_err(io::Error::other)?;
        let read = usize::try_from(self.state.total_in() - before).map_err(io::Error::other)?;
        self.piece.advance(read);
        self.has_ended = status == Status::StreamEnd;
        self.left = self.left.checked_sub(unpacked.len() as u64).ok_or_else(damaged)?;
        Ok((!unpacked.is_empty()).then(|| unpacked.into()))
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "an archive of documentation is damaged")
}

impl Stream for Inflating {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let this = &mut *self;
        loop {
            if this.has_ended {
                let is_whole = this.left == 0;
                this.left = 0;
                return Poll::Ready((!is_whole).then(|| Err(damaged())));
            }
            match this.step() {
                Ok(Some(unpacked)) => return Poll::Ready(Some(Ok(unpacked))),
                Ok(None) if this.has_ended => continue,
                Ok(None) => {}
                Err(error) => {
                    (this.has_ended, this.left) = (true, 0);
                    return Poll::Ready(Some(Err(error)));
                }
            }
            match ready!(this.from.poll_next_unpin(context)) {
                Some(Ok(piece)) => this.piece = piece,
                Some(Err(error)) => {
                    (this.has_ended, this.left) = (true, 0);
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    (this.has_ended, this.left) = (true, 0);
                    return Poll::Ready(Some(Err(damaged())));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::Compression;
    use flate2::read::GzDecoder;
    use flate2::write::DeflateEncoder;
    use futures_util::{TryStreamExt, stream};

    use super::*;

    fn deflated(content: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn file(content: &[u8]) -> File {
        let (size, crc32) = (content.len() as u64, crc32fast::hash(content));
        File { path: "a".into(), offset: 0, compressed: 0, size, crc32, is_deflated: true }
    }

    fn all(pieces: Pieces) -> io::Result<Vec<u8>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let pieces: Vec<Bytes> = runtime.block_on(pieces.try_collect())?;
        Ok(pieces.concat())
    }

    fn content() -> Vec<u8> {
        (0..60_000_u32).flat_map(|number| number.to_string().into_bytes()).collect()
    }

    /// Content in pieces of this many bytes.
    fn pieces(content: &[u8], size: usize) -> Content {
        let pieces: Vec<_> = content.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Content::Pieces(stream::iter(pieces).boxed())
    }

    #[test]
    fn content_is_unpacked_in_pieces_of_any_size() {
        let whole = content();
        for (size, length) in [(1, 20_000), (7, 100_000), (100_000, whole.len()), (whole.len(), whole.len())] {
            let content = &whole[..length.min(whole.len())];
            let packed = deflated(content);
            assert!(all(inflated(pieces(&packed, size), &file(content))).unwrap() == content, "{size}");
        }
        assert_eq!(all(inflated(Content::InMemory(deflated(b"").into()), &file(b""))).unwrap(), b"");
    }

    #[test]
    fn content_that_is_damaged_or_has_another_size_is_an_error_and_not_an_end() {
        let (content, packed) = (content(), deflated(&content()));
        assert!(all(inflated(pieces(&packed[..packed.len() - 1], 1000), &file(&content))).is_err());
        assert!(all(inflated(pieces(&[255; 100], 1000), &file(&content))).is_err());
        for size in [content.len() - 1, content.len() + 1] {
            assert!(all(inflated(pieces(&packed, 1000), &File { size: size as u64, ..file(&content) })).is_err());
        }
    }

    #[test]
    fn deflated_content_becomes_gzip() {
        let (content, packed) = (content(), deflated(&content()));
        let sent = all(gzip(pieces(&packed, 1000), &file(&content))).unwrap();
        assert_eq!(sent.len() as u64, packed.len() as u64 + GZIP_ADDS);
        let mut unpacked = Vec::new();
        GzDecoder::new(&sent[..]).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == content);
    }
}
