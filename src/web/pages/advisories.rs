//! `GET /advisories` and `/advisories/{id}`: security advisories about crates of this registry and of upstreams. The texts of the
//! latter are not trusted.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use diesel::PgConnection;
use maud::{Markup, PreEscaped, html};
use serde_json::Value;

use super::layout::Page;
use super::links::Links;
use super::parts::text::{number, text};
use super::parts::{pager, time};
use super::visit::Visit;
use crate::advisory::draft::Origin;
use crate::advisory::interval::Interval;
use crate::advisory::is_id;
use crate::database::advisories::known::{self, Known};
use crate::database::advisories::own::{self, OWN};
use crate::database::advisories::search::{self, Search};
use crate::markdown::{self, Folder, NamedPath, Places};
use crate::own_advisories::repository;
use crate::package::CrateName;
use crate::web::extract::path::{ApiPath, as_in_a_url};
use crate::web::extract::query::QueryParameters;
use crate::web::shortened::shortened;
use crate::web::{ApiError, App};

/// Advisories on a page.
const PER_PAGE: u32 = 50;
/// The longest text of a search, in characters.
const LONGEST: usize = 200;
/// References and ranges that a page shows.
const SHOWN: usize = 50;

pub(super) fn router() -> Router<App> {
    Router::new().route("/advisories", get(list)).route("/advisories/{id}", get(show))
}

async fn list(State(app): State<App>, visit: Visit, query: QueryParameters) -> Result<Response, ApiError> {
    let pagination = query.pagination_of(PER_PAGE)?;
    let part = pagination.page();
    let given = |name: &str| query.text(name).unwrap_or_default().trim().chars().take(LONGEST).collect::<String>();
    let asked = Search { text: given("q"), upstream: Some(given("upstream")).filter(|upstream| !upstream.is_empty()) };
    let sought = asked.clone();
    let (found, total) = app
        .with_connection(move |connection| {
            Ok::<_, ApiError>((sought.page(connection, part.limit, part.offset)?, sought.total(connection)?))
        })
        .await?;
    let links = visit.links();
    let path = links.to("/advisories");
    let content = html! {
        h1 { "Security advisories" }
        form class="narrow" method="get" action=(path) role="search" {
            label for="advisories-q" { "Crate, id or title" }
            input type="search" id="advisories-q" name="q" value=(asked.text) maxlength="200";
            @if let Some(upstream) = asked.upstream { input type="hidden" name="upstream" value=(upstream); }
            button type="submit" { "Search" }
        }
        p class="muted" { @if total == 1 { "1 advisory" } @else { (number(total)) " advisories" } }
        @if found.is_empty() { p class="notice" { "There is none." } } @else { (table(links, &found)) }
        (pager::pager(&path, &pagination.meta(total, &query)))
    };
    Ok(visit.show(Page::new("Security advisories", content)))
}

fn table(links: &Links, found: &[Known]) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="group" aria-label="Advisories" {
            table {
                thead { tr { th scope="col" { "Crate" } th scope="col" { "Advisory" } th scope="col" { "Severity" } th scope="col" { "Registry" } th scope="col" { "Title" } } }
                tbody {
                    @for one in found {
                        tr {
                            td { (text(&one.crate_name)) }
                            td { a href=(links.advisory(&one.advisory_id, &one.upstream)) { (one.advisory_id) } }
                            td { (text(one.informational.as_deref().unwrap_or(&one.severity))) }
                            td { (registry(&one.upstream)) }
                            td { (text(&one.title)) }
                        }
                    }
                }
            }
        }
    }
}

/// Whose crates an advisory is about.
fn registry(upstream: &str) -> &str {
    if upstream == OWN { "this registry" } else { upstream }
}

async fn show(
    State(app): State<App>,
    visit: Visit,
    ApiPath(id): ApiPath<String>,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    let none = || ApiError::not_found(format!("there is no advisory {}", shortened(&as_in_a_url(&id))));
    if !is_id(&id) {
        return Err(none());
    }
    let (asked, upstream, origin) = (id.clone(), query.text("upstream"), app.settings.origin());
    let found = app.with_connection(move |connection| read(connection, &asked, upstream.as_deref(), &origin));
    let (rows, document) = found.await?.ok_or_else(none)?;
    let Some(first) = rows.first() else { return Err(ApiError::internal("an advisory without a crate")) };
    let details = document["details"].as_str().unwrap_or_default().to_owned();
    let description = app.blocking(move |app| {
        Ok(app.cpu_slots.run(|| markdown::render(&details, Folder::default(), Arc::new(Nowhere))).html().to_owned())
    });
    let description = description.await?;
    let links = visit.links();
    let content = html! {
        h1 { (text(&first.title)) }
        (facts(first, links))
        section aria-labelledby="crates" {
            h2 id="crates" { "Affected versions" }
            @for row in &rows { (affected(row, links)) }
        }
        @if !description.trim().is_empty() {
            section aria-labelledby="about" {
                h2 id="about" { "Description" }
                div class="readme" { (PreEscaped(description)) }
            }
        }
        (references(&document))
    };
    Ok(visit.show(Page::new(format!("{}: {}", first.advisory_id, first.title), content).unlisted()))
}

/// An advisory: what it says of each crate, and the whole of it in the form of OSV.
fn read(
    connection: &mut PgConnection,
    id: &str,
    upstream: Option<&str>,
    origin: &Origin,
) -> Result<Option<(Vec<Known>, Value)>, ApiError> {
    let Some((upstream, document)) = known::document(connection, id, upstream)? else { return Ok(None) };
    let rows = search::with_id(connection, id, &upstream)?;
    let own = if upstream == OWN { own::find(connection, id)? } else { None };
    let document = match own {
        Some(revision) => repository::osv(&revision, origin).map_err(ApiError::internal)?,
        None => document,
    };
    Ok(Some((rows, document)))
}

fn facts(of: &Known, links: &Links) -> Markup {
    html! {
        p {
            strong { (of.advisory_id) } ", "
            @match &of.informational {
                Some(kind) => { (text(kind)) }
                None => { "severity " strong { (of.severity) } }
            }
            ", first seen " (time::ago(of.first_seen)) ". "
            a href=(links.osv(&of.advisory_id, &of.upstream)) { "OSV" }
        }
        @if let Some(at) = of.withdrawn_at { p class="notice" { "Withdrawn " (time::ago(at)) ": it does not count any more." } }
        @else if let Some(at) = of.vanished_at { p class="notice" { "Gone from its source since " (time::ago(at)) ": it does not count any more." } }
        @if let Some(url) = &of.url { p { (outside(url)) } }
    }
}

fn affected(row: &Known, links: &Links) -> Markup {
    let ranges = row.affected().unwrap_or_default();
    let (intervals, versions) = ranges.affected();
    html! {
        h3 {
            @match row.crate_name.parse::<CrateName>() {
                Ok(name) if row.upstream == OWN => { a href=(links.krate(&name)) { (name) } }
                _ => { (text(&row.crate_name)) " of " (row.upstream) }
            }
        }
        ul {
            @for interval in intervals.iter().take(SHOWN) { li { code { (in_words(interval)) } } }
            @for version in versions.iter().take(SHOWN) { li { code { "= " (version) } } }
        }
        @match ranges.patched() {
            [] => { p { "No version is patched." } }
            patched => { p { "Patched: " @for (place, range) in patched.iter().take(SHOWN).enumerate() { @if place > 0 { ", " } code { (text(range)) } } } }
        }
    }
}

fn in_words(interval: &Interval) -> String {
    match (&interval.from, &interval.below) {
        (None, None) => "all versions".to_owned(),
        (Some(from), None) => format!(">= {from}"),
        (None, Some(below)) => format!("< {below}"),
        (Some(from), Some(below)) => format!(">= {from}, < {below}"),
    }
}

fn references(document: &Value) -> Markup {
    let urls = document["references"].as_array().into_iter().flatten().filter_map(|one| one["url"].as_str());
    let urls: Vec<&str> =
        urls.filter(|url| url.starts_with("https://") || url.starts_with("http://")).take(SHOWN).collect();
    html! {
        @if !urls.is_empty() {
            section aria-labelledby="references" {
                h2 id="references" { "References" }
                ul { @for url in urls { li { (outside(url)) } } }
            }
        }
    }
}

/// A link that somebody else has written.
fn outside(url: &str) -> Markup {
    html! { a href=(url) rel="nofollow noopener noreferrer" { (text(url)) } }
}

/// An advisory has no files, so its relative links lead nowhere.
struct Nowhere;

impl Places for Nowhere {
    fn link(&self, _: &NamedPath) -> Option<String> {
        None
    }

    fn image(&self, _: &NamedPath) -> Option<String> {
        None
    }
}
