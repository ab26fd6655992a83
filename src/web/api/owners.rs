//! `GET /api/v1/crates/{crate}/owners`.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::{ApiPath, crate_name, no_such_crate};
use crate::database::{crates, owners};
use crate::web::{ApiError, App, auth};

/// Lists the owners, the first one first. Needs a token, like every call that cargo makes with one.
pub async fn list(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    auth::authenticate(&app, &headers).await?;
    let name = crate_name(&name)?;
    let users = app
        .with_connection(move |connection| {
            let krate = crates::find(connection, &name)?.ok_or_else(|| no_such_crate(name.as_str()))?;
            Ok::<_, ApiError>(owners::list(connection, krate.id)?)
        })
        .await?;
    let users: Vec<_> =
        users.into_iter().map(|user| json!({ "id": user.id, "login": user.login, "name": user.name })).collect();
    Ok(Json(json!({ "users": users })))
}
