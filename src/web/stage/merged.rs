//! A crate's file in the index of a release set: that of the main index, with the set's lines.

use std::collections::HashMap;

use crate::database::staging::overlay::OverlaidLine;
use crate::index::entry::with_yanked;
use crate::index::shown::ShownVersion;

/// The lines of the main file, some with another yank state or left out, and behind them those that it lacks. A line that cannot
/// be read stays as it is.
pub(super) fn merged(main: &[u8], overlaid: &[OverlaidLine]) -> Vec<u8> {
    let mut missing: HashMap<String, &OverlaidLine> =
        overlaid.iter().map(|line| (line.num.to_string(), line)).collect();
    let mut content =
        Vec::with_capacity(main.len() + overlaid.iter().map(|line| line.index_line.len() + 2).sum::<usize>());
    for line in main.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let shown = serde_json::from_slice::<ShownVersion>(line).ok();
        let changed = shown.and_then(|shown| missing.remove(&shown.vers));
        if changed.is_some_and(|changed| changed.deleted) {
            continue;
        }
        let text = std::str::from_utf8(line).ok().zip(changed);
        match text.and_then(|(line, changed)| with_yanked(line, changed.yanked).ok()) {
            Some(edited) => content.extend_from_slice(edited.as_bytes()),
            None => content.extend_from_slice(line),
        }
        content.push(b'\n');
    }
    let added = overlaid.iter().filter(|line| !line.deleted && missing.contains_key(&line.num.to_string()));
    for line in added.filter_map(|line| with_yanked(&line.index_line, line.yanked).ok()) {
        content.extend_from_slice(line.as_bytes());
        content.push(b'\n');
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(num: &str, yanked: bool) -> String {
        format!("{{\"name\":\"foo\",\"vers\":\"{num}\",\"yanked\":{yanked}}}")
    }

    fn overlaid(num: &str, yanked: bool, deleted: bool) -> OverlaidLine {
        OverlaidLine {
            name: "foo".parse().unwrap(),
            num: num.parse().unwrap(),
            index_line: line(num, false),
            yanked,
            deleted,
        }
    }

    fn file(lines: &[(&str, bool)]) -> String {
        lines.iter().map(|(num, yanked)| line(num, *yanked) + "\n").collect()
    }

    #[test]
    fn lines_are_added_changed_and_left_out() {
        let main = file(&[("1.0.0", false), ("1.1.0", true), ("1.2.0", false)]);
        let with = |overlaid: &[OverlaidLine]| String::from_utf8(merged(main.as_bytes(), overlaid)).unwrap();
        assert_eq!(with(&[]), main);
        assert_eq!(
            with(&[
                overlaid("2.0.0", false, false),
                overlaid("1.0.0", true, false),
                overlaid("1.1.0", false, false),
                overlaid("1.2.0", false, true),
                overlaid("0.9.0", false, false),
            ]),
            file(&[("1.0.0", true), ("1.1.0", false), ("2.0.0", false), ("0.9.0", false)])
        );
        // A version of an approved set that the main index shows meanwhile.
        assert_eq!(with(&[overlaid("1.0.0", false, false)]), main);
        assert_eq!(merged(b"", &[overlaid("1.0.0", false, true)]), b"");
        assert_eq!(
            merged(b"not JSON\n", &[overlaid("1.0.0", false, false)]),
            format!("not JSON\n{}", file(&[("1.0.0", false)])).as_bytes()
        );
    }
}
