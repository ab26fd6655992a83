//! Highlighting of source text: text and language in, lines of HTML out.
//!
//! Rust is divided by the lexer of rustc. Other languages are divided by tables of their comments, strings and keywords
//! (`tables`), and Markdown by its lines. All of them read a text once from its start to its end and keep no more than the
//! current construct, so the time grows with the length alone, whatever the text is, and there is nothing to recurse into.
//! No colour depends on more than the text before it.
//!
//! Measured before the choice, for 1,181 lines of Rust: the lexer of rustc 0.2 ms, tree-sitter 34 ms, syntect with
//! fancy-regex 660 ms. The last two know more languages, but a page would take longer for them than for everything else; and
//! tree-sitter's parsers are C code, which would read the files of strangers in the process of the registry.
//!
//! Characters that are not seen, such as those that change the direction of the text, are shown by their numbers, so that a
//! reader sees what the compiler sees.

mod code;
mod divide;
mod escape;
mod language;
mod markdown;
mod pieces;
mod plain;
mod rust;
mod tables;
#[cfg(test)]
mod tests;
mod words;

use std::ops::Range;

use divide::pieces;
pub use escape::escape;
pub use language::{Language, shown_example};
pub use pieces::{Class, Piece};
pub use rust::unsafe_count;

/// The longest text that is highlighted, in bytes. Longer ones are shown without colours.
pub const MAX_TEXT: usize = 512 * 1024;
/// The longest line of a text that is highlighted, in bytes. Longer lines are usually generated.
const MAX_LINE: usize = 4096;

/// A text that was divided into pieces and lines.
#[derive(Clone, Debug)]
pub struct Highlighted<'a> {
    text: &'a str,
    pieces: Vec<Piece>,
    /// Where each line begins, and where the last one ends. Line feeds belong to their lines.
    starts: Vec<usize>,
}

impl<'a> Highlighted<'a> {
    /// Divides a text. One that is too long, or has too long a line, is one plain piece.
    pub fn new(text: &'a str, language: Language) -> Self {
        let mut starts: Vec<usize> = vec![0];
        starts.extend(text.match_indices('\n').map(|(place, _)| place + 1));
        if starts.last() != Some(&text.len()) {
            starts.push(text.len());
        }
        let is_odd = text.len() > MAX_TEXT || starts.windows(2).any(|line| line[1] - line[0] > MAX_LINE);
        let language = if is_odd { Language::Plain } else { language };
        Self { text, pieces: pieces(text, language), starts }
    }

    /// The number of lines.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text of a line, counted from 0, without its line feed.
    pub fn text(&self, line: usize) -> &'a str {
        let text = &self.text[self.starts[line]..self.starts[line + 1]];
        text.strip_suffix('\n').unwrap_or(text)
    }

    /// Whether the last line ends in a line feed.
    pub fn ends_with_line_feed(&self) -> bool {
        self.text.ends_with('\n')
    }

    /// Writes the HTML of a line, counted from 0, without its line feed. The parts of `marks`, which are in the order of the
    /// line and counted in bytes from its start, get a `<mark>` around them.
    pub fn write_line(&self, html: &mut String, line: usize, marks: &[Range<usize>]) {
        let text = self.text(line);
        let start = self.starts[line];
        let text = if marks.is_empty() { text.strip_suffix('\r').unwrap_or(text) } else { text };
        let mut pieces = self.pieces[self.pieces.partition_point(|piece| piece.end <= start)..].iter().peekable();
        let (mut place, mut marks) = (0, marks.iter().peekable());
        while place < text.len() {
            let (piece_end, class) = pieces
                .peek()
                .map_or((text.len(), Class::Plain), |piece| ((piece.end - start).min(text.len()), piece.class));
            while marks.peek().is_some_and(|mark| mark.end <= place) {
                marks.next();
            }
            let mark = marks.peek().filter(|mark| mark.start < piece_end);
            let (end, is_marked) = match mark {
                None => (piece_end, false),
                Some(mark) if mark.start > place => (mark.start, false),
                Some(mark) => (mark.end.min(piece_end), true),
            };
            write_piece(html, &text[place..end], class, is_marked);
            place = end;
            if place == piece_end {
                pieces.next();
            }
        }
    }
}

/// The HTML of a text without numbers of lines, for code in running text.
pub fn html(text: &str, language: Language) -> String {
    let highlighted = Highlighted::new(text, language);
    let mut html = String::with_capacity(text.len() * 2);
    for line in 0..highlighted.len() {
        highlighted.write_line(&mut html, line, &[]);
        html.push('\n');
    }
    html
}

fn write_piece(html: &mut String, text: &str, class: Class, is_marked: bool) {
    if is_marked {
        html.push_str("<mark>");
    }
    match class.name() {
        None => escape(html, text),
        Some(name) => {
            html.push_str("<span class=\"");
            html.push_str(name);
            html.push_str("\">");
            escape(html, text);
            html.push_str("</span>");
        }
    }
    if is_marked {
        html.push_str("</mark>");
    }
}
