//! Rust, divided by the lexer of rustc.

use ra_ap_rustc_lexer::{FrontmatterAllowed, TokenKind, strip_shebang, tokenize};

use super::pieces::{Class, Pieces};

const KEYWORDS: [&str; 45] = [
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "try",
    "type", "unsafe", "use", "where",
];
const MORE_KEYWORDS: [&str; 3] = ["union", "while", "yield"];
const TYPES: [&str; 19] = [
    "bool", "char", "f128", "f16", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "never", "str", "u128",
    "u16", "u32", "u64", "u8",
];

/// Divides a text, whose first byte is at `base`, into the pieces of Rust.
pub(super) fn divide(text: &str, base: usize, pieces: &mut Pieces) {
    let start = strip_shebang(text).unwrap_or(0);
    if start > 0 {
        pieces.add(base + start, Class::Comment);
    }
    let (mut place, mut attribute) = (start, Attribute::default());
    let mut tokens = tokenize(&text[start..], FrontmatterAllowed::Yes).peekable();
    while let Some(token) = tokens.next() {
        let end = place + token.len as usize;
        let inside = attribute.pass(token.kind, tokens.peek().map(|next| next.kind));
        let class = match token.kind {
            TokenKind::Ident => of_word(&text[place..end], &text[end..]),
            kind => of_token(kind),
        };
        let class = if inside && !matches!(class, Class::Comment | Class::String) { Class::Attribute } else { class };
        pieces.add(base + end, class);
        place = end;
    }
    pieces.add(base + text.len(), Class::Plain);
}

/// The number of `unsafe` in a text of Rust: the keyword, in code and in attributes, not in comments, strings and names.
pub fn unsafe_count(text: &str) -> usize {
    let mut place = strip_shebang(text).unwrap_or(0);
    let is_unsafe =
        |kind: TokenKind, range: std::ops::Range<usize>| kind == TokenKind::Ident && &text[range] == "unsafe";
    let tokens = tokenize(&text[place..], FrontmatterAllowed::Yes).map(|token| {
        let start = place;
        place += token.len as usize;
        is_unsafe(token.kind, start..place)
    });
    tokens.filter(|is_unsafe| *is_unsafe).count()
}

fn of_token(kind: TokenKind) -> Class {
    match kind {
        TokenKind::LineComment { doc_style: Some(_) } | TokenKind::BlockComment { doc_style: Some(_), .. } => {
            Class::Documentation
        }
        TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => Class::Comment,
        TokenKind::Frontmatter { .. } => Class::Attribute,
        TokenKind::Literal { kind, .. } => of_literal(kind),
        TokenKind::Lifetime { .. } | TokenKind::RawLifetime => Class::Lifetime,
        _ => Class::Plain,
    }
}

fn of_literal(kind: ra_ap_rustc_lexer::LiteralKind) -> Class {
    use ra_ap_rustc_lexer::LiteralKind::{Float, Int};
    if matches!(kind, Int { .. } | Float { .. }) { Class::Number } else { Class::String }
}

/// The class of a word, by how it is written and by what follows it.
fn of_word(word: &str, rest: &str) -> Class {
    let next = rest.trim_start();
    let first = word.chars().next().unwrap_or_default();
    if rest.starts_with('!') && !rest.starts_with("!=") {
        Class::Macro
    } else if matches!(word, "true" | "false") {
        Class::Constant
    } else if KEYWORDS.binary_search(&word).is_ok()
        || MORE_KEYWORDS.contains(&word) && !next.starts_with([',', ')', '.'])
    {
        Class::Keyword
    } else if TYPES.contains(&word) || word == "usize" {
        Class::Type
    } else if first.is_uppercase() {
        let is_constant = word.len() > 1 && !word.contains(char::is_lowercase);
        if is_constant { Class::Constant } else { Class::Type }
    } else if rest.starts_with('(') || rest.starts_with("::<") {
        Class::Function
    } else {
        Class::Plain
    }
}

/// Whether the current token is in an attribute.
#[derive(Default)]
struct Attribute {
    /// How many brackets are open.
    depth: u32,
    /// It has begun, and its first bracket is to come.
    begun: bool,
}

impl Attribute {
    /// Passes a token. The result is whether it belongs to an attribute.
    fn pass(&mut self, kind: TokenKind, next: Option<TokenKind>) -> bool {
        match kind {
            TokenKind::Pound if self.depth == 0 => {
                self.begun = matches!(next, Some(TokenKind::OpenBracket | TokenKind::Bang));
                return self.begun;
            }
            TokenKind::Bang if self.begun => {
                self.begun = next == Some(TokenKind::OpenBracket);
                return self.begun;
            }
            TokenKind::OpenBracket if self.begun || self.depth > 0 => {
                self.depth += 1;
                self.begun = false;
            }
            TokenKind::CloseBracket if self.depth > 0 => {
                self.depth -= 1;
                return true;
            }
            _ => self.begun = false,
        }
        self.depth > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_keyword_unsafe_counts() {
        let text = "#![forbid(unsafe_code)]\n// unsafe\n/// unsafe { }\n/* unsafe */\nunsafe fn a() { unsafe { b(\"unsafe\") } }\n\
                    #[unsafe(no_mangle)]\nfn r#unsafe() { r\"unsafe\"; 'unsafe'; unsafe_x() }\n";
        assert_eq!(unsafe_count(text), 3);
        assert_eq!(unsafe_count("#!/usr/bin/env unsafe\nunsafe"), 1);
        assert_eq!(unsafe_count(""), 0);
    }

    #[test]
    fn the_lists_of_words_are_in_order() {
        assert!(KEYWORDS.is_sorted() && TYPES.is_sorted());
    }
}
