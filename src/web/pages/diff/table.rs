//! The lines that changed in a file, one below the other or side by side, with the words that differ.

use std::fmt::Write;

use crate::diff::{self, Group, Hunk, Marks, Row};
use crate::highlight::{Highlighted, Language};

/// The most rows of one file.
const MAX_ROWS: usize = 20_000;
/// The most lines of a change whose words are compared.
const MAX_MARKED: usize = 200;

/// Both texts, divided.
struct Texts<'a> {
    before: Highlighted<'a>,
    after: Highlighted<'a>,
}

/// Which of the two texts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// The HTML of the differences of two texts.
pub fn html((before, after): (&str, &str), languages: (Language, Language), is_split: bool) -> String {
    let differences = diff::differences(before, after);
    let texts = Texts { before: Highlighted::new(before, languages.0), after: Highlighted::new(after, languages.1) };
    let lines = |text: &Highlighted<'_>| u32::try_from(text.len()).unwrap_or(u32::MAX);
    let groups = diff::groups(&differences.hunks, (lines(&texts.before), lines(&texts.after)));
    let mut html = String::new();
    let view = if is_split { "diff split" } else { "diff" };
    // Writing to a string cannot fail.
    let _ = write!(
        html,
        "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Changed lines\"><table class=\"{view}\">"
    );
    if is_split {
        // The first row is one cell, which says nothing of the widths.
        html.push_str("<colgroup><col class=\"n\"><col><col class=\"n\"><col></colgroup>");
    }
    let mut rows = 0;
    for group in &groups {
        rows += group.before.len().max(group.after.len());
        if rows > MAX_ROWS {
            html.push_str(
                "<tbody><tr class=\"hunk\"><td colspan=\"4\">The other changes are left out.</td></tr></tbody>",
            );
            break;
        }
        write_group(&mut html, group, &texts, is_split);
    }
    html.push_str("</table></div>");
    html
}

fn write_group(html: &mut String, group: &Group, texts: &Texts<'_>, is_split: bool) {
    let columns = if is_split { 4 } else { 3 };
    let place = |range: &std::ops::Range<u32>| match range.len() {
        0 => "none".to_owned(),
        1 => format!("{}", range.start + 1),
        _ => format!("{}–{}", range.start + 1, range.end),
    };
    let _ = write!(
        html,
        "<tbody><tr class=\"hunk\"><td colspan=\"{columns}\">Lines {} before, {} after</td></tr>",
        place(&group.before),
        place(&group.after)
    );
    if is_split {
        write_split(html, group, texts)
    } else {
        write_unified(html, group, texts)
    }
    html.push_str("</tbody>");
}

/// Removed lines above the added ones.
fn write_unified(html: &mut String, group: &Group, texts: &Texts<'_>) {
    let (mut before, mut after) = (group.before.start, group.after.start);
    let same = |html: &mut String, end: u32, before: &mut u32, after: &mut u32| {
        while *before < end {
            html.push_str("<tr>");
            number(html, Some(*before));
            number(html, Some(*after));
            cell(html, texts, (Side::After, *after), (" ", &[]));
            html.push_str("</tr>");
            (*before, *after) = (*before + 1, *after + 1);
        }
    };
    for hunk in &group.hunks {
        same(html, hunk.before.start, &mut before, &mut after);
        let marks = marks(hunk, texts);
        for (line, place) in hunk.before.clone().zip(0..) {
            html.push_str("<tr class=\"del\">");
            number(html, Some(line));
            number(html, None);
            cell(html, texts, (Side::Before, line), ("-", of_line(&marks, place, Side::Before)));
            html.push_str("</tr>");
        }
        for (line, place) in hunk.after.clone().zip(0..) {
            html.push_str("<tr class=\"add\">");
            number(html, None);
            number(html, Some(line));
            cell(html, texts, (Side::After, line), ("+", of_line(&marks, place, Side::After)));
            html.push_str("</tr>");
        }
        (before, after) = (hunk.before.end, hunk.after.end);
    }
    same(html, group.before.end, &mut before, &mut after);
}

fn write_split(html: &mut String, group: &Group, texts: &Texts<'_>) {
    let mut hunks = group.hunks.iter();
    let (mut current, mut place): (Vec<(Marks, Marks)>, usize) = (Vec::new(), 0);
    let mut is_inside = false;
    for row in group.rows() {
        html.push_str("<tr>");
        match row {
            Row::Same(before, after) => {
                is_inside = false;
                half(html, texts, (Side::Before, Some(before)), (" ", &[]));
                half(html, texts, (Side::After, Some(after)), (" ", &[]));
            }
            Row::Changed(before, after) => {
                // Hunks touch each other never: at least one line that stayed is between them.
                if !is_inside {
                    current = hunks.next().map_or_else(Vec::new, |hunk| marks(hunk, texts));
                    (is_inside, place) = (true, 0);
                }
                half(html, texts, (Side::Before, before), ("-", of_line(&current, place, Side::Before)));
                half(html, texts, (Side::After, after), ("+", of_line(&current, place, Side::After)));
                place += 1;
            }
        }
        html.push_str("</tr>");
    }
}

/// The words that differ, for each pair of lines of a change.
fn marks(hunk: &Hunk, texts: &Texts<'_>) -> Vec<(Marks, Marks)> {
    let pairs = hunk.before.clone().zip(hunk.after.clone()).take(MAX_MARKED);
    pairs
        .map(|(before, after)| {
            diff::changed_words(texts.before.text(before as usize), texts.after.text(after as usize))
        })
        .collect()
}

fn of_line(marks: &[(Marks, Marks)], place: usize, side: Side) -> &[std::ops::Range<usize>] {
    match (marks.get(place), side) {
        (None, _) => &[],
        (Some((before, _)), Side::Before) => before,
        (Some((_, after)), Side::After) => after,
    }
}

fn number(html: &mut String, line: Option<u32>) {
    let _ = match line {
        Some(line) => write!(html, "<td class=\"n\">{}</td>", line + 1),
        None => write!(html, "<td class=\"n\"></td>"),
    };
}

/// The text of a line behind its sign.
fn cell(
    html: &mut String,
    texts: &Texts<'_>,
    (side, line): (Side, u32),
    (sign, marks): (&str, &[std::ops::Range<usize>]),
) {
    let text = if side == Side::Before { &texts.before } else { &texts.after };
    let _ = write!(html, "<td><code><span class=\"sign\">{sign}</span>");
    text.write_line(html, line as usize, marks);
    let is_last = line as usize + 1 == text.len();
    if is_last && sign != " " && !text.ends_with_line_feed() {
        html.push_str("<span class=\"odd\">no line feed at the end</span>");
    }
    html.push_str("</code></td>");
}

/// One of the two columns: the number and the text, or nothing.
fn half(
    html: &mut String,
    texts: &Texts<'_>,
    (side, line): (Side, Option<u32>),
    (sign, marks): (&str, &[std::ops::Range<usize>]),
) {
    let Some(line) = line else {
        html.push_str("<td class=\"n\"></td><td class=\"none\"></td>");
        return;
    };
    let class = match sign {
        "-" => " class=\"n del\"",
        "+" => " class=\"n add\"",
        _ => " class=\"n\"",
    };
    let _ = write!(html, "<td{class}>{}</td>", line + 1);
    let start = html.len();
    cell(html, texts, (side, line), (sign, marks));
    // The cell has the colour of its number.
    let class = match sign {
        "-" => "<td class=\"del\">",
        "+" => "<td class=\"add\">",
        _ => return,
    };
    html.replace_range(start..start + "<td>".len(), class);
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "fn a() {}\nfn b() {}\n// c\n";
    const AFTER: &str = "fn a() {}\nfn b(x: u8) {}\n// c\n// <d>";

    fn shown(is_split: bool) -> String {
        html((BEFORE, AFTER), (Language::Rust, Language::Rust), is_split).replace("<tr", "\n<tr")
    }

    #[test]
    fn lines_are_below_each_other() {
        insta::assert_snapshot!(shown(false), @r#"
        <div class="scroll" tabindex="0" role="group" aria-label="Changed lines"><table class="diff"><tbody>
        <tr class="hunk"><td colspan="3">Lines 1–3 before, 1–4 after</td></tr>
        <tr><td class="n">1</td><td class="n">1</td><td><code><span class="sign"> </span><span class="k">fn</span> <span class="f">a</span>() {}</code></td></tr>
        <tr class="del"><td class="n">2</td><td class="n"></td><td><code><span class="sign">-</span><span class="k">fn</span> <span class="f">b</span>() {}</code></td></tr>
        <tr class="add"><td class="n"></td><td class="n">2</td><td><code><span class="sign">+</span><span class="k">fn</span> <span class="f">b</span>(<mark>x: </mark><mark><span class="t">u8</span></mark>) {}</code></td></tr>
        <tr><td class="n">3</td><td class="n">3</td><td><code><span class="sign"> </span><span class="c">// c</span></code></td></tr>
        <tr class="add"><td class="n"></td><td class="n">4</td><td><code><span class="sign">+</span><span class="c">// &lt;d&gt;</span><span class="odd">no line feed at the end</span></code></td></tr></tbody></table></div>
        "#);
    }

    #[test]
    fn lines_are_beside_each_other() {
        insta::assert_snapshot!(shown(true), @r#"
        <div class="scroll" tabindex="0" role="group" aria-label="Changed lines"><table class="diff split"><colgroup><col class="n"><col><col class="n"><col></colgroup><tbody>
        <tr class="hunk"><td colspan="4">Lines 1–3 before, 1–4 after</td></tr>
        <tr><td class="n">1</td><td><code><span class="sign"> </span><span class="k">fn</span> <span class="f">a</span>() {}</code></td><td class="n">1</td><td><code><span class="sign"> </span><span class="k">fn</span> <span class="f">a</span>() {}</code></td></tr>
        <tr><td class="n del">2</td><td class="del"><code><span class="sign">-</span><span class="k">fn</span> <span class="f">b</span>() {}</code></td><td class="n add">2</td><td class="add"><code><span class="sign">+</span><span class="k">fn</span> <span class="f">b</span>(<mark>x: </mark><mark><span class="t">u8</span></mark>) {}</code></td></tr>
        <tr><td class="n">3</td><td><code><span class="sign"> </span><span class="c">// c</span></code></td><td class="n">3</td><td><code><span class="sign"> </span><span class="c">// c</span></code></td></tr>
        <tr><td class="n"></td><td class="none"></td><td class="n add">4</td><td class="add"><code><span class="sign">+</span><span class="c">// &lt;d&gt;</span><span class="odd">no line feed at the end</span></code></td></tr></tbody></table></div>
        "#);
    }

    #[test]
    fn a_line_feed_that_is_added_at_the_end_is_seen() {
        let html = html(("a", "a\n"), (Language::Plain, Language::Plain), false);
        assert_eq!(html.matches("no line feed at the end").count(), 1);
        let crlf = super::html(("a\r\n", "a\n"), (Language::Plain, Language::Plain), false);
        assert!(crlf.contains("U+000D"), "{crlf}");
    }

    #[test]
    fn the_changes_of_a_file_are_bounded() {
        let (before, after) = ("a\n".repeat(30_000), "b\n".repeat(30_000));
        let html = html((&before, &after), (Language::Plain, Language::Plain), false);
        assert!(html.contains("left out") && html.len() < 10_000, "{}", html.len());
    }
}
