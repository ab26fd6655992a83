//! What is allowed in the HTML of a package's document: text, lists, tables, links and images; no script, style, form or frame.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ammonia::{Builder, UrlRelative};
use url::Url;

use super::places::{Folder, NamedPath, Places};

/// In front of every id of a document, so that none is that of something else on the page.
pub const PREFIX: &str = "readme-";

const TAGS: [&str; 64] = [
    "a",
    "abbr",
    "b",
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
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "input",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "section",
    "small",
    "span",
    "strike",
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
    "bdi",
    "col",
    "colgroup",
];

/// Elements that are removed with what is in them.
const REMOVED: [&str; 16] = [
    "applet", "audio", "canvas", "embed", "iframe", "math", "noembed", "noscript", "object", "script", "select",
    "style", "svg", "template", "textarea", "video",
];

/// The classes of highlighted code.
const CODE: [&str; 13] = ["a", "b", "c", "d", "f", "h", "k", "l", "m", "n", "p", "s", "t"];

/// Cleans HTML. Relative links are those of a document in this folder.
pub fn clean(html: &str, folder: Folder, places: Arc<dyn Places>) -> String {
    let set = |names: &[&'static str]| names.iter().copied().collect::<HashSet<_>>();
    let attributes: HashMap<&str, HashSet<&str>> = HashMap::from([
        ("a", set(&["href", "aria-label"])),
        ("img", set(&["src", "alt", "width", "height"])),
        ("input", set(&["checked"])),
        ("ol", set(&["start"])),
        ("details", set(&["open"])),
        ("td", set(&["align", "colspan", "rowspan"])),
        ("th", set(&["align", "colspan", "rowspan", "scope"])),
        ("div", set(&["align"])),
        ("p", set(&["align"])),
        ("h1", set(&["align"])),
        ("h2", set(&["align"])),
        ("h3", set(&["align"])),
    ]);
    let classes: HashMap<&str, HashSet<&str>> =
        HashMap::from([("span", set(&CODE)), ("li", set(&["task-list-item"])), ("section", set(&["footnotes"]))]);
    Builder::empty()
        .tags(set(&TAGS))
        .clean_content_tags(set(&REMOVED))
        .tag_attributes(attributes)
        // Both scroll if they are wide, and the keyboard has to get there.
        .set_tag_attribute_values(HashMap::from([
            ("pre", HashMap::from([("tabindex", "0")])),
            ("table", HashMap::from([("tabindex", "0")])),
        ]))
        .generic_attributes(set(&["id", "title"]))
        .allowed_classes(classes)
        .url_schemes(set(&["https", "http", "mailto"]))
        .url_relative(UrlRelative::PassThrough)
        .link_rel(Some("nofollow noopener"))
        .id_prefix(Some(PREFIX))
        .attribute_filter(move |_, name, value| allowed(name, value, &folder, &*places))
        .clean(html)
        .to_string()
}

/// The value that an attribute may have.
fn allowed<'v>(name: &str, value: &'v str, folder: &Folder, places: &dyn Places) -> Option<Cow<'v, str>> {
    match name {
        "href" => target(value, folder, |path| places.link(path)).map(Cow::Owned),
        "src" => target(value, folder, |path| places.image(path)).map(Cow::Owned),
        "width" | "height" | "colspan" | "rowspan" | "start" => {
            let is_number = value.len() <= 4 && value.bytes().all(|byte| byte.is_ascii_digit());
            (is_number || (value.len() <= 4 && value.ends_with('%'))).then_some(Cow::Borrowed(value))
        }
        "align" => ["left", "right", "center"].contains(&value).then_some(Cow::Borrowed(value)),
        _ => Some(Cow::Borrowed(value)),
    }
}

/// Where a link leads: to another host, to a place in the document, or to a file of the package.
fn target(value: &str, folder: &Folder, file: impl Fn(&NamedPath) -> Option<String>) -> Option<String> {
    // Browsers remove these characters before they read a URL.
    let value: String = value.trim().chars().filter(|c| !c.is_ascii_control()).collect();
    if let Some(anchor) = value.strip_prefix('#') {
        return Some(if anchor.starts_with(PREFIX) { value.clone() } else { format!("#{PREFIX}{anchor}") });
    }
    match Url::parse(&value) {
        Ok(url) => matches!(url.scheme(), "https" | "http" | "mailto").then(|| url.to_string()),
        Err(url::ParseError::RelativeUrlWithoutBase) if !value.starts_with("//") && !value.starts_with('\\') => {
            let (path, fragment) = folder.path_of(&value)?;
            let address = file(&path)?;
            Some(fragment.map_or(address.clone(), |fragment| format!("{address}#{fragment}")))
        }
        Err(_) => None,
    }
}
