//! Who is asking.

use axum::http::{HeaderMap, StatusCode, header};

use super::{ApiError, App};
use crate::database::tokens;
use crate::database::users::User;

/// The longest token worth a look.
const MAX_TOKEN: usize = 1024;

/// The user whose token the request carries.
pub async fn authenticate(app: &App, headers: &HeaderMap) -> Result<User, ApiError> {
    let token = token(headers, &app.settings.base_url)?;
    let base_url = app.settings.base_url.clone();
    let found = app.with_connection(move |connection| tokens::authenticate(connection, &token)).await?;
    found.map(|(user, _)| user).ok_or_else(|| {
        ApiError::new(
            StatusCode::FORBIDDEN,
            format!(
                "the token is unknown to this registry or was revoked: see {base_url}/me for how to get one, and run \
                 `cargo login` with it"
            ),
        )
    })
}

/// Cargo sends the token bare. A `Bearer` in front is accepted as well.
fn token(headers: &HeaderMap, base_url: &str) -> Result<String, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            format!("this needs a token: see {base_url}/me for how to get one, and run `cargo login` with it"),
        ));
    };
    let text = value.to_str().unwrap_or_default().trim();
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        None if text.eq_ignore_ascii_case("bearer") => "",
        _ => text,
    };
    if token.is_empty() || token.len() > MAX_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "the Authorization header holds no token: send the token itself, with or without `Bearer` in front",
        ));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        token(&headers, "http://registry").ok()
    }

    // protocol: 45
    #[test]
    fn a_token_is_taken_bare_and_as_bearer() {
        assert_eq!(parsed("sct_abc").as_deref(), Some("sct_abc"));
        assert_eq!(parsed("Bearer sct_abc").as_deref(), Some("sct_abc"));
        assert_eq!(parsed("bearer  sct_abc").as_deref(), Some("sct_abc"));
        for wrong in ["", "Bearer ", "a b", "Bearer a b"] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
        assert!(token(&HeaderMap::new(), "http://registry").unwrap_err().to_string().contains("http://registry/me"));
    }
}
