//! The fields of a webhook in a form.

use maud::{Markup, html};

use super::words::patterns;
use crate::database::catalog::webhook_refusal::{MAX_TEXT, MAX_URL};
use crate::database::webhooks::endpoints::Webhook;
use crate::web::extract::query::QueryParameters;
use crate::webhook::event_type::TYPES;

/// What a form has entered, or shows.
#[derive(Clone, Debug)]
pub struct Entered {
    pub url: String,
    pub description: String,
    pub events: String,
    pub krate: String,
    pub team: String,
}

impl Entered {
    /// An empty form.
    pub fn nothing() -> Self {
        Self { events: "*".to_owned(), ..Self::sent(&QueryParameters::form("")) }
    }

    /// A webhook as it is.
    pub fn of(webhook: &Webhook) -> Self {
        Self {
            url: webhook.url.clone(),
            description: webhook.description.clone().unwrap_or_default(),
            events: patterns(webhook),
            ..Self::nothing()
        }
    }

    /// What was sent.
    pub fn sent(sent: &QueryParameters) -> Self {
        let field = |name: &str| sent.text(name).unwrap_or_default().trim().to_owned();
        let [url, description, events, krate, team] = ["url", "description", "events", "crate", "team"].map(field);
        Self { url, description, events, krate, team }
    }

    /// The types and groups of events.
    pub fn patterns(&self) -> Vec<String> {
        let parts = self.events.split(|c: char| c == ',' || c.is_whitespace());
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }
}

/// The fields that every webhook has.
pub fn fields(entered: &Entered) -> Markup {
    html! {
        label for="url" { "URL" }
        input id="url" name="url" type="url" required maxlength=(MAX_URL) autocomplete="off" autocapitalize="none" spellcheck="false"
            value=(entered.url) aria-describedby="about-url";
        p id="about-url" class="aside-text" { "With https (http reaches only networks that the operator allows), and without user and password. Messages are sent there with POST." }
        label for="events" { "Events" }
        input id="events" name="events" required maxlength="4000" autocomplete="off" autocapitalize="none" spellcheck="false"
            value=(entered.events) aria-describedby="about-events";
        p id="about-events" class="aside-text" {
            "Types such as " code { "version.published" } ", groups such as " code { "version.*" } ", or " code { "*" } " for all, \
             separated by commas."
        }
        (types())
        label for="description" { "Description, if any" }
        input id="description" name="description" maxlength=(MAX_TEXT) autocomplete="off" value=(entered.description);
    }
}

fn types() -> Markup {
    html! {
        details {
            summary { "All types of events" }
            p {
                "A webhook of a crate receives those of the groups version, crate, owner and trusted_publisher, and tests; one of a \
                 team those of team as well."
            }
            ul { @for kind in TYPES { li { code { (kind.name) } ": " (kind.tells) } } }
        }
    }
}
