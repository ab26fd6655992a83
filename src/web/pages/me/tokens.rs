//! `/me/tokens/{id}/revoke`: asks, and revokes a token.

use std::collections::HashSet;

use axum::extract::Request;
use axum::response::Response;
use maud::html;

use super::overview::back;
use crate::database::access::tokens::Token;
use crate::web::extract::path::ApiPath;
use crate::web::pages::layout::Page;
use crate::web::pages::member::Member;
use crate::web::pages::parts::form::hidden;
use crate::web::pages::parts::text::text;
use crate::web::pages::sign_in::sent;
use crate::web::{ApiError, own_tokens};

/// `GET`: the page that asks.
pub async fn ask(member: Member, ApiPath(id): ApiPath<String>) -> Result<Response, ApiError> {
    member.caller.unrestricted()?;
    let tokens = own_tokens::list(&member.app, &member.caller).await?;
    let token = tokens.iter().find(|token| id.parse() == Ok(token.id)).ok_or_else(|| own_tokens::no_token(&id))?;
    let made = made_with(&tokens, token.id);
    let links = member.links();
    let content = html! {
        h1 { "Revoke the token " (text(&token.name)) "?" }
        p { "It is refused at once, also in requests that are running. This cannot be undone." }
        form class="sign-in" method="post" action=(links.to(&format!("/me/tokens/{}/revoke", token.id))) {
            (hidden(&member.visit.form_token().unwrap_or_default(), &[]))
            @if !made.is_empty() {
                label { input type="checkbox" name="descendants" value="true"; " Also revoke what was created with it, which is right after a leak:" }
                ul { @for other in &made { li { (text(&other.name)) } } }
            }
            button type="submit" class="danger" { "Revoke" }
        }
        p { a href=(links.me()) { "Back, and change nothing" } }
    };
    Ok(member.visit.show(Page::new("Revoke a token", content).unlisted()))
}

/// The tokens that were created with a token, directly or with one of these.
fn made_with(tokens: &[Token], id: i32) -> Vec<&Token> {
    let mut ids = HashSet::from([id]);
    // A token is older than what was created with it.
    tokens
        .iter()
        .filter(|token| token.created_by_token.is_some_and(|by| ids.contains(&by)) && ids.insert(token.id))
        .collect()
}

/// `POST`.
pub async fn revoke(member: Member, ApiPath(id): ApiPath<String>, request: Request) -> Result<Response, ApiError> {
    let sent = sent(&member.visit, request).await?;
    let with_descendants = sent.flag("descendants")?.unwrap_or(false);
    own_tokens::revoke(&member.app, member.caller.clone(), id, with_descendants).await?;
    Ok(back(&member, "revoked"))
}
