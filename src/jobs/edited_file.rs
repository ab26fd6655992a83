//! A crate's index file with its pending versions applied: the same bytes as if it were rendered from all rows, without
//! reading them.
//!
//! The file is that which the database has noted ([`index_files`](crate::database::catalog::index_files)), so it is the
//! rendering of all versions in their effective state. The versions whose desired state is another one are the pending
//! ones. So the desired file is this one with their lines changed, and those of new versions appended, which have higher
//! ids. Whatever contradicts that makes an edit impossible, and the file is rendered.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use memchr::{memchr, memchr_iter, memmem, memrchr};

use crate::database::catalog::index_files::{NotedFile, PendingCrate, PendingVersion};
use crate::index::entry::with_yanked;

/// How a line begins that this program has written: its name is followed by its version.
const VERS: &[u8] = b"\"vers\":\"";

/// A crate's file after an edit.
pub(super) struct EditedFile {
    /// What the edit is based on.
    pub before: Option<NotedFile>,
    /// What it applies.
    pub pending: Vec<PendingVersion>,
    /// None: nothing is pending, or it was taken.
    pub content: Option<Bytes>,
    /// The size in bytes, if something is pending.
    pub size: usize,
    /// The highest id of a version in it.
    pub last_id: i32,
}

/// Applies the pending versions to the noted file; None if that is not possible, and the file is to be rendered.
/// `content` is the file at the head.
pub(super) fn edit(krate: PendingCrate, content: &[u8]) -> Option<EditedFile> {
    let PendingCrate { noted: before, pending, version_count, .. } = krate;
    let mut last_id = before.as_ref().map_or(0, |noted| noted.index_last_id);
    if pending.is_empty() {
        return Some(EditedFile { before, pending, content: None, size: 0, last_id });
    }
    let lines = lines_of(&pending, content, usize::try_from(version_count).ok()?)?;
    let (mut edited, mut copied) = (Vec::with_capacity(content.len() + added(&pending)), 0);
    let mut flips = Vec::new();
    for (version, line) in pending.iter().zip(&lines).filter(|(version, _)| version.effective_yanked.is_some()) {
        flips.push((line.clone()?, version));
    }
    flips.sort_by_key(|(line, _)| line.start);
    for (line, version) in flips {
        if content[line.clone()] != *with_yanked(&version.index_line, version.effective_yanked?).ok()?.as_bytes() {
            return None;
        }
        edited.extend_from_slice(&content[copied..line.start]);
        edited.extend_from_slice(with_yanked(&version.index_line, version.desired_yanked).ok()?.as_bytes());
        copied = line.end;
    }
    edited.extend_from_slice(&content[copied..]);
    for (version, line) in pending.iter().zip(&lines).filter(|(version, _)| version.effective_yanked.is_none()) {
        if version.id <= last_id || line.is_some() {
            return None;
        }
        edited.extend_from_slice(with_yanked(&version.index_line, version.desired_yanked).ok()?.as_bytes());
        edited.push(b'\n');
        last_id = version.id;
    }
    Some(EditedFile { before, pending, size: edited.len(), content: Some(edited.into()), last_id })
}

/// Where the lines of the pending versions are, if the file has them. None if one has two, or if the file does not consist of
/// as many lines as the crate has versions, each with a version where this program writes it. The lines are not parsed.
fn lines_of(pending: &[PendingVersion], content: &[u8], count: usize) -> Option<Vec<Option<Range<usize>>>> {
    if content.last().is_some_and(|last| *last != b'\n') || memchr_iter(b'\n', content).count() != count {
        return None;
    }
    let nums: Vec<String> = pending.iter().map(|version| version.num.to_string()).collect();
    let wanted: HashMap<&[u8], usize> = nums.iter().enumerate().map(|(place, num)| (num.as_bytes(), place)).collect();
    let (mut lines, mut found, mut before) = (vec![None; pending.len()], 0, 0);
    for place in memmem::find_iter(content, VERS) {
        let start = memrchr(b'\n', &content[..place]).map_or(0, |before| before + 1);
        // Two versions in a line.
        if found > 0 && start <= before {
            return None;
        }
        (found, before) = (found + 1, place);
        let vers = &content[place + VERS.len()..];
        let vers = &vers[..memchr(b'"', vers)?];
        let Some(version) = wanted.get(vers) else { continue };
        let end = place + memchr(b'\n', &content[place..])?;
        if lines[*version].replace(start..end).is_some() {
            return None;
        }
    }
    (found == count).then_some(lines)
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
            release_set: None,
        }
    }

    fn rendered(lines: &[(&str, bool)]) -> String {
        let lines: Vec<(String, bool)> = lines.iter().map(|(num, yanked)| (line(num), *yanked)).collect();
        render(lines.iter().map(|(line, yanked)| (line.as_str(), *yanked))).unwrap()
    }

    /// The edited file of a crate with versions of the ids from 1 to `last_id`, of which `version_count` are left.
    fn edited_of(content: &str, (last_id, version_count): (i32, i32), pending: Vec<PendingVersion>) -> Option<String> {
        let noted = NotedFile { index_blob: String::new(), index_bytes: 0, index_last_id: last_id };
        let krate = PendingCrate { id: 1, name: "foo".parse().unwrap(), noted: Some(noted), version_count, pending };
        let edited = edit(krate, content.as_bytes())?;
        let content = String::from_utf8(edited.content?.to_vec()).unwrap();
        assert_eq!(edited.size, content.len());
        Some(content)
    }

    fn edited(content: &str, last_id: i32, pending: Vec<PendingVersion>) -> Option<String> {
        edited_of(content, (last_id, last_id), pending)
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
        assert_eq!(edited_of(&before, (3, 2), published()), None);
        assert!(edited_of(&before, (3, 2), vec![version(4, "3.0.0", None, false)]).is_some());
        assert_eq!(edited(&before, 2, vec![version(3, "1.0.0", None, false)]), None);
        // More lines than versions, and fewer.
        assert_eq!(edited_of(&before, (2, 1), published()), None);
        assert_eq!(edited_of(&before, (2, 3), published()), None);
        // A line that is missing, and one with another yank state.
        assert_eq!(edited(&before, 2, vec![version(1, "1.1.0", Some(false), true)]), None);
        assert_eq!(edited(&before, 2, vec![version(2, "2.0.0", Some(false), true)]), None);
        for file in [
            before.trim_end().to_owned(),
            format!("{before}\n"),
            format!("{before}x"),
            format!("{before}{before}"),
            before.replace("\"vers\":", "\"vers\": "),
            // Two versions in a line, and so none in another one.
            before.replacen("\"deps\"", "\"vers\":\"9.0.0\",\"deps\"", 1).replace("\"vers\":\"2", "\"vers\": \"2"),
        ] {
            assert_eq!(edited(&file, 2, published()), None, "{file}");
        }
        // The same line twice.
        let twice = rendered(&[("1.0.0", false), ("1.0.0", false)]);
        assert_eq!(edited(&twice, 2, vec![version(1, "1.0.0", Some(false), true)]), None);
        let mut broken = published();
        broken[0].index_line.push('\n');
        assert_eq!(edited(&before, 2, broken), None);
    }
}
