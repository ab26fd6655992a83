//! The pages for people. They read the database by the functions that the API uses, and use nothing of the API's handlers.
//!
//! | file | content |
//! |---|---|
//! | [`entrance`] | the layer around all pages: sessions, private registries, errors, headers |
//! | [`visit`] | a request for a page: who sends it; shows a page in its frame |
//! | [`layout`] | the frame of a page |
//! | [`links`] | all paths of pages |
//! | [`problem`] | pages in place of errors |
//! | [`assets`] | style, script and icon |
//! | `parts/` | what several pages have |
//!
//! Every other file is a page. Markup is written with maud, which escapes every value.

pub mod assets;
pub mod layout;
pub mod links;
pub mod parts;
pub mod problem;
pub mod visit;

mod cookies;
mod diff;
mod entrance;
mod home;
mod me;
mod sign_in;
mod source;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use self::links::Links;
use self::visit::Visit;
use super::{ApiError, App};

pub(super) use entrance::wants_html;

/// All pages.
pub(super) fn router(app: App) -> Router {
    let pages = Router::new()
        .route("/", get(home::show))
        .route("/me", get(me::show))
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .merge(source::router())
        .merge(diff::router())
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(app.clone(), entrance::enter))
        .with_state(app);
    // These have nothing of the registry's, and a browser asks for them with every page.
    pages.merge(Router::new().route("/assets/{name}", get(assets::show)))
}

/// The page in place of an error at a path that is no page.
pub(super) async fn error(app: &App, headers: &HeaderMap, error: ApiError) -> Response {
    let links = Links::new(&app.settings.base_url);
    let visit = Visit::new(links, headers.clone(), (None, None), app.settings.auth_required);
    let mut response = problem::explain(app, &visit, "", false, error.into_response()).await;
    layout::protect(response.headers_mut());
    response
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this page is only read: open it with GET")
}
