//! The words that differ in two lines.

use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput, TokenSource};

/// The longest line whose words are compared, in bytes.
const MAX_LINE: usize = 1000;

/// The parts of a line that differ, in bytes from its start.
pub type Marks = Vec<Range<usize>>;

/// The parts that differ between two lines; none if the lines are long, or have so little in common that everything would be
/// marked.
pub fn changed_words(before: &str, after: &str) -> (Marks, Marks) {
    if before.len() > MAX_LINE || after.len() > MAX_LINE {
        return (Vec::new(), Vec::new());
    }
    let input = InternedInput::new(Words(before), Words(after));
    let diff = Diff::compute(Algorithm::Myers, &input);
    let removed = marks(Words(before), |place| diff.is_removed(place));
    let added = marks(Words(after), |place| diff.is_added(place));
    let seen = |text: &str| text.chars().filter(|one| !one.is_whitespace()).count();
    let marked = |text: &str, marks: &Marks| marks.iter().map(|part| seen(&text[part.clone()])).sum::<usize>();
    // Less than a third of a line says nothing about it.
    let is_related = |text: &str, marks: &Marks| marked(text, marks) * 3 <= seen(text) * 2;
    let is_related = is_related(before, &removed) && is_related(after, &added);
    if is_related { (removed, added) } else { (Vec::new(), Vec::new()) }
}

fn marks(words: Words<'_>, is_changed: impl Fn(u32) -> bool) -> Marks {
    let (mut marks, mut place): (Marks, usize) = (Vec::new(), 0);
    for (number, word) in (0..).zip(words) {
        let end = place + word.len();
        if is_changed(number) {
            match marks.last_mut() {
                Some(last) if last.end == place => last.end = end,
                _ => marks.push(place..end),
            }
        }
        place = end;
    }
    marks
}

/// The words of a line: letters, digits and underscores together, white space together, and everything else by itself.
#[derive(Clone, Copy)]
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let first = self.0.chars().next()?;
        let is_word = |one: char| one.is_alphanumeric() || one == '_';
        let rest = if is_word(first) {
            self.0.trim_start_matches(is_word)
        } else if first.is_whitespace() {
            self.0.trim_start()
        } else {
            &self.0[first.len_utf8()..]
        };
        let word = &self.0[..self.0.len() - rest.len()];
        self.0 = rest;
        Some(word)
    }
}

impl<'a> TokenSource for Words<'a> {
    type Token = &'a str;
    type Tokenizer = Self;

    fn tokenize(&self) -> Self {
        *self
    }

    fn estimate_tokens(&self) -> u32 {
        u32::try_from(self.0.len() / 4).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed<'a>(before: &'a str, after: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
        let (removed, added) = changed_words(before, after);
        (removed.into_iter().map(|part| &before[part]).collect(), added.into_iter().map(|part| &after[part]).collect())
    }

    #[test]
    fn whole_words_are_marked() {
        assert_eq!(changed("let größe = foo(a);", "let size = foo(a, b);"), (vec!["größe"], vec!["size", ", b"]));
        assert_eq!(changed("    x();", "        x();"), (vec!["    "], vec!["        "]));
        assert_eq!(changed("a == b", "a != b"), (vec!["="], vec!["!"]));
        assert_eq!(changed("same", "same"), (vec![], vec![]));
    }

    #[test]
    fn lines_with_little_in_common_or_of_great_length_have_no_marks() {
        assert_eq!(changed("fn one(a: u8) {", "/// Something else"), (vec![], vec![]));
        let long = "a ".repeat(600);
        assert_eq!(changed(&long, &format!("{long} b")), (vec![], vec![]));
    }
}
