//! The pages of release sets: what is staged, what it changes, and the decision.
//!
//! | file | content |
//! |---|---|
//! | [`member`] | who may open them |
//! | [`list`] | `/release-sets` |
//! | [`show`] | `/release-sets/{set}` |
//! | [`facts`] | its parts that only inform |
//! | [`decision`] | its forms, and what they do |
//! | [`review`] | `/release-sets/{set}/{crate}/{version}`: what a staged version changes |

mod decision;
mod facts;
mod list;
mod review;
mod show;

use axum::Router;
use axum::routing::{get, post};

use crate::web::App;

pub fn router() -> Router<App> {
    Router::new()
        .route("/release-sets", get(list::show))
        .route("/release-sets/{set}", get(show::show))
        .route("/release-sets/{set}/approve", post(decision::approve))
        .route("/release-sets/{set}/withdraw", post(decision::withdraw))
        .route("/release-sets/{set}/reject", post(decision::reject))
        .route("/release-sets/{set}/{crate}/{version}", get(review::show))
}
