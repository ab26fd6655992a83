//! Reads HTML as far as it takes to see that it is harmless.

/// A tag with its attributes, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    pub name: String,
    pub attributes: Vec<(String, String)>,
}

impl Tag {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

/// The tags of a document, the ends included. Fails for markup that a browser could read in another way.
pub fn tags(html: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if rest.starts_with("!DOCTYPE html>") {
            continue;
        }
        let length = rest.find(|c: char| c.is_whitespace() || c == '>').unwrap();
        let name = &rest[..length];
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        assert!(is_name(name.trim_start_matches('/')), "<{}", rest.chars().take(100).collect::<String>());
        rest = &rest[length..];
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('>') {
                rest = after;
                break;
            }
            let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | '>')).unwrap();
            let attribute = rest[..end].to_ascii_lowercase();
            rest = &rest[end..];
            let value = match rest.strip_prefix("=\"") {
                Some(after) => {
                    let (value, after) = after.split_once('"').unwrap();
                    rest = after;
                    value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
                }
                None => String::new(),
            };
            attributes.push((attribute, value));
        }
        tags.push(Tag { name: name.to_ascii_lowercase(), attributes });
    }
    tags
}

/// Elements and attributes that markup of a package may have.
const ELEMENTS: [&str; 57] = [
    "a",
    "abbr",
    "b",
    "bdi",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "dd",
    "del",
    "details",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "section",
    "small",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
    "wbr",
];
const ATTRIBUTES: [&str; 18] = [
    "align",
    "alt",
    "aria-label",
    "class",
    "colspan",
    "height",
    "href",
    "id",
    "loading",
    "open",
    "rel",
    "role",
    "rowspan",
    "src",
    "start",
    "tabindex",
    "title",
    "width",
];

/// Asserts that markup of a package runs nothing, loads nothing from elsewhere, and is of bounded depth.
pub fn assert_harmless(html: &str, case: &str) {
    let mut depth = 0usize;
    for tag in tags(html) {
        let name = tag.name.trim_start_matches('/');
        assert!(ELEMENTS.contains(&name), "{case}: <{name}>");
        if tag.name.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if !matches!(name, "br" | "hr" | "img" | "wbr") {
            depth += 1;
        }
        assert!(depth < 300, "{case}: too deep");
        for (attribute, value) in &tag.attributes {
            assert!(ATTRIBUTES.contains(&attribute.as_str()), "{case}: {attribute}={value:?} of <{name}>");
            match attribute.as_str() {
                "href" => assert_leads_well(value, case),
                "src" => assert!(value.starts_with('/') && !value.starts_with("//"), "{case}: loads {value}"),
                "tabindex" => assert!(value == "0" && matches!(name, "pre" | "table"), "{case}: tabindex {value}"),
                "id" => assert!(value.starts_with("readme-"), "{case}: id {value}"),
                _ => {}
            }
        }
    }
    assert!(!html.contains(['\u{202e}', '\u{2066}', '\u{200b}', '\u{0}']), "{case}: invisible characters");
}

fn assert_leads_well(value: &str, case: &str) {
    let known = ["https://", "http://", "mailto:", "/crates/", "#readme-"];
    assert!(known.iter().any(|beginning| value.starts_with(beginning)), "{case}: leads to {value}");
}

#[test]
fn harmful_markup_is_recognised() {
    let is_harmless = |html: &str| std::panic::catch_unwind(|| assert_harmless(html, "")).is_ok();
    assert!(is_harmless("<p align=\"left\">a &lt;b&gt; <a href=\"https://a\">b</a></p>"));
    for harmful in [
        "<script>",
        "<p onclick=\"a\">",
        "<a href=\"javascript:a\">",
        "<img src=\"https://a\">",
        "<img src=\"//a\">",
        "<p id=\"content\">",
        "<p style=\"a\">",
        "<p/onclick=a>",
        "\u{202e}",
    ] {
        assert!(!is_harmless(harmful), "{harmful}");
    }
}
