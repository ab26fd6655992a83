//! The documentation of versions: uploaded files, read from their archives, and never trusted.
//!
//! What is uploaded contains scripts. On the registry's own host every file has `Content-Security-Policy: sandbox`, so that these run in
//! an origin of their own, without cookies; with `--docs-url` they are on another host, where there are none. Browsers send no cookie
//! from a sandbox, so in a private registry the path has a [`grant`] for one crate, by which all that a page loads is found.
//!
//! | file | content |
//! |---|---|
//! | `address` | the parts of a path |
//! | `answer` | who may read it, and where it is |
//! | `content_type` | types by file extension |
//! | `file` | one file of an archive as a response |
//! | `grant` | links that are valid for an hour |
//! | `host` | the host name of `--docs-url` |
//! | `inflate` | unpacks a file while it is sent |
//! | `kept` | indexes of archives in memory |
//! | `settings` | the operator's settings |

mod address;
mod answer;
mod content_type;
mod file;
mod grant;
pub mod host;
mod inflate;
pub(super) mod kept;
mod settings;

use axum::extract::{Request, State};
use axum::response::Response;

pub(super) use self::address::url;
use self::answer::Place;
pub use self::settings::DocsSettings;
use super::pages::visit::Visit;
use super::{ApiError, App, base_path};

/// `GET /docs/{path}`, among the pages.
pub(super) async fn show(State(app): State<App>, visit: Visit, request: Request) -> Result<Response, ApiError> {
    let (parts, _) = request.into_parts();
    let rest = parts.uri.path().strip_prefix("/docs/").unwrap_or_default().to_owned();
    let base = base_path::of(&app.settings.base_url);
    let place = Place::Registry { root: format!("{base}/docs"), visit };
    answer::answer(&app, &parts, &rest, &place).await
}
