//! `GET /api/v1/crates/{crate}/{version}/download`.

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;

use super::crate_file::{self, Asked};
use super::{ApiPath, crate_name, no_such_version, version};
use crate::database::versions;
use crate::web::{ApiError, App};

/// The stored bytes of a crate file, yanked or not.
pub async fn download(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let name = crate_name(&name)?;
    let num = version(&name, &num)?;
    app.blocking(move |app| {
        let missing = || no_such_version(&name, &num.to_string());
        let checksum =
            app.pool.with(|connection| versions::crate_file(connection, &name, &num))??.ok_or_else(missing)?;
        crate_file::respond(app, &Asked { name: &name, num: &num, checksum, method: &method, headers: &headers })
    })
    .await
}
