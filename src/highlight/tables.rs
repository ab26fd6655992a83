//! The languages that are described by tables. To add one, add a row.

use super::words::{
    C_KEYWORDS, C_TYPES, CPP_KEYWORDS, DOCKER_KEYWORDS, GO_KEYWORDS, JS_KEYWORDS, PROTO_KEYWORDS, PYTHON_KEYWORDS,
    SHADER_KEYWORDS, SHELL_KEYWORDS, Words,
};

/// How a language is written.
#[derive(Debug)]
pub struct Syntax {
    /// Its name for people.
    pub name: &'static str,
    /// Its names in fences and the endings of its files' names.
    names: &'static [&'static str],
    pub(super) line_comments: &'static [&'static str],
    /// A comment to the end of the line begins after white space only.
    pub(super) comments_apart: bool,
    pub(super) block_comments: &'static [(&'static str, &'static str)],
    pub(super) strings: &'static [Quotes],
    pub(super) keys: Keys,
    pub(super) keywords: Words,
    pub(super) types: Words,
    pub(super) constants: Words,
    /// A word before a parenthesis is a function.
    pub(super) has_calls: bool,
    /// `$` begins a variable.
    pub(super) variables: bool,
    /// A word may have dashes.
    pub(super) dashes_in_words: bool,
}

/// How a string is written.
#[derive(Debug)]
pub(super) struct Quotes {
    pub open: &'static str,
    pub close: &'static str,
    /// A backslash escapes the next character.
    pub escapes: bool,
    /// It may have several lines.
    pub has_lines: bool,
}

/// What has a meaning at the start of a line, or before a colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    None,
    /// `[section]` and `key = value`.
    Sections,
    /// `key: value`.
    Colons,
    /// Strings before a colon.
    Quoted,
    /// `#directive`.
    Directives,
}

const fn quotes(open: &'static str, close: &'static str, escapes: bool, has_lines: bool) -> Quotes {
    Quotes { open, close, escapes, has_lines }
}

const DOUBLE: Quotes = quotes("\"", "\"", true, false);
const SINGLE: Quotes = quotes("'", "'", true, false);
const C_STRINGS: &[Quotes] = &[DOUBLE, SINGLE];
const C_COMMENTS: &[(&str, &str)] = &[("/*", "*/")];

const PLAIN: Syntax = Syntax {
    name: "",
    names: &[],
    line_comments: &[],
    comments_apart: false,
    block_comments: &[],
    strings: C_STRINGS,
    keys: Keys::None,
    keywords: Words(""),
    types: Words(""),
    constants: Words(""),
    has_calls: false,
    variables: false,
    dashes_in_words: false,
};

/// Languages with the comments and strings of C.
const LIKE_C: Syntax = Syntax { line_comments: &["//"], block_comments: C_COMMENTS, has_calls: true, ..PLAIN };

/// Languages whose comments begin with `#`.
const WITH_HASHES: Syntax = Syntax { line_comments: &["#"], ..PLAIN };

const ASSEMBLY_STRINGS: &[Quotes] = &[DOUBLE];

const SYNTAXES: &[Syntax] = &[
    Syntax {
        name: "TOML",
        names: &["toml", "lock"],
        strings: &[
            quotes("\"\"\"", "\"\"\"", true, true),
            quotes("'''", "'''", false, true),
            DOUBLE,
            quotes("'", "'", false, false),
        ],
        keys: Keys::Sections,
        constants: Words("true false inf nan"),
        dashes_in_words: true,
        ..WITH_HASHES
    },
    Syntax {
        name: "INI",
        names: &["ini", "cfg", "conf", "service", "properties"],
        line_comments: &["#", ";"],
        comments_apart: true,
        keys: Keys::Sections,
        ..PLAIN
    },
    Syntax {
        name: "JSON",
        names: &["json", "json5", "jsonc", "jsonl", "webmanifest"],
        line_comments: &["//"],
        block_comments: C_COMMENTS,
        keys: Keys::Quoted,
        constants: Words("true false null"),
        ..PLAIN
    },
    Syntax {
        name: "YAML",
        names: &["yaml", "yml"],
        comments_apart: true,
        strings: &[quotes("\"", "\"", true, true), quotes("'", "'", false, true)],
        keys: Keys::Colons,
        constants: Words("true false null yes no"),
        dashes_in_words: true,
        ..WITH_HASHES
    },
    Syntax {
        name: "C",
        names: &["c", "h"],
        keys: Keys::Directives,
        keywords: C_KEYWORDS,
        types: C_TYPES,
        constants: Words("NULL true false"),
        ..LIKE_C
    },
    Syntax {
        name: "C++",
        names: &["cpp", "cc", "cxx", "c++", "hpp", "hh", "hxx", "cu", "m", "mm"],
        keys: Keys::Directives,
        keywords: CPP_KEYWORDS,
        types: C_TYPES,
        constants: Words("NULL nullptr true false"),
        ..LIKE_C
    },
    Syntax {
        name: "JavaScript",
        names: &["js", "mjs", "cjs", "jsx", "javascript"],
        strings: &[DOUBLE, SINGLE, quotes("`", "`", true, true)],
        keywords: JS_KEYWORDS,
        constants: Words("true false null undefined NaN Infinity"),
        ..LIKE_C
    },
    Syntax {
        name: "TypeScript",
        names: &["ts", "tsx", "mts", "typescript"],
        strings: &[DOUBLE, SINGLE, quotes("`", "`", true, true)],
        keywords: JS_KEYWORDS,
        types: Words("any boolean never number object string unknown"),
        constants: Words("true false null undefined NaN Infinity"),
        ..LIKE_C
    },
    Syntax {
        name: "Go",
        names: &["go", "golang"],
        strings: &[DOUBLE, SINGLE, quotes("`", "`", false, true)],
        keywords: GO_KEYWORDS,
        types: Words("bool byte error float32 float64 int int32 int64 rune string uint"),
        constants: Words("true false nil iota"),
        ..LIKE_C
    },
    Syntax {
        name: "Shader",
        names: &["wgsl", "glsl", "vert", "frag", "comp", "hlsl", "metal"],
        keys: Keys::Directives,
        keywords: SHADER_KEYWORDS,
        types: Words("bool f16 f32 float i32 int u32 uint void"),
        constants: Words("true false"),
        ..LIKE_C
    },
    Syntax {
        name: "Protocol Buffers",
        names: &["proto", "protobuf"],
        keywords: PROTO_KEYWORDS,
        types: Words("bool bytes double fixed32 fixed64 float int32 int64 string uint32 uint64"),
        constants: Words("true false"),
        ..LIKE_C
    },
    Syntax {
        name: "Python",
        names: &["py", "pyi", "python", "bzl"],
        strings: &[quotes("\"\"\"", "\"\"\"", true, true), quotes("'''", "'''", true, true), DOUBLE, SINGLE],
        keywords: PYTHON_KEYWORDS,
        constants: Words("True False None"),
        has_calls: true,
        ..WITH_HASHES
    },
    Syntax {
        name: "Shell",
        names: &["sh", "bash", "zsh", "shell", "console", "shellsession", "shell-session", "ps1", "fish"],
        comments_apart: true,
        strings: &[quotes("\"", "\"", true, true), quotes("'", "'", false, true)],
        keywords: SHELL_KEYWORDS,
        constants: Words("true false"),
        variables: true,
        dashes_in_words: true,
        ..WITH_HASHES
    },
    Syntax { name: "Make", names: &["make", "makefile", "mk"], strings: &[], variables: true, ..WITH_HASHES },
    Syntax {
        name: "Dockerfile",
        names: &["dockerfile", "docker"],
        comments_apart: true,
        keywords: DOCKER_KEYWORDS,
        variables: true,
        ..WITH_HASHES
    },
    Syntax {
        name: "CMake",
        names: &["cmake"],
        strings: &[quotes("\"", "\"", true, true)],
        has_calls: true,
        variables: true,
        ..WITH_HASHES
    },
    Syntax {
        name: "Assembly",
        names: &["s", "asm", "nasm"],
        line_comments: &["//", ";"],
        block_comments: C_COMMENTS,
        strings: ASSEMBLY_STRINGS,
        keys: Keys::Directives,
        ..PLAIN
    },
    Syntax {
        name: "Nix",
        names: &["nix"],
        strings: &[quotes("\"", "\"", true, true), quotes("''", "''", false, true)],
        keywords: Words("assert else if in inherit let or rec then with"),
        constants: Words("true false null"),
        dashes_in_words: true,
        ..WITH_HASHES
    },
    Syntax {
        name: "SQL",
        names: &["sql"],
        line_comments: &["--"],
        block_comments: C_COMMENTS,
        strings: &[quotes("'", "'", false, true), quotes("\"", "\"", false, false)],
        ..PLAIN
    },
    Syntax { name: "CSS", names: &["css", "scss", "less"], block_comments: C_COMMENTS, dashes_in_words: true, ..PLAIN },
    Syntax {
        name: "HTML",
        names: &["html", "htm", "xml", "svg", "xhtml"],
        block_comments: &[("<!--", "-->")],
        strings: &[quotes("\"", "\"", false, false)],
        ..PLAIN
    },
];

/// The language with this name, in lower case.
pub(super) fn by_name(name: &str) -> Option<&'static Syntax> {
    SYNTAXES.iter().find(|syntax| syntax.names.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_language() {
        let mut names: Vec<&str> = SYNTAXES.iter().flat_map(|syntax| syntax.names).copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| *name == name.to_ascii_lowercase()));
    }
}
