//! Text as HTML.

use std::fmt::Write;

use crate::package::characters::is_hidden;

/// Writes a text as HTML. Characters that are not seen, or that change how the text around them is shown, become their
/// numbers in a frame; line feeds and tabs stay.
pub fn escape(html: &mut String, text: &str) {
    let mut written = 0;
    for (place, character) in text.char_indices() {
        let entity = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\'' => "&#39;",
            ' '..='~' | '\n' | '\t' => continue,
            hidden if is_hidden(hidden) => "",
            _ => continue,
        };
        html.push_str(&text[written..place]);
        written = place + character.len_utf8();
        if entity.is_empty() {
            let number = u32::from(character);
            // Writing to a string cannot fail.
            let _ = write!(html, "<span class=\"odd\" title=\"an invisible character\">U+{number:04X}</span>");
        } else {
            html.push_str(entity);
        }
    }
    html.push_str(&text[written..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_text_and_what_is_not_seen_is_named() {
        let mut html = String::new();
        escape(&mut html, "a <b c=\"d\">&'\t\u{202e}x\u{1b}ä\r");
        insta::assert_snapshot!(html, @r#"a &lt;b c=&quot;d&quot;&gt;&amp;&#39;	<span class="odd" title="an invisible character">U+202E</span>x<span class="odd" title="an invisible character">U+001B</span>ä<span class="odd" title="an invisible character">U+000D</span>"#);
    }
}
