//! `GET /crates/{name}` and `/crates/{name}/{version}`: a crate, with one of its versions.

mod audit;
mod dependency_table;
mod facts;
mod feature_table;
mod packaged;
mod part;
mod plot;
mod provenance;
mod reading;
mod readmes;
mod use_it;

pub mod dependencies;
pub mod dependents;
pub mod features;
pub mod settings;
pub mod versions;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, PreEscaped, html};

use self::reading::Reading;
use super::layout::Page;
use super::links::Links;
use super::parts::crate_head::{CrateHead, Tab, notices, rest};
use super::parts::text::{beginning, counted};
use super::visit::Visit;
use crate::database::access::caller::Caller;
use crate::web::extract::path::ApiPath;
use crate::web::{ApiError, App, ClientAddress};

/// Features and dependencies that are shown on the crate's page; their own pages have all.
const SHOWN: usize = 40;

/// `GET /crates/{name}`.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    client: ClientAddress,
    ApiPath(name): ApiPath<String>,
) -> Result<Response, ApiError> {
    page(&app, &visit, client, (name, None)).await
}

/// `GET /crates/{name}/{version}`.
pub async fn show_version(
    State(app): State<App>,
    visit: Visit,
    client: ClientAddress,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Response, ApiError> {
    page(&app, &visit, client, (name, Some(num))).await
}

/// Leads to the path with the crate's own spelling; None if the path has it.
pub fn elsewhere(given: &str, name: &crate::package::CrateName, path: &str) -> Option<Response> {
    let headers = [(header::LOCATION, path.to_owned())];
    (given != name.as_str()).then(|| (StatusCode::MOVED_PERMANENTLY, headers).into_response())
}

async fn page(
    app: &App,
    visit: &Visit,
    client: ClientAddress,
    (name, num): (String, Option<String>),
) -> Result<Response, ApiError> {
    let (readmes, caller) = (app.readme_pages.clone(), visit.caller().cloned());
    let (wanted, given) = (num.clone(), name.clone());
    let reading = app
        .with_connection(move |connection| Reading::of(connection, (&name, num.as_deref()), caller.as_ref(), &readmes))
        .await?;
    let links = visit.links();
    let (krate, version) = (&reading.found.krate.row, &reading.found.version);
    let path = match &wanted {
        Some(_) => links.version(&krate.name, &version.row.num),
        None => links.krate(&krate.name),
    };
    if let Some(response) = elsewhere(&given, &krate.name, &path) {
        return Ok(response);
    }
    let readme = readmes::html(app, links, client, &reading).await?;
    let content = content(app, links, &reading, readme.as_deref(), visit.caller());
    let title = match &wanted {
        Some(_) => format!("{} {}", krate.name, version.row.num),
        None => krate.name.to_string(),
    };
    let description = version.about.description.as_deref().unwrap_or_default();
    let feed = links.of_crate(&krate.name, "feed.atom");
    let page = Page::new(title, content)
        .described(beginning(&crate::package::characters::harmless(description.to_owned()), 300))
        .known_as(if reading.found.is_default { links.krate(&krate.name) } else { path })
        .with_feed(format!("New versions of {}", krate.name), feed);
    Ok(visit.show(page))
}

fn content(app: &App, links: &Links, reading: &Reading, readme: Option<&str>, caller: Option<&Caller>) -> Markup {
    let (krate, version) = (&reading.found.krate, &reading.found.version);
    let name = &krate.row.name;
    let head = CrateHead {
        links,
        name,
        num: &version.row.num,
        is_default: reading.found.is_default,
        description: version.about.description.as_deref(),
        tab: Tab::Readme,
    };
    html! {
        (head.show(&html! {
            (reading.advisories.notices(links, &version.row.num))
            (notices(links, name, &version.row, krate.default_version.as_ref()))
        }))
        div class="with-side" {
            div {
                (readme_section(readme))
                (feature_section(links, reading))
                (dependency_section(app, links, reading))
                (dependent_section(links, reading))
                (plot::section(reading))
                @if let Some(entries) = &reading.audit { (audit::section(entries)) }
            }
            div class="side" {
                (use_it::section(links, reading))
                (facts::section(links, reading, caller))
            }
        }
    }
}

fn readme_section(readme: Option<&str>) -> Markup {
    html! {
        section class="readme" aria-label="README" {
            @match readme {
                Some(html) => { (PreEscaped(html)) }
                None => { p class="muted" { "This version has no README." } }
            }
        }
    }
}

fn feature_section(links: &Links, reading: &Reading) -> Markup {
    let rows = feature_table::rows(reading);
    let path = links.of_version(&reading.found.krate.row.name, &reading.found.version.row.num, "features");
    html! {
        @if !rows.is_empty() {
            section aria-labelledby="features" {
                h2 id="features" { "Features" }
                (feature_table::table(&rows[..rows.len().min(SHOWN)]))
                (rest(SHOWN, rows.len(), "features", &path))
            }
        }
    }
}

fn dependency_section(app: &App, links: &Links, reading: &Reading) -> Markup {
    let all = &reading.dependencies;
    let path = links.of_version(&reading.found.krate.row.name, &reading.found.version.row.num, "dependencies");
    html! {
        section aria-labelledby="dependencies" {
            h2 id="dependencies" { "Dependencies" }
            @if all.is_empty() { p class="muted" { "None." } } @else {
                (dependency_table::tables(app, links, &all[..all.len().min(SHOWN)]))
                (rest(SHOWN, all.len(), "dependencies", &path))
            }
        }
    }
}

fn dependent_section(links: &Links, reading: &Reading) -> Markup {
    let (shown, total) = (&reading.dependents, reading.dependents_total);
    html! {
        section aria-labelledby="dependents" {
            h2 id="dependents" { "Dependents" }
            @if shown.is_empty() { p class="muted" { "No crate of this registry depends on it." } } @else {
                (dependents::list(links, shown))
                @if usize::try_from(total).is_ok_and(|total| total > shown.len()) {
                    p { a href=(links.of_crate(&reading.found.krate.row.name, "dependents")) { "All " (counted(total, "dependent")) } }
                }
            }
        }
    }
}
