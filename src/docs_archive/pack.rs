//! Writing an archive of a directory: the same bytes for the same files.

use std::fs;
use std::io::{self, BufReader, Seek, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use rawzip::{CompressionMethod, ZipArchiveWriter};

use super::names::{self, Seen};
use super::refusal::Refusal;

/// Why a directory cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is a link, and archives of documentation have none: copy the file that it leads to", .0.display())]
    Link(PathBuf),
    #[error("{} is no file and no directory: remove it", .0.display())]
    Special(PathBuf),
    #[error(transparent)]
    Name(#[from] Refusal),
    #[error("cannot write the archive: {0}")]
    Write(String),
}

/// Writes an archive of all files below a directory, in the order of their paths, without their times. `progress` is called with the
/// number of files that are done, and of all. Returns that number.
pub fn pack<W: Write + Seek>(
    directory: &Path,
    to: W,
    mut progress: impl FnMut(usize, usize),
) -> Result<usize, PackError> {
    let mut files = Vec::new();
    walk(directory, "", &mut files)?;
    files.sort();
    // The registry has its own limit.
    let mut seen = Seen::new(usize::MAX);
    let written = |error: rawzip::Error| PackError::Write(error.to_string());
    let mut archive = ZipArchiveWriter::new(to);
    for (done, (name, path)) in files.iter().enumerate() {
        progress(done, files.len());
        names::checked(name.as_bytes())?;
        seen.add(name)?;
        let file = fs::File::open(path).map_err(|source| PackError::Read { path: path.clone(), source })?;
        let (mut entry, config) = archive
            .new_file(&**name)
            .compression_method(CompressionMethod::DEFLATE)
            .unix_permissions(0o644)
            .start()
            .map_err(written)?;
        let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::best()));
        io::copy(&mut BufReader::new(file), &mut writer)
            .map_err(|source| PackError::Read { path: path.clone(), source })?;
        let (encoder, descriptor) = writer.finish().map_err(written)?;
        encoder.finish().map_err(|error| PackError::Write(error.to_string()))?;
        entry.finish(descriptor).map_err(written)?;
    }
    progress(files.len(), files.len());
    archive.finish().map_err(written)?;
    Ok(files.len())
}

fn walk(directory: &Path, prefix: &str, found: &mut Vec<(String, PathBuf)>) -> Result<(), PackError> {
    let unreadable = |source| PackError::Read { path: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable)?);
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| Refusal::Name(path.display().to_string(), "is not UTF-8"))?;
        // Cargo's own, for its next run.
        if prefix.is_empty() && name == ".lock" {
            continue;
        }
        let whole = format!("{prefix}{name}");
        match () {
            () if kind.is_symlink() => return Err(PackError::Link(path)),
            () if kind.is_dir() => walk(&path, &format!("{whole}/"), found)?,
            () if kind.is_file() => found.push((whole, path)),
            () => return Err(PackError::Special(path)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::docs_archive::{Limits, examine};

    fn packed(directory: &Path) -> Result<Vec<u8>, PackError> {
        let mut to = Cursor::new(Vec::new());
        pack(directory, &mut to, |_, _| {}).map(|_| to.into_inner())
    }

    #[test]
    fn the_same_files_are_the_same_archive_whenever_they_were_written() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (directory, names) in [(&one, ["demo/index.html", "a.js"]), (&other, ["a.js", "demo/index.html"])] {
            fs::create_dir(directory.path().join("demo")).unwrap();
            names.iter().for_each(|name| fs::write(directory.path().join(name), name.repeat(100)).unwrap());
        }
        fs::write(other.path().join(".lock"), "").unwrap();
        fs::File::open(other.path().join("a.js")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        let archive = packed(one.path()).unwrap();
        assert_eq!(packed(other.path()).unwrap(), archive);
        let contents = examine(&archive, archive.len() as u64, &Limits::default(), ("demo", false)).unwrap();
        assert_eq!((contents.files, contents.unpacked), (2, 1900));
    }

    #[test]
    fn a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join("a.html")).unwrap();
        assert!(matches!(packed(directory.path()), Err(PackError::Link(_))));
    }
}
