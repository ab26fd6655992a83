//! The words of a text, as the full-text search is given them: letters and digits alone, so that neither a text nor a
//! query can mean anything to PostgreSQL's parsers, which know tags, URLs, operators and words that are too long.

/// The longest word worth looking for, in bytes. PostgreSQL refuses those above 2 KiB.
const LONGEST: usize = 64;

/// The words of a text, with spaces between, as many as there are within `limit` bytes.
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
    fn only_letters_and_digits_are_left_and_no_word_is_too_long() {
        assert_eq!(words("a-b_c <p>d'e\\f:*&|!\0 1.5 größe 日本 🦀", 100), "a b c p d e f 1 5 größe 日本");
        assert_eq!(words(&format!("a {} b", "x".repeat(65)), 100), "a b");
        assert_eq!(words("aaa bbb ccc", 8), "aaa bbb");
        assert_eq!(words("", 8), "");
    }
}
