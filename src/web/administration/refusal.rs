//! Why nothing is changed, in the words of the pages and the API.

use super::{bad, conflict};
use crate::database::access::teams::CreateTeamError;
use crate::database::access::users::{CreateUserError, Inactive};
use crate::database::catalog::user_removal::{RemovalError, listed};
use crate::database::sign_in::links::CreateLinkError;
use crate::jobs::name_reservations::ReservationError;
use crate::jobs::team_changes::TeamError;
use crate::jobs::upstream_decisions::DecisionError;
use crate::own_advisories::change::AdvisoryError;
use crate::web::ApiError;
use crate::web::extract::path::as_in_a_url;
use crate::web::shortened::shortened;

/// The most crates that a message names.
const MAX_NAMED: usize = 20;

impl From<TeamError> for ApiError {
    fn from(error: TeamError) -> Self {
        match error {
            TeamError::Database(error) | TeamError::Create(CreateTeamError::Database(error)) => error.into(),
            TeamError::Create(CreateTeamError::Name(_)) => bad(error.to_string()),
            TeamError::NoTeam(name) => {
                ApiError::not_found(format!("there is no team {:?}: see the list of teams", shortened(&name)))
            }
            TeamError::NoUser(login) => {
                let login = shortened(&login);
                ApiError::not_found(format!("there is no user {login:?}: check the login, or create the user first"))
            }
            TeamError::Owns { team, crates } => {
                let named = crates[..crates.len().min(MAX_NAMED)].join(", ");
                let more = crates.len().saturating_sub(MAX_NAMED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                conflict(format!(
                    "the team `{team}` owns {named}{more}: remove it first from the owners of each, in the settings of the crate"
                ))
            }
            TeamError::NoMember { team, login } => {
                conflict(format!("`{login}` is not a member of `{team}`, and nothing was changed: see its members"))
            }
            error => conflict(error.to_string()),
        }
    }
}

impl From<AdvisoryError> for ApiError {
    fn from(error: AdvisoryError) -> Self {
        match error {
            AdvisoryError::Database(error) => error.into(),
            AdvisoryError::Denied(denied) => denied.into(),
            AdvisoryError::Unknown(id) => ApiError::not_found(format!(
                "this registry has no advisory {} about one of its crates: see /api/v1/advisories",
                shortened(&as_in_a_url(&id))
            )),
            AdvisoryError::Taken(_) | AdvisoryError::Withdrawn(_) => conflict(error.to_string()),
            AdvisoryError::Unreadable(..) => ApiError::internal(error),
            error => bad(error.to_string()),
        }
    }
}

impl From<ReservationError> for ApiError {
    fn from(error: ReservationError) -> Self {
        match error {
            ReservationError::Database(error) => error.into(),
            ReservationError::Denied(denied) => denied.into(),
            ReservationError::Reason(_) | ReservationError::NoReason(_) => bad(error.to_string()),
            ReservationError::NotReserved(name) => conflict(format!(
                "the name `{name}` is neither reserved nor that of a deleted crate, and nothing was changed: see the list"
            )),
        }
    }
}

impl From<DecisionError> for ApiError {
    fn from(error: DecisionError) -> Self {
        match error {
            DecisionError::Database(error) => error.into(),
            DecisionError::Denied(denied) => denied.into(),
            DecisionError::Reason(_) | DecisionError::NoReason => bad(error.to_string()),
            DecisionError::NoRule(about) => {
                conflict(format!("there is no rule about {about}, and nothing was changed: see the list"))
            }
        }
    }
}

impl From<CreateUserError> for ApiError {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::Database(error) => error.into(),
            CreateUserError::Exists(_) => conflict(error.to_string()),
            CreateUserError::Login(_) => bad(error.to_string()),
        }
    }
}

impl From<CreateLinkError> for ApiError {
    fn from(error: CreateLinkError) -> Self {
        match error {
            CreateLinkError::Service(login) => {
                conflict(format!("`{login}` is a service account, which cannot sign in: give it another role first"))
            }
            CreateLinkError::Database(error) => error.into(),
            CreateLinkError::Randomness(error) => Self::internal(error),
        }
    }
}

impl From<Inactive> for ApiError {
    fn from(inactive: Inactive) -> Self {
        match &inactive {
            Inactive::Ended { login, state } => conflict(format!(
                "the user `{login}` is {}: make the user active first, on the page of the user or with `\"disabled\": false`",
                state.as_str()
            )),
            Inactive::Machine { .. } => conflict(inactive.to_string()),
        }
    }
}

impl From<RemovalError> for ApiError {
    fn from(error: RemovalError) -> Self {
        match error {
            RemovalError::Database(error) => error.into(),
            RemovalError::Denied(denied) => denied.into(),
            RemovalError::Successor(refusal) => (*refusal).into(),
            RemovalError::OnlyOwner { login, crates } => conflict(format!(
                "`{login}` is the only active user among the owners of {}: name a user who becomes an owner, because teams cannot change \
                 owners",
                listed(&crates)
            )),
            RemovalError::Itself { login } => {
                conflict(format!("`{login}` cannot take over its own crates: name another user or team"))
            }
            error => conflict(error.to_string()),
        }
    }
}
