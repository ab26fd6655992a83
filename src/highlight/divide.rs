//! The pieces of a text in any language.

use super::language::Language;
use super::pieces::{Class, Piece, Pieces};
use super::{code, markdown};

/// The pieces of a text, which cover all of it.
pub(super) fn pieces(text: &str, language: Language) -> Vec<Piece> {
    let mut pieces = Pieces::default();
    match language {
        Language::Markdown => markdown::divide(text, &mut pieces),
        other => code::divide(text, 0, other, &mut pieces),
    }
    pieces.add(text.len(), Class::Plain);
    pieces.0
}
