//! Mail to users: the address and what it gets, and the links in mails.
//!
//! | file | what |
//! |---|---|
//! | `address` | `/me/email`: the address, and of what it gets mail |
//! | `links` | `/email/confirm` and `/email/unsubscribe`, which need no session |

mod address;
mod links;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};

use crate::jobs::email::configure::EmailError;
use crate::web::{ApiError, App};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/me/email", get(address::show).post(address::enter))
        .route("/me/email/choice", post(address::choose))
        .route("/me/email/remove", post(address::remove))
        .route("/email/confirm", get(links::show_confirm).post(links::confirm))
        .route("/email/unsubscribe", get(links::show_unsubscribe).post(links::unsubscribe))
}

impl From<EmailError> for ApiError {
    fn from(error: EmailError) -> Self {
        let status = match &error {
            EmailError::TooSoon | EmailError::TooMany => StatusCode::TOO_MANY_REQUESTS,
            EmailError::NoLink | EmailError::NoAddress(_) => StatusCode::NOT_FOUND,
            EmailError::Randomness(_) | EmailError::Enqueue(_) => return Self::internal(error),
            EmailError::Database(_) => {
                let EmailError::Database(error) = error else { return Self::internal(error) };
                return error.into();
            }
        };
        Self::new(status, error.to_string())
    }
}
