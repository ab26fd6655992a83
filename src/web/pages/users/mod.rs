//! `/admin/users`: the users of the registry, for admins. Changes need a fresh proof that it is the admin.
//!
//! | file | what |
//! |---|---|
//! | `change` | what an admin changes |
//! | `list` | all users, and the form of a new one |
//! | `removal_form` | the form that removes a user who leaves |
//! | `show` | the page of a user |

mod change;
mod list;
mod removal_form;
mod show;

use axum::Router;
use axum::routing::{get, post};

use crate::web::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/admin/users", get(list::show).post(change::create))
        .route("/admin/users/{login}", get(show::show))
        .route("/admin/users/{login}/role", post(change::role))
        .route("/admin/users/{login}/sign-in-link", post(change::sign_in_link))
        .route("/admin/users/{login}/sign-out", post(change::sign_out))
        .route("/admin/users/{login}/disable", post(change::disable))
        .route("/admin/users/{login}/enable", post(change::enable))
        .route("/admin/users/{login}/remove", post(change::remove))
}
