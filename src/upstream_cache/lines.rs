//! The lines of another registry's index file, as far as they are read here. The bytes are passed on as they are.

use std::borrow::Cow;
use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::package::index_path::index_path;
use crate::package::{Checksum, CrateName};

/// A line.
#[derive(Deserialize, Debug)]
pub struct Line<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub vers: Cow<'a, str>,
    #[serde(borrow)]
    pub cksum: Cow<'a, str>,
    #[serde(borrow, default)]
    pubtime: Option<Cow<'a, str>>,
}

impl Line<'_> {
    /// When it was published, if the line says so.
    pub fn published_at(&self) -> Option<DateTime<Utc>> {
        let text = self.pubtime.as_deref()?;
        DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc))
    }
}

/// Why a file is none of an index.
#[derive(Debug, thiserror::Error)]
pub enum NoIndexFile {
    #[error("line {line} is no line of an index: {problem}")]
    Line { line: usize, problem: String },
    #[error("line {line} is of the crate {name:?}, whose file has another path")]
    OtherCrate { line: usize, name: String },
    #[error("line {line} is a second one of the version {version}")]
    Twice { line: usize, version: String },
    #[error("line {line} has the checksum {cksum:?}, which is no SHA-256")]
    Checksum { line: usize, cksum: String },
}

/// The lines of a file. Those that cannot be read are left out: [`check`] has refused them.
pub fn lines(content: &[u8]) -> impl Iterator<Item = (&[u8], Option<Line<'_>>)> {
    let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| (line, serde_json::from_slice(line).ok()))
}

/// Checks that a file is the one at this path of an index: a page that a proxy answers in its place is none.
pub fn check(content: &[u8], path: &str) -> Result<(), NoIndexFile> {
    let mut versions = HashSet::new();
    let parts = content.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    for (place, text) in parts {
        let line = place + 1;
        let unreadable = |problem: String| NoIndexFile::Line { line, problem };
        std::str::from_utf8(text).map_err(|_| unreadable("it is not UTF-8".to_owned()))?;
        let read: Line = serde_json::from_slice(text).map_err(|error| unreadable(error.to_string()))?;
        let name = read.name.parse::<CrateName>().map_err(|error| unreadable(error.to_string()))?;
        if index_path(&name) != path {
            return Err(NoIndexFile::OtherCrate { line, name: name.to_string() });
        }
        if !versions.insert(read.vers.clone()) {
            return Err(NoIndexFile::Twice { line, version: read.vers.chars().take(80).collect() });
        }
        if read.cksum.parse::<Checksum>().is_err() {
            return Err(NoIndexFile::Checksum { line, cksum: read.cksum.chars().take(80).collect() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_page_and_the_file_of_another_crate_are_no_index_file() {
        let line = |name: &str, sum: &str| format!("{{\"name\":\"{name}\",\"vers\":\"1.0.0\",\"cksum\":\"{sum}\"}}\n");
        let second = line("foo", SUM).replace("1.0.0", "1.0.1");
        let refused = |content: &str| check(content.as_bytes(), "3/f/foo").unwrap_err().to_string();
        assert!(check((line("Foo", SUM) + &second).as_bytes(), "3/f/foo").is_ok());
        assert!(refused("<html>\n").starts_with("line 1 is no line of an index"));
        assert!(refused(&(line("foo", SUM) + &line("bar", SUM))).starts_with("line 2 is of the crate \"bar\""));
        assert!(refused(&line("foo", "00")).contains("no SHA-256"));
        assert!(refused("[]").starts_with("line 1"));
        assert_eq!(refused(&line("foo", SUM).repeat(2)), "line 2 is a second one of the version 1.0.0");
        assert!(check(b"\xff\n", "3/f/foo").is_err());
    }
}
