//! The form of a pack:
//!
//! ```text
//! "SCPACK1\n"
//! blocks        each of 128 KiB of the contents, the last one shorter; compressed with zstd, or as it is if that is shorter
//! listing       compressed: the blocks (for each its length in the file and its CRC-32), then the files
//! trailer       length of the contents, lengths of the listing (compressed, then not), its CRC-32; "SCPACK1\n"
//! ```
//!
//! Numbers are little-endian. The trailer comes last, so that a file that is cut off has none.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use zstd::bulk::{Compressor, Decompressor};

use super::error::SourceError;
use super::listing::{Listing, take};

/// Bytes of the contents in a block. A larger one compresses better, a smaller one is read sooner.
const BLOCK: usize = 128 * 1024;
/// The fastest level of zstd: a request waits for it.
const LEVEL: i32 = 1;
const MAGIC: [u8; 8] = *b"SCPACK1\n";
const TRAILER: usize = 8 + 8 + 8 + 4 + MAGIC.len();
/// The longest listing that is read, in bytes: what a package within the bounds of `making` has, and more.
const MAX_LISTING: u64 = 256 * 1024 * 1024;

/// Writes a pack.
pub(super) struct PackWriter<'a> {
    file: BufWriter<&'a File>,
    compressor: Compressor<'static>,
    block: Vec<u8>,
    compressed: Vec<u8>,
    blocks: Vec<u8>,
    /// The bytes of the contents so far.
    written: u64,
}

impl<'a> PackWriter<'a> {
    pub fn new(file: &'a File) -> io::Result<Self> {
        let mut file = BufWriter::new(file);
        file.write_all(&MAGIC)?;
        Ok(Self {
            file,
            compressor: Compressor::new(LEVEL)?,
            block: Vec::with_capacity(BLOCK),
            compressed: vec![0; zstd::zstd_safe::compress_bound(BLOCK)],
            blocks: Vec::new(),
            written: 0,
        })
    }

    /// The bytes of the contents so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Adds to the contents.
    pub fn add(&mut self, mut piece: &[u8]) -> io::Result<()> {
        self.written += piece.len() as u64;
        while !piece.is_empty() {
            let (now, later) = piece.split_at(piece.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            piece = later;
            if self.block.len() == BLOCK {
                self.write_block()?;
            }
        }
        Ok(())
    }

    fn write_block(&mut self) -> io::Result<()> {
        let length = self.compressor.compress_to_buffer(&self.block, &mut self.compressed[..])?;
        let stored = if length < self.block.len() { &self.compressed[..length] } else { &self.block[..] };
        self.file.write_all(stored)?;
        self.blocks.extend((stored.len() as u32).to_le_bytes());
        self.blocks.extend(crc32fast::hash(stored).to_le_bytes());
        self.block.clear();
        Ok(())
    }

    /// Completes the pack.
    pub fn finish(mut self, listing: &Listing) -> io::Result<()> {
        if !self.block.is_empty() {
            self.write_block()?;
        }
        let plain = [&std::mem::take(&mut self.blocks)[..], &listing.to_bytes()].concat();
        let compressed = self.compressor.compress(&plain)?;
        self.file.write_all(&compressed)?;
        for number in [self.written, compressed.len() as u64, plain.len() as u64] {
            self.file.write_all(&number.to_le_bytes())?;
        }
        self.file.write_all(&crc32fast::hash(&compressed).to_le_bytes())?;
        self.file.write_all(&MAGIC)?;
        self.file.flush()
    }
}

/// The contents in an open pack.
#[derive(Debug)]
pub(super) struct Blocks {
    file: File,
    /// Where each block begins in the file, and where the last one ends.
    places: Vec<u64>,
    checksums: Vec<u32>,
    /// Bytes of the contents.
    contents: u64,
}

/// Opens a pack.
pub(super) fn open(file: File) -> Result<(Blocks, Listing), SourceError> {
    let size = file.metadata()?.len();
    let trailer_at = size.checked_sub(TRAILER as u64).ok_or(SourceError::Damaged)?;
    let mut trailer = [0; TRAILER];
    file.read_exact_at(&mut trailer, trailer_at)?;
    let (contents, compressed, plain, checksum) = read_trailer(&trailer).ok_or(SourceError::Damaged)?;
    let listing_at = trailer_at.checked_sub(compressed).filter(|at| *at >= MAGIC.len() as u64);
    let listing_at = listing_at.filter(|_| plain <= MAX_LISTING).ok_or(SourceError::Damaged)?;
    let mut bytes = vec![0; usize::try_from(compressed).map_err(|_| SourceError::Damaged)?];
    file.read_exact_at(&mut bytes, listing_at)?;
    if crc32fast::hash(&bytes) != checksum {
        return Err(SourceError::Damaged);
    }
    let plain = usize::try_from(plain).map_err(|_| SourceError::Damaged)?;
    let bytes = Decompressor::new()?.decompress(&bytes, plain).map_err(|_| SourceError::Damaged)?;
    let count = contents.div_ceil(BLOCK as u64);
    let count = usize::try_from(count).map_err(|_| SourceError::Damaged)?;
    let table = count.checked_mul(8).and_then(|length| bytes.split_at_checked(length));
    let (table, listing) = table.ok_or(SourceError::Damaged)?;
    let (places, checksums) = read_table(table, listing_at).ok_or(SourceError::Damaged)?;
    let listing = Listing::from_bytes(listing, contents)?;
    Ok((Blocks { file, places, checksums, contents }, listing))
}

/// The length of the contents, those of the listing, and its checksum.
fn read_trailer(mut trailer: &[u8]) -> Option<(u64, u64, u64, u32)> {
    let [contents, compressed, plain] = [take(&mut trailer)?, take(&mut trailer)?, take(&mut trailer)?];
    let checksum = u32::from_le_bytes(take(&mut trailer)?);
    let numbers = [contents, compressed, plain].map(u64::from_le_bytes);
    (trailer == MAGIC).then_some((numbers[0], numbers[1], numbers[2], checksum))
}

/// Where the blocks begin and end, and their checksums. They fill the file up to the listing.
fn read_table(mut table: &[u8], end: u64) -> Option<(Vec<u64>, Vec<u32>)> {
    let mut place = MAGIC.len() as u64;
    let (mut places, mut checksums) = (vec![place], Vec::new());
    while !table.is_empty() {
        let length = u32::from_le_bytes(take(&mut table)?);
        if length as usize > BLOCK {
            return None;
        }
        place += u64::from(length);
        places.push(place);
        checksums.push(u32::from_le_bytes(take(&mut table)?));
    }
    (place == end).then_some((places, checksums))
}

impl Blocks {
    /// About how many bytes this occupies in memory.
    pub fn weight(&self) -> u64 {
        self.places.len() as u64 * 12
    }

    /// Passes a part of the contents to `write`, one piece after the other.
    pub fn read<E: From<SourceError>>(
        &self,
        part: Range<u64>,
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if part.is_empty() {
            return Ok(());
        }
        let block = BLOCK as u64;
        let (mut stored, mut plain) = (Vec::new(), Vec::with_capacity(BLOCK));
        let mut decompressor = Decompressor::new().map_err(SourceError::Cache)?;
        for number in part.start / block..=(part.end - 1) / block {
            let start = number * block;
            let place = usize::try_from(number).map_err(|_| SourceError::Damaged)?;
            self.read_block(place, &mut decompressor, (&mut stored, &mut plain))?;
            let from = part.start.saturating_sub(start) as usize;
            let to = (part.end - start).min(block) as usize;
            write(plain.get(from..to).ok_or(SourceError::Damaged)?)?;
        }
        Ok(())
    }

    fn read_block(
        &self,
        number: usize,
        decompressor: &mut Decompressor<'_>,
        (stored, plain): (&mut Vec<u8>, &mut Vec<u8>),
    ) -> Result<(), SourceError> {
        let (Some(&[start, end]), Some(checksum)) = (self.places.get(number..number + 2), self.checksums.get(number))
        else {
            return Err(SourceError::Damaged);
        };
        stored.resize((end - start) as usize, 0);
        self.file.read_exact_at(stored, start).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => SourceError::Damaged,
            _ => SourceError::Cache(error),
        })?;
        if crc32fast::hash(stored) != *checksum {
            return Err(SourceError::Damaged);
        }
        let length = (self.contents - (number * BLOCK) as u64).min(BLOCK as u64) as usize;
        plain.clear();
        if stored.len() == length {
            plain.extend_from_slice(stored);
        } else {
            decompressor.decompress_to_buffer(stored, plain).map_err(|_| SourceError::Damaged)?;
        }
        if plain.len() == length { Ok(()) } else { Err(SourceError::Damaged) }
    }
}
