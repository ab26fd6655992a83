//! How a webhook is described.

use maud::{Markup, html};

use crate::database::webhooks::deliveries::Standing;
use crate::database::webhooks::endpoints::{Subject, Webhook};
use crate::web::pages::links::Links;
use crate::web::pages::parts::text::text;

/// `paused`, `failing` or `active`.
pub fn state(webhook: &Webhook, standing: &Standing) -> Markup {
    html! {
        @match (&webhook.pause, &standing.error) {
            (Some(_), _) => span class="tag warn" { "paused" },
            (None, Some(_)) => span class="tag bad" { "failing" },
            (None, None) => "active",
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
