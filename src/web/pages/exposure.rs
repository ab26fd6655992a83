//! `/admin/upstreams/exposure`: who downloaded a version of an upstream, and which crates depend on it, for admins.

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::admin::Admin;
use super::layout::Page;
use super::links::Links;
use super::parts::text::{name, number, text, with_code};
use super::parts::time;
use crate::database::access::audit::{Action, Record};
use crate::exposure::dependents::Dependent;
use crate::exposure::{self, DownloadsByAddress, DownloadsByToken, Exposure};
use crate::package::version::VersionError;
use crate::web::administration::{bad, crate_name};
use crate::web::extract::query::QueryParameters;
use crate::web::{ApiError, App};

const PATH: &str = "/admin/upstreams/exposure";

pub(super) fn router() -> Router<App> {
    Router::new().route("/admin/upstreams/exposure", get(show))
}

/// The page about a crate of an upstream; about one version, unless that is empty.
fn link(links: &Links, upstream: &str, krate: &str, version: &str) -> String {
    links.with_query(PATH, &[("upstream", upstream), ("crate", krate), ("version", version)])
}

/// What leads here from the page of upstreams: a form, and versions that were changed or have vanished.
pub(super) fn section(links: &Links, upstreams: &[&str], alarms: &[Record]) -> Markup {
    html! {
        section aria-labelledby="exposure" {
            h2 id="exposure" { "Exposure" }
            @if !upstreams.is_empty() { (form(links, upstreams)) }
            @if !alarms.is_empty() { (alarmed(links, alarms)) }
        }
    }
}

fn form(links: &Links, upstreams: &[&str]) -> Markup {
    html! {
        p { "Who downloaded a version, and which crates of this registry depend on it:" }
        form class="filter" method="get" action=(links.to(PATH)) {
            label {
                "Upstream "
                select name="upstream" { @for of in upstreams { option value=(of) { (of) } } }
            }
            label { "Crate " input name="crate" required maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false"; }
            label { "Version " input name="version" maxlength="200" autocomplete="off" autocapitalize="none" spellcheck="false"; }
            button type="submit" { "Show" }
        }
    }
}

fn alarmed(links: &Links, alarms: &[Record]) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="group" aria-label="Changed and vanished versions" {
            table {
                caption { "Versions that upstreams have changed or removed in the last 30 days" }
                thead { tr {
                    th scope="col" { "Version" } th scope="col" { "Upstream" } th scope="col" { "What happened" } th scope="col" { "When" }
                } }
                tbody { @for alarm in alarms {
                    @let of = |field: &str| alarm.detail[field].as_str().unwrap_or_default();
                    @let (krate, version, upstream) = (of("crate"), of("version"), alarm.subject.as_deref().unwrap_or_default());
                    tr {
                        th scope="row" class="wrap" {
                            a href=(link(links, upstream, krate, version)) { (name(krate)) @if !version.is_empty() { " " (name(version)) } }
                        }
                        td { (name(upstream)) }
                        td { @match (alarm.action.parse(), alarm.detail["versions"].as_i64()) {
                            (Ok(Action::UpstreamChange), _) => "another checksum than before",
                            (_, Some(count)) => { (number(count)) " versions are no longer in the index" },
                            _ => "no longer in the index",
                        } }
                        td { (at(alarm.at)) }
                    }
                } }
            }
        }
    }
}

/// `GET`.
async fn show(admin: Admin, query: QueryParameters) -> Result<Response, ApiError> {
    let given = |name| query.text(name).unwrap_or_default().trim().to_owned();
    let [of, krate, version] = ["upstream", "crate", "version"].map(given);
    let version = Some(version).filter(|version| !version.is_empty());
    let version = version.map(|version| version.parse()).transpose();
    let version = version.map_err(|error: VersionError| bad(error.to_string()))?;
    let settings = &admin.app.settings;
    let question = settings.upstreams.exposure(&settings.base_url, &of, (crate_name(&krate)?, version)).await;
    let question = question.ok_or_else(|| ApiError::not_found(settings.upstreams.no_such(&of)))?;
    let find = move |connection: &mut _| Ok::<_, ApiError>(exposure::find(connection, &question)?);
    let found = admin.app.with_connection(find).await?;
    let content = content(admin.links(), &found, &of);
    Ok(admin.visit.show(Page::new("Exposure", content).unlisted()))
}

fn content(links: &Links, found: &Exposure, of: &str) -> Markup {
    let Exposure { krate, version, published_at, notes, delivered, refused, first, last, .. } = found;
    html! {
        h1 { "Exposure to " (name(krate)) @if let Some(version) = version { " " (name(version)) } " of " (name(of)) }
        p { a href=(links.to("/admin/upstreams")) { "Upstreams" } }
        @if let Some(at) = published_at { p { "Published " (time::day(*at)) "." } }
        @for note in notes { p class="notice warn" { (with_code(note)) } }
        section aria-labelledby="downloads" {
            h2 id="downloads" { "Downloads" }
            @if found.by_token.is_empty() && found.by_address.is_empty() {
                p { @if notes.is_empty() { "It was not downloaded." } @else { "The log has no download of it." } }
            } @else {
                p {
                    "Delivered " (times(*delivered)) ", refused " (times(*refused)) "."
                    @if let (Some(first), Some(last)) = (first, last) { " First " (at(*first)) ", last " (at(*last)) "." }
                }
                @if !found.by_token.is_empty() { (by_token(&found.by_token)) }
                @if !found.by_address.is_empty() { (by_address(&found.by_address)) }
            }
        }
        section aria-labelledby="dependents" {
            h2 id="dependents" { "Crates of this registry" }
            @match &found.dependents {
                Some(direct) if !direct.is_empty() => {
                    (dependents(links, "Crates whose default version depends on it", direct))
                    @if !found.transitive_dependents.is_empty() {
                        (dependents(links, "Crates whose default version depends on these", &found.transitive_dependents))
                    }
                }
                _ => p { "No crate’s default version depends on it." },
            }
        }
    }
}

fn times(count: i64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{} times", number(count)) }
}

fn at(at: DateTime<Utc>) -> Markup {
    html! { time datetime=(time::machine(at)) { (at.format("%Y-%m-%d %H:%M:%S UTC").to_string()) } }
}

fn by_token(rows: &[DownloadsByToken]) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="group" aria-label="With a token" {
            table {
                caption { "With a token" }
                thead { tr {
                    th scope="col" { "User" } th scope="col" { "Token" } th scope="col" { "Version" } th scope="col" { "Delivered" }
                    th scope="col" { "Refused" } th scope="col" { "First" } th scope="col" { "Last" } th scope="col" { "From" }
                } }
                tbody { @for row in rows { tr {
                    th scope="row" class="wrap" { (name(&row.user)) }
                    td class="wrap" { (text(&row.token_name)) " (" (row.token_id) ")" }
                    td { (name(&row.version)) }
                    td { (number(row.delivered)) }
                    td { (number(row.refused)) }
                    td { (at(row.first)) }
                    td { (at(row.last)) }
                    td class="wrap" { (text(&row.addresses.join(", "))) }
                } } }
            }
        }
    }
}

fn by_address(rows: &[DownloadsByAddress]) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="group" aria-label="Without a token" {
            table {
                caption { "Without a token" }
                thead { tr {
                    th scope="col" { "Address" } th scope="col" { "Version" } th scope="col" { "Delivered" } th scope="col" { "Refused" }
                    th scope="col" { "First" } th scope="col" { "Last" } th scope="col" { "User agent" }
                } }
                tbody { @for row in rows { tr {
                    th scope="row" { (row.address.as_deref().unwrap_or("unknown")) }
                    td { (name(&row.version)) }
                    td { (number(row.delivered)) }
                    td { (number(row.refused)) }
                    td { (at(row.first)) }
                    td { (at(row.last)) }
                    td class="wrap" { @if let Some(agent) = &row.user_agent { (text(agent)) } }
                } } }
            }
        }
    }
}

fn dependents(links: &Links, title: &str, rows: &[Dependent]) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="group" aria-label=(title) {
            table {
                caption { (title) }
                thead { tr {
                    th scope="col" { "Crate" } th scope="col" { "Version" } th scope="col" { "Depends on" } th scope="col" { "Kind" }
                } }
                tbody { @for row in rows { tr {
                    th scope="row" class="wrap" { a href=(links.krate(&row.krate)) { (name(&row.krate)) } }
                    td { a href=(links.version(&row.krate, &row.version)) { (name(&row.version)) } }
                    td class="wrap" { (name(&row.on)) " " (text(&row.requirement)) }
                    td { (row.kind) @if row.optional { ", optional" } }
                } } }
            }
        }
    }
}
