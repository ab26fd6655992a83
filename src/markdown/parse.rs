//! From Markdown to HTML that is not trusted yet.

use std::time::{Duration, Instant};

use comrak::nodes::{Node, NodeHtmlBlock, NodeValue};
use comrak::{Arena, Options, format_html, try_parse_document};

use super::escaped;

/// How long a document may take to parse.
const TIME: Duration = Duration::from_secs(2);
/// The longest tag in running text, in bytes. A longer one is shown as it is written: the cleaner compares the attributes of
/// a tag with one another.
const MAX_TAG: usize = 8 * 1024;
/// The most words after one `<` in a block of HTML, which may all be attributes.
const MAX_WORDS: usize = 1000;

/// The attributes of Rust code that rustdoc knows.
const RUST: [&str; 7] = ["rust", "rs", "should_panic", "no_run", "compile_fail", "ignore", "standalone_crate"];

/// The HTML of a document; None if it takes too long.
pub fn to_html(text: &str) -> Option<String> {
    let options = options();
    let arena = Arena::new();
    let began = Instant::now();
    let root = try_parse_document(&arena, text, &options, &|| began.elapsed() > TIME).ok()?;
    for node in root.descendants() {
        prepare(node);
    }
    let mut html = String::with_capacity(text.len() * 2);
    format_html(root, &options, &mut html).ok()?;
    Some(html)
}

fn options() -> Options<'static> {
    let mut options = Options::default();
    let extension = &mut options.extension;
    (extension.table, extension.footnotes, extension.tasklist) = (true, true, true);
    (extension.strikethrough, extension.autolink, extension.alerts) = (true, true, true);
    extension.header_id_prefix = Some(super::safe::PREFIX.to_owned());
    // HTML in Markdown is cleaned afterwards.
    options.render.r#unsafe = true;
    options.render.tasklist_classes = true;
    options
}

/// Writes code blocks, and makes HTML that the cleaner could not bear a text.
fn prepare(node: Node<'_>) {
    let mut data = node.data.borrow_mut();
    let replaced = match &data.value {
        NodeValue::CodeBlock(block) => NodeValue::HtmlBlock(html(code(&block.info, &block.literal))),
        NodeValue::HtmlInline(tag) if tag.len() > MAX_TAG => NodeValue::Text(tag.clone().into()),
        NodeValue::HtmlBlock(block) if !is_bearable(&block.literal) => {
            NodeValue::HtmlBlock(html(format!("<pre><code>{}</code></pre>\n", escaped(&block.literal))))
        }
        _ => return,
    };
    data.value = replaced;
}

fn html(literal: String) -> NodeHtmlBlock {
    NodeHtmlBlock { block_type: 6, literal }
}

fn is_bearable(block: &str) -> bool {
    block.split('<').all(|tag| tag.split([' ', '\t', '\n', '\r', '\x0c', '/', '"', '\'']).nth(MAX_WORDS).is_none())
}

/// A code block: its lines as rustdoc shows them.
fn code(info: &str, literal: &str) -> String {
    let mut words = info.split([',', ' ', '\t', '{', '}']).filter(|word| !word.is_empty());
    let is_rust = words.any(|word| RUST.contains(&word) || word.starts_with("edition20"));
    let code = if is_rust { without_hidden_lines(literal) } else { literal.to_owned() };
    format!("<pre><code>{}</code></pre>\n", escaped(&code))
}

/// Rust code without the lines that rustdoc compiles and does not show. Source: the rustdoc book, "Hiding portions of the
/// example".
fn without_hidden_lines(code: &str) -> String {
    let mut shown = String::with_capacity(code.len());
    for line in code.split_inclusive('\n') {
        let trimmed = line.trim();
        if trimmed == "#" || trimmed.starts_with("# ") {
            continue;
        }
        match trimmed.strip_prefix("##") {
            Some(_) => shown.push_str(&line.replacen("##", "#", 1)),
            None => shown.push_str(line),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_lines_of_rust_are_left_out() {
        let code = "# use a::b;\n#\nlet a = 1;\n  # hidden\n## shown\n#[derive(A)]\n#![allow(b)]\nlast";
        assert_eq!(without_hidden_lines(code), "let a = 1;\n# shown\n#[derive(A)]\n#![allow(b)]\nlast");
    }
}
