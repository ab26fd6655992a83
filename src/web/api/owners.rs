//! `GET`, `PUT` and `DELETE /api/v1/crates/{crate}/owners`.

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ApiPath, Errors, crate_name, json_body, no_such_crate};
use crate::database::caller::Caller;
use crate::database::owners::{self, Owner};
use crate::database::ownership::{self, Change};
use crate::database::{PoolError, crates};
use crate::web::auth::{self, Authenticated};
use crate::web::{ApiError, App};

/// The largest body of a change, in bytes: a hundred logins have a tenth of it.
const MAX_BODY: usize = 64 * 1024;

/// A user or a team that owns a crate.
#[derive(Serialize, ToSchema)]
pub struct OwnerView {
    /// Unique among users, and among teams.
    pub id: i32,
    /// The login of a user, or `team:NAME`.
    #[schema(example = "ann")]
    pub login: String,
    /// `user` or `team`.
    pub kind: &'static str,
    pub name: Option<String>,
}

/// The owners of a crate: users first, then teams, each in the order in which they became owners.
#[derive(Serialize, ToSchema)]
pub struct OwnerList {
    pub users: Vec<OwnerView>,
}

/// Who is to be added or removed.
#[derive(Deserialize, ToSchema)]
pub struct OwnerChange {
    /// Logins of users, and teams as `team:NAME`.
    #[serde(alias = "owners")]
    #[schema(example = json!(["ann", "team:devs"]))]
    pub users: Vec<String>,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub struct OwnersChanged {
    pub ok: bool,
    /// A sentence for people.
    pub msg: String,
}

impl From<Owner> for OwnerView {
    fn from(owner: Owner) -> Self {
        let login = owner.login();
        match owner {
            Owner::User(user) => Self { id: user.id, login, kind: "user", name: user.name },
            Owner::Team(team) => Self { id: team.id, login, kind: "team", name: Some(team.name) },
        }
    }
}

/// Lists the owners of a crate. Needs a token, like every call that cargo makes with one.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/owners",
    tag = "owners",
    params(("crate" = String, Path, description = "Name of the crate, in any spelling")),
    security(("token" = [])),
    responses((status = 200, description = "The owners", body = OwnerList), Errors),
)]
pub async fn list(
    State(app): State<App>,
    _: Authenticated,
    ApiPath(name): ApiPath<String>,
) -> Result<Json<OwnerList>, ApiError> {
    let name = crate_name(&name)?;
    let owners = app
        .with_connection(move |connection| {
            let krate = crates::find(connection, &name)?.ok_or_else(|| no_such_crate(name.as_str()))?;
            Ok::<_, ApiError>(owners::list_all(connection, krate.id)?)
        })
        .await?;
    Ok(Json(OwnerList { users: owners.into_iter().map(OwnerView::from).collect() }))
}

/// Makes users or teams owners of a crate, at once and without asking them.
#[utoipa::path(
    put,
    path = "/api/v1/crates/{crate}/owners",
    tag = "owners",
    params(("crate" = String, Path, description = "Name of the crate, in any spelling")),
    security(("token" = ["change-owners"])),
    request_body = OwnerChange,
    responses((status = 200, description = "All of them are owners now", body = OwnersChanged), Errors),
)]
pub async fn add(state: State<App>, path: ApiPath<String>, request: Request) -> Result<Json<OwnersChanged>, ApiError> {
    change(state, path, request, Change::Add).await
}

/// Takes a crate from some of its owners; the last user among them stays.
#[utoipa::path(
    delete,
    path = "/api/v1/crates/{crate}/owners",
    tag = "owners",
    params(("crate" = String, Path, description = "Name of the crate, in any spelling")),
    security(("token" = ["change-owners"])),
    request_body = OwnerChange,
    responses((status = 200, description = "None of them is an owner any more", body = OwnersChanged), Errors),
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
    let (parts, body) = request.into_parts();
    let caller = auth::authenticate(&app, &parts).await;
    let asked: Result<OwnerChange, ApiError> = json_body(&parts.headers, body, MAX_BODY).await;
    let (caller, asked) = (caller?, asked?);
    let name = crate_name(&name)?;
    let msg = app.blocking(move |app| Ok(carry_out(app, &caller, &name, &asked.users, change)??)).await?;
    Ok(Json(OwnersChanged { ok: true, msg }))
}

fn carry_out(
    app: &App,
    caller: &Caller,
    name: &crate::package::CrateName,
    logins: &[String],
    change: Change,
) -> Result<Result<String, ownership::OwnersError>, PoolError> {
    let rate_limits = &app.settings.admission.rate_limits;
    let done =
        app.pool.with(|connection| ownership::change_as(connection, name, logins, change, (caller, rate_limits)))?;
    if let Ok(done) = &done {
        tracing::info!(%name, by = caller.user.login, done, "changed owners");
    }
    Ok(done)
}
