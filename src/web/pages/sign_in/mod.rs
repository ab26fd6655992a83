//! Sign-in and sign-out on pages.
//!
//! | file | what |
//! |---|---|
//! | [`again`] | the user of a session proves once more to be that user |
//! | `flow` | what the beginning and the end of a sign-in at a provider have in common |
//! | `form` | `GET /sign-in`: all ways to sign in |
//! | `link` | a link that is used once |
//! | [`password`] | a password |
//! | [`provider`] | an identity provider |
//! | `sent` | what a form has sent |
//! | `session` | the beginning of a session |
//! | `sign_out` | the end of one |
//! | `token` | a token of the user |

pub mod again;
pub mod password;
pub mod provider;

mod flow;
mod form;
mod link;
mod sent;
mod session;
mod sign_out;
mod token;

use axum::Router;
use axum::routing::{get, post};

pub use sent::{read_form, sent};

use crate::web::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/sign-in", get(form::show).post(token::sign_in))
        .route("/sign-in/password", post(password::sign_in))
        .route("/sign-in/link", get(link::show).post(link::sign_in))
        .route("/sign-in/again", get(again::show).post(again::prove))
        .route("/sign-in/with/{provider}", get(provider::begin))
        .route("/sign-in/from/{provider}", get(provider::finish))
        .route("/sign-out", post(sign_out::sign_out))
}
