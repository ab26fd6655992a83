//! The lines of code and of comments in a package, by language, in the form and by the rules of crates.io, which counts
//! with tokei: generated, example and test files do not count, nor do data, documentation and build files.
//!
//! Not tokei itself, because it brings sixty further crates with it, some of which `deny.toml` excludes. It is also the
//! reason that there is a table of languages here: see `languages`.

mod counter;
mod languages;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use languages::Language;

/// The lines of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineCounts {
    /// By the name of the language.
    pub languages: BTreeMap<String, LanguageLines>,
    pub total_code_lines: u64,
    pub total_comment_lines: u64,
}

/// The lines of a package in one language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LanguageLines {
    /// Lines with code, without blank lines and comments.
    pub code_lines: u64,
    /// Lines with only a comment. Documentation comments of Rust are neither code nor comments.
    pub comment_lines: u64,
    pub files: u64,
}

/// The language of a file that counts, by its path in the package.
pub(super) fn counted(path: &str) -> Option<&'static Language> {
    const LEFT_OUT: [&str; 6] = ["benches/", "benchmark/", "examples/", "tests/", "test/", "testing/"];
    let lower = path.to_lowercase();
    let file = path.rsplit('/').next()?;
    if file.starts_with('.') || LEFT_OUT.iter().any(|part| lower.contains(part)) {
        return None;
    }
    languages::of_extension(file.rsplit_once('.')?.1)
}

impl LineCounts {
    /// Adds a file.
    pub(super) fn add(&mut self, language: &Language, content: &[u8]) {
        let lines = counter::count(language, content);
        let of_language = self.languages.entry(language.name.to_owned()).or_default();
        of_language.code_lines += lines.code;
        of_language.comment_lines += lines.comments;
        of_language.files += 1;
        self.total_code_lines += lines.code;
        self.total_comment_lines += lines.comments;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_count_by_their_place_and_their_language() {
        for path in ["src/lib.rs", "build.rs", "src/test.rs", "src/wrapper.c", "latest/a.py", "src/Tests.rs"] {
            // "latest/" ends in "test/": crates.io leaves it out as well.
            assert_eq!(counted(path).is_some(), path != "latest/a.py", "{path}");
        }
        for path in [
            "tests/a.rs",
            "src/tests/a.rs",
            "Examples/a.rs",
            "benches/b.rs",
            ".hidden.rs",
            "README.md",
            "Cargo.toml",
            "a.json",
            "Makefile",
            "rs",
            "",
        ] {
            assert!(counted(path).is_none(), "{path}");
        }
    }

    #[test]
    fn the_counts_have_the_form_of_crates_io() {
        let mut counts = LineCounts::default();
        let mut add = |path: &str, content: &str| counts.add(counted(path).unwrap(), content.as_bytes());
        add("src/lib.rs", "// This is a comment\nfn main() {\n    println!(\"Hello\");\n}");
        add("src/b.rs", "fn b() {}\n");
        add("x.h", "/* a\n\nb */\nint x; // one\n");
        insta::assert_snapshot!(serde_json::to_string_pretty(&counts).unwrap(), @r#"
        {
          "languages": {
            "C Header": {
              "code_lines": 1,
              "comment_lines": 3,
              "files": 1
            },
            "Rust": {
              "code_lines": 4,
              "comment_lines": 1,
              "files": 2
            }
          },
          "total_code_lines": 5,
          "total_comment_lines": 4
        }
        "#);
    }
}
