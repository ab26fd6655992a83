//! The words of a text for the full-text search: letters and digits only, so that PostgreSQL's parsers find no tags,
//! URLs and operators in a text or a query, and no words that are too long.

/// The longest word that is searched, in bytes. PostgreSQL rejects words above 2 KiB.
const LONGEST: usize = 64;

/// The first words of a text, up to `limit` bytes, separated by spaces.
pub fn words(text: &str, limit: usize) -> String {
    let mut words = String::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty() && word.len() <= LONGEST) {
        if words.len() + word.len() >= limit {
            break;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_only_letters_and_digits_and_are_not_too_long() {
        assert_eq!(words("a-b_c <p>d'e\\f:*&|!\0 1.5 größe 日本 🦀", 100), "a b c p d e f 1 5 größe 日本");
        assert_eq!(words(&format!("a {} b", "x".repeat(65)), 100), "a b");
        assert_eq!(words("aaa bbb ccc", 8), "aaa bbb");
        assert_eq!(words("", 8), "");
    }
}
