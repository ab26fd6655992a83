//! `/api/v1/trusted_publishing`: CI systems publish with ID tokens instead of a token of a user. Paths and shapes of
//! `tokens`, `github_configs` and `gitlab_configs` are those of crates.io.

pub mod configs;
pub mod github;
pub mod gitlab;
pub mod restriction;
pub mod tokens;

use axum::http::{Extensions, StatusCode};
use serde::Serialize;
use utoipa::IntoParams;

use crate::database::access::caller::Caller;
use crate::database::access::provenance::Provider;
use crate::database::publishers::configurations::Publisher;
use crate::jobs::trusted_publishing::configure;
use crate::web::extract::path::crate_name;
use crate::web::extract::query::QueryParameters;
use crate::web::{ApiError, App, ClientAddress, RequestId};

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Whose trusted publishers are listed: exactly one of the two.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct ConfigsQuery {
    /// Those of this crate, and the patterns that cover it.
    #[param(rename = "crate", example = "demo")]
    krate: Option<String>,
    /// Those of the crates of this user, who has to be the caller, and the user's patterns.
    user_id: Option<i32>,
}

/// Describes a trusted publisher in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct ConfigPath {
    /// The number of the trusted publisher.
    id: i32,
}

/// How many there are; all are listed.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ConfigsMeta)]
pub struct Meta {
    total: usize,
    /// Always null.
    #[schema(value_type = Option<String>)]
    next_page: Option<()>,
}

impl Meta {
    fn of(total: usize) -> Self {
        Self { total, next_page: None }
    }
}

fn bad(detail: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, detail.into())
}

async fn list_publishers(app: &App, query: &QueryParameters, caller: Caller) -> Result<Vec<Publisher>, ApiError> {
    let user: Option<i32> = query.parsed("user_id", "the number of a user")?;
    let name = match (query.get("crate"), user) {
        (Some(name), None) => Some(crate_name(name)?),
        (None, Some(user)) if user == caller.user.id => None,
        (None, Some(user)) => {
            let own = caller.user.id;
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                format!("the user {user} is not the one of this token, which is {own}: ask with `user_id={own}`"),
            ));
        }
        _ => return Err(bad("give exactly one of `crate=NAME` and `user_id=N`")),
    };
    app.blocking(move |app| {
        Ok(app.pool.with(|connection| configure::list_as(connection, name.as_ref(), &caller))??)
    })
    .await
}

async fn remove_publisher(
    app: &App,
    (id, provider): (&str, Option<Provider>),
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let id: i32 = id.parse().map_err(|_| ApiError::not_found("there is no trusted publisher with this number"))?;
    app.blocking(move |app| {
        Ok(app.pool.with(|connection| configure::remove_as(connection, (id, provider), &caller))??)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The client's address, and the id of the request.
pub(super) fn from(extensions: &Extensions) -> (Option<String>, Option<String>) {
    let address = extensions.get::<ClientAddress>().and_then(|client| client.ip()).map(|ip| ip.to_string());
    (address, extensions.get::<RequestId>().map(ToString::to_string))
}
