//! The frame around the content of every page, and the headers that every page has.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use sha2::{Digest, Sha256};

use super::assets::{ICON, SCRIPT, STYLE};
use super::links::Links;

/// What a page may load, from this host alone, and where it may send forms. Nothing may frame it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// A page, without its frame.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    content: Markup,
    description: Option<String>,
    canonical: Option<String>,
    feeds: Vec<(String, String)>,
    search: String,
    is_indexed: bool,
    is_stored: bool,
    status: StatusCode,
}

/// Who looks at a page, as far as its frame shows it.
#[derive(Clone, Copy, Debug)]
pub struct Viewer<'a> {
    pub links: &'a Links,
    /// The login, and the token of its forms.
    pub signed_in: Option<(&'a str, &'a str)>,
    /// Everything needs a session, and there is none.
    pub is_locked_out: bool,
    /// The queue may be shown to them.
    pub sees_queue: bool,
    /// The audit log may be shown to them.
    pub sees_audit: bool,
}

impl Page {
    pub fn new(title: impl Into<String>, content: Markup) -> Self {
        Self {
            title: title.into(),
            content,
            description: None,
            canonical: None,
            feeds: Vec::new(),
            search: String::new(),
            is_indexed: true,
            is_stored: true,
            status: StatusCode::OK,
        }
    }

    /// What search engines and chats show of the page.
    pub fn described(self, description: impl Into<String>) -> Self {
        Self { description: Some(description.into()).filter(|text: &String| !text.is_empty()), ..self }
    }

    /// The path under which this content is known, of several.
    pub fn known_as(self, path: String) -> Self {
        Self { canonical: Some(path), ..self }
    }

    /// Names a feed with this title and path.
    pub fn with_feed(mut self, title: impl Into<String>, path: String) -> Self {
        self.feeds.push((title.into(), path));
        self
    }

    /// Fills the search field of the frame.
    pub fn searching(self, text: impl Into<String>) -> Self {
        Self { search: text.into(), ..self }
    }

    /// Keeps the page out of search engines.
    pub fn unlisted(self) -> Self {
        Self { is_indexed: false, ..self }
    }

    /// Keeps the page out of every cache.
    pub fn unstored(self) -> Self {
        Self { is_stored: false, ..self }
    }

    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The page in its frame. `asked` are the headers of the request.
    pub fn show(self, viewer: Viewer<'_>, asked: &HeaderMap) -> Response {
        let html = self.framed(viewer).into_string();
        if !self.is_stored {
            return (self.status, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response();
        }
        let cached = match viewer.signed_in {
            // Not even the browser keeps it: after the sign-out, Back would show it again.
            Some(_) => HeaderValue::from_static("private, no-store"),
            None => HeaderValue::from_static("no-cache"),
        };
        if self.status != StatusCode::OK {
            return (self.status, Html(html)).into_response();
        }
        let tag = entity_tag(html.as_bytes());
        let headers =
            [(header::CACHE_CONTROL, cached), (header::VARY, HeaderValue::from_static("cookie, authorization"))];
        let tagged = [(header::ETAG, tag.clone())];
        let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if known.split(',').any(|one| one.trim() == tag) {
            return (StatusCode::NOT_MODIFIED, headers, tagged).into_response();
        }
        (headers, tagged, Html(html)).into_response()
    }

    fn framed(&self, viewer: Viewer<'_>) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head { (self.head(viewer.links)) }
                body {
                    a class="skip" href="#content" { "Skip to the content" }
                    (header(viewer, &self.search))
                    main id="content" tabindex="-1" { (self.content) }
                    (footer(viewer.links))
                }
            }
        }
    }

    fn head(&self, links: &Links) -> Markup {
        let title = match self.title.as_str() {
            "supercargo" => "supercargo, a cargo registry".to_owned(),
            other => format!("{other} · supercargo"),
        };
        html! {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            title { (title) }
            @if let Some(description) = &self.description {
                meta name="description" content=(description);
                meta property="og:description" content=(description);
            }
            meta property="og:title" content=(self.title);
            meta property="og:site_name" content="supercargo";
            meta property="og:type" content="website";
            @if let Some(path) = &self.canonical {
                link rel="canonical" href=(links.whole(path));
                meta property="og:url" content=(links.whole(path));
            }
            @if !self.is_indexed { meta name="robots" content="noindex"; }
            meta name="color-scheme" content="light dark";
            link rel="stylesheet" href=(links.to(&STYLE.path()));
            link rel="icon" type="image/svg+xml" href=(links.to(&ICON.path()));
            link rel="search" type="application/opensearchdescription+xml" title="supercargo" href=(links.to("/opensearch.xml"));
            @for (title, path) in &self.feeds {
                link rel="alternate" type="application/atom+xml" title=(title) href=(path);
            }
            script src=(links.to(&SCRIPT.path())) defer {}
        }
    }
}

fn header(viewer: Viewer<'_>, search: &str) -> Markup {
    let links = viewer.links;
    html! {
        header class="top" {
            div class="bar" {
                a class="brand" href=(links.home()) {
                    img src=(links.to(&ICON.path())) alt="" width="24" height="24";
                    "supercargo"
                }
                @if !viewer.is_locked_out {
                    form class="find" role="search" action=(links.search(&[])) method="get" {
                        label class="aside" for="q" { "Search crates" }
                        input id="q" type="search" name="q" value=(search) placeholder="Search crates" autocomplete="off"
                            autocapitalize="none" spellcheck="false" maxlength="200";
                        button type="submit" { "Search" }
                    }
                }
                nav aria-label="Registry" {
                    @if !viewer.is_locked_out {
                        a href=(links.search(&[])) { "Crates" }
                        a href=(links.categories()) { "Categories" }
                    }
                    @if viewer.signed_in.is_some() { a href=(links.release_sets(&[])) { "Release sets" } }
                    @if viewer.sees_queue {
                        a href=(links.queue(&[])) { "Queue" }
                        a href=(links.to("/admin/users")) { "Users" }
                        a href=(links.to("/admin/teams")) { "Teams" }
                        a href=(links.to("/admin/reserved-names")) { "Reserved names" }
                        a href=(links.to("/admin/upstreams")) { "Upstreams" }
                        a href=(links.to("/admin/webhooks")) { "Webhooks" }
                    }
                    @if viewer.sees_audit { a href=(links.to("/admin/audit")) { "Audit log" } }
                    a href=(links.me()) { @if viewer.signed_in.is_some() { "Account" } @else { "Tokens" } }
                    @match viewer.signed_in {
                        Some((login, form_token)) => {
                            form class="out" method="post" action=(links.sign_out()) {
                                input type="hidden" name="form_token" value=(form_token);
                                button type="submit" title={ "Signed in as " (login) } { "Sign out " span class="who" { (login) } }
                            }
                        }
                        None => { a href=(links.sign_in()) { "Sign in" } }
                    }
                }
            }
        }
    }
}

fn footer(links: &Links) -> Markup {
    html! {
        footer class="bottom" {
            div class="bar" {
                nav aria-label="About" {
                    a href=(links.home()) { "Set up cargo" }
                    a href=(links.keywords()) { "Keywords" }
                    a href=(links.to("/advisories")) { "Security advisories" }
                    a href=(links.to("/feeds/versions.atom")) { "Feed of new versions" }
                    a href=(links.to("/api/openapi.json")) { "API" }
                }
                p { "supercargo " (env!("CARGO_PKG_VERSION")) }
            }
        }
    }
}

/// A weak tag of a text: proxies may compress it.
pub fn entity_tag(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    let digits: String = digest[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("W/\"{digits}\"")
}

/// Adds the headers that protect a page, unless it has stricter ones.
pub fn protect(headers: &mut HeaderMap) {
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(POLICY);
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    headers
        .entry(axum::http::HeaderName::from_static("cross-origin-opener-policy"))
        .or_insert(HeaderValue::from_static("same-origin"));
    headers
        .entry(axum::http::HeaderName::from_static("cross-origin-resource-policy"))
        .or_insert(HeaderValue::from_static("same-origin"));
}
