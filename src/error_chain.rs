//! An error and its causes as text.

use std::error::Error;
use std::fmt;

/// An error with its causes: one line for people, and the causes one by one, outermost first, for error reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorChain {
    text: String,
    causes: Vec<String>,
}

impl ErrorChain {
    /// The chain of an error. An error that is a chain already keeps its causes.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        if let Some(chain) = error.downcast_ref::<Self>() {
            return chain.clone();
        }
        let causes: Vec<String> = std::iter::successors(Some(error), |&error| error.source()).map(text_of).collect();
        let mut text = causes[0].clone();
        for pair in causes.windows(2) {
            // Some errors print their source themselves.
            if !pair[0].ends_with(&pair[1]) {
                text.push_str(": ");
                text.push_str(&pair[1]);
            }
        }
        Self { text, causes }
    }

    /// The causes one by one, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }
}

/// The text of one error. Messages of libpq have several lines, which would be taken for lines of the log.
fn text_of(error: &(dyn Error + 'static)) -> String {
    let text = error.to_string();
    if error.is::<diesel::ConnectionError>() || error.is::<diesel::result::Error>() {
        return text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    text
}

/// The causes in one line, outermost first, with colons between them.
impl fmt::Display for ErrorChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for ErrorChain {}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the index could not be written")]
    struct Outer(#[source] io::Error);

    #[test]
    fn the_text_holds_the_whole_chain_once() {
        let chain = ErrorChain::of(&Outer(io::Error::other("no space left")));
        assert_eq!(chain.to_string(), "the index could not be written: no space left");
        assert_eq!(chain.causes(), ["the index could not be written", "no space left"]);

        #[derive(Debug, thiserror::Error)]
        #[error("cannot write: {0}")]
        struct Repeats(#[source] io::Error);
        assert_eq!(
            ErrorChain::of(&Repeats(io::Error::other("no space left"))).to_string(),
            "cannot write: no space left"
        );
    }

    #[test]
    fn a_message_of_libpq_is_one_line() {
        #[derive(Debug, thiserror::Error)]
        #[error("the database does not answer")]
        struct Outer(#[source] diesel::ConnectionError);
        let refused = "connection to server failed: refused\n\tIs the server running?\n";
        let chain = ErrorChain::of(&Outer(diesel::ConnectionError::BadConnection(refused.to_owned())));
        assert_eq!(
            chain.to_string(),
            "the database does not answer: connection to server failed: refused Is the server running?"
        );
    }

    #[test]
    fn the_chain_of_a_chain_keeps_the_causes() {
        let chain = ErrorChain::of(&Outer(io::Error::other("no space left")));
        assert_eq!(ErrorChain::of(&chain), chain);
    }
}
