//! The pieces of code, which is what there is in Markdown as well.

use super::language::Language;
use super::pieces::{Class, Pieces};
use super::{plain, rust};

/// Divides a text, whose first byte is at `base`. Markdown is one plain piece, so that there is nothing to recurse into.
pub(super) fn divide(text: &str, base: usize, language: Language, into: &mut Pieces) {
    match language {
        Language::Plain | Language::Markdown => into.add(base + text.len(), Class::Plain),
        Language::Rust => rust::divide(text, base, into),
        Language::Other(syntax) => plain::divide(text, base, syntax, into),
    }
}
