//! Hidden characters in texts from outside: control characters, which terminals execute, and characters that are invisible or
//! change how the text around them is shown.
//!
//! There are two defences. [`check_line`] and [`check_lines`] refuse texts at the entrance. Output and messages go through
//! [`Plain`], [`PlainLines`] or [`plain_json`], because rows older than the check and texts of other programs were never
//! checked.

use std::borrow::Cow;
use std::fmt::{self, Write};

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, PrependedConcatenationMark};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Joiners of letters or emoji, which are meaningful in running text. They are not allowed in paths.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// Whether a character is not allowed in a line of text: a control character (line breaks and tabs included), a
/// bidirectional or other format character, a separator of lines or paragraphs. Source: the general categories Cc, Cf, Zl
/// and Zp of Unicode, without the visible format characters, such as the Arabic number sign.
pub fn is_hidden(character: char) -> bool {
    match character {
        ' '..='~' => false,
        '\0'..'\u{a0}' => true,
        _ => {
            let category = CodePointMapData::<GeneralCategory>::new().get(character);
            let hidden = [GeneralCategory::Format, GeneralCategory::LineSeparator, GeneralCategory::ParagraphSeparator];
            hidden.contains(&category)
                && !JOINERS.contains(&character)
                && !CodePointSetData::new::<PrependedConcatenationMark>().contains(character)
        }
    }
}

/// Whether a character is not allowed in a path: those of [`is_hidden`] and all other invisible characters, such as joiners,
/// variation selectors and fillers, since two different paths must not look the same.
pub fn is_hidden_in_path(character: char) -> bool {
    is_hidden(character)
        || (!character.is_ascii() && CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character))
}

/// A character that is not allowed in a text, and its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct HiddenCharacter {
    /// The character.
    pub character: char,
    /// Its position in the text, starting at 1.
    pub position: usize,
}

/// A part of a sentence: `U+001B (a control character) at position 3`.
impl fmt::Display for HiddenCharacter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.character.is_control() { "a control character" } else { "an invisible character" };
        write!(f, "U+{:04X} ({kind}) at position {}", u32::from(self.character), self.position)
    }
}

/// Checks a text of one line.
///
/// # Errors
///
/// The first [`HiddenCharacter`].
pub fn check_line(text: &str) -> Result<(), HiddenCharacter> {
    check(text, is_hidden)
}

/// Checks a text of several lines, which may contain tabs and line breaks (LF or CR LF).
///
/// # Errors
///
/// The first [`HiddenCharacter`].
pub fn check_lines(text: &str) -> Result<(), HiddenCharacter> {
    let mut rest = text.chars();
    let mut position = 0;
    while let Some(character) = rest.next() {
        position += 1;
        let breaks_a_line = character == '\r' && rest.as_str().starts_with('\n');
        if is_hidden(character) && !matches!(character, '\n' | '\t') && !breaks_a_line {
            return Err(HiddenCharacter { character, position });
        }
    }
    Ok(())
}

/// Checks a path.
///
/// # Errors
///
/// The first [`HiddenCharacter`].
pub fn check_path(path: &str) -> Result<(), HiddenCharacter> {
    check(path, is_hidden_in_path)
}

fn check(text: &str, is_refused: fn(char) -> bool) -> Result<(), HiddenCharacter> {
    let found = (1..).zip(text.chars()).find(|(_, character)| is_refused(*character));
    found.map_or(Ok(()), |(position, character)| Err(HiddenCharacter { character, position }))
}

/// Shows a text on one line, with every hidden character escaped as in Rust: `\n`, `\u{1b}`.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a>(pub &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(f, self.0, is_hidden)
    }
}

/// Shows a text of several lines with every hidden character escaped except line feeds.
#[derive(Clone, Copy, Debug)]
pub struct PlainLines<'a>(pub &'a str);

impl fmt::Display for PlainLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(f, self.0, |character| is_hidden(character) && character != '\n')
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, mut rest: &str, is_escaped: impl Fn(char) -> bool) -> fmt::Result {
    while let Some((place, character)) = rest.char_indices().find(|(_, character)| is_escaped(*character)) {
        f.write_str(&rest[..place])?;
        write_character(f, character)?;
        rest = &rest[place + character.len_utf8()..];
    }
    f.write_str(rest)
}

/// Writes one character, escaped if it is hidden.
pub(super) fn write_character(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    match character {
        '\n' | '\r' | '\t' => write!(f, "{}", character.escape_default()),
        hidden if is_hidden(hidden) => write!(f, "{}", hidden.escape_unicode()),
        other => f.write_char(other),
    }
}

/// The text as [`Plain`] shows it.
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(is_hidden) { Cow::Owned(Plain(text).to_string()) } else { Cow::Borrowed(text) }
}

/// The beginning of a text of somebody else, as one line that is harmless in a terminal.
pub fn one_line(text: &str, longest: usize) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(longest).collect();
    plain(&line).into_owned()
}

/// A JSON document with the hidden characters of its strings as JSON escapes, which does not change its meaning. Line feeds
/// are kept: they are white space between tokens, and JSON strings cannot contain them.
pub fn plain_json(document: String) -> String {
    let is_escaped = |character| is_hidden(character) && character != '\n';
    if !document.contains(is_escaped) {
        return document;
    }
    let mut escaped = String::with_capacity(document.len() + 64);
    for character in document.chars() {
        if is_escaped(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// A text for other programs, which may print it, with hidden characters replaced.
pub fn harmless(text: String) -> String {
    if check_lines(&text).is_ok() {
        return text;
    }
    let replaced = |c| if is_hidden(c) && !matches!(c, '\n' | '\t') { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(replaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIDDEN: [char; 19] = [
        '\0',
        '\u{7}',
        '\n',
        '\t',
        '\r',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{9b}',
        '\u{61c}',
        '\u{200b}',
        '\u{200e}',
        '\u{202e}',
        '\u{2028}',
        '\u{2060}',
        '\u{2066}',
        '\u{feff}',
        '\u{ad}',
        '\u{e0041}',
    ];

    #[test]
    fn what_somebody_else_says_is_one_harmless_line() {
        assert_eq!(one_line("a\r\n\u{1b}[31mb\n\n c", 200), r"a \u{1b}[31mb c");
        assert_eq!(one_line(&"x ".repeat(1000), 200).chars().count(), 200);
    }

    #[test]
    fn what_a_terminal_obeys_or_does_not_show_is_hidden() {
        for character in HIDDEN {
            assert!(is_hidden(character) && is_hidden_in_path(character), "{character:?}");
        }
        for character in " aZ~\u{a0}\u{e4}\u{301}漢語👍\u{600}\u{200d}\u{200c}\u{fffd}".chars() {
            assert!(!is_hidden(character), "{character:?}");
        }
        for character in ['\u{200c}', '\u{200d}', '\u{fe0f}', '\u{3164}', '\u{34f}'] {
            assert!(is_hidden_in_path(character), "{character:?}");
        }
        assert!(!"src/größe/漢語 👍.rs".contains(is_hidden_in_path));
    }

    #[test]
    fn a_refusal_names_the_character_and_its_place() {
        assert_eq!(check_line("äb\u{1b}").unwrap_err().to_string(), "U+001B (a control character) at position 3");
        assert_eq!(check_line("\u{202e}").unwrap_err().to_string(), "U+202E (an invisible character) at position 1");
        assert_eq!(check_lines("a\r\n\tb\n"), Ok(()));
        assert_eq!(check_lines("a\rb").unwrap_err().position, 2);
        assert_eq!(check_lines("a\n\u{e0001}").unwrap_err().position, 3);
        assert_eq!(check_path("a\u{200d}b").unwrap_err().position, 2);
    }

    #[test]
    fn what_is_shown_has_no_hidden_character_left() {
        let text: String = HIDDEN.iter().collect();
        let shown = Plain(&text).to_string();
        assert!(!shown.contains(is_hidden) && shown.starts_with("\\u{0}\\u{7}\\n\\t\\r\\u{1b}"), "{shown}");
        let lines = PlainLines(&text).to_string();
        assert_eq!(lines.matches(is_hidden).collect::<String>(), "\n");
        assert_eq!(plain("as it is"), "as it is");
        assert_eq!(harmless("a\n\tb\u{1b}[31m".to_owned()), "a\n\tb\u{fffd}[31m");
        let value = serde_json::json!({ "text": text });
        let document = plain_json(serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(document.matches(is_hidden).collect::<String>(), "\n\n");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&document).unwrap(), value);
    }
}
