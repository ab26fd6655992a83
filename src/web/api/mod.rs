//! The endpoints of the web API, and their router.

pub mod admin;
pub mod advisories;
pub mod crates;
pub mod deletion;
pub mod diff;
pub mod docs;
pub mod download;
pub mod downloads;
pub mod krate;
pub mod oauth;
pub mod owner_invitations;
pub mod owners;
pub mod publish;
pub mod readme;
pub mod release_sets;
pub mod reverse_dependencies;
pub mod site_metadata;
pub mod status;
pub mod summary;
pub mod teams;
pub mod tokens;
pub mod topics;
pub mod trusted_publishing;
pub mod users;
pub mod version;
pub mod versions;
pub mod webhooks;
pub mod yank;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;

/// All endpoints, with their descriptions. A crate may be named `new`; no version can have the name of another route.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(crates::list))
        .routes(routes!(publish::publish, krate::show_new, deletion::delete_new))
        .routes(routes!(krate::show, trusted_publishing::restriction::update, deletion::delete_crate))
        .routes(routes!(versions::list))
        .routes(routes!(downloads::of_crate))
        .routes(routes!(reverse_dependencies::list))
        .routes(routes!(owners::list, owners::add, owners::remove))
        .routes(routes!(owners::users))
        .routes(routes!(owner_invitations::of_crate))
        .routes(routes!(owner_invitations::of_user))
        .routes(routes!(owner_invitations::answer))
        .routes(routes!(owners::teams))
        .routes(routes!(version::show, yank::update, deletion::delete))
        .routes(routes!(version::dependencies))
        .routes(routes!(version::authors))
        .routes(routes!(readme::show))
        .routes(routes!(docs::upload, docs::delete))
        .routes(routes!(diff::show))
        .routes(routes!(status::show))
        .routes(routes!(downloads::of_version))
        .routes(routes!(download::download))
        .routes(routes!(yank::yank))
        .routes(routes!(yank::unyank))
        .routes(routes!(topics::keywords))
        .routes(routes!(topics::keyword))
        .routes(routes!(topics::categories))
        .routes(routes!(topics::category))
        .routes(routes!(topics::category_slugs))
        .routes(routes!(users::show))
        .routes(routes!(teams::show))
        .routes(routes!(site_metadata::show))
        .routes(routes!(summary::show))
        .routes(routes!(advisories::listing::list, advisories::changes::publish))
        .routes(routes!(advisories::show, advisories::changes::edit))
        .routes(routes!(advisories::changes::withdraw))
        .routes(routes!(advisories::check::check))
        .routes(routes!(advisories::listing::of_crate))
        .routes(routes!(advisories::listing::of_version))
        .routes(routes!(tokens::me))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::show, tokens::revoke))
        .routes(routes!(tokens::revoke_current))
        .routes(routes!(oauth::device))
        .routes(routes!(oauth::token))
        .routes(routes!(trusted_publishing::tokens::exchange, trusted_publishing::tokens::revoke))
        .routes(routes!(trusted_publishing::configs::list, trusted_publishing::configs::add))
        .routes(routes!(trusted_publishing::configs::remove))
        .routes(routes!(trusted_publishing::github::list, trusted_publishing::github::add))
        .routes(routes!(trusted_publishing::github::remove))
        .routes(routes!(trusted_publishing::gitlab::list, trusted_publishing::gitlab::add))
        .routes(routes!(trusted_publishing::gitlab::remove))
        .routes(routes!(webhooks::endpoints::list, webhooks::endpoints::add))
        .routes(routes!(webhooks::events::list))
        .routes(routes!(webhooks::endpoints::show, webhooks::endpoints::update, webhooks::endpoints::remove))
        .routes(routes!(webhooks::operation::pause))
        .routes(routes!(webhooks::operation::resume))
        .routes(routes!(webhooks::operation::test))
        .routes(routes!(webhooks::operation::rotate))
        .routes(routes!(webhooks::deliveries::list))
        .routes(routes!(webhooks::deliveries::redeliver))
        .routes(routes!(release_sets::list, release_sets::create))
        .routes(routes!(release_sets::show, release_sets::update))
        .routes(routes!(release_sets::empty))
        .routes(routes!(release_sets::diff::show, release_sets::remove))
        .routes(routes!(release_sets::decisions::approve, release_sets::decisions::withdraw))
        .routes(routes!(release_sets::decisions::reject))
        .merge(admin::router())
}
