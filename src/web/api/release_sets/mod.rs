//! `/api/v1/release-sets`: versions that are staged, and published together or not at all.

pub mod decisions;
pub mod diff;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

use crate::database::access::caller::Caller;
use crate::database::staging::SetName;
use crate::database::staging::sets::{self, Filter, ReleaseSet};
use crate::database::staging::view::ReleaseSetView;
use crate::jobs::staging::create::{self, Update, Wanted};
use crate::jobs::staging::end::remove_files;
use crate::jobs::staging::{self, change};
use crate::web::extract::auth::Authenticated;
use crate::web::extract::json::callers_json;
use crate::web::extract::path::{ApiPath, crate_and_version};
use crate::web::extract::query::{QueryParameters, refused};
use crate::web::release_sets::{read_view, set_name, view, visible};
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 64 * 1024;
const MAX_PER_PAGE: i64 = 100;

/// Describes a release set in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct SetPath {
    /// The name of the release set.
    #[param(example = "acme-2.4")]
    set: String,
}

/// Describes a version in a release set in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct StagedPath {
    /// The name of the release set.
    #[param(example = "acme-2.4")]
    set: String,
    /// The crate's name.
    #[param(rename = "crate", example = "demo")]
    krate: String,
    /// The version with its build metadata.
    #[param(example = "1.0.0")]
    version: String,
}

/// A release set to create.
#[derive(Deserialize, ToSchema, Default)]
#[serde(default, deny_unknown_fields)]
pub struct NewReleaseSet {
    /// A part of the URL of its index; generated without one. A name is never used again.
    #[schema(example = "acme-2.4", pattern = "^[a-z0-9][a-z0-9._-]{0,63}$")]
    name: Option<String>,
    /// A line for people.
    #[schema(max_length = 1000)]
    title: Option<String>,
    /// Whether everyone who may read the registry may read the set while it is open; otherwise only its members may. By
    /// default true, unless the registry is private: cargo needs a credential provider for a private set.
    preview: Option<bool>,
    /// The time until it expires, in seconds: 14 days by default, and at most 90.
    #[schema(minimum = 1, maximum = 7_776_000)]
    expires_in: Option<u64>,
}

/// Changes of a release set; what is absent or null stays as it is.
#[derive(Deserialize, ToSchema, Default)]
#[serde(default, deny_unknown_fields)]
pub struct ReleaseSetUpdate {
    #[schema(max_length = 1000)]
    title: Option<String>,
    preview: Option<bool>,
    /// The time from now until it expires, in seconds.
    #[schema(minimum = 1, maximum = 7_776_000)]
    expires_in: Option<u64>,
}

/// A release set.
#[derive(Serialize, ToSchema)]
pub struct ReleaseSetAnswer {
    pub release_set: ReleaseSetView,
}

/// Release sets, the newest first.
#[derive(Serialize, ToSchema)]
pub struct ReleaseSetList {
    pub release_sets: Vec<ReleaseSetView>,
    /// The value of `before` for the next page; null on the last page.
    pub next: Option<i32>,
}

/// Which sets to list; all that the caller may see by default.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct ReleaseSetsQuery {
    /// Only sets in this state.
    #[param(pattern = "^(open|approved|rejected|expired)?$")]
    state: Option<String>,
    /// Only sets before this one: `next` of the previous page.
    before: Option<i32>,
    /// Sets on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    per_page: Option<i64>,
}

async fn answer(app: &App, set: ReleaseSet, caller: &Caller) -> Result<Json<ReleaseSetAnswer>, ApiError> {
    Ok(Json(ReleaseSetAnswer { release_set: view(app, set, caller).await? }))
}

/// Create a release set
///
/// Publishing through the index of a name that was never used creates the set, too.
#[utoipa::path(
    post,
    path = "/api/v1/release-sets",
    tag = "release sets",
    security(("token" = [])),
    request_body = NewReleaseSet,
    responses((status = 200, body = ReleaseSetAnswer, description = "The set"), AnyError),
)]
pub async fn create(State(app): State<App>, request: Request) -> Result<Json<ReleaseSetAnswer>, ApiError> {
    let may = |caller: &Caller| Ok(create::check_may_stage(caller)?);
    let (caller, wanted): (_, NewReleaseSet) = callers_json(&app, request, MAX_BODY, may).await?;
    let name: Option<SetName> = match wanted.name.as_deref().map(str::parse) {
        None => None,
        Some(Ok(name)) => Some(name),
        Some(Err(wrong)) => return Err(ApiError::new(StatusCode::BAD_REQUEST, wrong.to_string())),
    };
    if wanted.preview == Some(true) && app.settings.auth_required {
        // More than sets are by default, for all that will be staged.
        caller.unrestricted()?;
    }
    let by = caller.clone();
    let set = app
        .blocking(move |app| {
            let wanted = Wanted {
                name: name.as_ref(),
                title: wanted.title.as_deref(),
                is_preview: wanted.preview.unwrap_or(!app.settings.auth_required),
                expires_in: wanted.expires_in.map(Duration::from_secs),
                is_of_publish: false,
            };
            let set = app
                .pool
                .with(|connection| create::request_as(connection, &wanted, (&by, &app.settings.admission)))??;
            app.overlays.forget(&set.name);
            Ok(set)
        })
        .await?;
    answer(&app, set, &caller).await
}

/// List release sets
#[utoipa::path(
    get,
    path = "/api/v1/release-sets",
    tag = "release sets",
    params(ReleaseSetsQuery),
    security(("token" = [])),
    responses((status = 200, body = ReleaseSetList, description = "The sets that the caller may see"), AnyError),
)]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: QueryParameters,
) -> Result<Json<ReleaseSetList>, ApiError> {
    const PER_PAGE_IS: &str = "a number from 1 to 100";
    let per_page = query.parsed("per_page", PER_PAGE_IS)?.unwrap_or(20);
    if !(1..=MAX_PER_PAGE).contains(&per_page) {
        return Err(refused("per_page", &per_page.to_string(), PER_PAGE_IS));
    }
    let filter = Filter {
        state: match query.get("state") {
            None | Some("") => None,
            Some(_) => query.choice("state")?,
        },
        seen_by: (!caller.is_admin()).then_some(caller.user.id),
        before: query.parsed("before", "the number that `next` of the previous page has")?,
    };
    let base_url = app.settings.base_url.clone();
    let list = app.with_connection(move |connection| {
        let mut found = sets::list(connection, &filter, per_page + 1)?;
        let more = i64::try_from(found.len()).is_ok_and(|found| found > per_page);
        if more {
            found.pop();
        }
        let next = found.last().filter(|_| more).map(|last| last.id);
        let views = found.into_iter().map(|set| read_view(connection, set, (&base_url, &caller)));
        Ok::<_, diesel::result::Error>(ReleaseSetList { release_sets: views.collect::<Result<_, _>>()?, next })
    });
    Ok(Json(list.await?))
}

/// Show a release set
#[utoipa::path(
    get,
    path = "/api/v1/release-sets/{set}",
    tag = "release sets",
    params(SetPath),
    security(("token" = [])),
    responses((status = 200, body = ReleaseSetAnswer, description = "The set"), AnyError),
)]
pub async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(set): ApiPath<String>,
) -> Result<Json<ReleaseSetAnswer>, ApiError> {
    let name = set_name(&set)?;
    let by = caller.clone();
    let set = app.with_connection(move |connection| visible(connection, &name, &by)).await?;
    answer(&app, set, &caller).await
}

/// Change a release set
///
/// Its title, its end, and whether it is a preview for everyone.
#[utoipa::path(
    patch,
    path = "/api/v1/release-sets/{set}",
    tag = "release sets",
    params(SetPath),
    security(("token" = [])),
    request_body = ReleaseSetUpdate,
    responses((status = 200, body = ReleaseSetAnswer, description = "The set"), AnyError),
)]
pub async fn update(
    State(app): State<App>,
    ApiPath(set): ApiPath<String>,
    request: Request,
) -> Result<Json<ReleaseSetAnswer>, ApiError> {
    let may = |caller: &Caller| Ok(create::check_may_stage(caller)?);
    let (caller, wanted): (_, ReleaseSetUpdate) = callers_json(&app, request, MAX_BODY, may).await?;
    let name = set_name(&set)?;
    let by = caller.clone();
    let set = app
        .blocking(move |app| {
            let update = Update {
                title: wanted.title.as_deref(),
                is_preview: wanted.preview,
                expires_in: wanted.expires_in.map(Duration::from_secs),
            };
            let set = app.pool.with(|connection| create::update_as(connection, (&name, update), &by))??;
            app.overlays.forget(&name);
            Ok(set)
        })
        .await?;
    answer(&app, set, &caller).await
}

/// Empty a release set
///
/// Everything is taken out of it; it stays open.
#[utoipa::path(
    delete,
    path = "/api/v1/release-sets/{set}/crates",
    tag = "release sets",
    params(SetPath),
    security(("token" = [])),
    responses((status = 200, body = ReleaseSetAnswer, description = "The set"), AnyError),
)]
pub async fn empty(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(set): ApiPath<String>,
) -> Result<Json<ReleaseSetAnswer>, ApiError> {
    let set = set_name(&set)?;
    let by = caller.clone();
    let set = app
        .blocking(move |app| {
            let files = app.pool.with(|connection| change::empty(connection, &set, &by))??;
            app.overlays.forget(&set);
            app.pool.with(|connection| remove_files(connection, &app.crate_store, &files))?;
            // The caller may no longer belong to it.
            Ok(app.pool.with(|connection| staging::find(connection, &set))??)
        })
        .await?;
    answer(&app, set, &caller).await
}

/// Take a version, or the change of one, out of a release set
#[utoipa::path(
    delete,
    path = "/api/v1/release-sets/{set}/crates/{crate}/{version}",
    tag = "release sets",
    params(StagedPath),
    security(("token" = [])),
    responses((status = 200, body = ReleaseSetAnswer, description = "The set"), AnyError),
)]
pub async fn remove(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath((set, name, num)): ApiPath<(String, String, String)>,
) -> Result<Json<ReleaseSetAnswer>, ApiError> {
    let set = set_name(&set)?;
    let (name, num) = crate_and_version(&name, &num)?;
    let by = caller.clone();
    let set = app
        .blocking(move |app| {
            let removed = app.pool.with(|connection| change::remove(connection, &set, (&name, &num), &by))??;
            app.overlays.forget(&set);
            if let change::Removed::Version(checksum) = removed {
                app.pool.with(|connection| remove_files(connection, &app.crate_store, &[checksum]))?;
            }
            // The caller may no longer belong to it.
            Ok(app.pool.with(|connection| staging::find(connection, &set))??)
        })
        .await?;
    answer(&app, set, &caller).await
}
