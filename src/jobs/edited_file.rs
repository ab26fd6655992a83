//! A crate's index file with its pending versions applied: the same bytes as if it were rendered from all rows, without
//! reading them.
//!
//! The file is that which the database has noted ([`index_files`](crate::database::catalog::index_files)), so it is the
//! rendering of all versions in their effective state. The versions whose desired state is another one are the pending
//! ones. So the desired file is this one with their lines changed, and those of new versions appended, which have higher
//! ids. Whatever contradicts that makes an edit impossible, and the file is rendered.

use std::collections::HashMap;

use crate::database::catalog::index_files::{NotedFile, PendingCrate, PendingVersion};
use crate::index::entry::with_yanked;

/// How a line begins that this program has written: its name is followed by its version.
const VERS: &str = "\"vers\":\"";

/// A crate's file after an edit.
pub(super) struct EditedFile {
    /// What the edit is based on.
    pub before: Option<NotedFile>,
    /// What it applies.
    pub pending: Vec<PendingVersion>,
    /// None: nothing is pending, or it was taken.
    pub content: Option<String>,
    /// The size in bytes, if something is pending.
    pub size: usize,
    /// The highest id of a version in it.
    pub last_id: i32,
}

/// Applies the pending versions to the noted file; None if that is not possible, and the file is to be rendered.
/// `content` is the file at the head.
pub(super) fn edit(krate: PendingCrate, content: &[u8]) -> Option<EditedFile> {
    let PendingCrate { noted: before, pending, .. } = krate;
    let mut last_id = before.as_ref().map_or(0, |noted| noted.index_last_id);
    if pending.is_empty() {
        return Some(EditedFile { before, pending, content: None, size: 0, last_id });
    }
    let text = str::from_utf8(content).ok()?;
    let places = places(text)?;
    let (mut edited, mut copied) = (String::with_capacity(text.len() + added(&pending)), 0);
    let mut flips = Vec::new();
    for version in pending.iter().filter(|version| version.effective_yanked.is_some()) {
        flips.push((*places.get(&*version.num.to_string())?, version));
    }
    flips.sort_by_key(|((start, _), _)| *start);
    for ((start, end), version) in flips {
        if text[start..end] != with_yanked(&version.index_line, version.effective_yanked?).ok()? {
            return None;
        }
        edited.push_str(&text[copied..start]);
        edited.push_str(&with_yanked(&version.index_line, version.desired_yanked).ok()?);
        copied = end;
    }
    edited.push_str(&text[copied..]);
    for version in pending.iter().filter(|version| version.effective_yanked.is_none()) {
        if version.id <= last_id || places.contains_key(&*version.num.to_string()) {
            return None;
        }
        edited.push_str(&with_yanked(&version.index_line, version.desired_yanked).ok()?);
        edited.push('\n');
        last_id = version.id;
    }
    Some(EditedFile { before, pending, size: edited.len(), content: Some(edited), last_id })
}

/// The lines of a file by their versions: their beginnings and ends. None if a line has no version where this program writes
/// it, or if two lines have the same.
fn places(text: &str) -> Option<HashMap<&str, (usize, usize)>> {
    let mut places = HashMap::new();
    let mut start = 0;
    while start < text.len() {
        let end = start + text[start..].find('\n')?;
        let line = &text[start..end];
        let (_, rest) = line.split_once(VERS)?;
        let (vers, _) = rest.split_once('"')?;
        if places.insert(vers, (start, end)).is_some() {
            return None;
        }
        start = end + 1;
    }
    Some(places)
}

fn added(pending: &[PendingVersion]) -> usize {
    pending.iter().map(|version| version.index_line.len() + 2).sum()
}

impl EditedFile {
    /// The changes, in the order of the file.
    pub fn changes(&self) -> Vec<(&'static str, String)> {
        let verb = |version: &PendingVersion| match (version.effective_yanked, version.desired_yanked) {
            (None, _) => "Publish",
            (_, true) => "Yank",
            (_, false) => "Unyank",
        };
        self.pending.iter().map(|version| (verb(version), version.num.to_string())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::entry::render;

    fn line(num: &str) -> String {
        format!(
            "{{\"name\":\"foo\",\"vers\":\"{num}\",\"deps\":[],\"cksum\":\"0\",\"features\":{{}},\"yanked\":false}}"
        )
    }

    fn version(id: i32, num: &str, effective: Option<bool>, desired: bool) -> PendingVersion {
        PendingVersion {
            id,
            num: num.parse().unwrap(),
            index_line: line(num),
            desired_yanked: desired,
            effective_yanked: effective,
            is_deleted: false,
        }
    }

    fn rendered(lines: &[(&str, bool)]) -> String {
        let lines: Vec<(String, bool)> = lines.iter().map(|(num, yanked)| (line(num), *yanked)).collect();
        render(lines.iter().map(|(line, yanked)| (line.as_str(), *yanked))).unwrap()
    }

    fn edited(content: &str, last_id: i32, pending: Vec<PendingVersion>) -> Option<String> {
        let noted = NotedFile { index_blob: String::new(), index_bytes: 0, index_last_id: last_id };
        let krate = PendingCrate { id: 1, name: "foo".parse().unwrap(), noted: Some(noted), version_count: 1, pending };
        edit(krate, content.as_bytes())?.content
    }

    #[test]
    fn an_edited_file_is_the_rendered_one() {
        let before = rendered(&[("1.0.0", false), ("1.0.0-a", true), ("2.0.0", false)]);
        let pending = vec![
            version(1, "1.0.0", Some(false), true),
            version(2, "1.0.0-a", Some(true), false),
            version(4, "3.0.0", None, false),
            version(5, "0.1.0", None, true),
        ];
        let after =
            rendered(&[("1.0.0", true), ("1.0.0-a", false), ("2.0.0", false), ("3.0.0", false), ("0.1.0", true)]);
        assert_eq!(edited(&before, 3, pending).unwrap(), after);
        assert_eq!(edited("", 0, vec![version(1, "1.0.0", None, false)]).unwrap(), rendered(&[("1.0.0", false)]));
    }

    #[test]
    fn what_contradicts_the_rows_is_not_edited() {
        let before = rendered(&[("1.0.0", false), ("2.0.0", true)]);
        let published = || vec![version(3, "3.0.0", None, false)];
        assert!(edited(&before, 2, published()).is_some());
        // A version that is older than one in the file, and one that is in the file.
        assert_eq!(edited(&before, 3, published()), None);
        assert_eq!(edited(&before, 2, vec![version(3, "1.0.0", None, false)]), None);
        // A line that is missing, and one with another yank state.
        assert_eq!(edited(&before, 2, vec![version(1, "1.1.0", Some(false), true)]), None);
        assert_eq!(edited(&before, 2, vec![version(2, "2.0.0", Some(false), true)]), None);
        for file in [
            before.trim_end().to_owned(),
            format!("{before}\n"),
            format!("{before}{before}"),
            before.replace("\"vers\":", "\"vers\": "),
        ] {
            assert_eq!(edited(&file, 2, published()), None, "{file}");
        }
        let mut broken = published();
        broken[0].index_line.push('\n');
        assert_eq!(edited(&before, 2, broken), None);
    }
}
