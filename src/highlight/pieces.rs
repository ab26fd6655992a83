//! What a text is divided into.

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nothing that is marked.
    Plain,
    Comment,
    /// A comment that is documentation.
    Documentation,
    Keyword,
    /// A name of a type.
    Type,
    /// A constant or a boolean.
    Constant,
    Number,
    String,
    /// A name of a function, where it is defined or called.
    Function,
    Macro,
    /// An attribute or a directive of a preprocessor.
    Attribute,
    Lifetime,
    /// A key of a table or a variable.
    Key,
    /// A heading or the name of a section.
    Heading,
}

impl Class {
    /// Its class in the style sheet; None for plain text.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Plain => return None,
            Self::Comment => "c",
            Self::Documentation => "d",
            Self::Keyword => "k",
            Self::Type => "t",
            Self::Constant => "b",
            Self::Number => "n",
            Self::String => "s",
            Self::Function => "f",
            Self::Macro => "m",
            Self::Attribute => "a",
            Self::Lifetime => "l",
            Self::Key => "p",
            Self::Heading => "h",
        })
    }
}

/// A part of a text, which begins where the one before ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it ends, in bytes.
    pub end: usize,
    /// What it is.
    pub class: Class,
}

/// The pieces so far.
#[derive(Default)]
pub(super) struct Pieces(pub Vec<Piece>);

impl Pieces {
    /// Adds a piece up to `end`, or extends the last one if that is of the same class.
    pub fn add(&mut self, end: usize, class: Class) {
        match self.0.last_mut() {
            Some(last) if last.end >= end => {}
            Some(last) if last.class == class => last.end = end,
            _ if end > 0 => self.0.push(Piece { end, class }),
            _ => {}
        }
    }
}
