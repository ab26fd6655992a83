//! Why a change of trusted publishers is refused.

use crate::package::CrateName;

/// The most trusted publishers of a crate with one provider, as on crates.io.
pub const MAX_OF_CRATE: i64 = 5;
/// The most with a pattern that a user may have configured.
pub const MAX_OF_USER: i64 = 50;

/// The reason for which a change of trusted publishers is refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublisherRefusal {
    #[error("there is no trusted publisher {0}: check its number in the list")]
    Unknown(i32),
    #[error("this is a trusted publisher already, with the number {0}: remove that one first to change it")]
    Exists(i32),
    #[error("{what} has {limit} trusted publishers already: remove one of them")]
    TooMany { what: String, limit: i64 },
    #[error(
        "{url:?} is not an issuer of the kind `{kind}` whose ID tokens this registry accepts ({accepted}): choose one of these, or \
         have an operator add it with `supercargo publisher issuer add {kind} URL`",
        accepted = listed(.accepted)
    )]
    UnknownIssuer { url: String, kind: &'static str, accepted: Vec<String> },
    #[error(
        "a trusted publisher of the kind `{kind}` has to name its issuer ({accepted}): choose one of these, or have an operator add \
         one with `supercargo publisher issuer add {kind} URL`",
        accepted = listed(.accepted)
    )]
    NoIssuer { kind: &'static str, accepted: Vec<String> },
    /// A rule that no ID token meets, or every one.
    #[error("{0}")]
    Rule(String),
    #[error("there is no account `{owner}` at {server}: check the repository's owner")]
    NoAccount { owner: String, server: String },
    #[error("the crate `{name}` has no trusted publisher, and could not be published any more: add one first")]
    NoPublisher { name: CrateName },
    #[error(
        "only trusted publishers may publish the crate `{name}`, and a token of an owner cannot undo that, which somebody may have \
         stolen: sign in on the crate's page `settings` without a token, or ask an admin"
    )]
    OnlyAdminsUndo { name: CrateName },
    #[error(
        "only trusted publishers may publish the crate `{name}`, and a token of an owner cannot add one, which somebody may have \
         stolen: sign in on the crate's page `settings` without a token, or ask an admin"
    )]
    OnlyAdminsAdd { name: CrateName },
    #[error("`owner` is the user whose crates a pattern covers, and a crate has its own owners: leave it out")]
    OwnerOfCrate,
}

fn listed(urls: &[String]) -> String {
    if urls.is_empty() { "none yet".to_owned() } else { urls.join(", ") }
}
