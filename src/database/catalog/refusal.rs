//! Why a publish, a yank, a deletion or a change of owners is refused, and the checks that they share.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::crates::{self, Crate};
use super::docs_refusal::DocsRefusal;
use super::invitation_refusal::InvitationRefusal;
use super::owners::{self, Rights};
use super::publisher_refusal::PublisherRefusal;
use super::set_refusal::{Reservation, SetRefusal};
use super::versions::{self, VersionStatus};
use super::webhook_refusal::WebhookRefusal;
use crate::client_connection::Disconnected;
use crate::database::access::caller::Denied;
use crate::database::access::rate_limits::RateLimited;
use crate::database::access::users::{Inactive, User};
use crate::package::characters::{HiddenCharacter, check_line};
use crate::package::limits::LimitError;
use crate::package::{Checksum, CrateName, Version};

/// The most owners that a request may name.
pub const MAX_NAMED: usize = 100;

/// The longest reason of a deletion, in characters.
pub const MAX_DELETION_REASON: usize = 1000;

/// The longest message of a yank or of a crate's deletion, in characters.
pub const MAX_MESSAGE: usize = 1000;

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
    #[error("the {what} has {length} characters, above the limit of {MAX_MESSAGE}: shorten it")]
    LongMessage { what: &'static str, length: usize },
    #[error("the {what} contains {character}: remove it, because the text is printed in terminals")]
    HiddenInMessage { what: &'static str, character: HiddenCharacter },
    #[error(
        "`{name}@{num}` would not be yanked, and only a yanked version has a yank message: send `\"yanked\": true`, or no \
         message"
    )]
    MessageWithoutYank { name: CrateName, num: Version },
    #[error("the crate `{name}` was deleted from this registry on {date}: {reason}", date = day(.at))]
    DeletedCrate { name: CrateName, at: DateTime<Utc>, reason: String },
    #[error(
        "the crate `{name}` was deleted from this registry on {date} ({reason}), and its name stays taken: publish under \
         another name, or ask an operator to release this one with `supercargo admin crate release {name}`",
        date = day(.at)
    )]
    NameOfDeleted { name: CrateName, at: DateTime<Utc>, reason: String },
    #[error(
        "`{login}` may publish and yank `{name}` as a member of a team, but cannot delete it: ask one of its owners ({owners})"
    )]
    TeamCannotDelete { login: String, name: CrateName, owners: String },
    #[error(
        "owners cannot delete crates in this registry: yank the versions of `{name}` instead, or ask an admin to delete it"
    )]
    OwnersCannotDelete { name: CrateName },
    #[error(
        "the crate `{name}` was created on {date}, and owners can delete a crate only within {window} of its creation: yank \
         its versions instead, or ask an admin to delete it",
        date = day(.created_at)
    )]
    DeletionTooLate { name: CrateName, created_at: DateTime<Utc>, window: String },
    #[error(
        "other crates of this registry depend on `{name}` ({dependents}), so its owners cannot delete it: yank its versions \
         instead, or ask an admin to delete it"
    )]
    HasDependents { name: CrateName, dependents: String },
    #[error("`{login}` is not an owner of the crate `{name}`: ask one of its owners ({owners}) to add you")]
    NotOwner { login: String, name: CrateName, owners: String },
    #[error(
        "`{login}` may publish and yank `{name}` as a member of a team, but cannot change its owners or settings: ask one of its \
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
    #[error(
        "only trusted publishers may publish the crate `{name}`: publish it with the CI workflow that is configured for it, or let \
         its owners publish again: an owner who signs in can, on its page `settings`"
    )]
    OnlyTrusted { name: CrateName },
    #[error(
        "`{login}` is not, or no longer, a trusted publisher of the crate `{name}`: have an owner of the crate add it (an admin, if \
         only trusted publishers may publish the crate), and request a new ID token"
    )]
    NotTrusted { name: CrateName, login: String },
    #[error(
        "the crate `{name}` is new, and `{login}` is not a trusted publisher of new crates: publish its first version with the \
         token of a user, or have an admin add a trusted publisher for a prefix of its name"
    )]
    NotTrustedForNew { name: CrateName, login: String },
    #[error(transparent)]
    Publisher(#[from] PublisherRefusal),
    #[error(
        "the crate `{0}` is in the index of this registry and not in its database, which has lost its latest changes: ask the \
         registry's operator to restore it with `supercargo verify --repair`, then try again"
    )]
    LostCrate(CrateName),
    #[error(
        "`{name}@{num}` is in the index of this registry, with the checksum {}, and not in its database, which has lost its latest \
         changes: publish the same crate file again (this one has {}), publish another number, or ask the registry's \
         operator to restore it with `supercargo verify --repair`",
        .checksums[0], .checksums[1]
    )]
    LostVersion {
        name: CrateName,
        num: Version,
        /// That in the index, and that of the refused file.
        checksums: Box<[Checksum; 2]>,
    },
    #[error("{}", duplicate(.name, .given, .existing))]
    Duplicate { name: CrateName, given: Version, existing: Box<VersionStatus> },
    #[error(
        "`{name}@{num}` is staged in the release set `{set}`, and its number is taken until that set ends (an expired one, within \
         15 seconds): publish another number, stage it there, or take it out of there, with `DELETE \
         /api/v1/release-sets/{set}/crates/{name}/{num}`",
        set = .staged.set
    )]
    Staged { name: CrateName, num: Version, staged: Box<Reservation> },
    #[error(
        "the new crate `{name}` is staged in the release set `{set}` (as `{first}@{num}`), and its name is taken until that \
         set ends: publish under another name, or stage it there",
        set = .staged.set, first = .staged.name, num = .staged.num
    )]
    NameStaged { name: CrateName, staged: Box<Reservation> },
    #[error(
        "versions of `{name}` are published by an approval only in this registry: publish into a release set, with the index \
         sparse+…/stage/SET/index/"
    )]
    NeedsApproval { name: CrateName },
    #[error(transparent)]
    Set(#[from] SetRefusal),
    #[error(transparent)]
    Webhook(#[from] WebhookRefusal),
    #[error(transparent)]
    Docs(#[from] DocsRefusal),
    #[error(transparent)]
    Invitation(#[from] InvitationRefusal),
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

/// Finds a crate that is not deleted, and locks its row until the transaction ends.
pub fn lock_crate(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Result<Crate, ChangeRefusal>> {
    Ok(present(name, crates::find_and_lock(connection, name)?))
}

/// Finds a crate that is not deleted.
pub fn find_crate(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Result<Crate, ChangeRefusal>> {
    Ok(present(name, crates::find(connection, name)?))
}

/// The crate that was found, if it is not deleted.
pub fn present(name: &CrateName, found: Option<Crate>) -> Result<Crate, ChangeRefusal> {
    let found = found.ok_or_else(|| ChangeRefusal::UnknownCrate(name.to_string()))?;
    match deletion(&found) {
        Some((at, reason)) => Err(ChangeRefusal::DeletedCrate { name: found.name, at, reason }),
        None => Ok(found),
    }
}

/// Refuses the name of a deleted crate.
pub fn check_not_deleted(found: &Crate) -> Result<(), ChangeRefusal> {
    match deletion(found) {
        Some((at, reason)) => Err(ChangeRefusal::NameOfDeleted { name: found.name.clone(), at, reason }),
        None => Ok(()),
    }
}

fn deletion(krate: &Crate) -> Option<(DateTime<Utc>, String)> {
    let deletion = &krate.deletion;
    Some((deletion.deleted_at?, deletion.deletion_reason.clone().unwrap_or_default()))
}

/// Trims and checks the message of a yank or of a crate's deletion. None if it is empty.
pub fn message<'a>(what: &'static str, text: Option<&'a str>) -> Result<Option<&'a str>, ChangeRefusal> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let length = text.chars().count();
    if length > MAX_MESSAGE {
        return Err(ChangeRefusal::LongMessage { what, length });
    }
    check_line(text).map_err(|character| ChangeRefusal::HiddenInMessage { what, character })?;
    Ok(Some(text))
}

fn day(at: &DateTime<Utc>) -> impl std::fmt::Display + use<> {
    at.format("%Y-%m-%d")
}

/// Finds a version by its number, which includes the build metadata.
pub fn find_version(
    connection: &mut PgConnection,
    krate: &Crate,
    num: &Version,
) -> QueryResult<Result<VersionStatus, ChangeRefusal>> {
    Ok(version(krate, num, versions::find(connection, krate.id, num)?))
}

/// The version that was found, if it has this number, which includes the build metadata.
pub fn version(krate: &Crate, num: &Version, found: Option<VersionStatus>) -> Result<VersionStatus, ChangeRefusal> {
    let found = found.filter(|found| found.num == *num);
    found.ok_or_else(|| ChangeRefusal::UnknownVersion { name: krate.name.clone(), num: num.to_string() })
}

/// The refusal for a user who neither owns the crate nor is a member of a team that does.
pub fn not_an_owner(connection: &mut PgConnection, krate: &Crate, user: &User) -> QueryResult<ChangeRefusal> {
    let owners: Vec<_> = owners::list_all(connection, krate.id)?.iter().map(|owner| owner.login()).collect();
    Ok(ChangeRefusal::NotOwner { login: user.login.clone(), name: krate.name.clone(), owners: owners.join(", ") })
}

/// Refuses a user who does not own the crate as a user: members of a team that does may publish, and change nothing of the crate.
pub fn check_full_owner(
    connection: &mut PgConnection,
    krate: &Crate,
    user: &User,
) -> QueryResult<Result<(), ChangeRefusal>> {
    match owners::rights(connection, krate.id, user.id)? {
        Rights::Full => Ok(Ok(())),
        Rights::Publish => {
            let owners: Vec<_> = owners::list(connection, krate.id)?.into_iter().map(|owner| owner.login).collect();
            let (login, name, owners) = (user.login.clone(), krate.name.clone(), owners.join(", "));
            Ok(Err(ChangeRefusal::TeamMember { login, name, owners }))
        }
        Rights::None => Ok(Err(not_an_owner(connection, krate, user)?)),
    }
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
