//! `/me`: what a user has and may change. Who is not signed in learns how to get a token.
//!
//! | file | what |
//! |---|---|
//! | `how_to` | how to get a token |
//! | `invitation_answers` | accepts and declines invitations to own crates |
//! | `invitations` | shows them |
//! | `new_token` | the form of a new token, and the token |
//! | `overview` | everything that a user has |
//! | `sessions` | ends sessions |
//! | `sign_in` | the password, and the accounts at identity providers |
//! | `tokens` | revokes tokens |

mod how_to;
mod invitation_answers;
mod invitations;
mod new_token;
mod overview;
mod sessions;
mod sign_in;
mod tokens;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};

use super::member::Member;
use super::visit::Visit;
use crate::web::extract::query::QueryParameters;
use crate::web::{ApiError, App};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/me", get(show))
        .route("/me/tokens/new", get(new_token::show).post(new_token::create))
        .route("/me/tokens/{id}/revoke", get(tokens::ask).post(tokens::revoke))
        .route("/me/sessions/{id}/end", post(sessions::end))
        .route("/me/sessions/end-others", post(sessions::end_others))
        .route("/me/invitations/{id}/accept", post(invitation_answers::accept))
        .route("/me/invitations/{id}/decline", post(invitation_answers::decline))
        .route("/me/password", get(sign_in::show_password).post(sign_in::set_password))
        .route("/me/password/remove", post(sign_in::remove_password))
        .route("/me/accounts/connect", post(sign_in::connect))
        .route("/me/accounts/{id}/disconnect", post(sign_in::disconnect))
}

async fn show(State(app): State<App>, visit: Visit, query: QueryParameters) -> Result<Response, ApiError> {
    match visit.caller().cloned() {
        Some(caller) if visit.session().is_some() => {
            let member = Member { app, visit, caller };
            overview::show(&member, query.get("notice")).await
        }
        _ => Ok(how_to::show(&visit)),
    }
}
