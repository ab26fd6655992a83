//! Pages in place of errors: what is wrong, the nearest names, and what works all the same.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use diesel::PgConnection;
use maud::{Markup, html};

use super::layout::Page;
use super::links::Links;
use super::parts::text::with_code;
use super::visit::{Visit, wants_html};
use crate::database::catalog::{crate_details, crates, version_details, versions};
use crate::database::search::query::SearchText;
use crate::database::search::{self, Filter, Only, Page as Part, SearchQuery, Sort};
use crate::package::{CrateName, Version};
use crate::web::error::ErrorText;
use crate::web::{ApiError, App};

/// Names that are shown at most.
const NEAREST: i64 = 8;
/// Names with the same beginning that are compared.
const COMPARED: i64 = 200;

/// What was probably meant: texts and paths.
#[derive(Clone, Debug, Default)]
pub struct Nearest {
    pub names: Vec<(String, String)>,
    /// The page that says what became of a deleted version.
    pub status: Option<String>,
}

/// An error with what was probably meant.
#[derive(Debug)]
pub struct Problem {
    pub error: ApiError,
    pub nearest: Nearest,
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        Self { error, nearest: Nearest::default() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.error.into_response();
        response.extensions_mut().insert(self.nearest);
        response
    }
}

/// Turns the answer of a handler into a page, if it is an error and a browser asked for it. `may_look` permits to look for what
/// was probably meant.
pub async fn explain(app: &App, visit: &Visit, path: &str, may_look: bool, response: Response) -> Response {
    let Some(ErrorText(detail)) = response.extensions().get::<ErrorText>().cloned() else { return response };
    if !wants_html(visit.headers()) {
        return response;
    }
    let status = response.status();
    let mut nearest = response.extensions().get::<Nearest>().cloned().unwrap_or_default();
    let form = form_of(path);
    if status == StatusCode::NOT_FOUND && nearest.names.is_empty() && may_look && form.is_none() {
        nearest = look_around(app, visit.links(), path).await;
    }
    let (mut parts, _) = response.into_parts();
    let page =
        Page::new(title(status), content((visit.links(), set_in(path), form), status, &detail, &nearest)).unlisted();
    let shown = visit.show(page.with_status(status));
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Response::from_parts(parts, shown.into_body())
}

/// The page whose form is sent to a path below it.
fn form_of(path: &str) -> Option<&str> {
    let settings = path.find("/settings/").filter(|_| path.starts_with("/crates/")).map(|at| at + "/settings".len());
    let names = ["/admin/reserved-names", "/admin/upstreams"]
        .into_iter()
        .find(|list| path.strip_prefix(list) == Some("/release"));
    let names = names.map(str::len);
    let below = |list: &str| path.strip_prefix(list).and_then(|rest| rest.find('/')).map(|at| at + list.len());
    let of_one = ["/admin/users/", "/admin/teams/", "/webhooks/"].into_iter().find_map(below);
    settings.or(names).or(of_one).map(|at| &path[..at])
}

/// The release set that a path is below.
fn set_in(path: &str) -> Option<String> {
    let (set, _) = path.strip_prefix("/release-sets/")?.split_once('/')?;
    Some(decoded(set))
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::UNAUTHORIZED => "Sign in first",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::SERVICE_UNAVAILABLE => "Unavailable for the moment",
        StatusCode::TOO_MANY_REQUESTS => "Too many requests",
        status if status.is_server_error() => "Something went wrong",
        _ => "This request cannot be answered",
    }
}

fn content(
    (links, set, form): (&Links, Option<String>, Option<&str>),
    status: StatusCode,
    detail: &str,
    nearest: &Nearest,
) -> Markup {
    html! {
        h1 { (title(status)) }
        p class="lead" { (with_code(&sentence(detail))) }
        @if let Some(path) = &nearest.status { p { a href=(path) { "What became of this version" } } }
        @if !nearest.names.is_empty() {
            h2 { "Did you mean…" }
            ul class="names" {
                @for (text, path) in &nearest.names { li { a href=(path) { (text) } } }
            }
        }
        @match status {
            _ if form.is_some() => { p { a href=(links.to(form.unwrap_or_default())) { "Back to the page with the form" } } }
            StatusCode::NOT_FOUND => {
                p { a href=(links.search(&[])) { "All crates" } " · " a href=(links.home()) { "How to publish here" } }
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                p {
                    "The registry cannot reach its database or its storage. Builds go on: cargo still reads the index and, \
                     as long as the storage is there, downloads crates. Nothing was lost. Try again in a moment."
                }
            }
            StatusCode::UNAUTHORIZED => { p { a href=(links.sign_in()) { "Sign in" } " · " a href=(links.me()) { "How to get a token" } } }
            _ => { p { @if let Some(set) = set { a href=(links.release_set(&set)) { "The release set" } " · " } a href=(links.home()) { "Home" } } }
        }
    }
}

/// A message as a sentence.
pub fn sentence(detail: &str) -> String {
    let mut characters = detail.chars();
    let first = characters.next().map(char::to_uppercase);
    let mut sentence: String = first.into_iter().flatten().chain(characters).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// The names that are most like those of a path that leads nowhere. Errors do not matter: the page has its own already.
async fn look_around(app: &App, links: &Links, path: &str) -> Nearest {
    let mut parts = path.trim_start_matches('/').split('/');
    if parts.next() != Some("crates") {
        return Nearest::default();
    }
    let Some(name) = parts.next().map(decoded) else { return Nearest::default() };
    let rest = parts.next().map(decoded);
    let (totals, links) = (app.totals.clone(), links.clone());
    let found = app.with_connection(move |connection| {
        let known = name.parse::<CrateName>().ok();
        let status = match (&known, rest.as_deref().and_then(|num| num.parse::<Version>().ok())) {
            (Some(name), Some(num)) => status_of_deleted(connection, &links, name, &num)?,
            _ => None,
        };
        let known = known.map(|name| crate_details::find(connection, &name)).transpose()?.flatten();
        let names = match (known, rest) {
            (Some(krate), Some(num)) => versions_like(connection, krate.row.id, &num).map(|nums| {
                let name = &krate.row.name;
                let one = |num: String| (format!("{name} {num}"), links.version(name, &num));
                nums.into_iter().map(one).collect()
            }),
            _ => crates_like(connection, &name, &totals)
                .map(|names| names.into_iter().map(|name| (name.to_string(), links.krate(&name))).collect()),
        };
        names.map(|names| Nearest { names, status })
    });
    found.await.unwrap_or_default()
}

/// The path of the status of a version that was deleted, or is to be deleted.
fn status_of_deleted(
    connection: &mut PgConnection,
    links: &Links,
    name: &CrateName,
    num: &Version,
) -> diesel::QueryResult<Option<String>> {
    let Some(krate) = crates::find(connection, name)? else { return Ok(None) };
    let found = versions::find(connection, krate.id, num)?;
    let deleted = found.filter(|found| found.num == *num && found.deletion_reason.is_some());
    Ok(deleted.map(|found| links.of_version(&krate.name, &found.num, "status")))
}

fn decoded(part: &str) -> String {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy().replace('\0', "")
}

/// The crates that a search for the name finds, and then those whose names differ in one or two characters.
fn crates_like(
    connection: &mut PgConnection,
    name: &str,
    totals: &search::Totals,
) -> diesel::QueryResult<Vec<CrateName>> {
    let Some(text) = SearchText::parse(name) else { return Ok(Vec::new()) };
    let canonical = text.name.clone();
    let query = SearchQuery { text: Some(text), filter: Filter::default(), sort: Sort::Relevance, after: None };
    let found = search::search(connection, &query, Part { limit: NEAREST, offset: 0 }, totals)?;
    let mut names = names_of(connection, &found.crate_ids)?;
    if let Some(canonical) = canonical.filter(|canonical| canonical.is_ascii() && canonical.len() > 2) {
        let only = vec![Only::Beginning(canonical[..2].to_owned())];
        let filter = Filter { only, ..Filter::default() };
        let query = SearchQuery { text: None, filter, sort: Sort::Downloads, after: None };
        let ids = search::page(connection, &query, Part { limit: COMPARED, offset: 0 })?;
        let distance = |name: &CrateName| strsim::osa_distance(&name.canonical(), &canonical);
        let mut near: Vec<CrateName> = names_of(connection, &ids)?;
        near.retain(|name| distance(name) <= 2 && !names.contains(name));
        near.sort_by_key(distance);
        names.extend(near);
    }
    names.truncate(usize::try_from(NEAREST).unwrap_or(usize::MAX));
    Ok(names)
}

fn names_of(connection: &mut PgConnection, ids: &[i32]) -> diesel::QueryResult<Vec<CrateName>> {
    Ok(crate_details::by_ids(connection, ids)?.into_iter().map(|one| one.row.name).collect())
}

/// The versions that begin like this one, or else the highest.
fn versions_like(connection: &mut PgConnection, crate_id: i32, num: &str) -> diesel::QueryResult<Vec<String>> {
    let all = version_details::highest_first(connection, crate_id)?;
    let all: Vec<String> = all.into_iter().map(|one| one.num.to_string()).collect();
    let major = num.split('.').next().unwrap_or_default();
    let alike = |one: &&String| !major.is_empty() && one.split('.').next() == Some(major);
    let (near, far): (Vec<&String>, Vec<&String>) = all.iter().partition(alike);
    let most = usize::try_from(NEAREST).unwrap_or(usize::MAX);
    Ok(near.into_iter().chain(far).take(most).cloned().collect())
}
