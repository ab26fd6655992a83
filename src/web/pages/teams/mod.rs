//! `/admin/teams`: the teams of the registry, for admins. Changes need a fresh proof that it is the admin.
//!
//! | file | what |
//! |---|---|
//! | `change` | what an admin changes |
//! | `list` | all teams, and the form of a new one |
//! | `refusal` | why a team is not changed |
//! | `show` | the page of a team |

mod change;
mod list;
mod show;

use axum::Router;
use axum::routing::{get, post};

use crate::web::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/admin/teams", get(list::show).post(change::create))
        .route("/admin/teams/{name}", get(show::show))
        .route("/admin/teams/{name}/add-member", post(change::add_member))
        .route("/admin/teams/{name}/remove-member", post(change::remove_member))
        .route("/admin/teams/{name}/delete", post(change::delete))
}
