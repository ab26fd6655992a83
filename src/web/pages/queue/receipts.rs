//! What became of a job: its receipts, and errors with their causes.

use maud::{Markup, html};

use super::history::seconds;
use super::words::tag;
use crate::queue::inspection::Receipt;
use crate::web::pages::parts::text::{name, text};
use crate::web::pages::parts::time::{exact, machine};

/// Causes of an error that have lines of their own.
const CAUSES: usize = 40;

/// An error with its causes, the outermost first. They are stored in one line, with colons between them.
pub fn causes(error: &str) -> Markup {
    let causes: Vec<&str> = error.splitn(CAUSES, ": ").collect();
    html! { ol class="causes" { @for cause in causes { li { (text(cause)) } } } }
}

/// Every receipt, oldest first.
pub fn history(receipts: &[Receipt]) -> Markup {
    html! {
        h2 id="history" { "History" }
        @if receipts.is_empty() { p class="muted" { "No attempt has ended yet." } } @else {
            p class="muted" { "Each attempt that ended, and each change by hand, the oldest first." }
            ol class="receipts" aria-labelledby="history" { @for receipt in receipts { (item(receipt)) } }
        }
    }
}

/// A receipt. It has no columns, so that it can be read on a narrow screen, too.
fn item(receipt: &Receipt) -> Markup {
    let is_by_hand = matches!(&*receipt.outcome, "retried" | "discarded");
    let took = receipt.started_at.map(|started| (receipt.finished_at - started).as_seconds_f64().max(0.0));
    html! {
        li {
            p {
                time datetime=(machine(receipt.finished_at)) { (exact(receipt.finished_at)) } " "
                span class=(tag(&receipt.outcome)) { (text(&receipt.outcome)) }
                @if !is_by_hand { " attempt " (receipt.attempts) }
                @if let Some(took) = took { ", took " (seconds(took)) }
                @if let Some(by) = &receipt.finished_by { (if is_by_hand { " by " } else { ", by " }) span class="by" { (name(by)) } }
            }
            @if let Some(detail) = &receipt.detail { p class="detail" { (text(detail)) } }
            @if let Some(error) = &receipt.error { (causes(error)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_a_line_and_the_number_of_lines_is_bounded() {
        let shown = causes("cannot push: https://a.example: <b>").into_string();
        assert_eq!(
            shown,
            "<ol class=\"causes\"><li><bdi>cannot push</bdi></li><li><bdi>https://a.example</bdi></li>\
             <li><bdi>&lt;b&gt;</bdi></li></ol>"
        );
        assert_eq!(causes(&"a: ".repeat(5_000)).into_string().matches("<li>").count(), CAUSES);
    }
}
