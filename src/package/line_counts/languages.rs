//! The languages that count: those of source files in crates, and of foreign code that comes with them. Their names are
//! tokei's. A language that is missing here does not count; to add one, add a row.

/// How comments and texts are written in a language.
#[derive(Debug)]
pub struct Language {
    pub name: &'static str,
    extensions: &'static [&'static str],
    /// What makes the rest of a line a comment.
    pub(super) line_comments: &'static [&'static str],
    /// Beginnings and ends of comments.
    pub(super) block_comments: &'static [Ends],
    /// A comment may be within another one.
    pub(super) nests: bool,
    /// Beginnings and ends of texts in which a backslash escapes.
    pub(super) texts: &'static [Ends],
    /// Beginnings and ends of texts in which it does not.
    pub(super) raw_texts: &'static [Ends],
    /// Beginnings and ends of texts that are comments.
    pub(super) documentation_texts: &'static [Ends],
    /// Beginnings of lines that are documentation, in another language.
    pub(super) documentation: &'static [&'static str],
    /// Single quotes enclose one character.
    pub(super) has_characters: bool,
}

type Ends = (&'static str, &'static str);

const C_COMMENTS: &[Ends] = &[("/*", "*/")];
const DOUBLE: &[Ends] = &[("\"", "\"")];
const QUOTES: &[Ends] = &[("\"", "\""), ("'", "'")];
const QUOTES_AND_TEMPLATES: &[Ends] = &[("\"", "\""), ("'", "'"), ("`", "`")];
const MARKUP: &[Ends] = &[("<!--", "-->")];

const fn language(name: &'static str, extensions: &'static [&'static str]) -> Language {
    Language {
        name,
        extensions,
        line_comments: &[],
        block_comments: &[],
        nests: false,
        texts: QUOTES,
        raw_texts: &[],
        documentation_texts: &[],
        documentation: &[],
        has_characters: false,
    }
}

/// With `//` and `/* */`, and texts in double quotes.
const fn like_c(name: &'static str, extensions: &'static [&'static str]) -> Language {
    let base = language(name, extensions);
    Language { line_comments: &["//"], block_comments: C_COMMENTS, texts: DOUBLE, has_characters: true, ..base }
}

/// With `//` and `/* */`, and texts in quotes of all kinds.
const fn like_javascript(name: &'static str, extensions: &'static [&'static str]) -> Language {
    let base = language(name, extensions);
    Language { line_comments: &["//"], block_comments: C_COMMENTS, texts: QUOTES_AND_TEMPLATES, ..base }
}

/// With `#`.
const fn like_shell(name: &'static str, extensions: &'static [&'static str]) -> Language {
    Language { line_comments: &["#"], ..language(name, extensions) }
}

const LANGUAGES: &[Language] = &[
    Language {
        nests: true,
        raw_texts: &[("r##\"", "\"##"), ("r#\"", "\"#"), ("r\"", "\"")],
        documentation: &["///", "//!"],
        ..like_c("Rust", &["rs"])
    },
    like_c("C", &["c", "ec", "pgc"]),
    like_c("C Header", &["h"]),
    Language { raw_texts: &[("R\"(", ")\"")], ..like_c("C++", &["cc", "cpp", "cxx", "c++", "pcc", "tpp"]) },
    like_c("C++ Header", &["hh", "hpp", "hxx", "inl", "ipp"]),
    Language { raw_texts: &[("@\"", "\"")], ..like_c("C#", &["cs", "csx"]) },
    like_c("CUDA", &["cu"]),
    like_c("Go", &["go"]),
    like_c("GLSL", &["vert", "tesc", "tese", "geom", "frag", "comp", "mesh", "task", "glsl"]),
    like_c("GNU Style Assembly", &["s"]),
    like_c("HLSL", &["hlsl", "fx", "fxsub"]),
    like_c("Java", &["java"]),
    like_c("Metal Shading Language", &["metal"]),
    like_c("Objective-C", &["m"]),
    like_c("Objective-C++", &["mm"]),
    like_c("Scala", &["sc", "scala"]),
    like_c("Slint", &["slint"]),
    like_c("Solidity", &["sol"]),
    Language { nests: true, ..like_c("Kotlin", &["kt", "kts"]) },
    Language { nests: true, ..like_c("Swift", &["swift"]) },
    Language { block_comments: &[], ..like_c("Zig", &["zig"]) },
    Language { block_comments: &[], texts: QUOTES, has_characters: false, ..like_c("Pest", &["pest"]) },
    Language { block_comments: &[], raw_texts: &[("r#\"", "\"#")], ..like_c("LALRPOP", &["lalrpop"]) },
    like_javascript("JavaScript", &["cjs", "js", "mjs"]),
    like_javascript("JSX", &["jsx"]),
    like_javascript("TypeScript", &["ts", "mts", "cts"]),
    like_javascript("TSX", &["tsx"]),
    like_javascript("CSS", &["css"]),
    like_javascript("Sass", &["sass", "scss"]),
    like_javascript("Dart", &["dart"]),
    Language { line_comments: &["#", "//"], ..like_javascript("PHP", &["php"]) },
    Language {
        documentation_texts: &[("\"\"\"", "\"\"\""), ("'''", "'''")],
        ..like_shell("Python", &["py", "pyw", "pyi"])
    },
    Language {
        documentation_texts: &[("\"\"\"", "\"\"\""), ("'''", "'''")],
        ..like_shell("Cython", &["pyx", "pxd", "pxi"])
    },
    like_shell("Shell", &["sh"]),
    like_shell("BASH", &["bash"]),
    like_shell("Fish", &["fish"]),
    like_shell("Zsh", &["zsh"]),
    Language { block_comments: &[("=pod", "=cut")], ..like_shell("Perl", &["pl", "pm"]) },
    Language { block_comments: &[("=begin", "=end")], ..like_shell("Ruby", &["rb"]) },
    Language { block_comments: &[("#=", "=#")], nests: true, texts: DOUBLE, ..like_shell("Julia", &["jl"]) },
    Language { texts: DOUBLE, ..like_shell("GraphQL", &["gql", "graphql"]) },
    Language { line_comments: &[";"], ..language("Assembly", &["asm"]) },
    Language { line_comments: &[";;"], ..language("WebAssembly", &["wat", "wast"]) },
    Language { line_comments: &["--"], block_comments: C_COMMENTS, texts: &[("'", "'")], ..language("SQL", &["sql"]) },
    Language { line_comments: &["--"], block_comments: &[("--[[", "]]")], ..language("Lua", &["lua", "luau"]) },
    Language {
        line_comments: &["--"],
        block_comments: &[("{-", "-}")],
        nests: true,
        texts: &[],
        ..language("Haskell", &["hs"])
    },
    Language { block_comments: &[("(*", "*)")], texts: DOUBLE, ..language("OCaml", &["ml", "mli", "re", "rei"]) },
    Language { line_comments: &[";"], texts: DOUBLE, ..language("Clojure", &["clj"]) },
    Language { line_comments: &["!"], texts: DOUBLE, ..language("FORTRAN Modern", &["f03", "f08", "f90", "f95"]) },
    Language { block_comments: C_COMMENTS, texts: &[], ..language("OpenCL", &["cl", "ocl"]) },
    Language { block_comments: MARKUP, ..language("HTML", &["html", "htm"]) },
    Language { block_comments: MARKUP, ..language("Svelte", &["svelte"]) },
    Language { line_comments: &["//"], block_comments: &[("<!--", "-->"), ("/*", "*/")], ..language("Vue", &["vue"]) },
    Language { block_comments: &[("<!--", "-->"), ("{{!", "}}")], ..language("Handlebars", &["hbs", "handlebars"]) },
    Language { block_comments: &[("<!--", "-->"), ("{#", "#}")], ..language("Tera", &["tera"]) },
    Language { block_comments: &[("{#", "#}")], texts: &[], ..language("Jinja2", &["j2", "jinja"]) },
];

/// The language of files whose names end in this, after the last dot.
pub(super) fn of_extension(extension: &str) -> Option<&'static Language> {
    LANGUAGES.iter().find(|language| language.extensions.contains(&extension))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_language_and_every_extension_stands_here_once() {
        let names: BTreeSet<&str> = LANGUAGES.iter().map(|language| language.name).collect();
        assert_eq!(names.len(), LANGUAGES.len());
        let extensions: Vec<&str> = LANGUAGES.iter().flat_map(|language| language.extensions).copied().collect();
        assert_eq!(extensions.iter().collect::<BTreeSet<_>>().len(), extensions.len());
    }
}
