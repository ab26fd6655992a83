//! Who may read documentation, and where it is: a path becomes a file, or leads to another path.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use diesel::PgConnection;

use super::address::{Address, encoded, segment};
use super::file::Asked;
use crate::database::catalog::version_docs::{self, FoundDocs};
use crate::docs_archive::Index;
use crate::package::CrateName;
use crate::web::extract::auth;
use crate::web::extract::path::{crate_name, version};
use crate::web::lookup;
use crate::web::pages::visit::{Visit, wants_html};
use crate::web::{ApiError, App};

const INDEX: &str = "index.html";
/// In place of a version.
const LATEST: &str = "latest";
/// Versions with documentation that a refusal names.
const NAMED: usize = 5;

/// Where a request arrived.
pub(super) enum Place {
    /// At the registry, among its pages.
    Registry {
        /// The path of all documentation, without a slash at its end.
        root: String,
        visit: Visit,
    },
    /// On the host of `--docs-url`.
    OwnHost,
}

impl Place {
    fn root(&self) -> &str {
        match self {
            Self::Registry { root, .. } => root,
            Self::OwnHost => "",
        }
    }
}

/// The answer to a request for a path below the root.
pub(super) async fn answer(app: &App, parts: &Parts, rest: &str, place: &Place) -> Result<Response, ApiError> {
    // Such a script would answer for other files, also when the documentation has been deleted.
    if parts.headers.contains_key("service-worker") {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "documentation cannot have service workers"));
    }
    let root = place.root();
    let nothing =
        || ApiError::not_found(format!("there is no documentation at this path: its form is {root}/CRATE/VERSION/"));
    let address = Address::parse(rest).ok_or_else(nothing)?;
    let name = crate_name(&address.name)?;
    if let Some(elsewhere) = admit(app, parts, &address, &name, place).await? {
        return Ok(elsewhere);
    }
    let start = format!("{root}/{}", address.granted());
    let (Some(wanted), Some(file)) = (address.version.clone(), &address.file) else {
        let wanted = address.version.as_deref().unwrap_or(LATEST);
        return Ok(leading_to(&format!("{start}{}/{}/", segment(&address.name), segment(wanted)), parts));
    };
    let asked = wanted.clone();
    let docs = app.with_connection(move |connection| find(connection, &name, &asked)).await?;
    if docs.name.as_str() != address.name {
        return Ok(leading_to(&format!("{start}{}", address.below(docs.name.as_str())), parts));
    }
    let index = app.docs.index(&docs, read(app, &docs)).await?;
    let here = format!("{start}{}/{}", segment(docs.name.as_str()), segment(&wanted));
    if file.is_empty() {
        return Ok(leading_to(&format!("{here}/{}/", encoded(index.directory())), parts));
    }
    let path = if file.ends_with('/') { format!("{file}{INDEX}") } else { file.clone() };
    let Some(found) = index.find(&path) else {
        if index.find(&format!("{path}/{INDEX}")).is_some() {
            return Ok(leading_to(&format!("{here}/{}/", encoded(&path)), parts));
        }
        return Err(no_such_file(&docs, &path, root));
    };
    let is_private = app.settings.auth_required;
    let public = app.settings.docs.url.clone().unwrap_or_else(|| format!("{}/docs", app.settings.base_url));
    let canonical = format!("{public}/{}/{LATEST}/{}", segment(docs.name.as_str()), encoded(file));
    let asked = Asked {
        docs: &docs,
        file: found,
        path: &path,
        is_sandboxed: is_private || matches!(place, Place::Registry { .. }),
        canonical: (!is_private).then_some(canonical),
    };
    asked.send(app, parts).await
}

fn find(connection: &mut PgConnection, name: &CrateName, wanted: &str) -> Result<FoundDocs, ApiError> {
    let docs = match wanted {
        LATEST => version_docs::latest(connection, name)?,
        num => version_docs::find(connection, name, &version(name, num)?)?,
    };
    match docs {
        Some(docs) => Ok(docs),
        None => Err(none(connection, name, wanted)?),
    }
}

/// Reads the index of an archive. It is decoded without a connection, which others may need meanwhile.
async fn read(app: &App, docs: &FoundDocs) -> Result<Index, ApiError> {
    let docs = docs.clone();
    let stored = app.with_connection(move |connection| version_docs::entries(connection, &docs)).await?;
    // It was replaced at this moment.
    let stored = stored.ok_or_else(|| ApiError::busy("the documentation is being replaced: try again"))?;
    app.blocking(move |_| Index::decode(&stored).map_err(ApiError::internal)).await
}

/// Why there is no documentation, and what to do.
fn none(connection: &mut PgConnection, name: &CrateName, wanted: &str) -> Result<ApiError, ApiError> {
    let own = match wanted {
        LATEST => lookup::shown_crate(connection, name)?.row.name,
        num => lookup::version(connection, name, &version(name, num)?)?.0,
    };
    let others = version_docs::nums_of_crate(connection, name)?;
    let named: Vec<String> = others.iter().take(NAMED).map(ToString::to_string).collect();
    let others = match &named[..] {
        [] => String::new(),
        named => format!(". These versions have documentation: {}", named.join(", ")),
    };
    let (what, num) = match wanted {
        LATEST => (format!("no version of `{own}`"), "VERSION"),
        num => (format!("`{own}@{num}`"), num),
    };
    let has = if wanted == LATEST { "has" } else { "has no" };
    Ok(ApiError::not_found(format!(
        "{what} {has} documentation here: an owner of the crate uploads it with `cargo doc --no-deps && supercargo docs push --crate {own} \
         --version {num}`{others}"
    )))
}

fn no_such_file(docs: &FoundDocs, path: &str, root: &str) -> ApiError {
    let (name, num) = (&docs.name, &docs.num);
    ApiError::not_found(format!(
        "the documentation of `{name}@{num}` has no file {path:?}: begin at {root}/{name}/{num}/, or at {root}/{name}/{LATEST}/"
    ))
}

/// Checks that the request may read; the answer if it has to be sent to another path.
async fn admit(
    app: &App,
    parts: &Parts,
    address: &Address,
    name: &CrateName,
    place: &Place,
) -> Result<Option<Response>, ApiError> {
    let settings = &app.settings;
    let below = address.below(&address.name);
    if !settings.auth_required {
        return Ok(match (&settings.docs.url, place) {
            (Some(url), Place::Registry { .. }) => Some(leading_to(&format!("{url}/{below}"), parts)),
            _ if address.grant.is_some() => Some(leading_to(&format!("{}/{below}", place.root()), parts)),
            _ => None,
        });
    }
    let key = app.with_connection({
        let app = app.clone();
        move |connection| app.docs.key(connection)
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if let Some(grant) = &address.grant {
        return match key.await?.admits(grant, name, now) {
            true => Ok(None),
            // The registry knows whether its reader has signed in, and gives another one.
            false if wants_html(&parts.headers) => {
                Ok(Some(leading_to(&format!("{}/docs/{below}", settings.base_url), parts)))
            }
            false => Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "the link to the documentation has expired: open the page again",
            )),
        };
    }
    match place {
        Place::Registry { visit, .. } if visit.session().is_some() => {
            let root = settings.docs.url.as_deref().unwrap_or(place.root());
            Ok(Some(leading_to(&format!("{root}/~{}/{below}", key.await?.grant(name, now)), parts)))
        }
        // The layer around all pages has asked for a token.
        Place::Registry { .. } => Ok(None),
        Place::OwnHost => with_token(app, parts, &below).await,
    }
}

/// Programs send a token, and others are sent to the registry, where they sign in.
async fn with_token(app: &App, parts: &Parts, below: &str) -> Result<Option<Response>, ApiError> {
    match auth::token(&parts.headers) {
        Err(_) if wants_html(&parts.headers) => {
            Ok(Some(leading_to(&format!("{}/docs/{below}", app.settings.base_url), parts)))
        }
        Err(problem) => {
            let detail = format!("{problem}. This registry is private: see {}/me", app.settings.base_url);
            Err(ApiError::challenge(detail, vec!["Basic realm=\"supercargo\", charset=\"UTF-8\"".to_owned()]))
        }
        Ok(token) => match auth::look_up(app, parts, token).await? {
            Ok(_) => Ok(None),
            Err(refused) => Err(ApiError::refused_token(StatusCode::FORBIDDEN, refused, Vec::new())),
        },
    }
}

/// Leads to another path or URL, for this time, with the query of the request: rustdoc's search has one.
fn leading_to(place: &str, parts: &Parts) -> Response {
    let query = parts.uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let Ok(place) = HeaderValue::try_from(format!("{place}{query}")) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = (StatusCode::FOUND, [(header::LOCATION, place)]).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    super::file::protect(response.headers_mut(), false);
    response
}
