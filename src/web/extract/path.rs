//! The parameters of a path. Refusals are JSON: cargo shows axum's plain text as a dump of status, headers and body.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::package::characters::is_hidden_in_path;
use crate::package::{CrateName, Version};
use crate::web::ApiError;
use crate::web::lookup::{no_such_crate, no_such_version};
use crate::web::shortened::shortened;

/// The parameters of a route's path.
pub struct ApiPath<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for ApiPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = Path::from_request_parts(parts, state).await;
        found.map(|Path(path)| Self(path)).map_err(refused)
    }
}

/// Describes a crate in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct CratePath {
    /// The crate's name, in any spelling.
    #[param(rename = "crate", example = "demo")]
    krate: String,
}

/// Describes a version in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct VersionPath {
    /// The crate's name, in any spelling.
    #[param(rename = "crate", example = "demo")]
    krate: String,
    /// The version with its build metadata.
    #[param(example = "1.0.0")]
    version: String,
}

/// Parses a crate name of a path. Text that is no crate name names no crate: 404.
pub fn crate_name(text: &str) -> Result<CrateName, ApiError> {
    text.parse().map_err(|_| no_such_crate(&as_in_a_url(text)))
}

/// Parses a version of a path. Text that is no version names no version: 404.
pub fn version(name: &CrateName, text: &str) -> Result<Version, ApiError> {
    text.parse().map_err(|_| no_such_version(name, &as_in_a_url(text)))
}

/// The text with what cannot be seen in a message percent-encoded, as the client wrote it.
pub fn as_in_a_url(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '%' || character.is_whitespace() || is_hidden_in_path(character) {
            shown.extend(utf8_percent_encode(character.encode_utf8(&mut [0; 4]), NON_ALPHANUMERIC));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Parses a crate name and a version of a path.
pub fn crate_and_version(name: &str, num: &str) -> Result<(CrateName, Version), ApiError> {
    let name = crate_name(name)?;
    let num = version(&name, num)?;
    Ok((name, num))
}

fn refused(rejection: PathRejection) -> ApiError {
    if rejection.status().is_client_error() {
        ApiError::not_found("there is nothing at this path: its percent-encoding is not UTF-8")
    } else {
        ApiError::internal(rejection)
    }
}

/// The number of a webhook in a path. Text that is no number names no webhook.
pub fn webhook_number(given: &str) -> Result<i32, ApiError> {
    given.parse().map_err(|_| {
        let given = as_in_a_url(given);
        ApiError::not_found(format!("there is no webhook {}: check its number in the list", shortened(&given)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_message_can_show_is_named_as_in_the_url() {
        let name: CrateName = "demo".parse().unwrap();
        for (text, shown) in [
            ("1.0.0\0", "1.0.0%00"),
            ("\0", "%00"),
            (" 1.0.0\n", "%201.0.0%0A"),
            ("%00", "%2500"),
            ("1.\u{200d}0", "1.%E2%80%8D0"),
            ("größe", "größe"),
        ] {
            let refused = version(&name, text).unwrap_err().to_string();
            assert_eq!(refused, format!("the crate `demo` has no version {shown}: check its number"));
            let refused = crate_name(&format!("a!{text}")).unwrap_err().to_string();
            assert_eq!(refused, format!("there is no crate `a!{shown}` in this registry: check its name"));
        }
    }
}
