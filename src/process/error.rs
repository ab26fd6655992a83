//! The error of a command.

use std::error::Error;
use std::fmt;

use crate::error_chain::ErrorChain;

/// One sentence with its causes after colons.
#[derive(Debug)]
pub struct CommandError(String);

impl CommandError {
    /// An error with this text.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    /// The failed action, followed by its cause.
    pub fn while_doing(what: impl fmt::Display, cause: impl Error + Send + Sync + 'static) -> Self {
        Self(format!("{what}: {}", ErrorChain::of(&cause)))
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for CommandError {
    fn from(cause: E) -> Self {
        Self(ErrorChain::of(&cause).to_string())
    }
}
