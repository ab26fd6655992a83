//! The languages that are described by tables. To add one, add a row.

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
    pub(super) keywords: &'static [&'static str],
    pub(super) types: &'static [&'static str],
    pub(super) constants: &'static [&'static str],
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
    keywords: &[],
    types: &[],
    constants: &[],
    has_calls: false,
    variables: false,
    dashes_in_words: false,
};

/// Languages with the comments and strings of C.
const LIKE_C: Syntax = Syntax { line_comments: &["//"], block_comments: C_COMMENTS, has_calls: true, ..PLAIN };

/// Languages whose comments begin with `#`.
const WITH_HASHES: Syntax = Syntax { line_comments: &["#"], ..PLAIN };

const C_KEYWORDS: &[&str] = &[
    "auto",
    "break",
    "case",
    "const",
    "continue",
    "default",
    "do",
    "else",
    "enum",
    "extern",
    "for",
    "goto",
    "if",
    "inline",
    "register",
    "restrict",
    "return",
    "sizeof",
    "static",
    "struct",
    "switch",
    "typedef",
    "union",
    "volatile",
    "while",
    "_Alignas",
    "_Atomic",
    "_Generic",
    "_Noreturn",
    "_Static_assert",
    "_Thread_local",
];
const C_TYPES: &[&str] = &[
    "bool",
    "char",
    "double",
    "float",
    "int",
    "long",
    "short",
    "signed",
    "unsigned",
    "void",
    "size_t",
    "ssize_t",
    "int8_t",
    "int16_t",
    "int32_t",
    "int64_t",
    "uint8_t",
    "uint16_t",
    "uint32_t",
    "uint64_t",
    "intptr_t",
    "uintptr_t",
    "_Bool",
];
const CPP_KEYWORDS: &[&str] = &[
    "alignas",
    "alignof",
    "and",
    "asm",
    "auto",
    "break",
    "case",
    "catch",
    "class",
    "co_await",
    "co_return",
    "co_yield",
    "concept",
    "const",
    "consteval",
    "constexpr",
    "constinit",
    "const_cast",
    "continue",
    "decltype",
    "default",
    "delete",
    "do",
    "dynamic_cast",
    "else",
    "enum",
    "explicit",
    "export",
    "extern",
    "final",
    "for",
    "friend",
    "goto",
    "if",
    "inline",
    "mutable",
    "namespace",
    "new",
    "noexcept",
    "not",
    "operator",
    "or",
    "override",
    "private",
    "protected",
    "public",
    "register",
    "reinterpret_cast",
    "requires",
    "return",
    "sizeof",
    "static",
    "static_assert",
    "static_cast",
    "struct",
    "switch",
    "template",
    "this",
    "throw",
    "try",
    "typedef",
    "typeid",
    "typename",
    "union",
    "using",
    "virtual",
    "volatile",
    "while",
];
const JS_KEYWORDS: &[&str] = &[
    "as",
    "async",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "declare",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "export",
    "extends",
    "finally",
    "for",
    "from",
    "function",
    "get",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "namespace",
    "new",
    "of",
    "private",
    "protected",
    "public",
    "readonly",
    "return",
    "set",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "try",
    "type",
    "typeof",
    "var",
    "void",
    "while",
    "with",
    "yield",
];
const PYTHON_KEYWORDS: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except",
    "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise",
    "return", "try", "while", "with", "yield",
];
const SHELL_KEYWORDS: &[&str] = &[
    "case", "do", "done", "elif", "else", "esac", "exec", "exit", "export", "fi", "for", "function", "if", "in",
    "local", "read", "return", "set", "shift", "source", "then", "trap", "unset", "until", "while",
];
const GO_KEYWORDS: &[&str] = &[
    "break",
    "case",
    "chan",
    "const",
    "continue",
    "default",
    "defer",
    "else",
    "fallthrough",
    "for",
    "func",
    "go",
    "goto",
    "if",
    "import",
    "interface",
    "map",
    "package",
    "range",
    "return",
    "select",
    "struct",
    "switch",
    "type",
    "var",
];
const SHADER_KEYWORDS: &[&str] = &[
    "break", "case", "const", "continue", "default", "discard", "do", "else", "fn", "for", "if", "in", "inout", "let",
    "loop", "out", "override", "return", "struct", "switch", "uniform", "var", "varying", "while",
];
const PROTO_KEYWORDS: &[&str] = &[
    "enum",
    "extend",
    "extensions",
    "import",
    "map",
    "message",
    "oneof",
    "option",
    "optional",
    "package",
    "public",
    "repeated",
    "required",
    "reserved",
    "returns",
    "rpc",
    "service",
    "stream",
    "syntax",
];
const DOCKER_KEYWORDS: &[&str] = &[
    "ADD",
    "ARG",
    "AS",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];
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
        constants: &["true", "false", "inf", "nan"],
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
        constants: &["true", "false", "null"],
        ..PLAIN
    },
    Syntax {
        name: "YAML",
        names: &["yaml", "yml"],
        comments_apart: true,
        strings: &[quotes("\"", "\"", true, true), quotes("'", "'", false, true)],
        keys: Keys::Colons,
        constants: &["true", "false", "null", "yes", "no"],
        dashes_in_words: true,
        ..WITH_HASHES
    },
    Syntax {
        name: "C",
        names: &["c", "h"],
        keys: Keys::Directives,
        keywords: C_KEYWORDS,
        types: C_TYPES,
        constants: &["NULL", "true", "false"],
        ..LIKE_C
    },
    Syntax {
        name: "C++",
        names: &["cpp", "cc", "cxx", "c++", "hpp", "hh", "hxx", "cu", "m", "mm"],
        keys: Keys::Directives,
        keywords: CPP_KEYWORDS,
        types: C_TYPES,
        constants: &["NULL", "nullptr", "true", "false"],
        ..LIKE_C
    },
    Syntax {
        name: "JavaScript",
        names: &["js", "mjs", "cjs", "jsx", "javascript"],
        strings: &[DOUBLE, SINGLE, quotes("`", "`", true, true)],
        keywords: JS_KEYWORDS,
        constants: &["true", "false", "null", "undefined", "NaN", "Infinity"],
        ..LIKE_C
    },
    Syntax {
        name: "TypeScript",
        names: &["ts", "tsx", "mts", "typescript"],
        strings: &[DOUBLE, SINGLE, quotes("`", "`", true, true)],
        keywords: JS_KEYWORDS,
        types: &["any", "boolean", "never", "number", "object", "string", "unknown"],
        constants: &["true", "false", "null", "undefined", "NaN", "Infinity"],
        ..LIKE_C
    },
    Syntax {
        name: "Go",
        names: &["go", "golang"],
        strings: &[DOUBLE, SINGLE, quotes("`", "`", false, true)],
        keywords: GO_KEYWORDS,
        types: &["bool", "byte", "error", "float32", "float64", "int", "int32", "int64", "rune", "string", "uint"],
        constants: &["true", "false", "nil", "iota"],
        ..LIKE_C
    },
    Syntax {
        name: "Shader",
        names: &["wgsl", "glsl", "vert", "frag", "comp", "hlsl", "metal"],
        keys: Keys::Directives,
        keywords: SHADER_KEYWORDS,
        types: &["bool", "f16", "f32", "float", "i32", "int", "u32", "uint", "void"],
        constants: &["true", "false"],
        ..LIKE_C
    },
    Syntax {
        name: "Protocol Buffers",
        names: &["proto", "protobuf"],
        keywords: PROTO_KEYWORDS,
        types: &[
            "bool", "bytes", "double", "fixed32", "fixed64", "float", "int32", "int64", "string", "uint32", "uint64",
        ],
        constants: &["true", "false"],
        ..LIKE_C
    },
    Syntax {
        name: "Python",
        names: &["py", "pyi", "python", "bzl"],
        strings: &[quotes("\"\"\"", "\"\"\"", true, true), quotes("'''", "'''", true, true), DOUBLE, SINGLE],
        keywords: PYTHON_KEYWORDS,
        constants: &["True", "False", "None"],
        has_calls: true,
        ..WITH_HASHES
    },
    Syntax {
        name: "Shell",
        names: &["sh", "bash", "zsh", "shell", "console", "shellsession", "shell-session", "ps1", "fish"],
        comments_apart: true,
        strings: &[quotes("\"", "\"", true, true), quotes("'", "'", false, true)],
        keywords: SHELL_KEYWORDS,
        constants: &["true", "false"],
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
        keywords: &["assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with"],
        constants: &["true", "false", "null"],
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
