//! Queries and JSON bodies, refused in the form that cargo reads.

use axum::body::Body;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::web::{ApiError, body};

/// What stands behind the `?`. Unknown parameters are ignored.
pub struct ApiQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = Query::from_request_parts(parts, state).await;
        found.map(|Query(query)| Self(query)).map_err(|rejection| {
            ApiError::new(StatusCode::BAD_REQUEST, format!("the query can't be read: {}", rejection.body_text()))
        })
    }
}

/// A body of at most `limit` bytes of JSON, whatever type it says to have. Unknown fields are ignored.
pub async fn json_body<T: DeserializeOwned>(headers: &HeaderMap, body: Body, limit: usize) -> Result<T, ApiError> {
    let allowed = format!("{limit} for a request of this kind");
    let body = body::read(headers, body, limit, &allowed).await?;
    let mut reader = serde_json::Deserializer::from_slice(&body);
    let read =
        serde_path_to_error::deserialize(&mut reader).map_err(|error| (error.path().to_string(), error.into_inner()));
    let ended = read.and_then(|value| reader.end().map(|()| value).map_err(|error| (".".to_owned(), error)));
    ended.map_err(|(path, error)| {
        let place = if path == "." { String::new() } else { format!(" at {path}") };
        ApiError::new(StatusCode::BAD_REQUEST, format!("the request's JSON can't be read{place}: {error}"))
    })
}
