//! Queries and JSON bodies, refused in the form that cargo reads.

use axum::body::Body;
use axum::extract::{FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::{auth, body};
use crate::database::access::caller::Caller;
use crate::web::shortened::shortened;
use crate::web::{ApiError, App};

/// What stands behind the `?`. Unknown parameters are ignored.
pub struct ApiQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = Query::from_request_parts(parts, state).await;
        found.map(|Query(query)| Self(query)).map_err(|rejection| {
            let said = rejection.body_text();
            let said = said.strip_prefix("Failed to deserialize query string: ").unwrap_or(&said);
            let problem = match said.strip_suffix(": provided string was not `true` or `false`") {
                Some(parameter) => format!("{parameter} must be true or false"),
                None => said.to_owned(),
            };
            ApiError::new(StatusCode::BAD_REQUEST, format!("the query cannot be read: {}", shortened(&problem)))
        })
    }
}

/// Who sends a request, and its body as [`json_body`] reads it. The body is read when the caller is known and `may` do
/// this: until then nobody can make the registry wait for it.
pub async fn callers_json<T: DeserializeOwned>(
    app: &App,
    request: Request,
    limit: usize,
    may: impl FnOnce(&Caller) -> Result<(), ApiError>,
) -> Result<(Caller, T), ApiError> {
    let (parts, content) = request.into_parts();
    let (caller, refused) = match auth::authenticate(app, &parts).await {
        Ok(caller) => (may(&caller).map(|()| caller), body::USER),
        Err(refused) => (Err(refused), body::STRANGER),
    };
    match caller {
        Ok(caller) => Ok((caller, json_body(&parts.headers, content, limit).await?)),
        Err(error) => {
            body::discard(&parts.headers, content, refused);
            Err(error)
        }
    }
}

/// A body of at most `limit` bytes of JSON, whatever type it says to have. Unknown fields are ignored.
async fn json_body<T: DeserializeOwned>(headers: &HeaderMap, body: Body, limit: usize) -> Result<T, ApiError> {
    let allowed = format!("{limit} for a request of this kind; shorten it");
    let body = body::read(headers, body, limit, &allowed).await?;
    let mut reader = serde_json::Deserializer::from_slice(&body);
    let read =
        serde_path_to_error::deserialize(&mut reader).map_err(|error| (error.path().to_string(), error.into_inner()));
    let ended = read.and_then(|value| reader.end().map(|()| value).map_err(|error| (".".to_owned(), error)));
    ended.map_err(|(path, error)| {
        let place = if path == "." { String::new() } else { format!(" at {path}") };
        ApiError::new(
            StatusCode::BAD_REQUEST,
            format!("the request's JSON can't be read{}: {}", shortened(&place), shortened(&error.to_string())),
        )
    })
}
