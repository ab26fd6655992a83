//! The invitations to own crates, as a part of `/me`.

use maud::{Markup, html};

use crate::database::catalog::invitations::Invitation;
use crate::web::pages::member::Member;
use crate::web::pages::parts::form::{button, hidden};
use crate::web::pages::parts::text::name;
use crate::web::pages::parts::time;

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
