//! Why a change of a release set is refused.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::set_name::SetName;
use super::set_state::SetState;
use crate::package::{CrateName, Version};

/// The most versions and changes of a set: they are written to the index in one move.
pub const MAX_STAGED: i64 = 500;
/// The most open sets that a user may have created.
pub const MAX_OPEN: i64 = 100;

/// The reason for which a change of a set is refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetRefusal {
    #[error("there is no release set `{0}`: check its name in the list of release sets")]
    Unknown(SetName),
    #[error("there is or was a release set `{0}`, and a name is never used again: choose another one")]
    NameTaken(SetName),
    #[error(
        "the release set `{name}` {how} on {date}{gone}, and cannot be changed: take another name for another release",
        how = match state {
            SetState::Expired => "expired",
            SetState::Rejected => "was rejected",
            _ => "was approved",
        },
        date = ended.format("%Y-%m-%d"),
        gone = if *state == SetState::Expired { " with what was staged in it" } else { "" }
    )]
    Ended { name: SetName, state: SetState, ended: DateTime<Utc> },
    #[error(
        "`{login}` does not belong to the release set `{name}`: its members are the users who created it, have staged something \
         in it, or may publish or have to approve one of its crates"
    )]
    NotMember { name: SetName, login: String },
    #[error(
        "`{login}` may not change that in the release set `{name}`: it takes a user who has staged it, or may publish the crate, the \
         creator of the set, or an admin"
    )]
    NotContributor { name: SetName, login: String },
    #[error("the approval of `{login}` does not count for the release set `{name}`, and was not noted: {missing}")]
    CountsNowhere { name: SetName, login: String, missing: String },
    #[error(
        "`{version}` is staged in the release set `{name}` and not published yet: take it out, with `DELETE \
         /api/v1/release-sets/{name}/crates/{path}`"
    )]
    StagedHere { name: SetName, version: String, path: String },
    #[error(
        "an admin has staged the deletion of `{version}` in the release set `{name}`: ask an admin to take that out first"
    )]
    DeletionStaged { name: SetName, version: String },
    #[error("the release set `{0}` is empty: publish into it first, with its index, /stage/{0}/index/")]
    Empty(SetName),
    #[error(
        "the release set `{name}` has {MAX_STAGED} versions and changes already, the most that are published at once: \
         approve it, or divide the release"
    )]
    Full { name: SetName },
    #[error(
        "`{login}` has {MAX_OPEN} open release sets, the most that a user may have: approve or reject some of them"
    )]
    TooManyOpen { login: String },
    #[error(
        "the release set `{name}` was changed while it was being approved, or since you looked at it: look again (its \
         revision is {revision}), and approve that"
    )]
    Changed { name: SetName, revision: i64 },
    #[error("the rejection needs a reason of 1 to 1000 characters: the users who staged the versions read it")]
    NoReason,
    #[error(
        "the override needs a reason (`override`) of 1 to 1000 characters, such as `the fix cannot wait`: it is in the audit log"
    )]
    NoOverrideReason,
    #[error(
        "the deletion needs a reason of 1 to 1000 characters, such as `?reason=it+leaks+a+key`: it is shown in place of the version"
    )]
    NoDeletionReason,
    #[error(
        "`{login}` cannot decide over the whole release set `{name}`: that takes its creator, an admin, or a user who has staged or \
         may publish everything in it"
    )]
    NotManager { name: SetName, login: String },
    #[error(
        "the new crate `{krate}` was staged by `{stager}` in the release set `{name}`, and others cannot replace it: ask for it to be \
         staged again, or choose another name"
    )]
    NotStager { name: SetName, krate: CrateName, stager: String },
    #[error("`{version}` is not staged in the release set `{set}`: look at the set again")]
    NotStaged { set: SetName, version: String },
    #[error(
        "`{name}@{num}` depends on {missing}, which this registry does not have yet, and versions of `{name}` are published by an \
         approval only: publish all of them into one release set instead, with `CARGO_REGISTRIES_NAME_INDEX={index} cargo publish \
         --workspace --registry NAME`, where NAME is what .cargo/config.toml calls this registry, in capitals in the variable"
    )]
    SiblingsMissing { name: CrateName, num: Version, missing: String, index: String },
    #[error(
        "`{name}@{num}` depends on {missing}, which this registry does not have yet, and versions of `{name}` are \
         published by an approval only: publish it into the release set `{set}`, where `{staged}` is staged, with \
         `CARGO_REGISTRIES_NAME_INDEX={index} cargo publish -p {name} --registry NAME`, where NAME is what \
         .cargo/config.toml calls this registry, in capitals in the variable",
        set = .sibling.set, staged = .sibling.staged, index = .sibling.index
    )]
    SiblingsStaged { name: CrateName, num: Version, missing: String, sibling: Box<StagedSibling> },
    #[error(
        "a release set cannot end {} from now: give a time from 1 s to 90 days (7776000 s)", in_days(*.given)
    )]
    End { given: std::time::Duration },
    #[error(
        "the release set `{name}` cannot be approved, and nothing was published: {problems}",
        problems = problems.join("; ")
    )]
    NotApproved { name: SetName, problems: Vec<String> },
}

/// A dependency of a refused publish that is staged, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedSibling {
    pub set: SetName,
    /// `name@version`
    pub staged: String,
    /// The index of the set.
    pub index: String,
}

/// Whole days as such, and everything else in seconds.
fn in_days(time: std::time::Duration) -> String {
    const DAY: u64 = 24 * 3600;
    match time.as_secs() {
        seconds if seconds % DAY == 0 && seconds > 0 => format!("{} days", seconds / DAY),
        seconds => format!("{seconds} s"),
    }
}

/// The number of a staged version, which cannot be published elsewhere while its set is open.
#[derive(Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    pub set_id: i32,
    pub set: SetName,
    pub name: CrateName,
    pub num: Version,
    /// Whether the name is taken, too.
    pub is_new_crate: bool,
    /// The user who staged it.
    pub staged_by: i32,
    pub login: String,
}
