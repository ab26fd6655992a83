//! What the requests of admins have in common: who may send them, and the pages of lists.

use axum::extract::Request;
use diesel::PgConnection;
use serde::de::DeserializeOwned;

use crate::database::access::caller::Caller;
use crate::database::search::Page;
use crate::web::extract::json::callers_json;
use crate::web::extract::query::{Pagination, QueryParameters};
use crate::web::{ApiError, App};

/// The largest body of a request, in bytes.
pub(super) const MAX_BODY: usize = 64 * 1024;

/// Reads something for an admin.
pub(super) async fn read<R: Send + 'static>(
    app: &App,
    caller: &Caller,
    f: impl FnOnce(&mut PgConnection) -> Result<R, ApiError> + Send + 'static,
) -> Result<R, ApiError> {
    caller.sees_administration()?;
    app.with_connection(f).await
}

/// Authenticates somebody who may change something here, and only then reads the body.
pub(super) async fn administrators_json<T: DeserializeOwned>(
    app: &App,
    request: Request,
) -> Result<(Caller, T), ApiError> {
    callers_json(app, request, MAX_BODY, |caller| Ok(caller.administrator()?)).await
}

/// The part of names that a list is narrowed to, and its page.
pub(super) fn narrowed(query: &QueryParameters) -> Result<(String, Pagination, (i64, i64)), ApiError> {
    let pagination = query.pagination_of(100)?;
    let Page { limit, offset } = pagination.page();
    let part = query.text("q").unwrap_or_default().trim().to_owned();
    Ok((part, pagination, (limit, offset)))
}

/// The page of a list of names, and a part of them.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct NamesQuery {
    /// Only those with this text, whose case is ignored.
    q: Option<String>,
    #[param(minimum = 1, maximum = 1_000_000, default = 1)]
    page: Option<u32>,
    #[param(minimum = 1, maximum = 100, default = 100)]
    per_page: Option<u32>,
}
