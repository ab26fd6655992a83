//! What the forms of the pages have in common.

use std::fmt::Display;

use maud::{Markup, html};

use super::text::with_code;
use crate::web::ApiError;
use crate::web::pages::links::Links;
use crate::web::pages::problem::sentence;

/// The fields that are not shown: the token of the forms of a session, and others.
pub fn hidden(form_token: &str, fields: &[(&str, &str)]) -> Markup {
    html! {
        input type="hidden" name="form_token" value=(form_token);
        @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
    }
}

/// A form that is one button.
pub fn button(action: &str, hidden: &Markup, (class, label): (&str, &Markup)) -> Markup {
    html! {
        form class="one" method="post" action=(action) {
            (hidden)
            button type="submit" class=[Some(class).filter(|class| !class.is_empty())] { (label) }
        }
    }
}

/// The most crates that a sentence names.
const MAX_NAMED: usize = 20;

/// Crates in a row, each with a link to its settings, where its owners are changed.
pub fn crate_links(links: &Links, crates: &[impl Display]) -> Markup {
    html! {
        @for (place, krate) in crates.iter().take(MAX_NAMED).enumerate() {
            @if place > 0 { ", " }
            a href=(links.of_crate(krate, "settings")) { (krate) }
        }
        @if crates.len() > MAX_NAMED { " and " (crates.len() - MAX_NAMED) " more" }
    }
}

/// Why the last attempt did not work.
pub fn why(refused: Option<&ApiError>) -> Markup {
    html! {
        @if let Some(refused) = refused {
            p class="notice bad" role="alert" { strong { "That did not work." } " " (with_code(&sentence(&refused.to_string()))) }
        }
    }
}
