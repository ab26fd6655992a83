//! The HTTP status of a change that is refused.

use axum::http::StatusCode;

use crate::database::catalog::invitation_refusal::InvitationRefusal;
use crate::database::catalog::publisher_refusal::PublisherRefusal;
use crate::database::catalog::refusal::ChangeRefusal;
use crate::database::catalog::set_refusal::SetRefusal;
use crate::database::catalog::webhook_refusal::WebhookRefusal;

/// The status, apart from what has an answer of its own: a token that does not permit the change, a rate limit, and a client
/// that is gone.
pub fn of(refusal: &ChangeRefusal) -> StatusCode {
    use ChangeRefusal as Refused;
    match refusal {
        Refused::Denied(_) => StatusCode::FORBIDDEN,
        Refused::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
        Refused::UnknownCrate(_)
        | Refused::UnknownVersion { .. }
        | Refused::Docs(_)
        | Refused::Deleted { .. }
        | Refused::DeletedCrate { .. }
        | Refused::UnknownUser(_)
        | Refused::UnknownTeam(_) => StatusCode::NOT_FOUND,
        Refused::NotOwner { .. }
        | Refused::TeamMember { .. }
        | Refused::TeamCannotDelete { .. }
        | Refused::OwnersCannotDelete { .. }
        | Refused::OnlyAdmins { .. }
        | Refused::OnlyTrusted { .. }
        | Refused::NotTrusted { .. }
        | Refused::NotTrustedForNew { .. } => StatusCode::FORBIDDEN,
        Refused::Publisher(refused) => of_publisher(refused),
        Refused::AlreadyDeleted { .. } | Refused::Duplicate { .. } | Refused::NameOfDeleted { .. } => {
            StatusCode::CONFLICT
        }
        Refused::LostCrate(_) | Refused::LostVersion { .. } => StatusCode::CONFLICT,
        // As crates.io answers.
        Refused::DeletionTooLate { .. } | Refused::HasDependents { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Refused::Staged { .. } | Refused::NameStaged { .. } | Refused::NeedsApproval { .. } => StatusCode::CONFLICT,
        Refused::Set(refused) => of_set(refused),
        Refused::Webhook(refused) => of_webhook(refused),
        Refused::Invitation(refused) => match refused {
            InvitationRefusal::Unknown(_) => StatusCode::NOT_FOUND,
            InvitationRefusal::Expired { .. } => StatusCode::GONE,
            InvitationRefusal::Role { .. } => StatusCode::BAD_REQUEST,
        },
        Refused::DeletionReason
        | Refused::HiddenInReason(_)
        | Refused::LongMessage { .. }
        | Refused::HiddenInMessage { .. }
        | Refused::MessageWithoutYank { .. }
        | Refused::NoSuchOwner { .. }
        | Refused::Inactive(_)
        | Refused::LastOwner { .. }
        | Refused::NoOwnerNamed
        | Refused::TooManyOwners(_)
        | Refused::OtherSpelling { .. }
        | Refused::Reserved(_)
        | Refused::ReservedHere { .. }
        | Refused::Disconnected(_)
        | Refused::Limit(_) => StatusCode::BAD_REQUEST,
    }
}

fn of_publisher(refused: &PublisherRefusal) -> StatusCode {
    match refused {
        PublisherRefusal::Unknown(_) => StatusCode::NOT_FOUND,
        PublisherRefusal::Exists(_) | PublisherRefusal::TooMany { .. } => StatusCode::CONFLICT,
        PublisherRefusal::OnlyAdminsUndo { .. } | PublisherRefusal::OnlyAdminsAdd { .. } => StatusCode::FORBIDDEN,
        PublisherRefusal::NoPublisher { .. }
        | PublisherRefusal::OwnerOfCrate
        | PublisherRefusal::UnknownIssuer { .. }
        | PublisherRefusal::NoIssuer { .. }
        | PublisherRefusal::Rule(_)
        | PublisherRefusal::NoAccount { .. } => StatusCode::BAD_REQUEST,
    }
}

fn of_webhook(refused: &WebhookRefusal) -> StatusCode {
    match refused {
        WebhookRefusal::Unknown(_) | WebhookRefusal::UnknownDelivery { .. } => StatusCode::NOT_FOUND,
        WebhookRefusal::TooMany { .. } | WebhookRefusal::Paused(_) | WebhookRefusal::Busy { .. } => {
            StatusCode::CONFLICT
        }
        WebhookRefusal::NotMember { .. } | WebhookRefusal::OnlyAdmins { .. } => StatusCode::FORBIDDEN,
        WebhookRefusal::Url(_)
        | WebhookRefusal::Event(_)
        | WebhookRefusal::NoEvents
        | WebhookRefusal::LongText { .. }
        | WebhookRefusal::NeverReceived { .. }
        | WebhookRefusal::Overlap
        | WebhookRefusal::CrateAndTeam => StatusCode::BAD_REQUEST,
    }
}

fn of_set(refused: &SetRefusal) -> StatusCode {
    match refused {
        SetRefusal::Unknown(_) | SetRefusal::NotStaged { .. } => StatusCode::NOT_FOUND,
        SetRefusal::NotMember { .. }
        | SetRefusal::NotContributor { .. }
        | SetRefusal::NotManager { .. }
        | SetRefusal::CountsNowhere { .. }
        | SetRefusal::DeletionStaged { .. }
        | SetRefusal::NotStager { .. } => StatusCode::FORBIDDEN,
        SetRefusal::NameTaken(_)
        | SetRefusal::Empty(_)
        | SetRefusal::Ended { .. }
        | SetRefusal::Changed { .. }
        | SetRefusal::NotApproved { .. } => StatusCode::CONFLICT,
        SetRefusal::Full { .. } | SetRefusal::TooManyOpen { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        SetRefusal::NoReason
        | SetRefusal::NoOverrideReason
        | SetRefusal::NoDeletionReason
        | SetRefusal::StagedHere { .. }
        | SetRefusal::End { .. }
        | SetRefusal::SiblingsMissing { .. }
        | SetRefusal::SiblingsStaged { .. } => StatusCode::BAD_REQUEST,
    }
}
