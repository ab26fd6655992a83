//! How a webhook is described.

use maud::{Markup, html};

use crate::database::webhooks::deliveries::{Standing, State};
use crate::database::webhooks::endpoints::{Subject, Webhook};
use crate::web::pages::links::Links;
use crate::web::pages::parts::text::text;

/// `paused`, `failing` or `active`.
pub fn state(webhook: &Webhook, standing: &Standing) -> Markup {
    html! {
        @match standing.state(webhook) {
            State::Paused => span class="tag warn" { "paused" },
            State::Failing => span class="tag bad" { "failing" },
            State::Active => "active",
        }
    }
}

/// The patterns of a webhook, as a form has them.
pub fn patterns(webhook: &Webhook) -> String {
    webhook.events.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Which events a webhook receives, and of what.
pub fn events(links: &Links, webhook: &Webhook) -> Markup {
    let patterns = patterns(webhook);
    html! {
        @if patterns == "*" { "every event" } @else { (text(&patterns)) }
        @match &webhook.subject {
            Subject::Everything => " of the registry",
            Subject::Crate { name, .. } => { " of the crate " a href=(links.krate(name)) { (name) } }
            Subject::Team { name, .. } => { " of the team " (text(name)) }
        }
    }
}
