//! What a browser and the cleaner can bear: elements that stay open are opened again in every paragraph that follows, so a few
//! kilobytes can become gigabytes.

use std::collections::HashMap;

/// The most elements that may be open at the same time.
const MAX_DEPTH: usize = 200;
/// The most of the product of the depth and the number of tags.
const MAX_WORK: usize = 2_000_000;

/// Elements that have no end.
const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "param"];

/// Whether HTML has a bearable number of elements, and of open ones.
pub fn check(html: &str) -> bool {
    let mut open: HashMap<String, usize> = HashMap::new();
    let (mut depth, mut deepest, mut tags) = (0usize, 0usize, 0usize);
    for tag in html.split('<').skip(1) {
        tags += 1;
        let (is_end, rest) = tag.strip_prefix('/').map_or((false, tag), |rest| (true, rest));
        let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let name = rest[..length.min(20)].to_ascii_lowercase();
        if name.is_empty() || VOID.contains(&&*name) {
            continue;
        }
        let count = open.entry(name).or_default();
        // An end without a beginning ends nothing.
        (*count, depth) = match (is_end, *count) {
            (true, 0) => (0, depth),
            (true, count) => (count - 1, depth - 1),
            (false, count) => (count + 1, depth + 1),
        };
        deepest = deepest.max(depth);
        if deepest > MAX_DEPTH || deepest * tags > MAX_WORK {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_that_stay_open_are_counted_and_stray_ends_are_not() {
        assert!(check(&"<p>a</p>".repeat(100_000)));
        assert!(check(&"<br>".repeat(100_000)));
        assert!(!check(&"<div>".repeat(201)));
        assert!(!check(&"<font></q>".repeat(201)));
        assert!(!check(&(("<font a=1>".repeat(100)) + &"<p>x</p>".repeat(20_000))));
        assert!(!check(&format!("{}{}", "</b>".repeat(500), "<b>".repeat(201))));
    }
}
