//! Lines with their numbers, each with a place that a link can lead to.

use std::fmt::Write;

use crate::highlight::{Highlighted, Language};

/// The longest text that is shown, in bytes.
pub const MAX_SHOWN: u64 = 1024 * 1024;

/// The HTML of the lines of a text. `prefix` is what the names of the places begin with: `L` gives `#L12`.
///
/// The number of a line is a link to it, but none that the keyboard stops at: there may be thousands.
pub fn code(text: &str, language: Language, prefix: &str) -> String {
    let highlighted = Highlighted::new(text, language);
    let digits = highlighted.len().to_string().len();
    let mut html = String::with_capacity(text.len() * 3 + highlighted.len() * 64);
    // Writing to a string cannot fail.
    let _ = write!(html, "<pre class=\"source w{digits}\" tabindex=\"0\" aria-label=\"Content\"><code>");
    for line in 0..highlighted.len() {
        let number = line + 1;
        let _ =
            write!(html, "<span id=\"{prefix}{number}\"><a href=\"#{prefix}{number}\" tabindex=\"-1\">{number}</a>");
        highlighted.write_line(&mut html, line, &[]);
        html.push_str("\n</span>");
    }
    html.push_str("</code></pre>");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_a_place_of_its_own() {
        insta::assert_snapshot!(code("fn a() {}\n<b>\n", Language::Rust, "L"), @r##"
        <pre class="source w1" tabindex="0" aria-label="Content"><code><span id="L1"><a href="#L1" tabindex="-1">1</a><span class="k">fn</span> <span class="f">a</span>() {}
        </span><span id="L2"><a href="#L2" tabindex="-1">2</a>&lt;b&gt;
        </span></code></pre>
        "##);
        assert!(code(&"x\n".repeat(1000), Language::Plain, "O").contains("id=\"O1000\""));
    }
}
