//! `/api/v1/admin`: what admins see and change, with a token of the scope `administer`.
//!
//! An unrestricted token of an admin sees all of it, and changes jobs, as on the page of the queue. It changes nothing else: with a
//! token that leaks, nobody makes users.

pub mod audit;
pub mod crate_limits;
pub mod exposure;
pub mod jobs;
pub mod members;
pub mod reserved_names;
pub mod sign_in;
pub mod teams;
pub mod tokens;
pub mod upstream_rules;
pub mod upstreams;
pub mod user_changes;
pub mod users;

mod requests;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::web::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(audit::list))
        .routes(routes!(users::list, user_changes::create))
        .routes(routes!(users::show, user_changes::update, user_changes::remove))
        .routes(routes!(sign_in::link))
        .routes(routes!(sign_in::sign_out))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(teams::list, teams::create))
        .routes(routes!(teams::show, teams::delete))
        .routes(routes!(members::add, members::remove))
        .routes(routes!(reserved_names::list))
        .routes(routes!(reserved_names::reserve, reserved_names::release))
        .routes(routes!(crate_limits::list))
        .routes(routes!(crate_limits::show, crate_limits::replace))
        .routes(routes!(upstreams::list))
        .routes(routes!(upstream_rules::list, upstream_rules::set, upstream_rules::remove))
        .routes(routes!(exposure::show))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::retry_dead))
        .routes(routes!(jobs::show))
        .routes(routes!(jobs::retry))
        .routes(routes!(jobs::discard))
}
