//! Why a team is not changed, in the words of the pages.

use axum::http::StatusCode;

use crate::database::access::teams::CreateTeamError;
use crate::jobs::team_changes::TeamError;
use crate::web::ApiError;
use crate::web::shortened::shortened;

/// The most crates that a message names.
const MAX_NAMED: usize = 20;

/// A refusal, with what an admin does about it on the pages.
pub(super) fn refusal(error: TeamError) -> ApiError {
    let conflict = |detail: String| ApiError::new(StatusCode::CONFLICT, detail);
    match error {
        TeamError::Database(error) | TeamError::Create(CreateTeamError::Database(error)) => error.into(),
        TeamError::Create(CreateTeamError::Name(_)) => ApiError::new(StatusCode::BAD_REQUEST, error.to_string()),
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
