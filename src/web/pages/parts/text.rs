//! Texts and numbers of packages. No text of a package is trusted: markup is escaped, and characters that are invisible or
//! change how others are shown are shown by their numbers.

use maud::{Markup, html};

use crate::package::characters::{is_hidden, is_hidden_in_path};

/// The longest text of one line that is shown, in characters.
const LONGEST: usize = 2_000;

/// A running text, such as a description or a name of a person.
pub fn text(text: &str) -> Markup {
    marked(text, |c| is_hidden(c) && c != '\n')
}

/// A name that programs read, such as that of a feature, a file or a licence: also shows which letters only look like ASCII.
pub fn name(text: &str) -> Markup {
    marked(text, |c| is_hidden_in_path(c) || (!c.is_ascii() && c.is_alphabetic()))
}

/// Names in a row.
pub fn names(names: &[String]) -> Markup {
    html! { @for (place, one) in names.iter().enumerate() { @if place > 0 { ", " } (name(one)) } }
}

/// The text in an isolated direction, with some characters marked.
fn marked(text: &str, is_marked: impl Fn(char) -> bool) -> Markup {
    let cut = text.char_indices().nth(LONGEST).map_or(text.len(), |(place, _)| place);
    html! {
        bdi {
            @for (plain, marked) in pieces(&text[..cut], is_marked) {
                (plain)
                @match marked {
                    Some(character) if is_hidden_in_path(character) => {
                        span class="odd" title="an invisible character" { (format!("U+{:04X}", u32::from(character))) }
                    }
                    Some(character) => {
                        span class="odd" title=(format!("not ASCII: U+{:04X}", u32::from(character))) { (character) }
                    }
                    None => {}
                }
            }
            @if cut < text.len() { "…" }
        }
    }
}

/// The text in pieces: each ends before a marked character, or at the end.
fn pieces(mut rest: &str, is_marked: impl Fn(char) -> bool) -> Vec<(&str, Option<char>)> {
    let mut pieces = Vec::new();
    while let Some((place, character)) = rest.char_indices().find(|(_, c)| is_marked(*c)) {
        pieces.push((&rest[..place], Some(character)));
        rest = &rest[place + character.len_utf8()..];
    }
    pieces.push((rest, None));
    pieces
}

/// The first characters of a text, at the end of a word.
pub fn beginning(text: &str, length: usize) -> String {
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((end, _)) = text.char_indices().nth(length) else { return text };
    let end = text[..end].rfind(' ').filter(|space| *space > end / 2).unwrap_or(end);
    format!("{}…", &text[..end])
}

/// A running text in which commands are between backticks.
pub fn with_code(said: &str) -> Markup {
    let parts: Vec<&str> = said.split('`').collect();
    // An odd number of backticks: the last one stands for itself.
    let alone = parts.len().is_multiple_of(2).then_some(parts.len() - 1);
    html! {
        @for (place, part) in parts.iter().enumerate() {
            @if alone == Some(place) { "`" (text(part)) }
            @else if place % 2 == 1 { code { (text(part)) } }
            @else if !part.is_empty() { (text(part)) }
        }
    }
}

/// A number with its thousands apart.
pub fn number(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut grouped = String::from(if number < 0 { "−" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A large number in short: `12.3k`.
pub fn short_number(count: i64) -> String {
    let count = count.max(0);
    match count {
        0..10_000 => number(count),
        10_000..1_000_000 => format!("{}.{}k", count / 1_000, count % 1_000 / 100),
        _ => format!("{}.{}M", number(count / 1_000_000), count % 1_000_000 / 100_000),
    }
}

/// A size in bytes.
pub fn size(bytes: i64) -> String {
    const KIB: i64 = 1024;
    match bytes.max(0) {
        bytes @ 0..KIB => format!("{bytes} B"),
        bytes if bytes < 10 * KIB => format!("{}.{} KiB", bytes / KIB, bytes % KIB * 10 / KIB),
        bytes if bytes < KIB * KIB => format!("{} KiB", bytes / KIB),
        bytes => format!("{}.{} MiB", number(bytes / (KIB * KIB)), bytes % (KIB * KIB) * 10 / (KIB * KIB)),
    }
}

/// A count with its noun: `1 version`, `3 versions`.
pub fn counted(count: i64, noun: &str) -> String {
    format!("{} {noun}{}", number(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown_by_its_number() {
        assert_eq!(
            text("a<b>\u{202e}c").into_string(),
            "<bdi>a&lt;b&gt;<span class=\"odd\" title=\"an invisible character\">U+202E</span>c</bdi>"
        );
        assert_eq!(text("größe").into_string(), "<bdi>größe</bdi>");
        assert!(name("sеrde").into_string().contains("title=\"not ASCII: U+0435\""));
        assert!(text(&"x".repeat(10_000)).into_string().len() < 2_100);
    }

    #[test]
    fn commands_in_a_text_are_code() {
        for (said, shown) in [
            ("run `a <b>`.", "<bdi>run </bdi><code><bdi>a &lt;b&gt;</bdi></code><bdi>.</bdi>"),
            ("`a`", "<code><bdi>a</bdi></code>"),
            ("a `b", "<bdi>a </bdi>`<bdi>b</bdi>"),
            ("`", "`<bdi></bdi>"),
            ("a", "<bdi>a</bdi>"),
        ] {
            assert_eq!(with_code(said).into_string(), shown, "{said}");
        }
    }

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!([number(0), number(999), number(1_234_567), number(-1_000)], ["0", "999", "1,234,567", "−1,000"]);
        assert_eq!([short_number(9_999), short_number(12_345), short_number(4_560_000)], ["9,999", "12.3k", "4.5M"]);
        assert_eq!([size(1023), size(1536), size(20_480), size(3 << 20)], ["1023 B", "1.5 KiB", "20 KiB", "3.0 MiB"]);
        assert_eq!(beginning("one two  three", 9), "one two…");
    }
}
