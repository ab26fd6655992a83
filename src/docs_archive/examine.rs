//! The checks of a whole archive: of its structure, of the paths of its files, and of the content of each.

use std::io::{self, Read};

use crc32fast::Hasher;
use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ReaderAt, ZipArchive, ZipArchiveEntryWayfinder, ZipLocator};

use super::index::{File, Index};
use super::limits::{Limits, MAX_INDEX, MAX_RATIO, RATIO_FROM};
use super::names::{self, Seen};
use super::place;
use super::refusal::Refusal;

/// Bytes that are unpacked at a time.
const PIECE: usize = 64 * 1024;
/// The longest name and extra fields of one header, in bytes.
const HEADER: usize = 128 * 1024;

/// What an archive begins with. Crate files begin with something else, so that no file of the store is both.
const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";

/// What an archive has.
#[derive(Clone, Debug)]
pub struct Contents {
    pub index: Index,
    /// The number of its files.
    pub files: usize,
    /// Their size unpacked, in bytes.
    pub unpacked: u64,
}

/// Why an archive has no index.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be read. `rawzip` gives such an error only if its reader does.
    #[error("cannot read the archive: {0}")]
    Io(#[from] io::Error),
}

/// An entry as the directory of the archive has it.
struct Entry {
    file: File,
    way: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    header: u64,
}

/// Examines an archive of this many bytes. `wanted` is the directory of the crate in it: `is_exact` if the uploader has named it, and
/// otherwise the name of its library.
pub fn examine(
    content: &dyn ReaderAt,
    size: u64,
    limits: &Limits,
    (wanted, is_exact): (&str, bool),
) -> Result<Contents, ExamineError> {
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let located = ZipLocator::new().locate_in_reader(content, &mut buffer, size);
    let archive = located.map_err(|(_, error)| no_zip(error))?;
    let end = archive.end_offset();
    if end != size {
        return Err(Refusal::DataBehind(size.saturating_sub(end)).into());
    }
    let (mut entries, first) = directory(&archive, limits, &mut buffer)?;
    if first > 0 {
        return Err(Refusal::DataBefore(first).into());
    }
    let mut begin = [0; LOCAL_HEADER.len()];
    content.read_exact_at(&mut begin, 0)?;
    if begin != LOCAL_HEADER {
        return Err(Refusal::NoZip("it begins with something else".to_owned()).into());
    }
    check_places(&archive, &mut entries)?;
    entries.sort_by(|one, other| one.file.path.cmp(&other.file.path));
    let unpacked = entries.iter().map(|entry| entry.file.size).sum::<u64>();
    if unpacked > RATIO_FROM && unpacked / MAX_RATIO > size {
        return Err(Refusal::WholeRatio.into());
    }
    let (files, ways): (Vec<File>, Vec<ZipArchiveEntryWayfinder>) =
        entries.into_iter().map(|entry| (entry.file, entry.way)).unzip();
    // All that costs little is before the content, so that a refusal costs little.
    let place = place::find(&files, wanted, is_exact)?;
    let index = Index::new((place.prefix, place.directory), files);
    if index.weight() > MAX_INDEX {
        return Err(Refusal::IndexTooLarge.into());
    }
    for (file, way) in index.files().iter().zip(ways) {
        check_content(&archive, file, way)?;
    }
    Ok(Contents { files: index.files().len(), unpacked, index })
}

fn no_zip(error: rawzip::Error) -> ExamineError {
    Refusal::NoZip(error.to_string()).into()
}

type Archive<'a> = ZipArchive<&'a dyn ReaderAt>;

/// The files of the archive's directory, each checked separately, within the limits that the directory claims; and the place of the
/// first entry, which may be a directory.
fn directory(archive: &Archive<'_>, limits: &Limits, buffer: &mut [u8]) -> Result<(Vec<Entry>, u64), ExamineError> {
    let said = archive.entries_hint();
    // Directories count as well, until it is known what they are.
    if said > 2 * limits.max_files as u64 {
        return Err(Refusal::TooManyFiles(limits.max_files).into());
    }
    let (mut entries, mut seen, mut found, mut unpacked) = (Vec::new(), Seen::new(limits.max_files), 0, 0_u64);
    let mut first = u64::MAX;
    let mut records = archive.entries(buffer);
    while let Some(record) = records.next_entry().map_err(no_zip)? {
        found += 1;
        if found > said {
            return Err(Refusal::WrongCount { said, found }.into());
        }
        first = first.min(record.local_header_offset());
        let path = names::checked(record.file_path().as_bytes())?;
        let name = || path.to_owned();
        if record.mode().is_symlink() {
            return Err(Refusal::Link(name()).into());
        }
        if record.flags().is_encrypted() {
            return Err(Refusal::Encrypted(name()).into());
        }
        let (size, compressed) = (record.uncompressed_size_hint(), record.compressed_size_hint());
        if let Some(directory) = path.strip_suffix('/') {
            if size > 0 {
                return Err(Refusal::FileAndDirectory(directory.to_owned()).into());
            }
            seen.add_directory(directory)?;
            continue;
        }
        seen.add(path)?;
        if entries.len() >= limits.max_files {
            return Err(Refusal::TooManyFiles(limits.max_files).into());
        }
        if size > limits.max_file {
            return Err(Refusal::FileTooLarge { name: name(), limit: limits.max_file }.into());
        }
        unpacked += size;
        if unpacked > limits.max_unpacked {
            return Err(Refusal::TooLarge(limits.max_unpacked).into());
        }
        if size > RATIO_FROM && size / MAX_RATIO > compressed {
            return Err(Refusal::Ratio(name()).into());
        }
        let method = record.compression_method();
        let is_deflated = match method {
            CompressionMethod::DEFLATE => true,
            CompressionMethod::STORE if size == compressed => false,
            CompressionMethod::STORE => return Err(Refusal::Damaged(name(), "its two sizes differ".to_owned()).into()),
            other => return Err(Refusal::Method { name: name(), method: other.to_string() }.into()),
        };
        let file = File { path: path.into(), offset: 0, compressed, size, crc32: record.crc32(), is_deflated };
        entries.push(Entry { file, way: record.wayfinder(), method, header: record.local_header_offset() });
    }
    if found != said {
        return Err(Refusal::WrongCount { said, found }.into());
    }
    Ok((entries, if found > 0 { first } else { 0 }))
}

/// Finds the place of each file's content, and refuses files that share bytes with another one or with the directory.
fn check_places(archive: &Archive<'_>, entries: &mut [Entry]) -> Result<(), ExamineError> {
    entries.sort_by_key(|entry| entry.header);
    let mut header = vec![0; HEADER];
    let mut free_from = 0;
    for entry in &mut *entries {
        let name = || entry.file.path.to_string();
        let damaged = |error: rawzip::Error| Refusal::Damaged(name(), error.to_string());
        let found = archive.get_entry(entry.way).map_err(damaged)?;
        let (begin, end) = found.compressed_data_range();
        if entry.header < free_from || end > archive.directory_offset() {
            return Err(Refusal::Overlap(name()).into());
        }
        free_from = end;
        let local = found.local_header(&mut header).map_err(damaged)?;
        if local.file_path().as_bytes() != entry.file.path.as_bytes()
            || local.compression_method() != entry.method
            || local.flags().is_encrypted()
        {
            return Err(Refusal::HeadersDiffer(name()).into());
        }
        entry.file.offset = begin;
    }
    Ok(())
}

/// Unpacks a file, and compares its size and checksum.
fn check_content(archive: &Archive<'_>, file: &File, way: ZipArchiveEntryWayfinder) -> Result<(), ExamineError> {
    let File { path, size, compressed, crc32, is_deflated, .. } = file;
    let damaged = |problem: &str| Refusal::Damaged(path.to_string(), problem.to_owned());
    let found = archive.get_entry(way).map_err(|error| damaged(&error.to_string()))?;
    let unpacked = match is_deflated {
        true => {
            let mut decoder = DeflateDecoder::new(found.reader());
            let unpacked = read(&mut decoder, *size)?;
            if unpacked.is_some() && decoder.total_in() != *compressed {
                return Err(damaged("there is more behind its end").into());
            }
            unpacked
        }
        false => read(&mut found.reader(), *size)?,
    };
    match unpacked {
        None => Err(damaged("it cannot be unpacked, or has another size").into()),
        Some(found) if found != *crc32 => Err(damaged("its checksum is wrong").into()),
        Some(_) => Ok(()),
    }
}

/// Reads exactly this many bytes, and no more: their checksum. None if there are fewer or more, or if they cannot be unpacked.
fn read(content: &mut impl Read, size: u64) -> io::Result<Option<u32>> {
    let (mut hasher, mut left, mut piece) = (Hasher::new(), size, vec![0; PIECE]);
    loop {
        let length = match content.read(&mut piece) {
            Ok(0) => return Ok((left == 0).then(|| hasher.finalize())),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // What flate2 says of content that is no deflate, and of content that ends early.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let Some(rest) = left.checked_sub(length as u64) else { return Ok(None) };
        left = rest;
        hasher.update(&piece[..length]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs_archive::sample::{archive, last};

    const CENTRAL: &[u8] = b"PK\x01\x02";
    const END: &[u8] = b"PK\x05\x06";

    fn long() -> Vec<u8> {
        (0..5000_u32).flat_map(|number| number.to_string().into_bytes()).collect()
    }

    fn sample() -> Vec<u8> {
        archive(&[("demo/index.html", &long()), ("demo/small.txt", b"small")])
    }

    fn examined(archive: &[u8], limits: &Limits) -> Result<Contents, String> {
        examine(&archive, archive.len() as u64, limits, ("demo", false)).map_err(|error| error.to_string())
    }

    fn refused(archive: &[u8]) -> String {
        examined(archive, &Limits::default()).unwrap_err()
    }

    #[test]
    fn the_index_has_the_place_of_each_file() {
        let archive = sample();
        let contents = examined(&archive, &Limits::default()).unwrap();
        assert_eq!((contents.files, contents.unpacked), (2, long().len() as u64 + 5));
        let part = |path: &str| {
            let file = contents.index.find(path).unwrap();
            let begin = usize::try_from(file.offset).unwrap();
            (&archive[begin..begin + usize::try_from(file.compressed).unwrap()], file.is_deflated)
        };
        assert_eq!(part("demo/small.txt"), (&b"small"[..], false));
        let (deflated, is_deflated) = part("demo/index.html");
        let mut inflated = Vec::new();
        DeflateDecoder::new(deflated).read_to_end(&mut inflated).unwrap();
        assert!(is_deflated && inflated == long());
    }

    #[test]
    fn directories_may_have_entries_of_their_own() {
        let archive = archive(&[("demo/", b""), ("demo/inner/", b""), ("demo/index.html", b"small")]);
        let contents = examined(&archive, &Limits::default()).unwrap();
        assert!(contents.files == 1 && contents.index.find("demo/index.html").is_some());
        let mut other = archive.clone();
        other[..4].copy_from_slice(b"\x1f\x8b\x08\x00");
        assert!(refused(&other).contains("begins with something else"));
    }

    #[test]
    fn an_archive_with_something_else_around_it_is_refused() {
        let good = sample();
        assert!(refused(b"").contains("no zip archive"));
        assert!(refused(&[7; 100_000]).contains("no zip archive"));
        assert!(refused(&good[..good.len() - 1]).contains("no zip archive"));
        assert!(
            refused(&[&good[..], b"x"].concat()).contains("ends 1 bytes before the end"),
            "{}",
            refused(&[&good[..], b"x"].concat())
        );
        assert!(refused(&[b"#!/bin/sh\n", &good[..]].concat()).contains("begins at byte 10"));
    }

    /// Changes bytes at an offset from the last place of a text.
    fn changed(archive: &[u8], (text, offset): (&[u8], usize), bytes: &[u8]) -> Vec<u8> {
        let (mut changed, place) = (archive.to_vec(), last(archive, text) + offset);
        changed[place..place + bytes.len()].copy_from_slice(bytes);
        changed
    }

    #[test]
    fn headers_that_contradict_each_other_are_refused() {
        let good = sample();
        // The last entry of the directory is that of the small file.
        assert!(refused(&changed(&good, (CENTRAL, 8), &[1, 0])).contains("encrypted"));
        assert!(refused(&changed(&good, (CENTRAL, 10), &[12, 0])).contains("compressed with 12 (BZIP2)"));
        assert!(refused(&changed(&good, (CENTRAL, 16), &[1, 2, 3, 4])).contains("checksum is wrong"));
        assert!(refused(&changed(&good, (CENTRAL, 24), &[6])).contains("two sizes differ"));
        assert!(refused(&changed(&good, (CENTRAL, 10), &[8, 0])).contains("another name or method"));
        assert!(refused(&changed(&good, (CENTRAL, 46), b"demo/smell.txt")).contains("another name or method"));
        assert!(refused(&changed(&good, (END, 8), &[3, 0, 3, 0])).contains("has 3 entries, and has 2"));
        assert!(refused(&changed(&good, (END, 8), &[1, 0, 1, 0])).contains("has 1 entries, and has 2"));
        // A link, made by Unix.
        let link = changed(&good, (CENTRAL, 4), &[20, 3]);
        assert!(refused(&changed(&link, (CENTRAL, 40), &[0xff, 0xa1])).contains("is a link"));
        // An entry whose content is that of another one.
        assert!(refused(&changed(&good, (CENTRAL, 42), &[0, 0, 0, 0])).contains("share bytes"));
    }

    #[test]
    fn damaged_content_is_refused() {
        let good = sample();
        let place =
            usize::try_from(examined(&good, &Limits::default()).unwrap().index.find("demo/index.html").unwrap().offset)
                .unwrap();
        let mut damaged = good.clone();
        damaged[place + 100] ^= 0x55;
        assert!(refused(&damaged).contains("is damaged"));
    }

    #[test]
    fn two_entries_of_one_name_are_refused() {
        assert!(refused(&archive(&[("demo/index.html", b"a"), ("demo/index.html", b"b")])).contains("twice"));
        assert!(
            refused(&archive(&[("demo/index.html", b"a"), ("demo/Index.html", b"b")])).contains("one path for some")
        );
        assert!(refused(&archive(&[("demo/index.html", b"a"), ("../x", b"b")])).contains("leads out"));
        assert!(refused(&archive(&[("demo/index.html", b"a"), ("demo", b"b")])).contains("also a directory"));
    }

    #[test]
    fn an_archive_whose_index_takes_too_much_memory_is_refused() {
        let directories = ["d".repeat(240), "e".repeat(240), "f".repeat(240), "g".repeat(240)].join("/");
        let paths: Vec<String> = (0..8500).map(|number| format!("demo/{directories}/{number}")).collect();
        let mut files: Vec<(&str, &[u8])> = vec![("demo/index.html", &b"a"[..])];
        files.extend(paths.iter().map(|path| (path.as_str(), &b"a"[..])));
        assert!(refused(&archive(&files)).contains("takes more than 8388608 bytes"));
    }

    #[test]
    fn an_archive_without_the_crate_is_refused_before_its_content_is_unpacked() {
        let good = archive(&[("other/a.html", &long())]);
        let mut damaged = good.clone();
        let begin = last(&good, b"other/a.html") - 200;
        damaged[begin] ^= 0x55;
        assert!(refused(&damaged).contains("no documentation of the crate"), "{}", refused(&damaged));
    }

    #[test]
    fn limits_are_kept_and_a_bomb_is_not_unpacked() {
        let usual = Limits::default();
        let of = |files: &[(&str, &[u8])], limits: Limits| examined(&archive(files), &limits).map(|_| ());
        let two: &[(&str, &[u8])] = &[("demo/index.html", b"12345"), ("demo/b.html", b"12345")];
        assert_eq!(of(two, Limits { max_files: 2, max_unpacked: 10, max_file: 5, ..usual }), Ok(()));
        assert!(of(two, Limits { max_files: 1, ..usual }).unwrap_err().contains("more than 1 files"));
        assert!(of(two, Limits { max_unpacked: 9, ..usual }).unwrap_err().contains("more than 9 bytes unpacked"));
        assert!(of(two, Limits { max_file: 4, ..usual }).unwrap_err().contains("more than 4 bytes unpacked"));
        let zeros = vec![0; 3_000_000];
        assert!(of(&[("demo/index.html", &zeros)], usual).unwrap_err().contains("more than 200 times"));
        // One that claims to be smaller than it is, is unpacked to what it claims.
        let lying = archive(&[("demo/index.html", &zeros)]);
        let lying = changed(&lying, (CENTRAL, 24), &1000_u32.to_le_bytes());
        assert!(refused(&lying).contains("another size"), "{}", refused(&lying));
    }
}
