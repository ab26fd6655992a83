//! `/upstream/{name}/…`: another registry, such as crates.io, through this one.
//!
//! Each upstream has a sparse index of its own, for cargo's source replacement, so Cargo.lock keeps naming the upstream. It is never
//! merged with the registry's own: then Cargo.lock would call private crates those of the upstream.
//!
//! | file | content |
//! |---|---|
//! | `of_process` | all upstreams of a process |
//! | `upstream` | one upstream: what is kept of its index, and when it is asked |
//! | `index_file` | one file of its index, and as it is shown |
//! | `client` | requests to it |
//! | `downloads` | where its crate files are |
//! | `flights` | one request for all who ask at the same time |
//! | `crate_files` | crate files: from the store, or fetched, checked and stored |
//! | `transfer` | a crate file on its way |
//! | `alarm` | what an upstream never should do |
//! | `in_index` | what its index says of a version |
//! | `obtaining` | versions that a command wants in the cache |
//! | `index`, `download` | the endpoints |

mod alarm;
mod cargo_config;
mod client;
mod crate_files;
mod download;
mod downloads;
mod flights;
mod in_index;
mod index;
mod index_file;
mod lookup;
mod measures;
mod obtaining;
mod of_process;
mod perseverance;
mod settings;
mod transfer;
mod upstream;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::{any, get};

use super::App;
use super::index::plain_text::plain;
use super::shortened::shortened;

pub use cargo_config::cargo_config;
pub use obtaining::{Listed, NotObtained, Obtained, Resolved};
pub use of_process::{UpstreamError, Upstreams};
pub use settings::UpstreamPlan;

/// The routes of all upstreams.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/upstream/{name}/index", get(index::about))
        .route("/upstream/{name}/index/", get(index::about))
        .route("/upstream/{name}/index/config.json", get(index::config))
        .route("/upstream/{name}/index/{*path}", get(index::file))
        .route("/upstream/{name}/api/v1/crates/{crate}/{version}/download", get(download::download))
        .route("/upstream/{name}/api/{*rest}", any(only_of_the_upstream))
}

/// What cargo asks of the API of a registry: an upstream is read here, and nothing else.
async fn only_of_the_upstream(State(app): State<App>, uri: Uri) -> Response {
    let path = shortened(uri.path()).into_owned();
    let base = &app.settings.base_url;
    plain(
        StatusCode::NOT_FOUND,
        format!(
            "there is no {path}: upstreams are for reading. Publish, yank and search at the upstream itself, or in this registry with \
             sparse+{base}/index/"
        ),
    )
}
