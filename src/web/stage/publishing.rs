//! `PUT /stage/{set}/api/v1/crates/new`: a publish into a release set.

use axum::Json;
use axum::extract::{Request, State};

use super::naming::set_name;
use crate::web::api::publish::{self, Published};
use crate::web::extract::path::ApiPath;
use crate::web::{ApiError, App};

pub(super) async fn publish(
    State(app): State<App>,
    ApiPath(set): ApiPath<String>,
    request: Request,
) -> Result<Json<Published>, ApiError> {
    publish::stage(&app, set_name(&set)?, request).await
}
