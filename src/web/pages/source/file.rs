//! A file: its lines, its image, or what it is.

use std::sync::Arc;

use maud::{Markup, PreEscaped, html};

use super::binary::{self, LOOKED_AT};
use super::lines::{self, MAX_SHOWN};
use super::opened::{Opened, Request, breadcrumbs};
use super::origin::{self, Origin};
use super::tree::{self, number};
use crate::highlight::Language;
use crate::package::vcs_info;
use crate::source::{FileFacts, Form, SourceError};
use crate::web::ApiError;
use crate::web::pages::links::Links;
use crate::web::pages::parts::text::{counted, size};
use crate::web::sources::{self, Fragment};

/// The manifest as cargo writes it for the package, and as its author wrote it.
const MANIFESTS: (&str, &str) = ("Cargo.toml", "Cargo.toml.orig");

/// The content of the page of a file.
pub async fn content(request: &Request, opened: &Opened, path: &str) -> Result<Markup, ApiError> {
    let links = request.visit.links();
    let Some(file) = opened.source.listing().find(path).cloned() else {
        return Err(ApiError::not_found("the file has disappeared"));
    };
    let shown = shown(request, opened, path, &file).await?;
    Ok(html! {
        (breadcrumbs(links, &opened.package, path))
        div class="with-tree" {
            (tree::beside(links, opened, path))
            div class="file" {
                (head(links, opened, path, &file))
                @if path == vcs_info::PATH { (origin::notice(opened)) }
                (shown)
            }
        }
    })
}

/// What is known of the file, and what else there is of it.
fn head(links: &Links, opened: &Opened, path: &str, file: &FileFacts) -> Markup {
    let (name, num) = (&opened.package.name, &opened.package.num);
    let is_text = matches!(file.form, Form::Text | Form::OtherText);
    let language = Language::of_path(path).name().filter(|_| is_text);
    html! {
        p class="file-facts" {
            @if is_text { (counted(i64::from(file.lines), "line")) " · " }
            (size(number(file.size)))
            @if let Some(language) = language { " · " (language) }
            @if file.is_executable { " · executable" }
            @if file.form != Form::Link { " · " a href=(links.raw(name, num, path)) { "Raw" } }
            @if let Some(link) = Origin::of(opened).and_then(|origin| origin.file(path)) { " · " (link) }
        }
        @if file.form == Form::OtherText {
            p class="notice" { "This file is not UTF-8: what cannot be read is shown as \u{fffd}." }
        }
    }
}

async fn shown(request: &Request, opened: &Opened, path: &str, file: &FileFacts) -> Result<Markup, ApiError> {
    let (links, package) = (request.visit.links(), &opened.package);
    let raw = links.raw(&package.name, &package.num, path);
    let start = start(request, opened, path, file).await?;
    let image = binary::image(path, &start).is_some();
    let is_text = matches!(file.form, Form::Text | Form::OtherText);
    Ok(html! {
        @if image { p class="picture" { img src=(raw) alt={ "The image " (path) } loading="lazy"; } }
        @match file.form {
            Form::Link => {
                p class="notice warn" { "This is a link to " code { (String::from_utf8_lossy(&start)) } ". It is not followed." }
            }
            Form::Binary => { (described(path, file, &start)) }
            Form::Text | Form::OtherText if file.size > MAX_SHOWN => {
                p class="notice" { "This file is too large to be shown. " a href=(raw) { "Open it as it is" } "." }
            }
            Form::Text | Form::OtherText if file.size == 0 => { p class="muted" { "This file is empty." } }
            Form::Text | Form::OtherText => {}
        }
        @if is_text && file.size > 0 && file.size <= MAX_SHOWN { (text(request, opened, path, file).await?) }
    })
}

/// The first bytes of a file.
async fn start(request: &Request, opened: &Opened, path: &str, file: &FileFacts) -> Result<Vec<u8>, ApiError> {
    // Of texts only SVG is more than that.
    if matches!(file.form, Form::Text | Form::OtherText) && !path.to_ascii_lowercase().ends_with(".svg") {
        return Ok(Vec::new());
    }
    let file = file.clone();
    let read = sources::read(&request.app, request.client, &opened.package, move |package| {
        let mut start = Vec::new();
        package.read_part(&file, 0..LOOKED_AT, |piece| {
            start.extend_from_slice(piece);
            Ok::<_, SourceError>(())
        })?;
        Ok(start)
    });
    read.await
}

/// The lines of a text. The manifest stands beside what its author wrote.
async fn text(request: &Request, opened: &Opened, path: &str, file: &FileFacts) -> Result<Markup, ApiError> {
    let (links, package, listing) = (request.visit.links(), &opened.package, opened.source.listing());
    let lines = code(request, opened, path, (file, "L")).await?;
    let original = (path == MANIFESTS.0).then(|| listing.find(MANIFESTS.1)).flatten();
    let original = original.filter(|original| original.form == Form::Text && original.size <= MAX_SHOWN);
    Ok(match original {
        Some(original) => {
            let original = code(request, opened, MANIFESTS.1, (original, "O")).await?;
            html! {
                div class="side-by-side" {
                    section aria-labelledby="packaged" { h2 id="packaged" { "As cargo packaged it" } (PreEscaped(&*lines)) }
                    section aria-labelledby="original" {
                        h2 id="original" {
                            "As its author wrote it (" a href=(links.source(&package.name, &package.num, MANIFESTS.1)) { (MANIFESTS.1) } ")"
                        }
                        (PreEscaped(&*original))
                    }
                }
            }
        }
        None => html! {
            @if path == MANIFESTS.1 {
                p class="notice" {
                    "This is the manifest as its author wrote it. Cargo builds from "
                    a href=(links.source(&package.name, &package.num, MANIFESTS.0)) { (MANIFESTS.0) } "."
                }
            }
            (PreEscaped(&*lines))
        },
    })
}

async fn code(
    request: &Request,
    opened: &Opened,
    path: &str,
    (file, prefix): (&FileFacts, &'static str),
) -> Result<Arc<str>, ApiError> {
    let fragment = Fragment::Lines { checksum: opened.package.id.checksum, path: path.to_owned(), prefix };
    let (file, language) = (file.clone(), Language::of_path(path));
    let render =
        move |package: &crate::source::SourcePackage| Ok(lines::code(&package.read_text(&file)?, language, prefix));
    sources::fragment(&request.app, request.client, &opened.package, fragment, render).await
}

/// What a binary file is.
fn described(path: &str, file: &FileFacts, start: &[u8]) -> Markup {
    let digest: String = file.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    html! {
        dl class="binary" {
            dt { "Kind" } dd { (binary::kind(path, start)) }
            dt { "Size" } dd { (counted(number(file.size), "byte")) }
            dt { "SHA-256" } dd { code class="wrap" { (digest) } }
        }
        p { "It begins with these bytes:" }
        pre tabindex="0" aria-label="First bytes" { (binary::dump(start)) }
    }
}
