//! `GET /feeds/crates.atom`, `/feeds/versions.atom` and `/crates/{name}/feed.atom`: what is new, for feed readers. Source: RFC
//! 4287.

use std::fmt::Write;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};

use super::links::Links;
use super::parts::found;
use super::parts::time::machine;
use super::parts::xml::{self, escaped};
use super::visit::Visit;
use crate::database::catalog::crate_details;
use crate::database::catalog::version_details::{self, CountedVersion, Features};
use crate::database::search::{self, Filter, Page, SearchQuery, Sort};
use crate::web::extract::path::ApiPath;
use crate::web::{ApiError, App};

/// Entries of a feed.
const ENTRIES: i64 = 50;
/// How long a feed may be kept, in seconds.
const KEPT: u32 = 60;

/// A feed.
struct Feed {
    title: String,
    /// Its own path, and that of the page about the same.
    path: String,
    page: String,
    entries: Vec<Entry>,
}

struct Entry {
    title: String,
    path: String,
    at: DateTime<Utc>,
    author: Option<String>,
    summary: Option<String>,
}

/// `GET /feeds/crates.atom`.
pub async fn crates(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    let found = app
        .with_connection(|connection| {
            let query = SearchQuery { text: None, filter: Filter::default(), sort: Sort::New, after: None };
            let ids = search::page(connection, &query, Page { limit: ENTRIES, offset: 0 })?;
            crate_details::by_ids(connection, &ids)
        })
        .await?;
    let links = visit.links();
    let entries = found.into_iter().map(|krate| Entry {
        title: krate.row.name.to_string(),
        path: links.krate(&krate.row.name),
        at: krate.row.created_at,
        author: None,
        summary: krate.row.description,
    });
    let (title, path) = ("New crates".to_owned(), links.to("/feeds/crates.atom"));
    let page = links.search(&[("sort", "new")]);
    Ok(answer(&visit, &Feed { title, path, page, entries: entries.collect() }))
}

/// `GET /feeds/versions.atom`.
pub async fn versions(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    let found = app
        .with_connection(|connection| {
            let ids = version_details::newest_of_all(connection, ENTRIES)?;
            version_details::by_ids(connection, &ids, Features::LeftOut)
        })
        .await?;
    let links = visit.links();
    let (title, path) = ("New versions".to_owned(), links.to("/feeds/versions.atom"));
    let page = links.search(&[("sort", "recent-updates")]);
    let entries = found.into_iter().map(|version| entry(links, version)).collect();
    Ok(answer(&visit, &Feed { title, path, page, entries }))
}

/// `GET /crates/{name}/feed.atom`.
pub async fn of_crate(
    State(app): State<App>,
    visit: Visit,
    ApiPath(name): ApiPath<String>,
) -> Result<Response, ApiError> {
    let (krate, found) = app
        .with_connection(move |connection| {
            let krate = found::krate(connection, &name)?;
            let newest = version_details::newest_first(connection, krate.row.id)?;
            let most = usize::try_from(ENTRIES).unwrap_or(usize::MAX);
            let ids: Vec<i32> = newest.into_iter().take(most).map(|one| one.id).collect();
            let versions = version_details::by_ids(connection, &ids, Features::LeftOut)?;
            Ok::<_, ApiError>((krate, versions))
        })
        .await?;
    let (links, name) = (visit.links(), &krate.row.name);
    let (title, path) = (format!("New versions of {name}"), links.of_crate(name, "feed.atom"));
    let page = links.of_crate(name, "versions");
    let entries = found.into_iter().map(|version| entry(links, version)).collect();
    Ok(answer(&visit, &Feed { title, path, page, entries }))
}

fn entry(links: &Links, version: CountedVersion) -> Entry {
    Entry {
        title: format!("{} {}", version.crate_name, version.row.num),
        path: links.version(&version.crate_name, &version.row.num),
        at: version.row.created_at,
        author: version.published_by.map(|user| user.login),
        summary: version.about.description,
    }
}

fn answer(visit: &Visit, feed: &Feed) -> Response {
    let document = written(visit.links(), feed);
    xml::answer(visit.headers(), "application/atom+xml; charset=utf-8", KEPT, document)
}

fn written(links: &Links, feed: &Feed) -> String {
    let whole = |path: &str| escaped(&links.whole(path));
    let updated = feed.entries.iter().map(|entry| entry.at).max().unwrap_or_default();
    let mut document = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n\
         <title>{} · supercargo</title>\n<id>{own}</id>\n<link rel=\"self\" type=\"application/atom+xml\" href=\"{own}\"/>\n\
         <link rel=\"alternate\" type=\"text/html\" href=\"{}\"/>\n<updated>{}</updated>\n\
         <author><name>supercargo</name></author>\n",
        escaped(&feed.title),
        whole(&feed.page),
        machine(updated),
        own = whole(&feed.path),
    );
    for entry in &feed.entries {
        let place = whole(&entry.path);
        let _ = write!(
            document,
            "<entry>\n<title>{}</title>\n<id>{place}</id>\n<link rel=\"alternate\" type=\"text/html\" href=\"{place}\"/>\n\
             <updated>{}</updated>\n",
            escaped(&entry.title),
            machine(entry.at)
        );
        if let Some(author) = &entry.author {
            let _ = writeln!(document, "<author><name>{}</name></author>", escaped(author));
        }
        if let Some(summary) = &entry.summary {
            let _ = writeln!(document, "<summary>{}</summary>", escaped(summary));
        }
        document.push_str("</entry>\n");
    }
    document.push_str("</feed>\n");
    document
}
