//! The secret of a webhook, which is shown once.

use axum::response::Response;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::database::webhooks::endpoints::Webhook;
use crate::web::pages::layout::Page;
use crate::web::pages::member::Member;
use crate::web::pages::parts::text::name;
use crate::web::pages::parts::{copy, time};
use crate::webhook::Secret;

/// The secret of a webhook that was just added.
pub fn of_new(member: &Member, webhook: &Webhook, secret: &Secret) -> Response {
    let more = html! { p { "A test is on its way to it. The page of the webhook shows whether it is accepted." } };
    page(member, (webhook.id, &webhook.url), secret, &more)
}

/// Another secret. The previous one signs as well, until then.
pub fn another(member: &Member, (id, url): (i32, &str), secret: &Secret, until: Option<DateTime<Utc>>) -> Response {
    let more = html! {
        p {
            @match until {
                Some(until) => { "Messages have the signature of the previous secret as well, until " (time::exact(until)) "." }
                None => "Messages no longer have the signature of the previous secret.",
            }
        }
    };
    page(member, (id, url), secret, &more)
}

fn page(member: &Member, (id, url): (i32, &str), secret: &Secret, more: &Markup) -> Response {
    let links = member.links();
    let content = html! {
        h1 { "The secret of the webhook " (id) }
        p class="notice good" role="status" { "Copy it now. It is not shown again." }
        (copy::block("secret", &secret.reveal()))
        p { "The receiver at " code { (name(url)) } " needs it to check the signatures of messages. Keep it from everybody else." }
        (more)
        p { a href=(links.webhook(id)) { "Done" } }
    };
    member.visit.show(Page::new(format!("Secret of the webhook {id}"), content).unlisted().unstored())
}
