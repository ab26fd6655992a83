//! Texts of packages.

use crate::package::characters::harmless;

/// Removes hidden characters from a package's text. cargo and other clients print it, and packages of other registries, or
/// from before the rule about characters, may have them.
pub fn shown(text: Option<String>) -> Option<String> {
    text.map(harmless)
}
