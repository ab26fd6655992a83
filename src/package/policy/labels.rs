//! Keywords and categories: their number and syntax.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The largest number of keywords of a version, and of categories.
pub const MAX_LABELS: usize = 5;

/// The longest keyword, in characters.
pub const MAX_KEYWORD: usize = 20;

/// The longest category, in characters.
pub const MAX_CATEGORY: usize = 64;

/// The slugs of crates.io, one per line: <https://crates.io/category_slugs>.
static CATEGORIES: LazyLock<BTreeSet<&str>> = LazyLock::new(|| include_str!("categories.txt").lines().collect());

/// Whether crates.io would accept the keyword: an ASCII letter or digit, then letters, digits, `_`, `-` and `+`.
pub fn is_keyword(keyword: &str) -> bool {
    keyword.len() <= MAX_KEYWORD
        && keyword.starts_with(|c: char| c.is_ascii_alphanumeric())
        && keyword.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+'))
}

/// Whether a category is written as a slug: lower-case ASCII letters, digits, `:`, `+`, `_` and `-`. A private registry may
/// have its own categories; longer ones would not fit into the database index.
pub fn is_category(category: &str) -> bool {
    (1..=MAX_CATEGORY).contains(&category.len())
        && category
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b':' | b'+' | b'_' | b'-'))
}

/// The categories of crates.io, in alphabetical order.
pub fn known_categories() -> impl Iterator<Item = &'static str> {
    CATEGORIES.iter().copied()
}

/// Whether crates.io has the category.
pub fn is_known_category(slug: &str) -> bool {
    CATEGORIES.contains(slug)
}

#[cfg(test)]
mod tests {
    use super::{CATEGORIES, is_category, is_keyword, is_known_category};

    // rule: 14
    #[test]
    fn a_keyword_is_short_and_plain() {
        for keyword in ["cargo", "c++", "no_std", "3d-math", &"x".repeat(20)] {
            assert!(is_keyword(keyword), "{keyword}");
        }
        for keyword in ["", "-x", "_x", "two words", "größe", "a.b", &"x".repeat(21)] {
            assert!(!is_keyword(keyword), "{keyword:?}");
        }
    }

    // rule: 14
    #[test]
    fn a_category_is_a_slug_of_at_most_64_characters() {
        for category in ["x", "web-programming::http-server", "c++", "in_house", "3d", &"x".repeat(64)] {
            assert!(is_category(category), "{category}");
        }
        for category in ["", "Algorithms", "two words", "größe", "a.b", "a/b", "a\0", &"x".repeat(65)] {
            assert!(!is_category(category), "{category:?}");
        }
    }

    #[test]
    fn categories_are_slugs_with_their_parents() {
        assert!(is_known_category("development-tools::cargo-plugins") && !is_known_category("cargo-plugins"));
        assert!(!is_known_category("Algorithms") && !is_known_category(""));
        for slug in CATEGORIES.iter() {
            assert!(is_category(slug), "{slug}");
            if let Some((parent, _)) = slug.rsplit_once("::") {
                assert!(is_known_category(parent), "{slug}");
            }
        }
    }
}
