//! What differs between two versions of an object.

use crate::index::tree::Replaced;

/// Bytes that are compared at once.
const PIECE: usize = 1024;
/// About what the instructions of a change take in a delta, in bytes.
const INSTRUCTIONS: usize = 12;

/// The bytes between the common beginning and the common end.
pub(super) fn difference(old: &[u8], new: &[u8]) -> Replaced {
    let start = common_beginning(old, new);
    let end = common_end(&old[start..], &new[start..]);
    Replaced { old: start..old.len() - end, new: start..new.len() - end }
}

/// The parts of lines that differ, if lines were changed or appended: each line is compared with the one in its place. `None`
/// if a delta had more than about `most` bytes, as it has if a line was removed.
pub(super) fn changed_lines(old: &[u8], new: &[u8], most: usize) -> Option<Vec<Replaced>> {
    let (mut at, mut bytes, mut changed) = ((0, 0), 0, Vec::new());
    loop {
        let same = common_beginning(&old[at.0..], &new[at.1..]);
        let start = (at.0 + same, at.1 + same);
        if start == (old.len(), new.len()) {
            return Some(changed);
        }
        let is_last = start.0 == old.len() || start.1 == new.len();
        at = if is_last { (old.len(), new.len()) } else { (line_end(old, start.0), line_end(new, start.1)) };
        bytes += at.1 - start.1 + INSTRUCTIONS;
        if bytes > most {
            return None;
        }
        changed.push(Replaced { old: start.0..at.0, new: start.1..at.1 });
    }
}

/// Where the line ends that has this place: before its line break, or at the end of the file.
fn line_end(file: &[u8], place: usize) -> usize {
    memchr::memchr(b'\n', &file[place..]).map_or(file.len(), |length| place + length)
}

fn common_beginning(old: &[u8], new: &[u8]) -> usize {
    let pieces = old.chunks_exact(PIECE).zip(new.chunks_exact(PIECE));
    let same = PIECE * pieces.take_while(|(one, other)| one == other).count();
    same + old[same..].iter().zip(&new[same..]).take_while(|(one, other)| one == other).count()
}

fn common_end(old: &[u8], new: &[u8]) -> usize {
    let pieces = old.rchunks_exact(PIECE).zip(new.rchunks_exact(PIECE));
    let same = PIECE * pieces.take_while(|(one, other)| one == other).count();
    let rest = old[..old.len() - same].iter().rev().zip(new[..new.len() - same].iter().rev());
    same + rest.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::index::packs::delta::{apply, delta};

    #[test]
    fn what_differs_lies_between_the_common_beginning_and_the_common_end() {
        let old: Vec<u8> = (0..5000u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for (from, to, inserted) in [(0, 0, 1), (0, 1, 0), (1023, 1024, 3), (1024, 4000, 9), (4999, 5000, 0), (7, 7, 0)]
        {
            let mut new = old.clone();
            new.splice(from..to, vec![old.get(from).map_or(1, |byte| !byte); inserted]);
            let found = difference(&old, &new);
            assert_eq!([&new[..found.new.start], &old[found.old.end..]].concat().len() + found.new.len(), new.len());
            assert_eq!(apply(&old, &delta(&old, &new, std::slice::from_ref(&found))).unwrap(), new);
            assert!(found.new.len() <= inserted + 1 && found.old.len() <= to - from + 1, "{found:?}");
        }
        assert_eq!(difference(b"aaa", b"aa"), Replaced { old: 2..3, new: 2..2 });
    }

    #[test]
    fn changed_and_appended_lines_are_a_small_delta() {
        let mut random = rand::rng();
        let line = |number: u32, flag: &str| format!("{number:0width$} {flag}\n", width = 200 + number as usize % 7);
        for _ in 0..50 {
            let count = random.random_range(1..60);
            let flags: Vec<bool> = (0..count + 5).map(|_| random.random_ratio(1, 9)).collect();
            let file = |flags: &[bool]| -> String {
                flags.iter().zip(0..).map(|(flag, number)| line(number, if *flag { "true" } else { "false" })).collect()
            };
            let old = file(&flags[..count]);
            let mut after = flags;
            let flips = random.random_range(0..4);
            for _ in 0..flips {
                let place = random.random_range(0..count);
                after[place] = !after[place];
            }
            let new = file(&after[..random.random_range(count..count + 5)]);
            let changed = changed_lines(old.as_bytes(), new.as_bytes(), usize::MAX).unwrap();
            let made = delta(old.as_bytes(), new.as_bytes(), &changed);
            assert_eq!(apply(old.as_bytes(), &made).unwrap(), new.as_bytes());
            let appended = new.len().saturating_sub(old.len());
            assert!(
                made.len() < 100 + appended + appended / 100 + flips * 50,
                "{} for {flips} and {appended}",
                made.len()
            );
        }
    }

    #[test]
    fn versions_that_have_little_in_common_are_no_delta() {
        let old: String = (0..100).map(|number| format!("{number:0100}\n")).collect();
        let new = old.split_once('\n').unwrap().1;
        assert_eq!(changed_lines(old.as_bytes(), new.as_bytes(), old.len() / 50), None);
        assert_eq!(changed_lines(old.as_bytes(), old.as_bytes(), 0).unwrap(), []);
        for (old, new) in
            [("", "a"), ("a", ""), ("a\n", "a\nb\n"), ("a\nb\n", "a\n"), ("a\nb", "a\nc\n"), ("\n\n", "x\n")]
        {
            let changed = changed_lines(old.as_bytes(), new.as_bytes(), usize::MAX).unwrap();
            let made = delta(old.as_bytes(), new.as_bytes(), &changed);
            assert_eq!(apply(old.as_bytes(), &made).unwrap(), new.as_bytes(), "{old:?} {new:?}");
        }
    }
}
