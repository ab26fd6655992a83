//! The web API of cargo, one file an endpoint.

pub mod audit;
pub mod crates;
pub mod deletion;
pub mod download;
pub mod downloads;
pub mod krate;
pub mod owners;
pub mod publish;
pub mod readme;
pub mod reverse_dependencies;
pub mod summary;
pub mod tokens;
pub mod topics;
pub mod users;
pub mod version;
pub mod versions;
pub mod yank;

use diesel::PgConnection;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::answers::output::AnyError;
use super::extract::input::{ApiQuery, callers_json};
use super::extract::path::ApiPath;
use crate::database::catalog::rows::{self, CountedCrate};
use crate::package::{CrateName, Version};
use crate::web::ApiError;
use crate::web::shortened::shortened;

/// Every call, each with its description. A crate may be called `new`; no version is called like the other words.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(crates::list))
        .routes(routes!(publish::publish, krate::show_new))
        .routes(routes!(krate::show))
        .routes(routes!(versions::list))
        .routes(routes!(downloads::of_crate))
        .routes(routes!(reverse_dependencies::list))
        .routes(routes!(owners::list, owners::add, owners::remove))
        .routes(routes!(owners::users))
        .routes(routes!(owners::teams))
        .routes(routes!(version::show, deletion::delete))
        .routes(routes!(version::dependencies))
        .routes(routes!(version::authors))
        .routes(routes!(readme::show))
        .routes(routes!(downloads::of_version))
        .routes(routes!(download::download))
        .routes(routes!(yank::yank))
        .routes(routes!(yank::unyank))
        .routes(routes!(topics::keywords))
        .routes(routes!(topics::keyword))
        .routes(routes!(topics::categories))
        .routes(routes!(topics::category))
        .routes(routes!(users::show))
        .routes(routes!(summary::show))
        .routes(routes!(tokens::me))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(tokens::revoke_current))
        .routes(routes!(audit::list))
}

/// A crate of which the index shows a version.
fn shown_crate(connection: &mut PgConnection, name: &CrateName) -> Result<CountedCrate, ApiError> {
    rows::find_crate(connection, name)?.ok_or_else(|| no_such_crate(name.as_str()))
}

/// A crate's name in a path. One that can't be a name can't be a crate.
fn crate_name(text: &str) -> Result<CrateName, ApiError> {
    text.parse().map_err(|_| no_such_crate(text))
}

/// A version in a path.
fn version(name: &CrateName, text: &str) -> Result<Version, ApiError> {
    text.parse().map_err(|_| no_such_version(name, text))
}

fn no_such_crate(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no crate `{}` here", shortened(name)))
}

fn no_such_version(name: &CrateName, version: &str) -> ApiError {
    ApiError::not_found(format!("the crate `{name}` has no version {}", shortened(version)))
}
