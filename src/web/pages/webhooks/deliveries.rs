//! The deliveries of a webhook, the newest first.

use maud::{Markup, html};

use crate::database::webhooks::deliveries::Delivery;
use crate::package::characters::is_hidden;
use crate::web::pages::links::Links;
use crate::web::pages::parts::form::{button, hidden};
use crate::web::pages::parts::text::{name, text};
use crate::web::pages::parts::{copy, time};

/// What the table shows.
pub struct Table<'a> {
    pub links: &'a Links,
    pub webhook: i32,
    pub deliveries: &'a [Delivery],
    /// The token of the forms, if an event can be delivered again.
    pub form_token: Option<&'a str>,
    /// Whether jobs may be shown.
    pub sees_queue: bool,
}

impl Table<'_> {
    pub fn show(&self) -> Markup {
        html! {
            div class="scroll" tabindex="0" role="group" aria-label="Deliveries" {
                table {
                    caption class="aside" { "Deliveries, the newest first" }
                    thead { tr {
                        th scope="col" { "Delivery" } th scope="col" { "Event" } th scope="col" { "Happened" } th scope="col" { "Delivered" }
                        th scope="col" { "Answer" } th scope="col" { "Again" }
                    } }
                    tbody { @for delivery in self.deliveries { (self.row(delivery)) } }
                }
            }
        }
    }

    fn row(&self, delivery: &Delivery) -> Markup {
        let body = format!("body-{}", delivery.id);
        html! {
            tr {
                th scope="row" { (delivery.id) }
                td class="wrap" {
                    (name(&delivery.kind)) br;
                    span class="num" { (delivery.public_id) }
                    details {
                        summary { "Body" }
                        (copy::block(&body, &escaped(&delivery.body)))
                    }
                }
                td { (time::ago(delivery.happened_at)) }
                td { @if let Some(at) = delivery.delivered_at { (time::ago(at)) } @else { "not yet" } }
                td class="wrap" { (self.answer(delivery)) }
                td { (self.again(delivery)) }
            }
        }
    }

    fn answer(&self, delivery: &Delivery) -> Markup {
        html! {
            @if let Some(status) = delivery.status {
                (status) @if let Some(took) = delivery.took_ms { " after " (took) " ms" }
            } @else if delivery.is_dead {
                "its "
                @match delivery.job.filter(|_| self.sees_queue) {
                    Some(job) => a href=(self.links.job(job)) { "job" },
                    None => "job",
                }
                " is dead, which an admin can undo"
            } @else if let Some(error) = &delivery.error {
                @if let Some(attempts) = delivery.attempts { (attempts) @if attempts == 1 { " attempt: " } @else { " attempts: " } }
                (text(error))
            } @else {
                "–"
            }
        }
    }

    /// What waits is delivered anyway.
    fn again(&self, delivery: &Delivery) -> Markup {
        let is_over = delivery.delivered_at.is_some() || delivery.is_dead;
        html! {
            @if let Some(form_token) = self.form_token.filter(|_| is_over) {
                @let hidden = hidden(form_token, &[("delivery", &delivery.id.to_string())]);
                @let label = html! { "Deliver again" span class="aside" { ": the event of the delivery " (delivery.id) } };
                (button(&self.links.of_webhook(self.webhook, "redeliver"), &hidden, ("", &label)))
            }
        }
    }
}

/// A document in JSON with characters that are invisible, or change the direction of text, as escapes: the same document.
fn escaped(body: &str) -> String {
    let mut escaped = String::with_capacity(body.len());
    for character in body.chars() {
        if is_hidden(character) && character != '\n' {
            for unit in character.encode_utf16(&mut [0; 2]) {
                escaped += &format!("\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_in_a_body_is_escaped_and_the_document_is_the_same() {
        let body = "{\"a\":\"größe \u{202e}b \u{e0041}\"}";
        let shown = escaped(body);
        assert_eq!(shown, "{\"a\":\"größe \\u202eb \\udb40\\udc41\"}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&shown), read(body));
    }
}
