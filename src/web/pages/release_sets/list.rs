//! `GET /release-sets`: the sets that a user may see, the newest first.

use axum::response::Response;
use chrono::Utc;
use maud::{Markup, html};
use strum::VariantNames;

use super::facts::tag;
use crate::database::staging::listing::{self, ListedSet};
use crate::database::staging::sets::{Filter, SetState};
use crate::web::ApiError;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::layout::Page;
use crate::web::pages::links::Links;
use crate::web::pages::member::Member;
use crate::web::pages::parts::text::{counted, name, text};
use crate::web::pages::parts::time::{ago, day};

/// Sets on a page.
const PER_PAGE: usize = 50;

pub async fn show(member: Member, query: QueryParameters) -> Result<Response, ApiError> {
    let state = match query.get("state") {
        None => Some(SetState::Open),
        Some("") => None,
        Some(_) => query.choice("state")?,
    };
    let before = query.parsed("before", "taken from a link of this list")?;
    let seen_by = (!member.caller.is_admin()).then_some(member.caller.user.id);
    let filter = Filter { state, seen_by, before };
    let limit = i64::try_from(PER_PAGE + 1).unwrap_or(i64::MAX);
    let mut found = member.app.with_connection(move |connection| listing::list(connection, &filter, limit)).await?;
    let has_more = found.len() > PER_PAGE;
    found.truncate(PER_PAGE);
    let links = member.links();
    let given = state.map_or("", |state| state.as_str());
    let next = found.last().filter(|_| has_more).map(|last| last.set.id.to_string());
    let content = html! {
        h1 { "Release sets" }
        p { "A release set holds versions back until it is approved. Then all of them are published at one moment." }
        (states(links, given))
        @if found.is_empty() {
            p { "There is no " @if !given.is_empty() { (given) " " } "release set that you may see." }
            (beginning(links))
        } @else {
            div class="scroll" { (table(links, &found)) }
        }
        @if before.is_some() || next.is_some() {
            nav class="pager" aria-label="Pages" {
                @if before.is_some() { a rel="first" href=(links.release_sets(&[("state", given)])) { "← First page" } }
                @if let Some(next) = &next {
                    a rel="next" href=(links.release_sets(&[("state", given), ("before", next)])) { "Next →" }
                }
            }
        }
    };
    Ok(member.visit.show(Page::new("Release sets", content).unlisted()))
}

fn states(links: &Links, given: &str) -> Markup {
    html! {
        p class="sorts" {
            @for state in SetState::VARIANTS {
                a href=(links.release_sets(&[("state", state)])) aria-current=[(*state == given).then_some("true")] { (state) }
            }
            a href=(format!("{}?state=", links.release_sets(&[]))) aria-current=[given.is_empty().then_some("true")] { "all" }
        }
    }
}

/// How a set begins, for those who have none.
fn beginning(links: &Links) -> Markup {
    html! {
        p {
            "The first publish through the index of a name that was never used creates a set. The name is yours to choose; \
             the variable and the option have the name of this registry in your " code { ".cargo/config.toml" } "; it is in \
             capitals in the variable:"
        }
        pre class="plain" {
            "export CARGO_REGISTRIES_SUPERCARGO_INDEX=sparse+" (links.base_url()) "/stage/my-release/index/\n"
            "cargo publish --workspace --registry supercargo"
        }
    }
}

fn table(links: &Links, found: &[ListedSet]) -> Markup {
    const COLUMNS: [&str; 5] = ["Set", "State", "Contents", "Created", "Ends or ended"];
    let now = Utc::now();
    html! {
        table class="jobs" role="table" {
            caption { "Release sets, the newest first" }
            thead role="rowgroup" {
                tr role="row" { @for column in COLUMNS { th scope="col" role="columnheader" { (column) } } }
            }
            tbody role="rowgroup" {
                @for listed in found {
                    @let set = &listed.set;
                    tr role="row" {
                        th scope="row" role="rowheader" {
                            a href=(links.release_set(&set.name)) { (set.name) }
                            @if let Some(title) = &set.title { br; span class="muted" { (text(title)) } }
                        }
                        td role="cell" { (tag(set.state(now))) }
                        td role="cell" {
                            (counted(listed.versions, "version"))
                            @if listed.changes > 0 { ", " (counted(listed.changes, "change")) }
                        }
                        td role="cell" {
                            (ago(set.created_at)) " by "
                            @match &listed.created_by { Some(login) => { (name(login)) } None => { "an operator" } }
                        }
                        td role="cell" { (day(set.ended_at.unwrap_or(set.expires_at))) }
                    }
                }
            }
        }
    }
}
