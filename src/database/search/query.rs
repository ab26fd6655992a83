//! Queries.

use chrono::{DateTime, Utc};

use super::words::words;
use crate::package::name;

/// The longest part of a text that is searched for, in bytes: about a dozen words.
const LONGEST_TEXT: usize = 100;

/// The order of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The best match first; without a text, by name.
    Relevance,
    Downloads,
    RecentDownloads,
    RecentUpdates,
    New,
    Alphabetical,
}

/// Conditions on crates, in addition to the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The slug of a category, in lower case. Its subcategories count as well.
    pub category: Option<String>,
    /// All of them hold.
    pub only: Vec<Only>,
    /// Without crates of which all versions are yanked.
    pub without_yanked: bool,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Only {
    /// Crates with all of these keywords, in lower case.
    Keywords(Vec<String>),
    /// Crates whose canonical names begin with this.
    Beginning(String),
    /// Crates of the user with this id.
    Owner(i32),
    /// Crates of the team with this id.
    Team(i32),
    /// Crates with these names, in any spelling.
    Names(Vec<String>),
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The last crate of the page before, by what the list is sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Its canonical name.
    Name(String),
    /// When it was created, and its id.
    New(DateTime<Utc>, i32),
    /// When it last changed, and its id.
    Updated(DateTime<Utc>, i32),
    /// Its downloads, and its id.
    Downloads(i64, i32),
    /// Its recent downloads, and its id.
    RecentDownloads(i64, i32),
}

/// A search, or a list if it has no text.
#[derive(Clone, Debug)]
pub struct SearchQuery {
    pub text: Option<SearchText>,
    pub filter: Filter,
    pub sort: Sort,
    /// Only the crates after this one; for lists, not for searches. It must be of the same order.
    pub after: Option<After>,
}

/// A part of a result.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The most crates of the page.
    pub limit: i64,
    /// The number of crates on the pages before.
    pub offset: i64,
}

/// A search text, in the forms that the statements use. No text is rejected: characters that cannot be part of a word
/// or of a name are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchText {
    /// The words of the text.
    pub words: String,
    /// The text as a crate name, or as a prefix of one, in canonical form; None if it cannot be one.
    pub name: Option<String>,
}

impl SearchText {
    /// Parses a text; None if it is blank, which matches every crate.
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

    /// The end, in byte order, of the range of names that begin with the text.
    pub fn name_end(&self) -> Option<String> {
        let mut end = self.name.clone()?;
        // The successor of a letter, a digit or an underscore in ASCII is one byte too.
        let last = end.pop()?;
        end.push(char::from(u8::try_from(last).ok()? + 1));
        Some(end)
    }

    /// The name with each pair of neighbouring characters swapped. Trigrams hardly find such names.
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
    fn a_text_is_parsed_into_words_and_a_name() {
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
    fn neighbouring_characters_are_swapped() {
        assert_eq!(SearchText::parse("abb").unwrap().transposed(), ["bab"]);
    }
}
