//! Invitations to own crates. To answer one needs a fresh proof that it is the user, as other changes of owners do.

use axum::extract::Request;
use axum::response::{self, Response};
use maud::{Markup, html};

use super::overview::back;
use crate::database::catalog::invitation_answer::Answer;
use crate::database::catalog::invitations::Invitation;
use crate::web::extract::path::ApiPath;
use crate::web::owner_changes;
use crate::web::pages::member::Member;
use crate::web::pages::parts::form::{button, hidden};
use crate::web::pages::parts::text::name;
use crate::web::pages::parts::time;
use crate::web::pages::sign_in::{again, sent};

/// The section, if there are any.
pub fn section(member: &Member, pending: &[Invitation], form_token: &str) -> Markup {
    let links = member.links();
    let answer = |one: &Invitation, answer: &str, label: &str| {
        let action = links.to(&format!("/me/invitations/{}/{answer}", one.crate_id));
        let label = html! { (label) span class="aside" { " the invitation to own " (one.crate_name) } };
        button(&action, &hidden(form_token, &[]), ("", &label))
    };
    html! {
        @if !pending.is_empty() {
            section aria-labelledby="invitations" {
                h2 id="invitations" { "Invitations" }
                ul class="ways" {
                    @for one in pending {
                        li {
                            (name(&one.inviter)) " invites you to own " a href=(links.krate(&one.crate_name)) { (one.crate_name) }
                            ", until " (time::day(one.expires_at)) " "
                            @if member.caller.user.role.changes() {
                                (answer(one, "accept", "Accept")) (answer(one, "decline", "Decline"))
                            }
                        }
                    }
                }
                @if !member.caller.user.role.changes() {
                    p { "You cannot answer with your role: ask an admin for another one." }
                }
            }
        }
    }
}

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
