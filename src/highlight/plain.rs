//! Languages that are described by a table: comments, strings, numbers, words.

use super::pieces::{Class, Pieces};
use super::tables::{Keys, Quotes, Syntax};

/// Divides a text, whose first byte is at `base`, into the pieces of a language.
pub(super) fn divide(text: &str, base: usize, syntax: &Syntax, into: &mut Pieces) {
    let mut scanner = Scanner { text, place: 0, at_line_start: true, syntax };
    while scanner.place < text.len() {
        let class = scanner.next();
        into.add(base + scanner.place, class);
    }
}

struct Scanner<'a> {
    text: &'a str,
    place: usize,
    /// Only white space stands before this place in its line.
    at_line_start: bool,
    syntax: &'a Syntax,
}

impl Scanner<'_> {
    /// Passes the next piece, at least one character.
    fn next(&mut self) -> Class {
        let rest = &self.text[self.place..];
        let first = rest.chars().next().unwrap_or_default();
        let was_at_line_start = self.at_line_start;
        self.at_line_start = first == '\n' || was_at_line_start && first.is_whitespace();
        if first.is_whitespace() {
            return self.pass(first.len_utf8(), Class::Plain);
        }
        if let Some(found) = self.comment(rest).or_else(|| self.string(rest)) {
            return self.pass(found.0, found.1);
        }
        if was_at_line_start && let Some((length, class)) = self.line_start(rest) {
            return self.pass(length, class);
        }
        if self.syntax.variables && first == '$' {
            return self.pass(variable(rest), Class::Key);
        }
        if first.is_ascii_digit() {
            let length = length_while(rest, |one| one.is_ascii_alphanumeric() || matches!(one, '.' | '_'));
            return self.pass(length, Class::Number);
        }
        if is_word_start(first) {
            let word = &rest[..length_while(rest, |one| self.is_in_word(one))];
            return self.pass(word.len(), self.of_word(word, &rest[word.len()..]));
        }
        self.pass(first.len_utf8(), Class::Plain)
    }

    fn pass(&mut self, length: usize, class: Class) -> Class {
        self.place += length;
        class
    }

    fn comment(&self, rest: &str) -> Option<(usize, Class)> {
        let before = self.text[..self.place].chars().next_back();
        let starts = |start: &&&str| rest.starts_with(**start);
        // In a shell `$#` and `a#b` are no comments.
        let is_apart = !self.syntax.comments_apart || before.is_none_or(char::is_whitespace);
        if is_apart && self.syntax.line_comments.iter().any(|start| starts(&start)) {
            return Some((line_end(rest), Class::Comment));
        }
        let (open, close) = self.syntax.block_comments.iter().find(|(open, _)| rest.starts_with(open))?;
        let end = rest[open.len()..].find(close).map_or(rest.len(), |end| open.len() + end + close.len());
        Some((end, Class::Comment))
    }

    fn string(&self, rest: &str) -> Option<(usize, Class)> {
        let quotes = self.syntax.strings.iter().find(|quotes| rest.starts_with(quotes.open))?;
        let length = string_length(rest, quotes);
        let is_key = self.syntax.keys == Keys::Quoted && rest[length..].trim_start().starts_with(':');
        Some((length, if is_key { Class::Key } else { Class::String }))
    }

    /// What has a meaning only at the start of a line.
    fn line_start(&self, rest: &str) -> Option<(usize, Class)> {
        match self.syntax.keys {
            Keys::Sections => {
                if rest.starts_with('[') {
                    let length = line_end(rest);
                    // A comment may follow, and a value may be an array in several lines.
                    let close = rest[..length].rfind(']').filter(|_| !rest[..length].contains(['"', ',']))?;
                    return Some((close + 1, Class::Heading));
                }
                let length = length_while(rest, |one| one.is_alphanumeric() || matches!(one, '-' | '_' | '.' | ' '));
                let key = rest[..length].trim_end();
                (!key.is_empty() && rest[length..].starts_with('=')).then_some((key.len(), Class::Key))
            }
            Keys::Colons => {
                let rest = &rest[..line_end(rest)];
                let dash = if rest.starts_with("- ") { 2 } else { 0 };
                let length = dash + length_while(&rest[dash..], |one| one.is_alphanumeric() || "-_./ ".contains(one));
                let ends = rest[length..].strip_prefix(':')?;
                let is_key = length > dash && (ends.is_empty() || ends.starts_with([' ', '\r']));
                is_key.then_some((length, Class::Key))
            }
            Keys::Directives => {
                let name = rest.strip_prefix('#')?;
                let space = name.len() - name.trim_start_matches([' ', '\t']).len();
                let word = length_while(&name[space..], |one| one.is_ascii_alphabetic());
                Some((1 + space + word, Class::Attribute))
            }
            Keys::None | Keys::Quoted => None,
        }
    }

    fn is_in_word(&self, one: char) -> bool {
        one.is_alphanumeric() || one == '_' || one == '-' && self.syntax.dashes_in_words
    }

    fn of_word(&self, word: &str, rest: &str) -> Class {
        if self.syntax.keywords.contain(word) {
            Class::Keyword
        } else if self.syntax.constants.contain(word) {
            Class::Constant
        } else if self.syntax.types.contain(word) {
            Class::Type
        } else if self.syntax.has_calls && rest.starts_with('(') {
            Class::Function
        } else {
            Class::Plain
        }
    }
}

/// The length of the string at the start of a text, up to its end or, if it may not have several lines, that of the line.
fn string_length(text: &str, quotes: &Quotes) -> usize {
    let mut place = quotes.open.len();
    let bytes = text.as_bytes();
    while place < bytes.len() {
        if bytes[place..].starts_with(quotes.close.as_bytes()) {
            return place + quotes.close.len();
        }
        match bytes[place] {
            b'\\' if quotes.escapes => {
                place += 1 + text.get(place + 1..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            }
            b'\n' if !quotes.has_lines => return place,
            _ => place += 1,
        }
    }
    text.len()
}

/// The length of a variable of a shell: `$name`, `${…}`, `$1`.
fn variable(text: &str) -> usize {
    let rest = &text[1..];
    if rest.starts_with('{') {
        let line = &rest[..line_end(rest)];
        return 1 + line.find('}').map_or(1, |close| close + 1);
    }
    let name = length_while(rest, |one| one.is_ascii_alphanumeric() || one == '_');
    1 + if name > 0 { name } else { usize::from(rest.starts_with(['?', '#', '@', '*', '!', '$', '-'])) }
}

fn is_word_start(one: char) -> bool {
    one.is_alphabetic() || one == '_'
}

fn length_while(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.find(|one| !is_part(one)).unwrap_or(text.len())
}

/// The length of the line at the start of a text, without its line feed.
fn line_end(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}
