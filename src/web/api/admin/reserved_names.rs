//! `/api/v1/admin/reserved-names` and `/api/v1/admin/reserved-names/{name}`: names that may not be published.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::requests::{NamesQuery, administrators_json, narrowed, read};
use crate::database::access::administrator::Administrator;
use crate::database::catalog::reserved_names::{self, Taken};
use crate::jobs::name_reservations::{self, ReservationError};
use crate::web::administration::crate_name;
use crate::web::answers::unstored::unstored;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::views::{AnyError, PageMeta};
use crate::web::{ApiError, App};

/// Describes a name in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct NamePath {
    /// The name of a crate, in any spelling.
    #[param(example = "acme-core")]
    name: String,
}

/// Why a name is reserved. Unknown fields are rejected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReservationRequest {
    /// Shown to users who publish under the name.
    #[schema(example = "an internal name", min_length = 1, max_length = 1000)]
    reason: String,
}

/// A name that is taken.
#[derive(Serialize, ToSchema)]
pub struct TakenName {
    /// In lower case with `_` if it is reserved; that of a deleted crate in its own spelling.
    name: String,
    /// Whether it is that of a deleted crate, and not a reserved one.
    of_deleted_crate: bool,
    reason: String,
    since: DateTime<Utc>,
    /// Who reserved the name last, or deleted the crate.
    by: Option<String>,
}

/// Names by the alphabet.
#[derive(Serialize, ToSchema)]
pub struct TakenNames {
    names: Vec<TakenName>,
    meta: PageMeta,
}

/// A reservation.
#[derive(Serialize, ToSchema)]
pub struct Reservation {
    /// False if the name was reserved for the same reason.
    changed: bool,
    /// Whether a crate has the name, which is unchanged.
    has_crate: bool,
}

/// List reserved names, and those of deleted crates
#[utoipa::path(
    get,
    path = "/api/v1/admin/reserved-names",
    tag = "admin",
    params(NamesQuery),
    security(("token" = ["administer"])),
    responses((status = 200, body = TakenNames, description = "The names"), AnyError),
)]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    caller.sees_administration()?;
    let (part, pagination, page) = narrowed(&query)?;
    let found = read(&app, &caller, move |connection| {
        Ok((reserved_names::taken(connection, &part, page)?, reserved_names::count_taken(connection, &part)?))
    });
    let (names, total) = found.await?;
    let view = |taken: Taken| TakenName {
        name: taken.name,
        of_deleted_crate: taken.of_deleted,
        reason: taken.reason,
        since: taken.since,
        by: taken.actor,
    };
    Ok(unstored(TakenNames { names: names.into_iter().map(view).collect(), meta: pagination.meta(total, &query) }))
}

/// Reserve a name, or change the reason of its reservation
///
/// Only admins can publish a new crate under it.
#[utoipa::path(
    put,
    path = "/api/v1/admin/reserved-names/{name}",
    tag = "admin",
    params(NamePath),
    security(("token" = ["administer"])),
    request_body = ReservationRequest,
    responses((status = 200, body = Reservation, description = "The name is reserved"), AnyError),
)]
pub async fn reserve(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
    request: Request,
) -> Result<Json<Reservation>, ApiError> {
    let (caller, wanted): (_, ReservationRequest) = administrators_json(&app, request).await?;
    let name = crate_name(&name)?;
    let reserved = app.with_connection(move |connection| {
        name_reservations::reserve(connection, &name, &wanted.reason, Administrator::Admin(&caller))
    });
    let reserved = reserved.await?;
    Ok(Json(Reservation { changed: reserved.changed, has_crate: reserved.has_crate }))
}

/// Release a name that is reserved, or that of a deleted crate
#[utoipa::path(
    delete,
    path = "/api/v1/admin/reserved-names/{name}",
    tag = "admin",
    params(NamePath),
    security(("token" = ["administer"])),
    responses((status = 204, description = "The name is released"), AnyError),
)]
pub async fn release(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(name): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    caller.administrator()?;
    let name = crate_name(&name)?;
    let released = app.with_connection(move |connection| {
        name_reservations::release(connection, &name, Administrator::Admin(&caller)).map_err(|error| match error {
            ReservationError::NotReserved(name) => {
                ApiError::not_found(format!("the name `{name}` is neither reserved nor that of a deleted crate"))
            }
            error => error.into(),
        })
    });
    released.await?;
    Ok(StatusCode::NO_CONTENT)
}
