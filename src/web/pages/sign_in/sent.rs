//! What a form has sent.

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::web::ApiError;
use crate::web::extract::body;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::visit::Visit;

/// The largest form, in bytes.
const MAX_FORM: usize = 16 * 1024;

/// Reads the fields of a form.
pub async fn read_form(parts: &Parts, content: Body) -> Result<QueryParameters, ApiError> {
    let content = body::read(parts, content, MAX_FORM, "16384: shorten it").await?;
    let text = std::str::from_utf8(&content).map_err(|_| {
        ApiError::new(StatusCode::BAD_REQUEST, "the form is not UTF-8: send it from a page of this registry")
    })?;
    Ok(QueryParameters::form(text))
}

/// Reads a form that a page of this session has sent.
pub async fn sent(visit: &Visit, request: Request) -> Result<QueryParameters, ApiError> {
    Ok(sent_parts(visit, request).await?.1)
}

/// The same, with the head of the request.
pub(super) async fn sent_parts(visit: &Visit, request: Request) -> Result<(Parts, QueryParameters), ApiError> {
    let (parts, content) = request.into_parts();
    let sent = read_form(&parts, content).await?;
    visit.check_form(sent.get("form_token"))?;
    Ok((parts, sent))
}
