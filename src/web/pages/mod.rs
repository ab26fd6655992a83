//! The pages for people. They read the database by the functions that the API uses, and use nothing of the API's handlers.
//!
//! | file | content |
//! |---|---|
//! | `entrance` | the layer around all pages: sessions, private registries, errors, headers |
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
pub mod readme_cache;
pub mod visit;

mod admin;
mod advisories;
mod audit;
mod badge;
mod cookies;
mod device;
mod diff;
mod email;
mod entrance;
mod exposure;
mod feeds;
mod home;
mod krate;
mod machines;
mod me;
mod member;
mod queue;
mod release_sets;
mod reserved_names;
mod search;
mod sign_in;
mod source;
mod status;
mod teams;
mod topics;
mod upstreams;
mod users;
mod webhooks;

use axum::Router;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use self::links::Links;
use self::visit::Visit;
use super::{ApiError, App};

pub(super) use visit::wants_html;

/// All pages.
pub(super) fn router(app: App) -> Router {
    let pages = Router::new()
        .route("/", get(home::show))
        .merge(me::router())
        .route("/search", get(search::show))
        .route("/keywords", get(topics::keywords))
        .route("/categories", get(topics::categories))
        .route("/crates/{name}", get(krate::show))
        .route("/crates/{name}/versions", get(krate::versions::show))
        .route("/crates/{name}/dependents", get(krate::dependents::show))
        .route("/crates/{name}/settings", get(krate::settings::show))
        .route("/crates/{name}/settings/owners", post(krate::settings::owners))
        .route("/crates/{name}/settings/publishers", post(krate::settings::add_publisher))
        .route("/crates/{name}/settings/publishers/remove", post(krate::settings::remove_publisher))
        .route("/crates/{name}/settings/restriction", post(krate::settings::restrict))
        .route("/crates/{name}/diff", get(krate::versions::compare))
        .route("/crates/{name}/feed.atom", get(feeds::of_crate))
        .route("/crates/{name}/{version}", get(krate::show_version))
        .route("/crates/{name}/{version}/dependencies", get(krate::dependencies::show))
        .route("/crates/{name}/{version}/features", get(krate::features::show))
        .route("/feeds/crates.atom", get(feeds::crates))
        .route("/feeds/versions.atom", get(feeds::versions))
        .route("/badges/{file}", get(badge::show))
        .route("/opensearch.xml", get(machines::open_search))
        .route("/robots.txt", get(machines::robots))
        .route("/sitemap.xml", get(machines::sitemap))
        .route("/docs/{*path}", get(super::docs::show))
        .merge(sign_in::router())
        .merge(status::router())
        .merge(source::router())
        .merge(diff::router())
        .merge(queue::router())
        .merge(email::router())
        .merge(users::router())
        .merge(teams::router())
        .merge(reserved_names::router())
        .merge(upstreams::router())
        .merge(exposure::router())
        .merge(advisories::router())
        .merge(webhooks::router())
        .merge(device::router())
        .merge(audit::router())
        .merge(release_sets::router())
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

async fn method_not_allowed(method: Method) -> ApiError {
    let detail = match method {
        Method::GET | Method::HEAD => "this address takes what a form sends: open the page with the form",
        _ => "this page is only read: open it with GET",
    };
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
