//! `/admin/audit`: the audit log, for admins and auditors, and its export.

use axum::Router;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{TimeDelta, Utc};
use maud::{Markup, html};
use strum::VariantNames;

use super::layout::Page;
use super::links::Links;
use super::member::Member;
use super::parts::text::text;
use super::parts::time;
use crate::database::access::audit::{self, Action, Filter, Record};
use crate::package::name::NameError;
use crate::web::extract::query::QueryParameters;
use crate::web::{ApiError, App};

/// Entries on a page.
const PER_PAGE: i64 = 100;
/// Entries that are exported at once.
const EXPORTED: i64 = 10_000;

pub(super) fn router() -> Router<App> {
    Router::new().route("/admin/audit", get(show)).route("/admin/audit/export", get(export))
}

/// The request of somebody who may read the log.
struct Auditor(Member);

impl FromRequestParts<App> for Auditor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let member = Member::from_request_parts(parts, app).await?;
        member.caller.auditor().map_err(|denied| ApiError::from(denied).into_response())?;
        Ok(Self(member))
    }
}

/// What is asked for, as it was given.
struct Asked {
    krate: String,
    actor: String,
    action: String,
    days: String,
    filter: Filter,
}

impl Asked {
    fn read(query: &QueryParameters) -> Result<Self, ApiError> {
        let given = |name| query.text(name).unwrap_or_default().trim().to_owned();
        let [krate, actor, action, days] = ["crate", "actor", "action", "days"].map(given);
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let bad = |detail: String| ApiError::new(StatusCode::BAD_REQUEST, detail);
        let crate_name = some(&krate).map(|name| name.parse().map_err(|error: NameError| bad(error.to_string())));
        let days_ago = some(&days).map(|days| {
            let days: Option<i64> = days.parse().ok().filter(|days| (1..=36_500).contains(days));
            days.ok_or_else(|| bad("days: use a number from 1 to 36500, or leave it empty".to_owned()))
        });
        let filter = Filter {
            crate_name: crate_name.transpose()?,
            actor: some(&actor),
            action: if action.is_empty() { None } else { query.choice::<Action>("action")? },
            since: days_ago.transpose()?.map(|days| Utc::now() - TimeDelta::days(days)),
            before: query.parsed("before", "taken from a link of this list")?,
        };
        Ok(Self { krate, actor, action, days, filter })
    }

    fn link(&self, links: &Links, path: &str, before: &str) -> String {
        let Self { krate, actor, action, days, .. } = self;
        links.with_query(
            path,
            &[("crate", krate), ("actor", actor), ("action", action), ("days", days), ("before", before)],
        )
    }
}

async fn show(Auditor(member): Auditor, query: QueryParameters) -> Result<Response, ApiError> {
    let asked = Asked::read(&query)?;
    let filter = asked.filter.clone();
    let read = member.app.with_connection(move |connection| audit::list(connection, &filter, PER_PAGE + 1));
    let mut entries = read.await?;
    let has_more = entries.len() > usize::try_from(PER_PAGE).unwrap_or(usize::MAX);
    if has_more {
        entries.pop();
    }
    let links = member.links();
    let next = entries.last().filter(|_| has_more).map(|last| last.id.to_string());
    let content = html! {
        h1 { "Audit log" }
        p { "Every change of the registry: who made it, when, with which token or session, and from which address. Entries are never removed." }
        (form(links, &asked))
        @if entries.is_empty() { p { "No entry matches." } } @else {
            (table(&entries))
            p {
                a href=(asked.link(links, "/admin/audit/export", "")) download { "Export as JSON lines" }
                ", at most " (EXPORTED) " entries; for more, an operator runs " code { "supercargo admin audit --json --limit N" } "."
            }
        }
        @if asked.filter.before.is_some() || next.is_some() {
            nav class="pager" aria-label="Pages" {
                @if asked.filter.before.is_some() { a rel="first" href=(asked.link(links, "/admin/audit", "")) { "← Newest" } }
                @if let Some(next) = &next { a rel="next" href=(asked.link(links, "/admin/audit", next)) { "Older →" } }
            }
        }
    };
    Ok(member.visit.show(Page::new("Audit log", content).unlisted()))
}

fn form(links: &Links, asked: &Asked) -> Markup {
    html! {
        form class="filter" method="get" action=(links.to("/admin/audit")) {
            label { "Crate " input name="crate" value=(asked.krate) maxlength="64" autocomplete="off" spellcheck="false"; }
            label { "By " input name="actor" value=(asked.actor) maxlength="320" autocomplete="off" spellcheck="false"; }
            label {
                "Action "
                select name="action" {
                    option value="" { "all" }
                    @for action in Action::VARIANTS { option value=(action) selected[*action == asked.action] { (action) } }
                }
            }
            label { "Days " input name="days" type="number" min="1" max="36500" value=(asked.days); }
            button type="submit" { "Show" }
        }
    }
}

fn table(entries: &[Record]) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="group" aria-label="Entries" {
            table {
                caption class="aside" { "Entries, the newest first" }
                thead { tr {
                    th scope="col" { "When" } th scope="col" { "What" } th scope="col" { "Who" } th scope="col" { "With" }
                    th scope="col" { "From" } th scope="col" { "Details" }
                } }
                tbody { @for entry in entries {
                    tr {
                        td { time datetime=(time::machine(entry.at)) { (entry.at.format("%Y-%m-%d %H:%M:%S UTC").to_string()) } }
                        td class="wrap" {
                            (entry.action)
                            @if let Some(krate) = &entry.crate_name { " " (text(krate)) }
                            @if let Some(version) = &entry.version { " " (text(version)) }
                            @if let Some(subject) = &entry.subject { " " (text(subject)) }
                        }
                        td class="wrap" { (text(&entry.actor)) }
                        td class="wrap" { @if let Some(token) = &entry.token_name { (text(token)) } }
                        td { @if let Some(address) = &entry.address { (text(address)) } }
                        td class="wrap" { @if entry.detail.as_object().is_some_and(|detail| !detail.is_empty()) { code { (text(&entry.detail.to_string())) } } }
                    }
                } }
            }
        }
    }
}

/// `GET /admin/audit/export`: a line of JSON for each entry, the newest first.
async fn export(Auditor(member): Auditor, query: QueryParameters) -> Result<Response, ApiError> {
    let filter = Asked::read(&query)?.filter;
    let read = member.app.with_connection(move |connection| audit::list(connection, &filter, EXPORTED));
    let mut lines = String::new();
    for entry in read.await? {
        lines += &serde_json::to_string(&entry).map_err(ApiError::internal)?;
        lines.push('\n');
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"audit.jsonl\"")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    ];
    Ok((headers, Body::from(lines)).into_response())
}
