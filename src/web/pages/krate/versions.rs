//! `GET /crates/{name}/versions`: the versions of a crate, and what changed from one to the next.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use diesel::PgConnection;
use maud::{Markup, html};

use crate::database::catalog::version_details::{self, CountedVersion, Features};
use crate::package::{CrateName, Version};
use crate::web::extract::path::{ApiPath, version as version_of};
use crate::web::extract::query::{Pagination, QueryParameters};
use crate::web::pages::layout::Page;
use crate::web::pages::links::Links;
use crate::web::pages::parts::advisories::OfCrate;
use crate::web::pages::parts::crate_head::{CrateHead, Tab, is_pending, status_link, tags};
use crate::web::pages::parts::found::{self, Found};
use crate::web::pages::parts::text::{counted, name, number, size, text};
use crate::web::pages::parts::{pager, time};
use crate::web::pages::visit::Visit;
use crate::web::{ApiError, App};

/// Versions on a page.
const PER_PAGE: u32 = 50;
/// Names of features that are shown of one version.
const SHOWN: usize = 8;

/// A page of versions, and the one that follows.
struct Reading {
    found: Found,
    versions: Vec<CountedVersion>,
    features: HashMap<i32, Vec<String>>,
    advisories: OfCrate,
    total: i64,
}

/// Shows the page.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    ApiPath(name): ApiPath<String>,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    let pagination = query.pagination_of(PER_PAGE)?;
    let by_date = query.get("sort") == Some("date");
    let reading = app.with_connection(move |connection| read(connection, &name, pagination, by_date)).await?;
    let (links, name) = (visit.links(), &reading.found.krate.row.name);
    let num = &reading.found.version.row.num;
    let head = CrateHead { links, name, num, is_default: true, description: None, tab: Tab::Versions };
    let path = links.of_crate(name, "versions");
    let sorted = |title: &str, query: &str, is_current: bool| {
        html! { a href=(format!("{path}{query}")) aria-current=[is_current.then_some("true")] { (title) } }
    };
    let content = html! {
        (head.show(&html! {}))
        h2 { (counted(reading.total, "version")) }
        p class="sorts" {
            span class="muted" { "Sorted by" } (sorted("number", "", !by_date)) (sorted("date", "?sort=date", by_date))
        }
        form id="compare" method="get" action=(links.of_crate(name, "diff")) {
            (table(links, &reading, usize::try_from(pagination.page().limit).unwrap_or(usize::MAX)))
            @if reading.total > 1 {
                p { button type="submit" { "Compare the two chosen versions" } }
            }
        }
        (pager::pager(&path, &pagination.meta(reading.total, &query)))
    };
    let feed = links.of_crate(name, "feed.atom");
    let page = Page::new(format!("Versions of {name}"), content).with_feed(format!("New versions of {name}"), feed);
    Ok(visit.show(page))
}

fn read(connection: &mut PgConnection, name: &str, pagination: Pagination, by_date: bool) -> Result<Reading, ApiError> {
    let found = found::default_version(connection, name)?;
    let listed = match by_date {
        true => version_details::newest_first(connection, found.krate.row.id)?,
        false => version_details::highest_first(connection, found.krate.row.id)?,
    };
    let number = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    let part = pagination.page();
    // One more, to which the last one is compared.
    let ids: Vec<i32> =
        listed.iter().map(|one| one.id).skip(number(part.offset)).take(number(part.limit) + 1).collect();
    let versions = version_details::by_ids(connection, &ids, Features::LeftOut)?;
    let features = version_details::feature_names(connection, &ids)?;
    let advisories = OfCrate::read(connection, &found.krate.row.name)?;
    Ok(Reading { found, versions, features, advisories, total: i64::try_from(listed.len()).unwrap_or(i64::MAX) })
}

fn table(links: &Links, reading: &Reading, limit: usize) -> Markup {
    html! {
        div class="scroll" {
            table {
                caption { "Each version is compared to the one below it. Queued versions are not in this list." }
                thead {
                    tr {
                        th scope="col" { span class="aside" { "Compare" } }
                        th scope="col" { "Version" }
                        th scope="col" { "Published" }
                        th scope="col" class="n" { "Size" }
                        th scope="col" { "Rust" }
                        th scope="col" { "Features" }
                        th scope="col" class="n" { "Downloads" }
                    }
                }
                tbody {
                    @for (place, version) in reading.versions.iter().take(limit).enumerate() {
                        (row(links, reading, version, reading.versions.get(place + 1)))
                    }
                }
            }
        }
    }
}

fn row(links: &Links, reading: &Reading, version: &CountedVersion, before: Option<&CountedVersion>) -> Markup {
    let (row, name_of) = (&version.row, &reading.found.krate.row.name);
    let is_yanked = row.effective_yanked.unwrap_or(false);
    html! {
        tr class=[is_yanked.then_some("yanked")] {
            td { input type="checkbox" name="v" value=(row.num) aria-label=(format!("Compare {}", row.num)); }
            th scope="row" class="wrap" {
                a href=(links.version(name_of, &row.num)) { (row.num) }
                (tags(row))
                (reading.advisories.tags(links, &row.num))
                @if is_pending(row) { " " (status_link(links, name_of, row)) }
                @if let Some(message) = row.yank_message.as_ref().filter(|_| row.desired_yanked) {
                    div class="muted" { (text(message)) }
                }
            }
            td {
                (time::day(row.created_at))
                @match (row.provenance(), &version.published_by) {
                    (Some(provenance), _) => { div class="muted" { (provenance.provider.title()) } }
                    (None, Some(user)) => { div class="muted" { (user.login) } }
                    (None, None) => {}
                }
            }
            td class="n" {
                (size(row.size))
                @if let Some(before) = before { div class="muted" { (change(row.size - before.row.size)) } }
            }
            td { @if let Some(rust) = &version.about.rust_version { (text(rust)) } }
            td class="wrap" { @if let Some(before) = before { (feature_changes(reading, row.id, before.row.id)) } }
            td class="n" { (number(version.downloads)) }
        }
    }
}

/// The change of a size.
fn change(bytes: i64) -> String {
    match bytes {
        0 => "±0".to_owned(),
        bytes if bytes > 0 => format!("+{}", size(bytes)),
        bytes => format!("−{}", size(-bytes)),
    }
}

fn feature_changes(reading: &Reading, id: i32, before: i32) -> Markup {
    let none = Vec::new();
    let (now, before) = (reading.features.get(&id).unwrap_or(&none), reading.features.get(&before).unwrap_or(&none));
    let added: Vec<&String> = now.iter().filter(|one| !before.contains(one)).collect();
    let removed: Vec<&String> = before.iter().filter(|one| !now.contains(one)).collect();
    let listed = |sign: &str, label: &str, names: &[&String]| {
        html! {
            @if !names.is_empty() {
                div {
                    span class="aside" { (label) " " } span aria-hidden="true" { (sign) }
                    @for (place, one) in names.iter().take(SHOWN).enumerate() { @if place > 0 { ", " } code { (name(one)) } }
                    @if names.len() > SHOWN { " and " (names.len() - SHOWN) " more" }
                }
            }
        }
    };
    html! { (listed("+", "added:", &added)) (listed("−", "removed:", &removed)) }
}

/// `GET /crates/{name}/diff?v=A&v=B`: leads to the difference of the two chosen versions, from the lower to the higher.
pub async fn compare(
    State(app): State<App>,
    visit: Visit,
    ApiPath(name): ApiPath<String>,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    let chosen = query.texts("v");
    let krate = app.with_connection(move |connection| found::krate(connection, &name)).await?;
    let (from, to) = ordered(&krate.row.name, &chosen)?;
    let place = visit.links().diff(&krate.row.name, &from, &to);
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response())
}

fn ordered(name: &CrateName, chosen: &[String]) -> Result<(Version, Version), ApiError> {
    let [one, other] = chosen else {
        let detail = format!("choose two versions to compare, and not {}", chosen.len());
        return Err(ApiError::new(StatusCode::BAD_REQUEST, detail));
    };
    let (one, other) = (version_of(name, one)?, version_of(name, other)?);
    Ok(if one <= other { (one, other) } else { (other, one) })
}
