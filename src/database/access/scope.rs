//! Scopes: the kinds of actions that a token can be restricted to.

use strum::{EnumString, IntoStaticStr, VariantNames};

/// An action that a token can be restricted to. Every token may also read, since cargo reads the index before it does
/// anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, strum::Display, VariantNames)]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownScope, parse_err_fn = unknown_scope)]
pub enum Scope {
    /// Publish the first version of a new crate.
    PublishNew,
    /// Publish a further version of a crate.
    PublishUpdate,
    /// Yank and unyank.
    Yank,
    /// Add and remove owners.
    ChangeOwners,
    /// Stage the first version of a new crate in a release set.
    StageNew,
    /// Stage a further version of a crate in a release set.
    StageUpdate,
    /// Approve and reject release sets.
    Approve,
    /// Say who may publish a crate without a token of a user.
    TrustedPublishing,
    /// Upload and delete the documentation of versions.
    PublishDocs,
    /// Change users, teams and names, as an admin. Tokens without restrictions lack it: one that leaks gives away no users.
    Administer,
    /// Only read.
    Read,
}

impl Scope {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The scope that suffices to stage what this one publishes.
    pub fn of_staging(self) -> Self {
        match self {
            Self::PublishNew => Self::StageNew,
            Self::PublishUpdate => Self::StageUpdate,
            other => other,
        }
    }
}

/// The text is not a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a scope: use one of {scopes}", scopes = Scope::VARIANTS.join(", "))]
pub struct UnknownScope(pub String);

fn unknown_scope(text: &str) -> UnknownScope {
    UnknownScope(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_by_its_name() {
        for name in Scope::VARIANTS {
            assert_eq!(name.parse::<Scope>().unwrap().to_string(), *name);
        }
        assert!("Publish".parse::<Scope>().unwrap_err().to_string().contains("change-owners"));
    }
}
