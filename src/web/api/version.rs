//! `GET /api/v1/crates/{crate}/{version}`: where a version stands.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{ApiPath, crate_name, no_such_crate, no_such_version, version};
use crate::database::versions::VersionStatus;
use crate::database::{crates, versions};
use crate::package::CrateName;
use crate::web::{ApiError, App};

pub async fn show(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let name = crate_name(&name)?;
    let num = version(&name, &num)?;
    app.with_connection(move |connection| {
        let krate = crates::find(connection, &name)?.ok_or_else(|| no_such_crate(name.as_str()))?;
        let found = versions::find(connection, krate.id, &num)?
            .filter(|found| found.num == num)
            .ok_or_else(|| no_such_version(&krate.name, &num.to_string()))?;
        if let Some(reason) = &found.deletion_reason {
            return Err(ApiError::not_found(format!(
                "`{}@{num}` was deleted from this registry: {reason}",
                krate.name
            )));
        }
        Ok::<_, ApiError>(Json(describe(&krate.name, &found)))
    })
    .await
}

/// As crates.io describes a version, and besides its state: `queued` until the index shows it, and `wanted_yanked` while
/// the index does not show the yank state that was asked for.
fn describe(name: &CrateName, found: &VersionStatus) -> Value {
    let mut version = json!({
        "crate": name,
        "num": found.num,
        "dl_path": format!("/api/v1/crates/{name}/{}/download", found.num),
        "checksum": found.checksum.to_string(),
        "crate_size": found.size,
        "created_at": found.created_at,
        "yanked": found.effective_yanked.unwrap_or(false),
        "state": found.state(),
        "published_at": found.published_at,
        "index_commit": found.commit_id,
    });
    // What is not in the index yet is not shown yanked.
    if found.effective_yanked.unwrap_or(false) != found.wanted_yanked {
        version["wanted_yanked"] = json!(found.wanted_yanked);
    }
    json!({ "version": version })
}
