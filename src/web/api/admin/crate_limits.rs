//! `/api/v1/admin/crate-limits` and `/api/v1/admin/crate-limits/{crate}`: limits of single crates.

use axum::extract::{Request, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::requests::{administrators_json, read};
use crate::database::catalog::crate_limits::{self, CrateLimits, NamedLimits};
use crate::database::catalog::crates;
use crate::jobs::crate_limit_changes;
use crate::package::CrateName;
use crate::web::administration::{administer, bad, crate_name};
use crate::web::answers::unstored::unstored;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::{ApiPath, CratePath};
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

/// The limits of a crate. Null, or an absent field, is the limit of the registry.
#[derive(Deserialize, Serialize, ToSchema, Clone)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The largest crate file, in bytes.
    #[serde(default)]
    #[schema(example = 50_000_000, minimum = 1, maximum = 4_294_967_295u32)]
    crate_size: Option<i64>,
    /// The largest total size of the unpacked files, in bytes.
    #[serde(default)]
    #[schema(minimum = 1)]
    unpacked_size: Option<i64>,
    /// The most features of a version.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 2_147_483_647)]
    features: Option<i32>,
    /// The most dependencies of a version.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 2_147_483_647)]
    dependencies: Option<i32>,
}

/// The limits of a name.
#[derive(Serialize, ToSchema)]
pub struct LimitsOfName {
    /// The name of the crate; in lower case with `_` if there is none yet.
    #[serde(rename = "crate")]
    krate: String,
    /// Whether there is a crate of this name.
    exists: bool,
    limits: Limits,
}

/// Names with limits of their own.
#[derive(Serialize, ToSchema)]
pub struct LimitsList {
    crates: Vec<LimitsOfName>,
}

impl From<CrateLimits> for Limits {
    fn from(limits: CrateLimits) -> Self {
        Self {
            crate_size: limits.max_crate_size,
            unpacked_size: limits.max_unpacked_size,
            features: limits.max_features,
            dependencies: limits.max_dependencies,
        }
    }
}

impl Limits {
    /// The limits, if each is one.
    fn checked(self) -> Result<CrateLimits, ApiError> {
        let counts = [("features", self.features), ("dependencies", self.dependencies)];
        let counts = counts.map(|(name, limit)| (name, limit.map(i64::from), i64::from(i32::MAX)));
        let sizes = [("crate_size", self.crate_size, u32::MAX.into()), ("unpacked_size", self.unpacked_size, i64::MAX)];
        for (name, limit, most) in counts.into_iter().chain(sizes) {
            if let Some(limit) = limit.filter(|limit| !(1..=most).contains(limit)) {
                return Err(bad(format!("`{name}` is {limit}: it must be a number from 1 to {most}, or null")));
            }
        }
        Ok(CrateLimits {
            max_crate_size: self.crate_size,
            max_unpacked_size: self.unpacked_size,
            max_features: self.features,
            max_dependencies: self.dependencies,
        })
    }
}

/// List the names with limits of their own
#[utoipa::path(
    get,
    path = "/api/v1/admin/crate-limits",
    tag = "admin",
    security(("token" = ["administer"])),
    responses((status = 200, body = LimitsList, description = "The limits, by name"), AnyError),
)]
pub async fn list(State(app): State<App>, Authenticated(caller): Authenticated) -> Result<Response, ApiError> {
    let found = read(&app, &caller, |connection| Ok(crate_limits::list(connection)?)).await?;
    let view =
        |named: NamedLimits| LimitsOfName { krate: named.name, exists: named.exists, limits: named.limits.into() };
    Ok(unstored(LimitsList { crates: found.into_iter().map(view).collect() }))
}

/// Show the limits of a crate, which need not exist yet
#[utoipa::path(
    get,
    path = "/api/v1/admin/crate-limits/{crate}",
    tag = "admin",
    params(CratePath),
    security(("token" = ["administer"])),
    responses((status = 200, body = LimitsOfName, description = "The limits"), AnyError),
)]
pub async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(name): ApiPath<String>,
) -> Result<Response, ApiError> {
    caller.sees_administration()?;
    let name = crate_name(&name)?;
    let found = read(&app, &caller, move |connection| {
        let limits = crate_limits::of(connection, &name)?;
        answer(connection, &name, limits)
    });
    Ok(unstored(found.await?))
}

/// Replace the limits of a crate, which need not exist yet
#[utoipa::path(
    put,
    path = "/api/v1/admin/crate-limits/{crate}",
    tag = "admin",
    params(CratePath),
    security(("token" = ["administer"])),
    request_body = Limits,
    responses((status = 200, body = LimitsOfName, description = "The limits"), AnyError),
)]
pub async fn replace(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let (caller, wanted): (_, Limits) = administrators_json(&app, request).await?;
    let (name, wanted) = (crate_name(&name)?, wanted.checked()?);
    let changed = administer(&app, caller, move |connection, actor| {
        let limits = crate_limit_changes::change(connection, &name, |_| wanted, actor)?;
        answer(connection, &name, limits)
    });
    Ok(unstored(changed.await?))
}

fn answer(
    connection: &mut diesel::PgConnection,
    name: &CrateName,
    limits: CrateLimits,
) -> Result<LimitsOfName, ApiError> {
    let found = crates::find(connection, name)?.map(|krate| krate.name.to_string());
    Ok(LimitsOfName {
        exists: found.is_some(),
        krate: found.unwrap_or_else(|| name.canonical()),
        limits: limits.into(),
    })
}
