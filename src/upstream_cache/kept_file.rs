//! An index file of another registry as it is kept: one line of JSON with what is known of it, and then its bytes.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::lines::lines;
use crate::crate_store::FreeSpace;
use crate::fault;
use crate::package::Version;

/// What is known of a file.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// What the upstream calls this state of the file.
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// When the upstream last sent it.
    pub checked_at: DateTime<Utc>,
    /// When versions were first seen that appeared here later than the file, and do not say when they were published.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub first_seen: BTreeMap<String, DateTime<Utc>>,
    /// The checksums that versions had first, if their lines have others now. A version never changes: these are not delivered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub first_checksums: BTreeMap<String, String>,
    /// The first checksums of versions that the file has no longer: they may come back with others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vanished: BTreeMap<String, String>,
    /// The size of the content, in bytes: a file that is cut is none.
    #[serde(default)]
    pub size: usize,
}

/// A file that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFile {
    pub known: Known,
    pub content: Bytes,
}

impl KeptFile {
    /// A file that was just sent, in place of one that is kept.
    pub fn sent(
        content: Bytes,
        (etag, last_modified): (Option<String>, Option<String>),
        former: Option<&Self>,
    ) -> Self {
        let checked_at = Utc::now();
        let mut known = Known { etag, last_modified, checked_at, size: content.len(), ..Known::default() };
        let Some(former) = former else { return Self { known, content } };
        // What was known first of each version; the former file's own lines count last.
        let mut first: HashMap<String, String> = lines(&former.content)
            .filter_map(|(_, line)| line.map(|line| (line.vers.into_owned(), line.cksum.into_owned())))
            .collect();
        first.extend(former.known.vanished.clone());
        first.extend(former.known.first_checksums.clone());
        known.first_seen.clone_from(&former.known.first_seen);
        for (_, line) in lines(&content) {
            let Some(line) = line else { continue };
            match first.remove(&*line.vers) {
                Some(first) if !first.eq_ignore_ascii_case(&line.cksum) => {
                    known.first_checksums.insert(line.vers.into_owned(), first);
                }
                Some(_) => {}
                None if line.published_at().is_none() => {
                    known.first_seen.entry(line.vers.into_owned()).or_insert(checked_at);
                }
                None => {}
            }
        }
        known.vanished.extend(first);
        Self { known, content }
    }

    /// When a version was published, if its line says so.
    pub fn published_at(&self, version: &Version) -> Option<DateTime<Utc>> {
        let wanted = version.to_string();
        lines(&self.content).find_map(|(_, line)| line.filter(|line| line.vers == wanted))?.published_at()
    }

    fn parse(bytes: Vec<u8>) -> Option<Self> {
        let bytes = Bytes::from(bytes);
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let known: Known = serde_json::from_slice(&bytes[..end]).ok()?;
        let content = bytes.slice(end + 1..);
        (known.size == content.len()).then_some(Self { known, content })
    }
}

/// By what a kept file is known to be another one: commands write such files beside a running `serve`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified: SystemTime,
    inode: u64,
    size: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> io::Result<Self> {
        Ok(Self { modified: metadata.modified()?, inode: metadata.ino(), size: metadata.len() })
    }
}

/// The directory with the index files of one upstream.
#[derive(Clone, Debug)]
pub struct KeptFiles(PathBuf);

impl KeptFiles {
    pub fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// The file that is kept for a path of the index. A damaged one is none.
    pub fn read(&self, path: &str) -> io::Result<Option<KeptFile>> {
        Ok(self.read_stamped(path)?.map(|(file, _)| file))
    }

    /// The same with its stamp.
    pub fn read_stamped(&self, path: &str) -> io::Result<Option<(KeptFile, Stamp)>> {
        let mut opened = match File::open(self.0.join(path)) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            opened => opened?,
        };
        let stamp = Stamp::of(&opened.metadata()?)?;
        let mut bytes = Vec::with_capacity(usize::try_from(stamp.size).unwrap_or_default());
        opened.read_to_end(&mut bytes)?;
        Ok(KeptFile::parse(bytes).map(|file| (file, stamp)))
    }

    /// The stamp of the file that is kept for a path.
    pub fn stamp(&self, path: &str) -> io::Result<Option<Stamp>> {
        match fs::metadata(self.0.join(path)) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            found => Stamp::of(&found?).map(Some),
        }
    }

    /// Keeps a file, unless the disk is nearly full, in place of the one before. After a crash it is the one or the other.
    pub fn write(&self, path: &str, file: &KeptFile) -> io::Result<Stamp> {
        fault::point("upstream.index_unwritten").map_err(io::Error::other)?;
        let place = self.0.join(path);
        let directory = place.parent().unwrap_or(&self.0);
        fs::create_dir_all(directory)?;
        let size = (file.content.len() + 4096) as u64;
        if FreeSpace::of(directory).is_some_and(|space| !space.admits(size)) {
            return Err(io::Error::new(ErrorKind::StorageFull, "the disk is nearly full"));
        }
        let mut written = NamedTempFile::new_in(directory)?;
        serde_json::to_writer(&mut written, &file.known)?;
        written.write_all(b"\n")?;
        written.write_all(&file.content)?;
        // Otherwise a power failure could leave the name without the content.
        written.as_file().sync_data()?;
        fault::point("upstream.index_unnamed").map_err(io::Error::other)?;
        let stamp = Stamp::of(&written.as_file().metadata()?)?;
        written.persist(place)?;
        fault::point("upstream.index_written").map_err(io::Error::other)?;
        Ok(stamp)
    }

    /// How many files there are.
    pub fn count(&self) -> io::Result<u64> {
        fn below(directory: &Path) -> io::Result<u64> {
            let entries = match fs::read_dir(directory) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
                entries => entries?,
            };
            let mut count = 0;
            for entry in entries {
                let entry = entry?;
                count += if entry.file_type()?.is_dir() { below(&entry.path())? } else { 1 };
            }
            Ok(count)
        }
        below(&self.0)
    }

    pub fn remove(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.0.join(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(lines: &[(&str, Option<&str>)]) -> Bytes {
        let line = |(vers, pubtime): &(&str, Option<&str>)| {
            let pubtime = pubtime.map(|at| format!(",\"pubtime\":\"{at}\"")).unwrap_or_default();
            format!("{{\"name\":\"foo\",\"vers\":\"{vers}\",\"cksum\":\"00\"{pubtime}}}\n")
        };
        lines.iter().map(line).collect::<String>().into()
    }

    #[test]
    fn a_file_is_kept_and_replaced_and_a_damaged_one_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let files = KeptFiles::new(directory.path().join("crates-io"));
        assert_eq!(files.read("3/f/foo").unwrap(), None);
        for etag in ["one", "two"] {
            let file = KeptFile::sent(content(&[("1.0.0", None)]), (Some(etag.to_owned()), None), None);
            let before = files.stamp("3/f/foo").unwrap();
            let stamp = files.write("3/f/foo", &file).unwrap();
            assert_ne!(before, Some(stamp));
            assert_eq!(files.read_stamped("3/f/foo").unwrap(), Some((file, stamp)));
            assert_eq!(files.stamp("3/f/foo").unwrap(), Some(stamp));
        }
        assert_eq!(fs::read_dir(directory.path().join("crates-io/3/f")).unwrap().count(), 1);
        let place = directory.path().join("crates-io/3/f/foo");
        let cut = fs::read(&place).unwrap();
        for damaged in [&cut[..cut.len() - 1], b"{\"etag\""] {
            fs::write(&place, damaged).unwrap();
            assert_eq!(files.read("3/f/foo").unwrap(), None);
        }
        files.remove("3/f/foo").unwrap();
        files.remove("3/f/foo").unwrap();
    }

    #[test]
    fn a_version_without_a_time_is_as_old_as_it_was_seen_here() {
        let first = KeptFile::sent(content(&[("1.0.0", None)]), (None, None), None);
        assert!(first.known.first_seen.is_empty());
        let time = Some("2026-01-01T00:00:00Z");
        let second =
            KeptFile::sent(content(&[("1.0.0", None), ("1.1.0", None), ("1.2.0", time)]), (None, None), Some(&first));
        assert_eq!(second.known.first_seen.keys().collect::<Vec<_>>(), ["1.1.0"]);
        let third = KeptFile::sent(second.content.clone(), (None, None), Some(&second));
        assert_eq!(third.known.first_seen, second.known.first_seen);
    }

    #[test]
    fn a_version_whose_checksum_changes_keeps_its_first_one() {
        let line = |sum: &str| {
            Bytes::from(format!(
                "{{\"name\":\"foo\",\"vers\":\"1.0.0\",\"cksum\":\"{sum}\",\"pubtime\":\"2026-01-01T00:00:00Z\"}}\n"
            ))
        };
        let of = |sum: &str, former: Option<&KeptFile>| KeptFile::sent(line(sum), (None, None), former);
        let first = of("aa", None);
        let same = of("AA", Some(&first));
        assert!(same.known.first_checksums.is_empty());
        let changed = of("bb", Some(&same));
        assert_eq!(changed.known.first_checksums.get("1.0.0").map(String::as_str), Some("AA"));
        let again = of("cc", Some(&changed));
        assert_eq!(again.known.first_checksums, changed.known.first_checksums);
        assert!(of("aa", Some(&again)).known.first_checksums.is_empty());
        // Also if its line is away in between.
        for before in [&first, &changed] {
            let away = KeptFile::sent(Bytes::new(), (None, None), Some(before));
            assert_eq!(away.known.vanished.len(), 1);
            assert_eq!(of("bb", Some(&away)).known.first_checksums.len(), 1);
            assert!(of("aa", Some(&away)).known.first_checksums.is_empty());
        }
    }
}
