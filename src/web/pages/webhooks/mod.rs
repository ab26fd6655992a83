//! Webhooks: for admins all of them, for owners those of their crates, and for members of teams those of the team by their numbers.
//!
//! | file | content |
//! |---|---|
//! | `add` | adds a webhook |
//! | `change` | what is changed on the page of a webhook |
//! | `deliveries` | the deliveries of a webhook |
//! | `fields` | the fields of a webhook in a form |
//! | `list` | the webhooks of the registry, or of a crate |
//! | `secret` | a secret, which is shown once |
//! | `show` | the page of a webhook |
//! | `words` | how a webhook is described |

mod add;
mod change;
mod deliveries;
mod fields;
mod list;
mod secret;
mod show;
mod words;

use axum::Router;
use axum::routing::{get, post};

use crate::web::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/admin/webhooks", get(list::of_registry).post(add::of_registry))
        .route("/crates/{name}/settings/webhooks", get(list::of_crate).post(add::of_crate))
        .route("/webhooks/{id}", get(show::show))
        .route("/webhooks/{id}/change", post(change::change))
        .route("/webhooks/{id}/pause", post(change::pause))
        .route("/webhooks/{id}/resume", post(change::resume))
        .route("/webhooks/{id}/test", post(change::test))
        .route("/webhooks/{id}/redeliver", post(change::redeliver))
        .route("/webhooks/{id}/secret", post(change::another_secret))
        .route("/webhooks/{id}/remove", post(change::remove))
}
