//! Differences of two texts by lines, and of two lines by words.
//!
//! Lines are compared with the histogram algorithm of imara-diff, which gives up the shortest result where that would take
//! quadratic time. Its hunks are moved to where the indentation says that a reader would expect them, as git does.

mod words;

use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput};

pub use words::{Marks, changed_words};

/// Lines around a change that are shown with it.
const CONTEXT: u32 = 3;
/// The longest text that is compared by lines, in bytes.
pub const MAX_TEXT: usize = 1024 * 1024;

/// What differs between two texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// The changes, in their order; lines are counted from 0.
    pub hunks: Vec<Hunk>,
    /// The number of lines that only the second text has.
    pub added: u32,
    /// The number of lines that only the first text has.
    pub removed: u32,
}

/// Lines of the first text that are replaced by lines of the second one. One of the two may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The lines in the first text.
    pub before: Range<u32>,
    /// The lines in the second text.
    pub after: Range<u32>,
}

/// Changes that are near each other, with the lines around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The lines in the first text, with those around the changes.
    pub before: Range<u32>,
    /// The lines in the second text, with those around the changes.
    pub after: Range<u32>,
    /// The changes.
    pub hunks: Vec<Hunk>,
}

/// A row of a group in two columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// A line of both texts.
    Same(u32, u32),
    /// A line of the first text, and the line of the second one that stands in its place.
    Changed(Option<u32>, Option<u32>),
}

/// Compares two texts by their lines.
pub fn differences(before: &str, after: &str) -> Differences {
    let input = InternedInput::new(before, after);
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    let hunks = diff.hunks().map(|hunk| Hunk { before: hunk.before, after: hunk.after }).collect();
    Differences { hunks, added: diff.count_additions(), removed: diff.count_removals() }
}

/// The changes in groups, each with up to three lines around it.
pub fn groups(hunks: &[Hunk], (before_lines, after_lines): (u32, u32)) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for hunk in hunks {
        let start = |line: u32| line.saturating_sub(CONTEXT);
        let (before_end, after_end) =
            ((hunk.before.end + CONTEXT).min(before_lines), (hunk.after.end + CONTEXT).min(after_lines));
        match groups.last_mut() {
            Some(last) if start(hunk.before.start) <= last.before.end => {
                (last.before.end, last.after.end) = (before_end, after_end);
                last.hunks.push(hunk.clone());
            }
            _ => groups.push(Group {
                before: start(hunk.before.start)..before_end,
                after: start(hunk.after.start)..after_end,
                hunks: vec![hunk.clone()],
            }),
        }
    }
    groups
}

impl Group {
    /// The rows in two columns. Lines of a change stand beside each other in their order.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let (mut before, mut after) = (self.before.start, self.after.start);
        let same = |before: &mut u32, end: u32, after: &mut u32, rows: &mut Vec<Row>| {
            while *before < end {
                rows.push(Row::Same(*before, *after));
                (*before, *after) = (*before + 1, *after + 1);
            }
        };
        for hunk in &self.hunks {
            same(&mut before, hunk.before.start, &mut after, &mut rows);
            let length = hunk.before.len().max(hunk.after.len());
            let (mut removed, mut added) = (hunk.before.clone(), hunk.after.clone());
            rows.extend((0..length).map(|_| Row::Changed(removed.next(), added.next())));
            (before, after) = (hunk.before.end, hunk.after.end);
        }
        same(&mut before, self.before.end, &mut after, &mut rows);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> u32 {
        u32::try_from(text.split_inclusive('\n').count()).unwrap()
    }

    /// The differences as `diff -u` writes them.
    fn unified(before: &str, after: &str) -> String {
        let differences = differences(before, after);
        let (old, new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
        let mut text = format!("+{} -{}\n", differences.added, differences.removed);
        for group in groups(&differences.hunks, (lines(before), lines(after))) {
            text += &format!(
                "@@ -{},{} +{},{} @@\n",
                group.before.start + 1,
                group.before.len(),
                group.after.start + 1,
                group.after.len()
            );
            for row in group.rows() {
                text += &match row {
                    Row::Same(line, other) => {
                        assert_eq!(old[line as usize], new[other as usize]);
                        format!(" {}\n", old[line as usize])
                    }
                    Row::Changed(removed, added) => {
                        let line = |sign: char, text: &str| format!("{sign}{text}\n");
                        removed.map_or_else(String::new, |at| line('-', old[at as usize]))
                            + &added.map_or_else(String::new, |at| line('+', new[at as usize]))
                    }
                };
            }
        }
        text
    }

    #[test]
    fn changes_near_each_other_share_their_lines_around() {
        let before: String = (1..=30).map(|line| format!("line {line}\n")).collect();
        let after = before
            .replace("line 2\n", "line two\n")
            .replace("line 9\n", "")
            .replace("line 25\n", "line 25\nmore\nand more\n");
        insta::assert_snapshot!(unified(&before, &after), @"
        +3 -2
        @@ -1,12 +1,11 @@
         line 1
        -line 2
        +line two
         line 3
         line 4
         line 5
         line 6
         line 7
         line 8
        -line 9
         line 10
         line 11
         line 12
        @@ -23,6 +22,8 @@
         line 23
         line 24
         line 25
        +more
        +and more
         line 26
         line 27
         line 28
        ");
    }

    #[test]
    fn equal_texts_do_not_differ_and_an_empty_one_is_all_changed() {
        assert_eq!(differences("a\nb\n", "a\nb\n"), Differences::default());
        insta::assert_snapshot!(unified("", "a\nb"), @"
        +2 -0
        @@ -1,0 +1,2 @@
        +a
        +b
        ");
        insta::assert_snapshot!(unified("a\n", ""), @"
        +0 -1
        @@ -1,1 +1,0 @@
        -a
        ");
        assert_eq!((differences("a", "a\n").added, differences("a\r\n", "a\n").removed), (1, 1));
    }

    /// Every text follows from the other one and the differences, whatever the texts are.
    #[test]
    fn the_differences_lead_from_one_text_to_the_other() {
        let mut state = 1_u32;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        for _ in 0..300 {
            let mut text = || (0..random(40)).map(|_| format!("{}\n", random(8))).collect::<String>();
            let (before, after) = (text(), text());
            let (old, new): (Vec<_>, Vec<_>) =
                (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
            let differences = differences(&before, &after);
            let mut made = old.clone();
            for hunk in differences.hunks.iter().rev() {
                let range = hunk.before.start as usize..hunk.before.end as usize;
                made.splice(range, new[hunk.after.start as usize..hunk.after.end as usize].iter().copied());
            }
            assert_eq!(made, new);
            let shown: usize = groups(&differences.hunks, (lines(&before), lines(&after)))
                .iter()
                .flat_map(Group::rows)
                .map(|row| usize::from(matches!(row, Row::Changed(_, Some(_)))))
                .sum();
            assert_eq!(shown, differences.added as usize);
        }
    }
}
