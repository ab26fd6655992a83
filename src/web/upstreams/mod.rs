//! `/upstream/{name}/…`: another registry, such as crates.io, through this one.
//!
//! Each upstream has a sparse index of its own, for cargo's source replacement, so Cargo.lock keeps naming the upstream. It is never
//! merged with the registry's own: then Cargo.lock would call private crates those of the upstream.
//!
//! | file | content |
//! |---|---|
//! | `of_process` | all upstreams of a process |
//! | `upstream` | one upstream: what is kept of its index, and when it is asked |
//! | `refresh` | the request for a file of its index |
//! | `shelf`, `sharing` | where the files are kept, and what machines have in common |
//! | `index_file` | one file of its index, and as it is shown |
//! | `client` | requests to it |
//! | `downloads` | where its crate files are |
//! | `recall`, `known_versions` | answers from memory, before the router |
//! | `flights` | one request for all who ask at the same time |
//! | `crate_files` | crate files: from the store, or fetched, checked and stored |
//! | `crate_file_turn` | which machine fetches one |
//! | `transfer` | a crate file on its way |
//! | `outages`, `state` | whether it answers, and what it is doing |
//! | `judging`, `reading` | by what its versions are judged, and how that is read |
//! | `in_index` | what its index says of a version |
//! | `alarm`, `changes` | what an upstream never should do |
//! | `names` | whether it has a crate of a name |
//! | `obtaining`, `perseverance` | versions that a command wants in the cache |
//! | `index`, `download`, `advisories` | the endpoints |

mod advisories;
mod alarm;
mod cargo_config;
mod changes;
mod client;
mod crate_file_turn;
mod crate_files;
mod download;
mod downloads;
mod flights;
mod in_index;
mod index;
mod index_file;
mod judging;
mod known_versions;
mod lookup;
mod measures;
mod names;
mod obtaining;
mod of_process;
mod outages;
mod perseverance;
mod reading;
pub(super) mod recall;
mod refresh;
mod settings;
mod sharing;
mod shelf;
mod state;
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
pub use names::Looked;
pub use obtaining::{Listed, NotObtained, Obtained, Resolved};
pub use of_process::{UpstreamError, Upstreams};
pub use settings::{Places, Times, UpstreamPlan};
pub use state::UpstreamState;

/// The routes of all upstreams.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/upstream/{name}/index", get(index::about))
        .route("/upstream/{name}/index/", get(index::about))
        .route("/upstream/{name}/index/config.json", get(index::config))
        .route("/upstream/{name}/index/{*path}", get(index::file))
        .route("/upstream/{name}/api/v1/crates/{crate}/{version}/download", get(download::download))
        .route("/upstream/{name}/api/v1/crates/{crate}/advisories", get(advisories::of_crate))
        .route("/upstream/{name}/api/v1/crates/{crate}/{version}/advisories", get(advisories::of_version))
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
