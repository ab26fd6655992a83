//! From Markdown to HTML that is not trusted yet.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use comrak::nodes::{Node, NodeHtmlBlock, NodeValue};
use comrak::{Arena, Options, format_html, try_parse_document};

use super::escape::escaped;
use crate::highlight::{self, Language, shown_example};

/// How long a document may take to parse.
const TIME: Duration = Duration::from_secs(2);
/// The longest tag in running text, in bytes. A longer one is shown as it is written: the cleaner compares the attributes of
/// a tag with one another.
const MAX_TAG: usize = 8 * 1024;
/// The most words after one `<` in a block of HTML, which may all be attributes.
const MAX_WORDS: usize = 1000;

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

/// A code block with the colours of its language, and without the lines that rustdoc hides. A block that does not say that it
/// is Rust is none: READMEs have the commands of shells in such blocks.
fn code(info: &str, literal: &str) -> String {
    let language = Language::of_fence(info, false);
    let shown = match language {
        Language::Rust => Cow::Owned(shown_example(literal)),
        _ => Cow::Borrowed(literal),
    };
    format!("<pre><code>{}</code></pre>\n", highlight::html(&shown, language))
}
