//! Differences between the metadata and the manifest of a publish.

use std::fmt;

use super::excerpt::Remark;

/// A difference between the metadata and the manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the metadata and Cargo.toml in the package disagree about {field}: the metadata says {sent}, Cargo.toml says {packaged}: publish with `cargo publish`, which takes both from one source"
)]
pub struct Disagreement {
    /// What they disagree about.
    pub field: String,
    /// The value in the metadata.
    pub sent: String,
    /// The value in the manifest.
    pub packaged: String,
}

/// Differences that are shown; the rest is counted.
const SHOWN: usize = 20;

/// Differences that are accepted: the first ones, each as a part of a sentence, and the number of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    shown: Vec<String>,
    more: usize,
}

impl Differences {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// Adds one. It is written only if it is shown.
    pub(super) fn add(&mut self, difference: impl FnOnce() -> String) {
        if self.shown.len() < SHOWN {
            self.shown.push(Remark(&difference()).to_string());
        } else {
            self.more += 1;
        }
    }
}

/// The warning about them.
impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.more > 0 { format!("; and {} more", self.more) } else { String::new() };
        write!(
            f,
            "the metadata differs from Cargo.toml in the package, and the index has the values of Cargo.toml: correct the \
             program that sent the metadata, or publish with `cargo publish`. The differences: {}{more}",
            self.shown.join("; ")
        )
    }
}
