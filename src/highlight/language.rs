//! Which language a text is in.

use super::tables::{self, Syntax};

/// A language, as far as it is highlighted.
#[derive(Clone, Copy, Debug, Default)]
pub enum Language {
    /// None, or an unknown one.
    #[default]
    Plain,
    /// Rust
    Rust,
    /// Markdown
    Markdown,
    /// Another one.
    Other(&'static Syntax),
}

impl Language {
    /// The language of a file, by its name.
    pub fn of_path(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let by_name = match name {
            "Cargo.lock" | "Cargo.toml.orig" | "Pipfile" => "toml",
            ".cargo_vcs_info.json" => "json",
            "Makefile" | "makefile" | "GNUmakefile" => "make",
            "Dockerfile" | "Containerfile" => "dockerfile",
            "CMakeLists.txt" => "cmake",
            ".gitignore" | ".gitattributes" | ".dockerignore" | ".editorconfig" | ".env" | ".bashrc" => "ini",
            _ => "",
        };
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        if by_name.is_empty() { Self::of_name(extension) } else { Self::of_name(by_name) }
    }

    /// The language of a fenced code block, by the words after the fence. In documentation of Rust, a block without words is
    /// Rust; `rustdoc` says whether this is such documentation.
    pub fn of_fence(info: &str, rustdoc: bool) -> Self {
        let mut words = info.split([',', ' ', '\t', '{']).map(str::trim).filter(|word| !word.is_empty());
        let Some(first) = words.next() else { return if rustdoc { Self::Rust } else { Self::Plain } };
        let is_attribute = |word: &str| {
            matches!(word, "should_panic" | "no_run" | "ignore" | "compile_fail" | "test_harness" | "standalone_crate")
                || word.starts_with("edition20")
                || word.starts_with("ignore-")
                || word.starts_with("E0")
        };
        if first == "rust" || is_attribute(first) { Self::Rust } else { Self::of_name(first) }
    }

    /// The language by its name or by the ending of its files' names.
    pub fn of_name(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        match &*name {
            "rs" | "rust" | "ron" => Self::Rust,
            "md" | "markdown" | "mkd" => Self::Markdown,
            _ => tables::by_name(&name).map_or(Self::Plain, Self::Other),
        }
    }

    /// Its name for people; None if it is not known.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Rust => Some("Rust"),
            Self::Markdown => Some("Markdown"),
            Self::Other(syntax) => Some(syntax.name),
        }
    }
}

/// The code of an example in documentation as readers of it see it: lines that begin with `# ` or are `#` are left out, and
/// of two `##` one stays.
pub fn shown_example(code: &str) -> String {
    let shown = code.split_inclusive('\n').filter_map(|line| {
        let trimmed = line.trim_start();
        let indent = &line[..line.len() - trimmed.len()];
        match trimmed.strip_prefix('#') {
            Some(rest) if rest.starts_with('#') => Some(format!("{indent}{rest}")),
            Some(rest) if rest.trim_end().is_empty() || rest.starts_with(' ') => None,
            _ => Some(line.to_owned()),
        }
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(language: Language) -> &'static str {
        language.name().unwrap_or("-")
    }

    #[test]
    fn a_language_follows_from_the_name_of_the_file() {
        for (path, language) in [
            ("src/lib.rs", "Rust"),
            ("Cargo.toml", "TOML"),
            ("Cargo.toml.orig", "TOML"),
            ("Cargo.lock", "TOML"),
            (".cargo_vcs_info.json", "JSON"),
            ("README.MD", "Markdown"),
            ("src/a.b.c", "C"),
            ("include/x.hpp", "C++"),
            ("build.sh", "Shell"),
            (".github/workflows/ci.yml", "YAML"),
            ("tests/Makefile", "Make"),
            ("LICENSE-MIT", "-"),
            ("rs", "-"),
            ("", "-"),
        ] {
            assert_eq!(name(Language::of_path(path)), language, "{path}");
        }
    }

    #[test]
    fn a_fence_names_its_language_and_rustdoc_has_words_of_its_own() {
        for (info, language) in [
            ("rust", "Rust"),
            ("rust,no_run", "Rust"),
            ("should_panic", "Rust"),
            ("edition2021", "Rust"),
            ("toml", "TOML"),
            ("sh", "Shell"),
            ("console", "Shell"),
            ("text", "-"),
            ("mermaid", "-"),
        ] {
            assert_eq!(name(Language::of_fence(info, true)), language, "{info}");
        }
        assert_eq!(name(Language::of_fence("", true)), "Rust");
        assert_eq!(name(Language::of_fence(" ", false)), "-");
    }

    #[test]
    fn hidden_lines_of_an_example_are_left_out() {
        let code = "# use a::b;\n#\n#[derive(Debug)]\nstruct A;\n    # hidden();\n    ## shown\n#!allow\n# Ok(())";
        assert_eq!(shown_example(code), "#[derive(Debug)]\nstruct A;\n    # shown\n#!allow\n");
    }
}
