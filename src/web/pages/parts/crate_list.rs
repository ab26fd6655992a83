//! Lists of crates.

use maud::{Markup, html};

use super::text::{short_number, text};
use super::time::ago;
use crate::database::catalog::crate_details::CountedCrate;
use crate::web::pages::links::Links;

/// A crate of a list, with its description.
pub fn item(links: &Links, krate: &CountedCrate) -> Markup {
    let row = &krate.row;
    let shown = krate.default_version.as_ref().or(row.max_version.as_ref());
    html! {
        li class="crate" {
            div class="head" {
                a class="name" href=(links.krate(&row.name)) { (row.name) }
                @if let Some(num) = shown { span class="num" { (num) } }
                @if row.yanked { span class="tag bad" { "yanked" } }
            }
            @if let Some(description) = &row.description { p { (text(description)) } }
            div class="facts" {
                @for keyword in &row.keywords {
                    a class="keyword" href=(links.search(&[("keyword", keyword)])) { "#" (text(keyword)) }
                }
                span { (short_number(krate.downloads)) @if krate.downloads == 1 { " download" } @else { " downloads" } }
                span { "updated " (ago(row.updated_at)) }
            }
        }
    }
}

/// A crate of a short list: its name, a number or a time, and its description.
pub fn short_item(links: &Links, krate: &CountedCrate, fact: &Markup) -> Markup {
    html! {
        li {
            a class="name" href=(links.krate(&krate.row.name)) { (krate.row.name) }
            span class="fact" { (fact) }
            @if let Some(description) = &krate.row.description { p { (text(&super::text::beginning(description, 90))) } }
        }
    }
}
