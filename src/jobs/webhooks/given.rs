//! What people give for a webhook, checked.

use url::Url;

use crate::database::catalog::refusal::ChangeRefusal;
use crate::database::catalog::webhook_refusal::{MAX_TEXT, MAX_URL, WebhookRefusal};
use crate::database::webhooks::endpoints::Subject;
use crate::jobs::request::RequestError;
use crate::package::characters::check_line;
use crate::webhook::event_type::{EventPattern, EventType, TYPES};

/// The URL to store, as the client that sends to it reads it.
pub(super) fn checked_url(text: &str) -> Result<String, WebhookRefusal> {
    let is_good = |url: &Url| {
        let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        matches!(url.scheme(), "https" | "http") && url.has_host() && url.port() != Some(0) && is_plain
    };
    let url = Url::parse(text).ok().filter(is_good).map(String::from);
    let url = url.filter(|url| url.len() <= MAX_URL && url.parse::<ureq::http::Uri>().is_ok());
    url.ok_or_else(|| WebhookRefusal::Url(text.chars().take(200).collect()))
}

/// Where a URL leads, without its path, which may be a secret of the receiver.
pub(super) fn origin(url: &str) -> String {
    Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// The text to store; None if there is none.
pub(super) fn line<'a>(what: &'static str, text: Option<&'a str>) -> Result<Option<&'a str>, RequestError> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let length = text.chars().count();
    if length > MAX_TEXT {
        return Err(WebhookRefusal::LongText { what, length }.into());
    }
    check_line(text).map_err(|character| ChangeRefusal::HiddenInMessage { what, character })?;
    Ok(Some(text))
}

pub(super) fn patterns(given: &[String]) -> Result<Vec<EventPattern>, RequestError> {
    let mut patterns: Vec<EventPattern> = Vec::new();
    for text in given {
        let pattern = EventPattern::checked(text.trim()).map_err(WebhookRefusal::Event)?;
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    if patterns.is_empty() { Err(WebhookRefusal::NoEvents.into()) } else { Ok(patterns) }
}

/// Whether a webhook about this can receive a type.
fn receives(subject: &Subject, kind: &EventType) -> bool {
    match subject {
        Subject::Everything => true,
        Subject::Team { .. } => kind.is_of_a_crate() || kind.group() == "team",
        Subject::Crate { .. } => kind.is_of_a_crate(),
    }
}

/// Refuses patterns of which a webhook about this would receive nothing.
pub(super) fn check_received(patterns: &[EventPattern], subject: &Subject) -> Result<(), WebhookRefusal> {
    let is_received =
        |pattern: &EventPattern| TYPES.iter().any(|kind| pattern.matches(kind) && receives(subject, kind));
    let whose = match subject {
        Subject::Everything => return Ok(()),
        Subject::Crate { name, .. } => format!("the crate `{name}`"),
        Subject::Team { name, .. } => format!("the team `{name}`"),
    };
    match patterns.iter().find(|pattern| !is_received(pattern)) {
        Some(pattern) => Err(WebhookRefusal::NeverReceived { pattern: pattern.to_string(), whose }),
        None => Ok(()),
    }
}
