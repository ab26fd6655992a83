//! The last changes to cleaned HTML, which is well-formed: its attributes are in double quotes, and every `<` is of a tag.
//!
//! A page loads nothing from other hosts, so an image of another host becomes a link to it with the image's description.
//! Headings are one level lower, because the page has a title of its own; check boxes are characters.

use std::fmt::Write;

use super::escape::escaped;

/// Tidies cleaned HTML.
pub fn tidy(html: &str) -> String {
    let mut tidied = String::with_capacity(html.len());
    let mut links = 0usize;
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        tidied.push_str(&rest[..start]);
        let Some(end) = end_of_tag(&rest[start..]) else { break };
        let tag = &rest[start..start + end];
        rest = &rest[start + end..];
        match name_of(tag) {
            // The anchor of a heading: nothing to see, and so no link.
            "a" if rest.starts_with("</a>") => {
                if let Some(id) = attribute(tag, "id") {
                    let _ = write!(tidied, "<span id=\"{id}\"></span>");
                }
                rest = &rest["</a>".len()..];
                continue;
            }
            "a" => links += 1,
            "/a" => links = links.saturating_sub(1),
            _ => {}
        }
        write_tag(&mut tidied, tag, links > 0);
    }
    tidied.push_str(rest);
    tidied
}

fn write_tag(tidied: &mut String, tag: &str, in_link: bool) {
    match name_of(tag) {
        "img" => write_image(tidied, tag, in_link),
        "input" => {
            let (character, label) = if tag.contains(" checked") { ('☑', "done") } else { ('☐', "not done") };
            let _ = write!(tidied, "<span role=\"img\" aria-label=\"{label}\">{character}</span>");
        }
        name => match level_of(name) {
            Some((slash, level)) => {
                let _ = write!(tidied, "<{slash}h{}{}", (level + 1).min(6), &tag[1 + name.len()..]);
            }
            None => tidied.push_str(tag),
        },
    }
}

/// An image of this host as it is; one of another host as a link, or as its description within a link.
fn write_image(tidied: &mut String, tag: &str, in_link: bool) {
    let source = attribute(tag, "src").unwrap_or_default();
    // Descriptions are escaped already.
    let description = attribute(tag, "alt").filter(|alt| !alt.trim().is_empty());
    let is_here = source.starts_with('/') && !source.starts_with("//");
    if is_here {
        tidied.push_str(tag.trim_end_matches('>'));
        if description.is_none() && attribute(tag, "alt").is_none() {
            tidied.push_str(" alt=\"\"");
        }
        tidied.push_str(" loading=\"lazy\">");
    } else if in_link || source.is_empty() {
        let _ = write!(tidied, "<span class=\"image\">{}</span>", description.unwrap_or("image"));
    } else {
        let shown = description.unwrap_or("image");
        let _ = write!(
            tidied,
            "<a class=\"image\" href=\"{source}\" rel=\"nofollow noopener\" title=\"{}\">{shown}</a>",
            escaped("an image of another host")
        );
    }
}

/// The length of a tag at the beginning of a text. `>` may stand in a value.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut in_value = false;
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => in_value = !in_value,
            b'>' if !in_value => return Some(place + 1),
            _ => {}
        }
    }
    None
}

fn name_of(tag: &str) -> &str {
    let name = &tag[1..];
    let end = name.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(name.len());
    &name[..end]
}

/// The level of a heading's tag, and its slash if it is the end.
fn level_of(name: &str) -> Option<(&str, u8)> {
    let (slash, name) = name.strip_prefix('/').map_or(("", name), |name| ("/", name));
    let level = name.strip_prefix('h')?.parse().ok()?;
    (1..=6).contains(&level).then_some((slash, level))
}

/// The value of an attribute, as it is written.
fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[start..].split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_images_of_this_host_are_loaded() {
        insta::assert_snapshot!(tidy("<img src=\"/a.png\" alt=\"A\">"), @r#"<img src="/a.png" alt="A" loading="lazy">"#);
        insta::assert_snapshot!(tidy("<img src=\"/a.png\">"), @r#"<img src="/a.png" alt="" loading="lazy">"#);
        insta::assert_snapshot!(tidy("<img src=\"https://a/b\" alt=\"A > &quot;B\">"), @r#"<a class="image" href="https://a/b" rel="nofollow noopener" title="an image of another host">A > &quot;B</a>"#);
        insta::assert_snapshot!(tidy("<a href=\"https://a\"><img src=\"//b\" alt=\"B\"></a><img alt=\"\">"), @r#"<a href="https://a"><span class="image">B</span></a><span class="image">image</span>"#);
    }

    #[test]
    fn headings_are_below_the_title_of_the_page() {
        assert_eq!(tidy("<h1 id=\"a\">A</h1><h6>B</h6><hr>"), "<h2 id=\"a\">A</h2><h6>B</h6><hr>");
        insta::assert_snapshot!(tidy("<li><input checked=\"\"> a</li>"), @r#"<li><span role="img" aria-label="done">☑</span> a</li>"#);
    }
}
