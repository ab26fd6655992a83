//! `/api/v1/crates/{crate}/owners`, `…/owner_user` and `…/owner_team`.

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::database::access::caller::Caller;
use crate::database::access::scope::Scope;
use crate::database::catalog::ownership::Change;
use crate::database::catalog::refusal;
use crate::database::catalog::{invitations, owners};
use crate::package::characters::plain;
use crate::web::extract::json::callers_json;
use crate::web::extract::path::{ApiPath, CratePath, crate_name};
use crate::web::views::{AnyError, OwnerView};
use crate::web::{ApiError, App, owner_changes};

/// The largest body of a change, in bytes: ten times as much as a hundred logins need.
const MAX_BODY: usize = 64 * 1024;

/// The owners of a crate: users first, then teams, each in the order in which they became owners.
#[derive(Serialize, ToSchema)]
pub struct OwnerList {
    pub users: Vec<OwnerView>,
}

/// Teams that own a crate, in the order in which they became owners.
#[derive(Serialize, ToSchema)]
pub struct OwnerTeams {
    pub teams: Vec<OwnerView>,
}

/// The owners to add or remove.
#[derive(Deserialize, ToSchema)]
pub struct OwnerChange {
    /// Logins of users, and teams as `team:NAME`.
    #[serde(alias = "owners")]
    #[schema(example = json!(["ann", "team:devs"]))]
    pub users: Vec<String>,
}

/// The owners are changed.
#[derive(Serialize, ToSchema)]
pub struct OwnersChanged {
    pub ok: bool,
    /// A sentence that names the changes.
    pub msg: String,
}

/// Lists the owners of a crate.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/owners",
    tag = "owners",
    params(CratePath),
    responses((status = 200, description = "The owners", body = OwnerList), AnyError),
)]
pub async fn list(State(app): State<App>, ApiPath(name): ApiPath<String>) -> Result<Json<OwnerList>, ApiError> {
    Ok(Json(OwnerList { users: of_crate(&app, &name).await? }))
}

/// Lists the users who own a crate.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/owner_user",
    tag = "owners",
    params(CratePath),
    responses((status = 200, description = "The users", body = OwnerList), AnyError),
)]
pub async fn users(State(app): State<App>, ApiPath(name): ApiPath<String>) -> Result<Json<OwnerList>, ApiError> {
    let owners = of_crate(&app, &name).await?;
    Ok(Json(OwnerList { users: owners.into_iter().filter(|owner| !owner.is_team()).collect() }))
}

/// Lists the teams that own a crate.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/owner_team",
    tag = "owners",
    params(CratePath),
    responses((status = 200, description = "The teams", body = OwnerTeams), AnyError),
)]
pub async fn teams(State(app): State<App>, ApiPath(name): ApiPath<String>) -> Result<Json<OwnerTeams>, ApiError> {
    let owners = of_crate(&app, &name).await?;
    Ok(Json(OwnerTeams { teams: owners.into_iter().filter(OwnerView::is_team).collect() }))
}

async fn of_crate(app: &App, name: &str) -> Result<Vec<OwnerView>, ApiError> {
    let name = crate_name(name)?;
    let base_url = app.settings.base_url.clone();
    app.with_connection(move |connection| {
        let krate = refusal::find_crate(connection, &name)??;
        let owners = owners::list_all(connection, krate.id)?;
        Ok::<_, ApiError>(owners.into_iter().map(|owner| OwnerView::new(owner, &base_url)).collect())
    })
    .await
}

/// Makes users or teams owners of a crate: at once, or, in a registry with `--owner-invitations`, users when they accept.
#[utoipa::path(
    put,
    path = "/api/v1/crates/{crate}/owners",
    tag = "owners",
    params(CratePath),
    security(("token" = ["change-owners"])),
    request_body = OwnerChange,
    responses((status = 200, description = "All of them are owners, or invited", body = OwnersChanged), AnyError),
)]
pub async fn add(state: State<App>, path: ApiPath<String>, request: Request) -> Result<Json<OwnersChanged>, ApiError> {
    let adding = owner_changes::adding(&state.0);
    change(state, path, request, adding).await
}

/// Removes owners of a crate, and withdraws invitations; the last user among the owners cannot be removed.
#[utoipa::path(
    delete,
    path = "/api/v1/crates/{crate}/owners",
    tag = "owners",
    params(CratePath),
    security(("token" = ["change-owners"])),
    request_body = OwnerChange,
    responses((status = 200, description = "None of them is an owner, or invited", body = OwnersChanged), AnyError),
)]
pub async fn remove(
    state: State<App>,
    path: ApiPath<String>,
    request: Request,
) -> Result<Json<OwnersChanged>, ApiError> {
    change(state, path, request, Change::Remove).await
}

async fn change(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
    request: Request,
    change: Change,
) -> Result<Json<OwnersChanged>, ApiError> {
    let name = crate_name(&name);
    let may = |caller: &Caller| name.as_ref().map_or(Ok(()), |name| Ok(caller.may(Scope::ChangeOwners, name)?));
    let (caller, named): (_, OwnerChange) = callers_json(&app, request, MAX_BODY, may).await?;
    let name = name?;
    let done = owner_changes::change(&app, caller, name, (named.users, change)).await?;
    let mut msg = plain(&done.sentence).into_owned();
    if done.invited {
        // cargo shows it.
        let (base_url, days) = (&app.settings.base_url, invitations::LASTS.num_days());
        msg.push_str(&format!("; invitations can be accepted within {days} days, at {base_url}/me"));
    }
    Ok(Json(OwnersChanged { ok: true, msg }))
}
