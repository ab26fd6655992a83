//! What somebody looks for.

use super::words::words;
use crate::package::name;

/// The most of a text that is looked for, in bytes: a dozen words.
const LONGEST_TEXT: usize = 100;

/// The order of what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The best match first; without a text the same as by name.
    Relevance,
    Downloads,
    RecentDownloads,
    RecentUpdates,
    New,
    Alphabetical,
}

/// Which crates, whatever the text.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In lower case.
    pub keyword: Option<String>,
    /// The slug of a category, in lower case.
    pub category: Option<String>,
    /// Names in any spelling.
    pub names: Option<Vec<String>>,
    /// An owner.
    pub owner: Option<i32>,
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        self.keyword.is_none() && self.category.is_none() && self.names.is_none() && self.owner.is_none()
    }
}

/// A search, or a list if there is no text.
#[derive(Clone, Debug)]
pub struct SearchQuery {
    pub text: Option<SearchText>,
    pub filter: Filter,
    pub sort: Sort,
}

/// A part of what is found.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// How many.
    pub limit: i64,
    /// How many come before.
    pub offset: i64,
}

/// A text that somebody typed, in the forms that the database is asked in. No text is refused: what can't be part of a
/// word or of a name is no part of the search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchText {
    /// Its words.
    pub words: String,
    /// The name that it may be, or may be the beginning of, in the canonical form.
    pub name: Option<String>,
}

impl SearchText {
    /// Takes a text apart; None if it is blank, which asks for everything.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let words = words(text, LONGEST_TEXT);
        let name = text.to_ascii_lowercase().replace(['-', ' '], "_");
        let can_be = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_name = name.len() <= name::MAX_LENGTH && name.chars().all(can_be);
        Some(Self { words, name: is_name.then_some(name) })
    }

    /// The end of the range of names that begin with this one, in the order of bytes.
    pub fn name_end(&self) -> Option<String> {
        let mut end = self.name.clone()?;
        // What comes after a letter, a digit or an underscore in ASCII is no part of a name, and one byte.
        let last = end.pop()?;
        end.push(char::from(u8::try_from(last).ok()? + 1));
        Some(end)
    }

    /// Names that differ from this one by two neighbours in the wrong order, which trigrams see least.
    pub fn transposed(&self) -> Vec<String> {
        let name: Vec<char> = self.name.iter().flat_map(|name| name.chars()).collect();
        (1..name.len())
            .filter(|&place| name[place - 1] != name[place])
            .map(|place| {
                let mut other = name.clone();
                other.swap(place - 1, place);
                other.into_iter().collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, Option<String>) {
        let text = SearchText::parse(text).unwrap();
        (text.words, text.name)
    }

    #[test]
    fn a_text_is_words_and_perhaps_a_name() {
        assert_eq!(parsed(" Serde-JSON "), ("Serde JSON".to_owned(), Some("serde_json".to_owned())));
        assert_eq!(parsed("serde json"), ("serde json".to_owned(), Some("serde_json".to_owned())));
        assert_eq!(parsed("größe"), ("größe".to_owned(), None));
        assert_eq!(parsed("a'b\\%:*&|!\0"), ("a b".to_owned(), None));
        assert_eq!(parsed("🦀"), (String::new(), None));
        assert_eq!(SearchText::parse("  "), None);
        let (words, name) = parsed(&"word ".repeat(3000));
        assert!(words.len() <= LONGEST_TEXT && name.is_none());
    }

    #[test]
    fn the_range_of_a_prefix_ends_before_the_next_name() {
        let end = |text: &str| SearchText::parse(text).unwrap().name_end().unwrap();
        assert_eq!((end("tok"), end("z"), end("a9"), end("a_")), ("tol".into(), "{".into(), "a:".into(), "a`".into()));
    }

    #[test]
    fn neighbours_are_transposed() {
        assert_eq!(SearchText::parse("abb").unwrap().transposed(), ["bab"]);
    }
}
