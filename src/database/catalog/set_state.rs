//! The states of release sets.

use strum::{EnumString, IntoStaticStr, VariantNames};

/// What became of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, strum::Display, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum SetState {
    /// Versions can be staged.
    Open,
    /// Its versions are published.
    Approved,
    Rejected,
    Expired,
}

impl SetState {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
