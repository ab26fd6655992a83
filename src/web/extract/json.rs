//! JSON bodies.

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserializer;
use serde::de::{DeserializeOwned, Visitor};

use super::{auth, body};
use crate::database::access::caller::Caller;
use crate::web::shortened::shortened;
use crate::web::{ApiError, App};

/// Authenticates a request and reads its body as [`json_body`] does. The body is read only if `may` permits the caller the
/// request: until then nobody can make the registry wait for it.
pub async fn callers_json<T: DeserializeOwned>(
    app: &App,
    request: Request,
    limit: usize,
    may: impl FnOnce(&Caller) -> Result<(), ApiError>,
) -> Result<(Caller, T), ApiError> {
    let (parts, content) = request.into_parts();
    let caller = auth::authenticate(app, &parts).await?;
    may(&caller)?;
    Ok((caller, json_body(&parts, content, limit).await?))
}

/// Reads the body of a request that needs no token.
pub async fn unauthenticated_json<T: DeserializeOwned>(request: Request, limit: usize) -> Result<T, ApiError> {
    let (parts, content) = request.into_parts();
    json_body(&parts, content, limit).await
}

/// Reads a body of at most `limit` bytes as JSON, whatever its Content-Type. Unknown fields are ignored.
async fn json_body<T: DeserializeOwned>(parts: &Parts, body: Body, limit: usize) -> Result<T, ApiError> {
    let allowed = format!("{limit}: shorten it");
    let body = body::read(parts, body, limit, &allowed).await?;
    if body.is_empty() {
        let detail =
            "the request's JSON cannot be read: the body is empty; send an object, as /api/openapi.json describes it";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, detail));
    }
    // serde would accept an array with the fields in order.
    if body.trim_ascii_start().first().is_some_and(|first| *first == b'[') {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "the request's JSON cannot be read: it is an array; send an object",
        ));
    }
    let mut reader = serde_json::Deserializer::from_slice(&body);
    let read =
        serde_path_to_error::deserialize(&mut reader).map_err(|error| (error.path().to_string(), error.into_inner()));
    let ended = read.and_then(|value| reader.end().map(|()| value).map_err(|error| (".".to_owned(), error)));
    ended.map_err(|(path, error)| {
        let place = if path == "." { String::new() } else { format!(" at {path}") };
        ApiError::new(
            StatusCode::BAD_REQUEST,
            format!("the request's JSON cannot be read{}: {}", shortened(&place), shortened(&error.to_string())),
        )
    })
}

/// Reads a field whose value is an object: serde would accept an array with its fields in order, and leave out the rest.
pub fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(OnlyObjects(deserializer))
}

struct OnlyObjects<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for OnlyObjects<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}
