//! Texts use the field's words: those that were given up stay out of code, help, messages and documentation.

use std::path::{Path, PathBuf};

/// Words and phrases that the texts do not use, and what they use in their place.
const GIVEN_UP: &[(&str, &str)] = &[
    ("can't", "cannot"),
    ("won't", "will not"),
    ("don't", "do not"),
    ("doesn't", "does not"),
    ("isn't", "is not"),
    ("didn't", "did not"),
    ("owed", "pending"),
    ("wish", "change"),
    ("wishes", "changes"),
    ("told", "reported, notified, logged"),
    ("whoever", "the process, user or client that"),
    ("hears", "receives"),
    ("for good", "permanently"),
    ("be it", "both … and"),
    ("at hand", "current"),
    ("to be had", "available"),
    ("looks after", "manages"),
    ("look after", "manage"),
    ("private PostgreSQL", "embedded PostgreSQL"),
    ("private cluster", "embedded cluster"),
    ("wanted state", "desired state"),
];

/// Where the texts are.
const PLACES: [&str; 9] = [
    "src",
    "docs",
    "script",
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "examples",
];

fn texts(path: PathBuf, found: &mut Vec<(PathBuf, String)>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            texts(entry.unwrap().path(), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "svg") {
        // Drawings have the code of the program that drew them.
    } else if let Ok(text) = std::fs::read_to_string(&path) {
        found.push((path, text));
    }
}

/// Whether a line has a phrase, as whole words and however it is capitalised.
fn has(line: &str, phrase: &str) -> bool {
    let (line, phrase) = (line.to_lowercase(), phrase.to_lowercase());
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(&phrase)
        .any(|(place, found)| !line[..place].ends_with(is_word) && !line[place + found.len()..].starts_with(is_word))
}

#[test]
fn words_that_were_given_up_stay_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    PLACES.iter().for_each(|place| texts(root.join(place), &mut found));
    assert!(found.len() > 300);
    let mut wrong = Vec::new();
    for (path, text) in found {
        for (number, line) in text.lines().enumerate() {
            for (phrase, instead) in GIVEN_UP.iter().filter(|(phrase, _)| has(line, phrase)) {
                let path = path.strip_prefix(root).unwrap().display();
                wrong.push(format!("{path}:{}: {phrase:?}: write {instead:?}", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_phrase_is_found_as_whole_words() {
    assert!(has("it Can't be", "can't") && has("(owed)", "owed") && has("looks after it", "looks after"));
    assert!(!has("allowed", "owed") && !has("at handling", "at hand") && !has("`wish_list`", "wish"));
}
