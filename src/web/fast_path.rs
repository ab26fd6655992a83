//! Answers from memory, before the router and its layers: files of the sparse index, and crate files.
//!
//! These are most of what a registry answers, and the layers cost several times what such an answer costs. An answer is the
//! same as the router's, which a test compares; a request that needs anything else (the disk, the database, another spelling
//! of a path, a refusal by a limit, the host of documentation) goes to the router, and so does every request if the settings
//! ask for a token or for headers that depend on the request, or if answers are logged.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, header};

use super::api::download;
use super::download_log::Downloader;
use super::index::sparse;
use super::limits::permits::Permit;
use super::measures::requests;
use super::request_id::Proxies;
use super::upstreams::recall;
use super::{AddressBlock, App, ClientAddress, base_path, cors, docs, request_form, stage};

/// For answers without Cache-Control.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Answers from memory. Cheap to clone.
#[derive(Clone)]
pub struct FastPath(Arc<Parts>);

struct Parts {
    app: App,
    proxies: Proxies,
    /// The headers of every answer.
    headers: HeaderMap,
}

/// An answer, and what counts it as one of its client until it is sent.
pub struct Answer {
    pub response: Response<Body>,
    pub counted: Option<Permit<AddressBlock>>,
}

impl FastPath {
    /// `None` if the settings ask for more than memory knows. `headers` are those of every answer of the router.
    pub(super) fn new(app: &App, proxies: &Proxies, headers: HeaderMap) -> Option<Self> {
        if app.settings.auth_required {
            return None;
        }
        let mut headers = headers;
        headers.extend(cors::constant(&app.settings.shared_with)?);
        Some(Self(Arc::new(Parts { app: app.clone(), proxies: proxies.clone(), headers })))
    }

    /// The answer to a request that came from this peer; `None` if the router has to answer. Does not block.
    pub fn answer<B: HttpBody>(&self, peer: Option<IpAddr>, request: &Request<B>) -> Option<Answer> {
        let began = Instant::now();
        let Parts { app, proxies, headers } = &*self.0;
        let method = request.method();
        let path = request.uri().path();
        let is_plain = || !path.contains('%') && !path.contains("//");
        if ![Method::GET, Method::HEAD].contains(method) || !request.body().is_end_stream() || !is_plain() {
            return None;
        }
        let path = base_path::below(base_path::of(&app.settings.base_url), path).unwrap_or(path);
        let resource = Resource::at(path)?;
        let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
        let elsewhere = || {
            let url = app.settings.docs.url.as_deref();
            url.is_some_and(|url| docs::host::is_at(url, request.headers(), request.uri()))
        };
        if is_chunked || are_logged() || elsewhere() || request_form::wrong(request, peer.is_some()).is_some() {
            return None;
        }
        let (client, id) = proxies.identified(peer, request.headers());
        let counted = app.settings.address_requests.begin(client).ok()?;
        let mut response = resource.recall(app, method, (client, request.headers()))?;
        finish(&mut response, method);
        let all = response.headers_mut();
        for (name, value) in headers {
            all.insert(name, value.clone());
        }
        id.write(all);
        requests::answered(resource.route(), method, response.status(), began);
        Some(Answer { response, counted })
    }
}

/// Whether the router logs each answer.
fn are_logged() -> bool {
    tracing::enabled!(target: "supercargo::web::router", tracing::Level::DEBUG)
}

/// What memory may have.
#[derive(Clone, Copy)]
enum Resource<'a> {
    /// A file of the index, by its path.
    Index(&'a str),
    /// A file of the index of a release set, by the set's name and its path.
    Staged(&'a str, &'a str),
    /// The crate file of a version, by name and number.
    CrateFile(&'a str, &'a str),
    /// A file of the index of an upstream, by the upstream's name and its path.
    UpstreamIndex(&'a str, &'a str),
    /// The crate file of a version of an upstream, by the upstream's name, and name and number of the version.
    UpstreamCrateFile(&'a str, &'a str),
}

impl<'a> Resource<'a> {
    fn at(path: &'a str) -> Option<Self> {
        if let Some(path) = path.strip_prefix("/index/") {
            return Some(Self::Index(path));
        }
        if let Some(path) = path.strip_prefix("/stage/") {
            let (set, path) = path.split_once('/')?;
            return Some(Self::Staged(set, path.strip_prefix("index/")?));
        }
        if let Some(path) = path.strip_prefix("/upstream/") {
            let (upstream, path) = path.split_once('/')?;
            if let Some(path) = path.strip_prefix("index/") {
                return Some(Self::UpstreamIndex(upstream, path));
            }
            let version = path.strip_prefix("api/v1/crates/")?.strip_suffix("/download")?;
            return Some(Self::UpstreamCrateFile(upstream, version));
        }
        let version = path.strip_prefix("/api/v1/crates/")?.strip_suffix("/download")?;
        let (name, num) = version.split_once('/').filter(|(_, num)| !num.contains('/'))?;
        Some(Self::CrateFile(name, num))
    }

    /// The route, as metrics name it.
    fn route(self) -> &'static str {
        match self {
            Self::Index("config.json") => "/index/config.json",
            Self::Index(_) => "/index/{*path}",
            Self::Staged(..) => "/stage/{set}/index/{*path}",
            Self::CrateFile(..) => "/api/v1/crates/{crate}/{version}/download",
            Self::UpstreamIndex(..) => "/upstream/{name}/index/{*path}",
            Self::UpstreamCrateFile(..) => "/upstream/{name}/api/v1/crates/{crate}/{version}/download",
        }
    }

    fn recall(
        self,
        app: &App,
        method: &Method,
        (client, headers): (ClientAddress, &HeaderMap),
    ) -> Option<Response<Body>> {
        match self {
            Self::Index(path) => sparse::recalled(&app.index.view, path, headers),
            Self::Staged(set, path) => stage::recall(app, (set, path), headers),
            Self::CrateFile(name, num) => {
                let downloader = Downloader::without_token(&app.settings.download_log, client, headers)?;
                download::recall(app, (name, num), (method, headers), downloader)
            }
            Self::UpstreamIndex(name, path) => recall::index_file(app, (name, path), headers),
            Self::UpstreamCrateFile(name, version) => {
                let downloader = Downloader::without_token(&app.settings.download_log, client, headers)?;
                recall::crate_file(app, (name, version), (method, headers), downloader)
            }
        }
    }
}

/// What the router does with the answer of a handler.
fn finish(response: &mut Response<Body>, method: &Method) {
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(NO_STORE);
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    if *method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
}
