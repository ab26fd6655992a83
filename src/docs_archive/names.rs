//! The paths of files in an archive.

use std::collections::HashMap;

use icu_casemap::CaseMapper;
use icu_normalizer::DecomposingNormalizer;

use super::limits::{MAX_DEPTH, MAX_NAMES};
use super::refusal::Refusal;

/// The longest path, in bytes.
const MAX_PATH: usize = 1024;
/// The longest name within a path, in bytes: what file systems take.
const MAX_NAME: usize = 255;

/// The characters of a path that a refusal shows.
const SHOWN: usize = 200;

/// The path of a file or a directory; that of a directory ends with a slash.
pub(super) fn checked(raw: &[u8]) -> Result<&str, Refusal> {
    let shown = || String::from_utf8_lossy(raw).chars().take(SHOWN).collect::<String>();
    let wrong = |problem| Refusal::Name(shown(), problem);
    let path = std::str::from_utf8(raw).map_err(|_| wrong("is not UTF-8"))?;
    let inner = path.strip_suffix('/').unwrap_or(path);
    if path.len() > MAX_PATH {
        return Err(wrong("is longer than 1024 bytes"));
    }
    if path.starts_with('/') || has_drive(path) {
        return Err(wrong("is absolute"));
    }
    if path.contains('\\') {
        return Err(wrong("has a backslash"));
    }
    if path.chars().any(is_hidden) {
        return Err(wrong("has a control character"));
    }
    for name in inner.split('/') {
        match name {
            "" => return Err(wrong("has an empty name")),
            "." | ".." => return Err(wrong("leads out of its directory")),
            name if name.len() > MAX_NAME => return Err(wrong("has a name longer than 255 bytes")),
            _ => {}
        }
    }
    // One slash is behind each directory.
    match path.matches('/').count() {
        0..=MAX_DEPTH => Ok(path),
        _ => Err(Refusal::TooDeep(shown())),
    }
}

fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

/// Controls, and what changes the direction of a text.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The names that were seen, to find two that are one for file systems that ignore case or normalize.
pub(super) struct Seen {
    /// The files, by their folded paths.
    files: HashMap<String, String>,
    /// The directories that have files, folded, and as they were spelled first.
    directories: HashMap<String, String>,
    max_directories: usize,
    /// The length of all paths that are noted, in bytes.
    length: usize,
}

impl Seen {
    /// Nothing yet, and this many directories at most.
    pub fn new(max_directories: usize) -> Self {
        Self { files: HashMap::new(), directories: HashMap::new(), max_directories, length: 0 }
    }

    /// Notes the path of a file.
    pub fn add(&mut self, path: &str) -> Result<(), Refusal> {
        let folded = fold(path);
        if let Some(directory) = self.directories.get(&folded) {
            return Err(match directory == path {
                true => Refusal::FileAndDirectory(path.to_owned()),
                false => Refusal::OneName(directory.clone(), path.to_owned()),
            });
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.add_directory(parent)?;
        }
        self.count(path)?;
        match self.files.insert(folded, path.to_owned()) {
            None => Ok(()),
            Some(other) if other == path => Err(Refusal::Twice(other)),
            Some(other) => Err(Refusal::OneName(other, path.to_owned())),
        }
    }

    /// Notes the directories of a path, without a slash at its end.
    pub fn add_directory(&mut self, path: &str) -> Result<(), Refusal> {
        let folded = fold(path);
        if self.directories.get(&folded).is_some_and(|noted| noted == path) {
            return Ok(());
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.add_directory(parent)?;
        }
        if let Some(file) = self.files.get(&folded) {
            return Err(match file == path {
                true => Refusal::FileAndDirectory(path.to_owned()),
                false => Refusal::OneName(file.clone(), path.to_owned()),
            });
        }
        if let Some(other) = self.directories.get(&folded) {
            return Err(Refusal::OneName(other.clone(), path.to_owned()));
        }
        if self.directories.len() >= self.max_directories {
            return Err(Refusal::TooManyDirectories(self.max_directories));
        }
        self.count(path)?;
        self.directories.insert(folded, path.to_owned());
        Ok(())
    }

    /// Counts the length of a path that is noted.
    fn count(&mut self, path: &str) -> Result<(), Refusal> {
        self.length += path.len();
        if self.length > MAX_NAMES { Err(Refusal::NamesTooLong) } else { Ok(()) }
    }
}

/// A path as file systems compare it that ignore case and normalize.
fn fold(path: &str) -> String {
    if path.is_ascii() {
        return path.to_ascii_lowercase();
    }
    let normalizer = DecomposingNormalizer::new_nfd();
    let folded = CaseMapper::new().fold_string(&normalizer.normalize(path)).into_owned();
    normalizer.normalize(&folded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_elsewhere_or_cannot_be_seen_is_refused() {
        for usual in ["a", "demo/index.html", "demo/", "a b/größe.html", "ab:c", "..a/b..", ".nojekyll"] {
            assert_eq!(checked(usual.as_bytes()), Ok(usual));
        }
        let long = "a/".repeat(513);
        let name = "n".repeat(256);
        for wrong in [
            "",
            "/",
            "/a",
            "a//b",
            "../a",
            "a/../b",
            "a/..",
            "./a",
            "a\\b",
            "C:/a",
            "a\0b",
            "a\nb",
            "a\u{202e}b",
            &long,
            &name,
        ] {
            assert!(matches!(checked(wrong.as_bytes()), Err(Refusal::Name(..))), "{wrong:?}");
        }
        assert!(checked(b"a\xff").is_err());
    }

    #[test]
    fn two_paths_that_some_file_system_takes_for_one_are_refused() {
        let of = |paths: &[&str]| {
            let mut seen = Seen::new(10);
            paths.iter().try_for_each(|path| seen.add(path))
        };
        assert_eq!(of(&["a/b", "a/c", "b/b", "a/b.c"]), Ok(()));
        assert_eq!(of(&["a/b", "a/b"]), Err(Refusal::Twice("a/b".to_owned())));
        assert_eq!(of(&["a/b", "a/B"]), Err(Refusal::OneName("a/b".to_owned(), "a/B".to_owned())));
        assert_eq!(of(&["a", "a/b"]), Err(Refusal::FileAndDirectory("a".to_owned())));
        assert_eq!(of(&["a/b", "a"]), Err(Refusal::FileAndDirectory("a".to_owned())));
        for pair in [["Ä", "a\u{308}"], ["straße", "STRASSE"], ["a/b", "A/c"], ["A", "a/b"], ["a/b", "A"], ["ſ", "s"]]
        {
            assert!(matches!(of(&pair), Err(Refusal::OneName(..))), "{pair:?}");
        }
    }

    #[test]
    fn paths_are_not_too_deep() {
        let deep = "a/".repeat(MAX_DEPTH);
        let file = format!("{deep}b");
        assert_eq!((checked(deep.as_bytes()), checked(file.as_bytes())), (Ok(&*deep), Ok(&*file)));
        for too_deep in [format!("a/{deep}"), format!("a/{file}")] {
            assert_eq!(checked(too_deep.as_bytes()), Err(Refusal::TooDeep(too_deep.clone())));
        }
    }

    #[test]
    fn directories_are_limited_whether_they_have_entries_or_only_files() {
        let mut seen = Seen::new(3);
        assert_eq!((seen.add("a/b/1"), seen.add("a/b/2"), seen.add_directory("a")), (Ok(()), Ok(()), Ok(())));
        assert_eq!((seen.add_directory("c"), seen.add_directory("a/b")), (Ok(()), Ok(())));
        assert_eq!(seen.add_directory("d"), Err(Refusal::TooManyDirectories(3)));
        assert_eq!(seen.add("a/d/1"), Err(Refusal::TooManyDirectories(3)));
    }

    #[test]
    fn the_length_of_all_paths_is_limited() {
        let mut seen = Seen::new(usize::MAX);
        let name = "n".repeat(MAX_NAME - 6);
        // The directory and the file of each round have 255 bytes and 257 bytes.
        let refused =
            (0..100_000).find_map(|number| seen.add(&format!("{name}{number:06}/f")).err().map(|why| (number, why)));
        assert_eq!(refused, Some((MAX_NAMES / 512, Refusal::NamesTooLong)));
    }
}
