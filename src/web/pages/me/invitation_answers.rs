//! Accepts and declines invitations to own crates. That needs a fresh proof that it is the user, as other changes of owners do.

use axum::extract::Request;
use axum::response::{self, Response};

use super::overview::back;
use crate::database::catalog::invitation_answer::Answer;
use crate::web::extract::path::ApiPath;
use crate::web::owner_changes;
use crate::web::pages::member::Member;
use crate::web::pages::sign_in::{again, sent};

/// `POST /me/invitations/{id}/accept`.
pub async fn accept(member: Member, ApiPath(id): ApiPath<String>, request: Request) -> response::Result<Response> {
    answer(&member, &id, request, (Answer::Accept, "accepted")).await
}

/// `POST /me/invitations/{id}/decline`.
pub async fn decline(member: Member, ApiPath(id): ApiPath<String>, request: Request) -> response::Result<Response> {
    answer(&member, &id, request, (Answer::Decline, "declined")).await
}

async fn answer(
    member: &Member,
    id: &str,
    request: Request,
    (answer, notice): (Answer, &str),
) -> response::Result<Response> {
    sent(&member.visit, request).await?;
    again::check_proven_to_send(&member.visit, &member.caller, "/me")?;
    let crate_id: i32 = id.parse().map_err(|_| owner_changes::no_invitation(id))?;
    owner_changes::answer(&member.app, member.caller.clone(), crate_id, answer).await?;
    Ok(back(member, notice))
}
