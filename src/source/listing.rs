//! The listing of a package: its files by their paths, with their facts and their places in the pack.

use std::ops::Range;

use super::error::SourceError;
use super::form::Form;

/// The length of a file's record in the form on the disk, without its path.
const RECORD: usize = 8 + 8 + 32 + 4 + 1 + 4;
/// The bit of a record's flags that says that a file is executable; the others are its form.
const EXECUTABLE: u8 = 0x80;

/// The files of a package, in the order of the bytes of their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// All paths, one after the other.
    paths: String,
    files: Vec<FileFacts>,
    /// The number of entries that cargo does not unpack, or whose names are not UTF-8.
    pub left_out: u32,
}

/// What is known of a file without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Where its path ends in [`Listing::paths`].
    path_end: u32,
    /// Where its content begins in the pack.
    pub(super) offset: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its content.
    pub sha256: [u8; 32],
    /// Its number of lines, if it is a text.
    pub lines: u32,
    /// What its content is.
    pub form: Form,
    /// Whether it may be executed.
    pub is_executable: bool,
}

/// An entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child<'a> {
    /// A file, and its name in the directory.
    File(&'a str, &'a FileFacts),
    /// A directory, its name in this one, and the number of files below it.
    Directory(&'a str, usize),
}

/// A file while the listing is made.
pub(super) struct Found {
    pub path: String,
    pub offset: u64,
    pub size: u64,
    pub sha256: [u8; 32],
    pub lines: u32,
    pub form: Form,
    pub is_executable: bool,
}

impl Listing {
    /// The listing of these files. Of several with one path, the last one counts, as it does when cargo unpacks them.
    pub(super) fn new(mut found: Vec<Found>, left_out: u32) -> Self {
        // Stable, so that the last one of a path stays the last one.
        found.sort_by(|one, other| one.path.cmp(&other.path));
        found.reverse();
        found.dedup_by(|next, kept| next.path == kept.path);
        found.reverse();
        let mut listing = Self { left_out, ..Self::default() };
        for one in found {
            listing.paths.push_str(&one.path);
            listing.files.push(FileFacts {
                path_end: u32::try_from(listing.paths.len()).unwrap_or(u32::MAX),
                offset: one.offset,
                size: one.size,
                sha256: one.sha256,
                lines: one.lines,
                form: one.form,
                is_executable: one.is_executable,
            });
        }
        listing
    }

    /// The number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are no files.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The size of all files together, in bytes.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// About how many bytes it occupies in memory.
    pub fn weight(&self) -> u64 {
        (self.paths.len() + self.files.len() * size_of::<FileFacts>()) as u64
    }

    /// All files, in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &FileFacts)> {
        self.files.iter().enumerate().map(|(place, file)| (self.path(place), file))
    }

    /// The file with exactly this path.
    pub fn find(&self, path: &str) -> Option<&FileFacts> {
        let place = self.place(path);
        (place < self.len() && self.path(place) == path).then(|| &self.files[place])
    }

    /// The entries of the directory with this path, in the order of their names; the root's path is empty. None if there is
    /// no such directory.
    pub fn children(&self, directory: &str) -> Option<Vec<Child<'_>>> {
        let below = self.below(directory);
        if below.is_empty() && !directory.is_empty() {
            return None;
        }
        let start = if directory.is_empty() { 0 } else { directory.len() + 1 };
        let mut children = Vec::new();
        let mut place = below.start;
        while place < below.end {
            let path = self.path(place);
            match path[start..].split_once('/') {
                None => {
                    children.push(Child::File(&path[start..], &self.files[place]));
                    place += 1;
                }
                Some((name, _)) => {
                    let inside = self.below(&path[..start + name.len()]);
                    children.push(Child::Directory(name, inside.len()));
                    // A path may be `a` as well as `a/b` in a package that cargo cannot unpack.
                    place = inside.end.max(place + 1);
                }
            }
        }
        Some(children)
    }

    /// The places of the files below a directory.
    fn below(&self, directory: &str) -> Range<usize> {
        if directory.is_empty() {
            return 0..self.len();
        }
        // `0` is the character after `/`.
        self.place(&format!("{directory}/"))..self.place(&format!("{directory}0"))
    }

    /// The number of files whose paths come before this one.
    fn place(&self, path: &str) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.path(middle) < path { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn path(&self, place: usize) -> &str {
        let start = if place == 0 { 0 } else { self.files[place - 1].path_end as usize };
        &self.paths[start..self.files[place].path_end as usize]
    }

    /// The form on the disk.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.len() * RECORD + self.paths.len());
        bytes.extend(self.left_out.to_le_bytes());
        bytes.extend(u32::try_from(self.len()).unwrap_or(u32::MAX).to_le_bytes());
        for file in &self.files {
            bytes.extend(file.offset.to_le_bytes());
            bytes.extend(file.size.to_le_bytes());
            bytes.extend(file.sha256);
            bytes.extend(file.lines.to_le_bytes());
            bytes.push(file.form as u8 | if file.is_executable { EXECUTABLE } else { 0 });
            bytes.extend(file.path_end.to_le_bytes());
        }
        bytes.extend(self.paths.as_bytes());
        bytes
    }

    /// Reads the form on the disk of a listing for contents of this length.
    pub(super) fn from_bytes(bytes: &[u8], contents: u64) -> Result<Self, SourceError> {
        Self::parsed(bytes, contents).ok_or(SourceError::Damaged)
    }

    fn parsed(bytes: &[u8], contents: u64) -> Option<Self> {
        let mut rest = bytes;
        let left_out = u32::from_le_bytes(take(&mut rest)?);
        let count = u32::from_le_bytes(take(&mut rest)?) as usize;
        let (mut records, paths) = rest.split_at_checked(count.checked_mul(RECORD)?)?;
        let paths = str::from_utf8(paths).ok()?.to_owned();
        let mut files: Vec<FileFacts> = Vec::with_capacity(count);
        for _ in 0..count {
            let offset = u64::from_le_bytes(take(&mut records)?);
            let size = u64::from_le_bytes(take(&mut records)?);
            let sha256 = take(&mut records)?;
            let lines = u32::from_le_bytes(take(&mut records)?);
            let [flags] = take(&mut records)?;
            let path_end = u32::from_le_bytes(take(&mut records)?);
            let form = Form::of_number(flags & !EXECUTABLE)?;
            let start = files.last().map_or(0, |last| last.path_end);
            if offset.checked_add(size)? > contents || paths.get(start as usize..path_end as usize).is_none() {
                return None;
            }
            let is_executable = flags & EXECUTABLE != 0;
            files.push(FileFacts { path_end, offset, size, sha256, lines, form, is_executable });
        }
        Some(Self { paths, files, left_out })
    }
}

/// Takes a number of bytes from the start.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(paths: &[&str]) -> Listing {
        let found = paths.iter().zip(0..).map(|(path, place)| Found {
            path: (*path).to_owned(),
            offset: place,
            size: 1,
            sha256: [7; 32],
            lines: 3,
            form: Form::Text,
            is_executable: place == 1,
        });
        Listing::new(found.collect(), 2)
    }

    fn names(listing: &Listing, directory: &str) -> Option<Vec<String>> {
        let children = listing.children(directory)?.into_iter().map(|child| match child {
            Child::File(name, _) => name.to_owned(),
            Child::Directory(name, files) => format!("{name}/ {files}"),
        });
        Some(children.collect())
    }

    #[test]
    fn directories_follow_from_the_paths_and_only_what_is_listed_is_found() {
        let listing = listing(&["src/lib.rs", "Cargo.toml", "src/a/b.rs", "src/a/c/d.rs", "src-2/x", "src/a.rs"]);
        assert_eq!(names(&listing, "").unwrap(), ["Cargo.toml", "src-2/ 1", "src/ 4"]);
        assert_eq!(names(&listing, "src").unwrap(), ["a.rs", "a/ 2", "lib.rs"]);
        assert_eq!(names(&listing, "src/a").unwrap(), ["b.rs", "c/ 1"]);
        for no_directory in ["sr", "src/", "src/lib.rs", "/", ".", "..", "src/../src", "x"] {
            assert_eq!(names(&listing, no_directory), None, "{no_directory}");
        }
        assert!(listing.find("src/a.rs").is_some());
        for no_file in ["", "src", "src/a", "src/a.r", "./Cargo.toml", "/Cargo.toml", "src//lib.rs", "cargo.toml"] {
            assert!(listing.find(no_file).is_none(), "{no_file}");
        }
        assert_eq!(names(&Listing::default(), "").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn of_two_files_with_one_path_the_last_one_counts() {
        let listing = listing(&["b", "a", "b"]);
        let files: Vec<_> = listing.files().map(|(path, file)| (path, file.offset)).collect();
        assert_eq!(files, [("a", 1), ("b", 2)]);
    }

    #[test]
    fn a_file_where_another_path_has_a_directory_is_listed_beside_it() {
        let listing = listing(&["a", "a/b", "a/c"]);
        assert_eq!(names(&listing, "").unwrap(), ["a", "a/ 2"]);
    }

    #[test]
    fn the_form_on_the_disk_is_read_back_and_any_other_is_refused() {
        let listing = listing(&["a", "größe/漢", "c"]);
        let bytes = listing.to_bytes();
        assert_eq!(Listing::from_bytes(&bytes, 3).unwrap(), listing);
        assert!(Listing::from_bytes(&bytes, 2).is_err(), "a file ends behind the contents");
        for end in 0..8 + 3 * RECORD {
            assert!(Listing::from_bytes(&bytes[..end], 3).is_err(), "{end}");
        }
        let mut cut_character = bytes.clone();
        let path_end = 8 + RECORD - 4;
        cut_character[path_end + RECORD..path_end + RECORD + 4].copy_from_slice(&5_u32.to_le_bytes());
        assert!(Listing::from_bytes(&cut_character, 3).is_err());
        let mut unknown_form = bytes;
        unknown_form[8 + RECORD - 5] = 9;
        assert!(Listing::from_bytes(&unknown_form, 3).is_err());
    }
}
