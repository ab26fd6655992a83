//! The latest changes of a crate, from the audit log, for those who may see it.

use maud::{Markup, html};

use crate::database::access::audit::Record;
use crate::web::pages::parts::text::text;
use crate::web::pages::parts::time;

/// The section with these entries, the newest first.
pub fn section(entries: &[Record]) -> Markup {
    html! {
        section aria-labelledby="changes" {
            h2 id="changes" { "Log of changes" }
            div class="scroll" tabindex="0" role="group" aria-label="Log of changes" {
                table {
                    caption { "The latest changes. Owners and admins see this list." }
                    thead {
                        tr { th scope="col" { "When" } th scope="col" { "What" } th scope="col" { "Who" } th scope="col" { "Token" } th scope="col" { "From" } }
                    }
                    tbody {
                        @for entry in entries {
                            tr {
                                td { (time::ago(entry.at)) }
                                td class="wrap" {
                                    (entry.action)
                                    @if let Some(version) = &entry.version { " " (version) }
                                    @if let Some(subject) = &entry.subject { " " (text(subject)) }
                                }
                                td class="wrap" { (text(&entry.actor)) }
                                td class="wrap" { @if let Some(token) = &entry.token_name { (text(token)) } }
                                td { @if let Some(address) = &entry.address { (text(address)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
