//! Adding a trusted publisher, by the API and on pages.

use axum::http::StatusCode;

use super::extract::path::crate_name;
use super::{ApiError, App};
use crate::database::access::caller::Caller;
use crate::database::publishers::configurations::{Covers, Publisher};
use crate::jobs::RequestError;
use crate::jobs::trusted_publishing::configure::{self, Asked};
use crate::package::crate_pattern::InvalidPattern;

/// Adds a trusted publisher of a crate, or of a prefix with `*`.
pub async fn add(app: &App, covers: String, asked: Asked, caller: Caller) -> Result<Publisher, ApiError> {
    app.waiting_for_others(move |app| {
        let covers = covered(&covers)?;
        let mut wanted = app.pool.with(|connection| asked.wanted(connection, covers))??;
        app.pool.with(|connection| configure::check_may_add(connection, &wanted, &caller))??;
        app.issuer_keys.pin_owner(&wanted.issuer, &mut wanted.rule).map_err(RequestError::from)?;
        Ok(app.pool.with(|connection| configure::add_as(connection, &wanted, &caller))??)
    })
    .await
}

fn covered(text: &str) -> Result<Covers, ApiError> {
    if text.ends_with('*') {
        let invalid = |invalid: InvalidPattern| ApiError::new(StatusCode::BAD_REQUEST, invalid.to_string());
        return Ok(Covers::Pattern(text.parse().map_err(invalid)?));
    }
    Ok(Covers::Crate(crate_name(text)?))
}
