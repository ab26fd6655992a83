//! `GET /api/v1/users/{login}`: shows a user.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::database::access::users;
use crate::web::extract::path::ApiPath;
use crate::web::shortened::shortened;
use crate::web::views::{Errors, UserView};
use crate::web::{ApiError, App};

/// A user.
#[derive(Serialize, ToSchema)]
pub struct UserAnswer {
    user: UserView,
}

/// Show a user
#[utoipa::path(
    get,
    path = "/api/v1/users/{login}",
    tag = "users",
    params(("login" = String, Path, description = "The login, in any case")),
    responses((status = 200, body = UserAnswer, description = "The user"), (status = 404, body = Errors, description = "There is no such user"))
)]
pub async fn show(State(app): State<App>, ApiPath(login): ApiPath<String>) -> Result<Json<UserAnswer>, ApiError> {
    let missing = ApiError::not_found(format!("there is no user `{}`", shortened(&login)));
    if login.contains('\0') {
        return Err(missing);
    }
    let user = app.with_connection(move |connection| users::find(connection, &login)).await?.ok_or(missing)?;
    Ok(Json(UserAnswer { user: UserView::new(user, &app.settings.base_url) }))
}
