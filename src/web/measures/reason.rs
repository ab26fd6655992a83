//! The reason of an error as a label of metrics.

use axum::http::StatusCode;

use crate::database::access::caller::Denied;
use crate::database::catalog::refusal::ChangeRefusal;
use crate::package::Refusal;

/// The reason that a status alone gives.
pub fn of_status(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => super::denials::NO_TOKEN,
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::REQUEST_TIMEOUT => "too_slow",
        StatusCode::CONFLICT => "conflict",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_encoding",
        StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
        StatusCode::INSUFFICIENT_STORAGE => STORAGE_FULL,
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        status if status.is_server_error() => "internal",
        _ => "bad_request",
    }
}

/// The client disconnected.
pub const ABORTED: &str = "aborted";
/// The token lacks a scope.
pub const SCOPE: &str = "scope";
/// There is no space for a crate file.
pub const STORAGE_FULL: &str = "storage_full";
/// Too many jobs are pending.
pub const BACKLOG: &str = "backlog";
/// Somebody cannot sign in on a page.
pub const SIGN_IN: &str = "sign_in";
/// An ID token is not exchanged, or a trusted publisher is no longer one.
pub const TRUSTED_PUBLISHING: &str = "trusted_publishing";
/// The user is above a rate limit or the upload allowance.
pub const RATE_LIMIT: &str = "rate_limit";

/// The reason of a package that cannot be published.
pub fn of_package(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Framing(_) if refusal.status() == 413 => "too_large",
        Refusal::Framing(_) => "framing",
        Refusal::Name(_) => "name",
        Refusal::Version(_) => "version",
        Refusal::Tarball(_) => "tarball",
        Refusal::Manifest(_) => "manifest",
        Refusal::Limit(_) => "limit",
        Refusal::Features(_) => "features",
        Refusal::Metadata(_) => "metadata",
        Refusal::Disagreement(_) => "disagreement",
        Refusal::Policy(_) => "policy",
    }
}

/// The reason of a token that does not permit a request.
pub fn of_denied(denied: &Denied) -> &'static str {
    match denied {
        Denied::Administers { .. } | Denied::AdministersCrates { .. } | Denied::MakesAdminister => SCOPE,
        Denied::Scope { .. } | Denied::MachineScope { .. } | Denied::OnlyStages { .. } => SCOPE,
        Denied::Crate { .. } | Denied::MachineCrate { .. } => "crate_pattern",
        Denied::Restricted { .. } => "restricted_token",
        Denied::NotAdmin { .. } => "not_admin",
        Denied::Role { .. } => "role",
        Denied::Token { .. } => SIGN_IN,
        Denied::Inactive { .. } => "inactive_user",
        Denied::OutlivesMaker { .. } => "outlives_maker",
        Denied::Revoked { .. } => super::denials::REVOKED_TOKEN,
        Denied::Expired { .. } => super::denials::EXPIRED_TOKEN,
    }
}

/// The reason of a change that is refused.
pub fn of_change(refusal: &ChangeRefusal) -> &'static str {
    use ChangeRefusal as Refused;
    match refusal {
        Refused::Denied(denied) => of_denied(denied),
        Refused::RateLimited(_) => RATE_LIMIT,
        Refused::Disconnected(_) => ABORTED,
        Refused::UnknownCrate(_)
        | Refused::UnknownVersion { .. }
        | Refused::Deleted { .. }
        | Refused::DeletedCrate { .. }
        | Refused::Docs(_) => "not_found",
        Refused::UnknownUser(_) | Refused::UnknownTeam(_) => "not_found",
        Refused::NotOwner { .. }
        | Refused::TeamMember { .. }
        | Refused::TeamCannotDelete { .. }
        | Refused::OwnersCannotDelete { .. } => "not_owner",
        Refused::DeletionTooLate { .. } | Refused::HasDependents { .. } => "conflict",
        Refused::LostCrate(_) | Refused::LostVersion { .. } => "lost_rows",
        Refused::OnlyAdmins { .. } => "only_admins",
        Refused::OnlyTrusted { .. }
        | Refused::NotTrusted { .. }
        | Refused::NotTrustedForNew { .. }
        | Refused::Publisher(_) => TRUSTED_PUBLISHING,
        Refused::AlreadyDeleted { .. } | Refused::Duplicate { .. } | Refused::Staged { .. } => "duplicate",
        Refused::OtherSpelling { .. }
        | Refused::Reserved(_)
        | Refused::ReservedHere { .. }
        | Refused::NameStaged { .. }
        | Refused::NameOfDeleted { .. } => "name",
        Refused::Set(_) | Refused::NeedsApproval { .. } => "release_set",
        Refused::Limit(_) => "limit",
        Refused::DeletionReason
        | Refused::HiddenInReason(_)
        | Refused::LongMessage { .. }
        | Refused::HiddenInMessage { .. }
        | Refused::MessageWithoutYank { .. }
        | Refused::Inactive(_)
        | Refused::NoSuchOwner { .. }
        | Refused::LastOwner { .. }
        | Refused::NoOwnerNamed
        | Refused::TooManyOwners(_)
        | Refused::Invitation(_)
        | Refused::Webhook(_) => "bad_request",
    }
}
