//! What changed in one file.

use std::sync::Arc;

use maud::{Markup, PreEscaped, html};

use super::files::{count, how};
use super::request::Request;
use super::table;
use crate::highlight::Language;
use crate::source::comparison::{FileChange, How};
use crate::source::{FileFacts, Form};
use crate::web::ApiError;
use crate::web::pages::parts::text::{name, size};
use crate::web::sources::{self, Fragment, Package};

/// The section of a file. Its differences are in it if `is_open`, and else a link to them.
pub async fn section(request: &Request, change: &FileChange, place: usize, is_open: bool) -> Result<Markup, ApiError> {
    let content = if is_open { differences(request, change).await? } else { link(request, change) };
    let (links, id) = (request.links(), format!("f{place}"));
    let has_before = request.place.has_before && change.before.is_some();
    let has_after = request.place.has_after && change.after.is_some();
    Ok(html! {
        section class="file-diff" aria-labelledby=(id) {
            h3 id=(id) {
                @if let How::Renamed { from, .. } = &change.how { (name(from)) " → " }
                (name(&change.path)) " " (how(change))
                @if let How::Renamed { similarity, .. } = &change.how { " " span class="muted" { (similarity) " % the same" } }
            }
            p class="file-facts" {
                @if has_before {
                    a href=(links.source(&request.before.name, &request.before.num, change.path_before())) { "In " (request.before.num) }
                }
                @if has_before && has_after { " · " }
                @if has_after {
                    a href=(links.source(&request.after.name, &request.after.num, &change.path)) { "In " (request.after.num) }
                }
                @if is_executable(&change.before) != is_executable(&change.after) {
                    @if has_before || has_after { " · " }
                    @if is_executable(&change.after) { "executable now" } @else { "not executable any more" }
                }
            }
            (content)
        }
    })
}

fn is_executable(side: &Option<FileFacts>) -> bool {
    side.as_ref().is_some_and(|file| file.is_executable)
}

/// A link to the differences, which the script replaces by them.
fn link(request: &Request, change: &FileChange) -> Markup {
    let path = request.path(&[("file", &change.path), ("view", request.view())]);
    html! { p { a class="load" href=(path) { "Show the changes of this file" } } }
}

async fn differences(request: &Request, change: &FileChange) -> Result<Markup, ApiError> {
    if change.is_shown_by_lines() {
        if change.before.as_ref().map(|file| file.sha256) == change.after.as_ref().map(|file| file.sha256) {
            return Ok(html! { p class="muted" { "The content is the same." } });
        }
        return Ok(html! { (PreEscaped(&*lines(request, change).await?)) });
    }
    if change.is_text() {
        return Ok(html! { p class="notice" { "This file is too large to be compared here." } });
    }
    Ok(html! {
        div class="side-by-side" {
            (side(request, (&request.before, request.place.has_before), (change.path_before(), &change.before), "Before"))
            (side(request, (&request.after, request.place.has_after), (&change.path, &change.after), "After"))
        }
    })
}

/// One of two versions of a file that is no text.
fn side(
    request: &Request,
    (package, has_pages): (&Package, bool),
    (path, file): (&str, &Option<FileFacts>),
    title: &str,
) -> Markup {
    let raw = has_pages.then(|| request.links().raw(&package.name, &package.num, path));
    html! {
        div {
            h4 { (title) }
            @match file {
                None => { p class="muted" { "There was no such file." } }
                Some(file) if file.form == Form::Link => { p { "A link." } }
                Some(file) => {
                    @if let Some(raw) = raw.as_ref().filter(|_| file.form == Form::Binary && is_image(path)) {
                        p class="picture" { img src=(raw) alt={ (title) ": " (path) } loading="lazy"; }
                    }
                    p { @if file.form == Form::Binary { "Binary file, " } @else { "Text, " } (size(count(file.size))) @if let Some(raw) = &raw { " · " a href=(raw) { "Raw" } } }
                }
            }
        }
    }
}

/// Whether a file is an image by its name. What is none is not shown as one: its raw content has another type.
fn is_image(path: &str) -> bool {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| matches!(&*ending, "png" | "jpg" | "jpeg" | "gif" | "webp" | "avif" | "ico" | "bmp"))
}

/// The lines that changed.
async fn lines(request: &Request, change: &FileChange) -> Result<Arc<str>, ApiError> {
    let is_split = request.is_split();
    let fragment = Fragment::Differences {
        before: request.before.id.checksum,
        after: request.after.id.checksum,
        path: change.path.clone(),
        is_split,
    };
    let (old, new) = (change.before.clone(), change.after.clone());
    let languages = (Language::of_path(change.path_before()), Language::of_path(&change.path));
    let packages = (&request.before, &request.after);
    sources::fragment_of_both(&request.app, request.client, packages, fragment, move |before, after| {
        let text = |package: &crate::source::SourcePackage, file: &Option<FileFacts>| {
            file.as_ref().map_or_else(|| Ok(String::new()), |file| package.read_text(file))
        };
        Ok(table::html((&text(before, &old)?, &text(after, &new)?), languages, is_split))
    })
    .await
}
