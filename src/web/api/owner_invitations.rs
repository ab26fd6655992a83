//! `/api/v1/me/crate_owner_invitations` and `/api/v1/crates/{crate}/owner_invitations`.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use diesel::PgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::database::access::caller::Caller;
use crate::database::access::users;
use crate::database::catalog::invitation_answer::{self, Answer};
use crate::database::catalog::invitations::Invitation;
use crate::database::catalog::ownership::OwnersError;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::json::callers_json;
use crate::web::extract::path::{ApiPath, CratePath, crate_name};
use crate::web::views::{AnyError, UserView};
use crate::web::{ApiError, App, owner_changes};

/// The largest body of an answer, in bytes.
const MAX_BODY: usize = 4 * 1024;

/// An invitation to become an owner of a crate.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnerInvitation)]
pub struct InvitationView {
    /// The user who is invited.
    invitee_id: i32,
    /// The user who invites.
    inviter_id: i32,
    /// The login of the user who invites.
    #[schema(example = "ann")]
    invited_by_username: String,
    #[schema(example = "demo")]
    crate_name: String,
    crate_id: i32,
    created_at: DateTime<Utc>,
    /// When it can no longer be accepted.
    expires_at: DateTime<Utc>,
}

/// Invitations that have not expired, the oldest first.
#[derive(Serialize, ToSchema)]
pub struct InvitationList {
    pub crate_owner_invitations: Vec<InvitationView>,
    /// The users whom they name.
    pub users: Vec<UserView>,
}

/// The answer to an invitation.
#[derive(Deserialize, ToSchema)]
pub struct InvitationAnswer {
    pub crate_owner_invite: AnsweredInvitation,
}

/// Whether an invitation is accepted or declined.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct AnsweredInvitation {
    /// The number of the crate, as in the path.
    #[schema(example = 1)]
    pub crate_id: i32,
    pub accepted: bool,
}

/// The invitation was answered.
#[derive(Serialize, ToSchema)]
pub struct InvitationAnswered {
    pub crate_owner_invitation: AnsweredInvitation,
}

/// List the user's invitations to own crates
///
/// A restricted token needs the scope `change-owners`, and sees the invitations to crates that it covers.
#[utoipa::path(
    get,
    path = "/api/v1/me/crate_owner_invitations",
    tag = "owners",
    security(("token" = ["change-owners"])),
    responses((status = 200, description = "The invitations", body = InvitationList), AnyError),
)]
pub async fn of_user(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
) -> Result<Json<InvitationList>, ApiError> {
    listed(&app, move |connection| invitation_answer::of_caller(connection, &caller)).await
}

/// List the pending invitations to own a crate, for its owners and for admins
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/owner_invitations",
    tag = "owners",
    params(CratePath),
    security(("token" = ["change-owners"])),
    responses((status = 200, description = "The invitations", body = InvitationList), AnyError),
)]
pub async fn of_crate(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(name): ApiPath<String>,
) -> Result<Json<InvitationList>, ApiError> {
    let name = crate_name(&name)?;
    listed(&app, move |connection| invitation_answer::of_crate(connection, &name, &caller)).await
}

async fn listed(
    app: &App,
    read: impl FnOnce(&mut PgConnection) -> Result<Vec<Invitation>, OwnersError> + Send + 'static,
) -> Result<Json<InvitationList>, ApiError> {
    let base_url = app.settings.base_url.clone();
    app.with_connection(move |connection| {
        let pending = read(connection)?;
        let named: Vec<i32> = pending.iter().flat_map(|one| [one.invitee_id, one.inviter_id]).collect();
        let users = users::with_ids(connection, &named)?;
        let users = users.into_iter().map(|user| UserView::new(user, &base_url)).collect();
        Ok::<_, ApiError>(Json(InvitationList {
            crate_owner_invitations: pending.into_iter().map(InvitationView::from).collect(),
            users,
        }))
    })
    .await
}

impl From<Invitation> for InvitationView {
    fn from(pending: Invitation) -> Self {
        Self {
            invitee_id: pending.invitee_id,
            inviter_id: pending.inviter_id,
            invited_by_username: pending.inviter,
            crate_name: pending.crate_name.into(),
            crate_id: pending.crate_id,
            created_at: pending.created_at,
            expires_at: pending.expires_at,
        }
    }
}

/// Accept or decline an invitation to own a crate
#[utoipa::path(
    put,
    path = "/api/v1/me/crate_owner_invitations/{crate_id}",
    tag = "owners",
    params(("crate_id" = i32, Path, description = "The number of the crate")),
    security(("token" = ["change-owners"])),
    request_body = InvitationAnswer,
    responses((status = 200, description = "The invitation is answered", body = InvitationAnswered), AnyError),
)]
pub async fn answer(
    State(app): State<App>,
    ApiPath(id): ApiPath<String>,
    request: Request,
) -> Result<Json<InvitationAnswered>, ApiError> {
    let in_path: Option<i32> = id.parse().ok();
    let may = |caller: &Caller| {
        invitation_answer::check_may_answer(caller)?;
        in_path.map(drop).ok_or_else(|| owner_changes::no_invitation(&id))
    };
    let (caller, sent): (_, InvitationAnswer) = callers_json(&app, request, MAX_BODY, may).await?;
    let answered = sent.crate_owner_invite;
    let crate_id = answered.crate_id;
    if in_path != Some(crate_id) {
        let detail = format!("the path has the crate {id}, and `crate_id` is {crate_id}: send the same number");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, detail));
    }
    let answer = if answered.accepted { Answer::Accept } else { Answer::Decline };
    owner_changes::answer(&app, caller, crate_id, answer).await?;
    Ok(Json(InvitationAnswered { crate_owner_invitation: answered }))
}
