//! Why a publish, a yank, a deletion or a change of owners is refused, and the checks that they share.

use diesel::prelude::*;

use super::crates::{self, Crate};
use super::owners;
use super::versions::{self, VersionStatus};
use crate::client_connection::Disconnected;
use crate::database::access::caller::Denied;
use crate::database::access::rate_limits::RateLimited;
use crate::database::access::users::{Inactive, User};
use crate::package::characters::HiddenCharacter;
use crate::package::limits::LimitError;
use crate::package::{CrateName, Version};

/// The most owners that a request may name.
pub const MAX_NAMED: usize = 100;

/// The longest reason of a deletion, in characters.
pub const MAX_DELETION_REASON: usize = 1000;

/// The reason for which a change is refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeRefusal {
    #[error("there is no crate `{0}` in this registry: check its name")]
    UnknownCrate(String),
    #[error("the crate `{name}` has no version {num}: check its number")]
    UnknownVersion { name: CrateName, num: String },
    #[error("`{name}@{num}` was deleted from this registry ({reason}): it cannot be yanked")]
    Deleted { name: CrateName, num: Version, reason: String },
    #[error("`{name}@{num}` is already deleted ({reason})")]
    AlreadyDeleted { name: CrateName, num: Version, reason: String },
    #[error(
        "the deletion needs a reason of 1 to {MAX_DELETION_REASON} characters: it is shown in place of the version"
    )]
    DeletionReason,
    #[error("the deletion needs a reason without {0}: remove it, because the reason is printed in terminals")]
    HiddenInReason(HiddenCharacter),
    #[error("`{login}` is not an owner of the crate `{name}`: ask one of its owners ({owners}) to add you")]
    NotOwner { login: String, name: CrateName, owners: String },
    #[error(
        "`{login}` may publish and yank `{name}` as a member of a team, but cannot change its owners: ask one of its \
         owners ({owners})"
    )]
    TeamMember { login: String, name: CrateName, owners: String },
    #[error(
        "there is no user {0:?} in this registry: name a user that was made with `supercargo admin user create`, or a \
         team as `team:NAME`"
    )]
    UnknownUser(String),
    #[error(
        "there is no team {0:?} in this registry: see `supercargo admin team list`, or create it with `supercargo admin \
         team create`"
    )]
    UnknownTeam(String),
    #[error("`{login}` is not an owner of `{name}`: see `cargo owner --list {name}`")]
    NoSuchOwner { login: String, name: CrateName },
    #[error(
        "`{login}` is the last user among the owners of `{name}`: add another user first, because teams cannot change \
         owners"
    )]
    LastOwner { login: String, name: CrateName },
    #[error("the request names no owner: send `{{\"users\":[\"LOGIN\"]}}`")]
    NoOwnerNamed,
    #[error("the request names {0} owners, above the limit of {MAX_NAMED}: split it into several requests")]
    TooManyOwners(usize),
    #[error(
        "the crate is called `{original}` here, and `{given}` is another spelling of the same name: publish it as \
         `{original}`, or under a name that differs by more than case, '-' and '_'"
    )]
    OtherSpelling { given: CrateName, original: CrateName },
    #[error("the name `{0}` is reserved: choose another name for the crate")]
    Reserved(CrateName),
    #[error("the name `{name}` is reserved in this registry ({reason}): choose another name for the crate")]
    ReservedHere { name: CrateName, reason: String },
    #[error(
        "the crate `{name}` does not exist yet, and only admins of this registry may publish new crates: ask one to \
         publish its first version and to add you to its owners"
    )]
    OnlyAdmins { name: CrateName },
    #[error("{}", duplicate(.name, .given, .existing))]
    Duplicate { name: CrateName, given: Version, existing: Box<VersionStatus> },
    #[error(transparent)]
    Inactive(#[from] Inactive),
    #[error(transparent)]
    Limit(#[from] LimitError),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    RateLimited(Box<RateLimited>),
    #[error(transparent)]
    Disconnected(#[from] Disconnected),
}

impl From<RateLimited> for ChangeRefusal {
    fn from(limited: RateLimited) -> Self {
        Self::RateLimited(Box::new(limited))
    }
}

/// Finds a crate and locks its row until the transaction ends.
pub fn lock_crate(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Result<Crate, ChangeRefusal>> {
    let found = crates::find_and_lock(connection, name)?;
    Ok(found.ok_or_else(|| ChangeRefusal::UnknownCrate(name.to_string())))
}

/// Finds a version by its number, which includes the build metadata.
pub fn find_version(
    connection: &mut PgConnection,
    krate: &Crate,
    num: &Version,
) -> QueryResult<Result<VersionStatus, ChangeRefusal>> {
    let found = versions::find(connection, krate.id, num)?.filter(|found| found.num == *num);
    Ok(found.ok_or_else(|| ChangeRefusal::UnknownVersion { name: krate.name.clone(), num: num.to_string() }))
}

/// The refusal for a user who neither owns the crate nor is a member of a team that does.
pub fn not_an_owner(connection: &mut PgConnection, krate: &Crate, user: &User) -> QueryResult<ChangeRefusal> {
    let owners: Vec<_> = owners::list_all(connection, krate.id)?.iter().map(|owner| owner.login()).collect();
    Ok(ChangeRefusal::NotOwner { login: user.login.clone(), name: krate.name.clone(), owners: owners.join(", ") })
}

fn duplicate(name: &CrateName, given: &Version, existing: &VersionStatus) -> String {
    if let Some(reason) = &existing.deletion_reason {
        return format!(
            "crate version `{name}@{given}` was deleted from this registry ({reason}), and its number cannot be used \
             again: publish another number"
        );
    }
    let state = match (existing.effective_yanked, existing.desired_yanked) {
        (None, _) => "it is accepted and queued and will appear shortly; do not publish it again",
        (Some(_), true) => "it is published and yanked",
        (Some(_), false) => "it is published",
    };
    let build = if existing.num == *given {
        String::new()
    } else {
        format!(" (as {}: versions that differ only in build metadata are the same version)", existing.num)
    };
    format!(
        "crate version `{name}@{given}` is already uploaded{build}: {state}. A version is never replaced; publish another \
         number"
    )
}
