//! Directories: a page of their own, and beside each file.

use maud::{Markup, html};

use super::opened::{Opened, Request, breadcrumbs};
use super::origin;
use crate::source::{Child, FileFacts, Form, Listing};
use crate::web::ApiError;
use crate::web::pages::links::Links;
use crate::web::pages::parts::text::{counted, name, size};
use crate::web::sources::Package;

/// Entries of a directory on one page.
const SHOWN: usize = 1000;
/// Entries of a directory beside a file.
const BESIDE: usize = 200;

/// The page of a directory.
pub fn content(request: &Request, opened: &Opened, path: &str, children: &[Child<'_>]) -> Result<Markup, ApiError> {
    let (links, listing) = (request.visit.links(), opened.source.listing());
    let page = request.query.parsed::<usize>("page", "the number of a page, from 1 on")?.unwrap_or(1).max(1);
    let skipped = (page - 1).saturating_mul(SHOWN).min(children.len());
    let shown = &children[skipped..(skipped + SHOWN).min(children.len())];
    let here = links.source(&opened.package.name, &opened.package.num, path);
    Ok(html! {
        (breadcrumbs(links, &opened.package, path))
        @if path.is_empty() { (about(links, opened, listing)) (origin::notice(opened)) }
        div class="scroll" {
            table class="files" {
                caption { (counted_files(children.len())) @if children.len() > SHOWN { ", page " (page) } }
                thead { tr { th scope="col" { "Name" } th scope="col" class="n" { "Lines" } th scope="col" class="n" { "Size" } } }
                tbody {
                    @if let Some((parent, _)) = path.rsplit_once('/').or(Some(("", ""))).filter(|_| !path.is_empty()) {
                        tr { td { a href=(links.source(&opened.package.name, &opened.package.num, parent)) { ".." span class="aside" { " (the directory above)" } } } td {} td {} }
                    }
                    @for child in shown { (row(links, &opened.package, path, *child)) }
                }
            }
        }
        @if children.len() > SHOWN {
            nav class="pager" aria-label="Pages" {
                @if page > 1 { a href={ (here) "?page=" (page - 1) } rel="prev" { "Previous" } }
                @if skipped + shown.len() < children.len() { a href={ (here) "?page=" (page + 1) } rel="next" { "Next" } }
            }
        }
    })
}

fn counted_files(count: usize) -> String {
    match count {
        1 => "1 entry".to_owned(),
        other => format!("{other} entries"),
    }
}

/// What is to be said of the whole package.
fn about(links: &Links, opened: &Opened, listing: &Listing) -> Markup {
    let (name, num) = (&opened.package.name, &opened.package.num);
    html! {
        p class="muted" {
            (counted(number(listing.len()), "file")) ", " (size(number(listing.size()))) " unpacked. "
            a href=(links.download(name, num)) { "Download the .crate file" }
            " (" (size(opened.found.version.row.size)) ")."
        }
        @if listing.left_out > 0 {
            p class="notice warn" {
                (counted(i64::from(listing.left_out), "entry of the archive is")) " not shown: cargo does not unpack it."
            }
        }
    }
}

/// A number for the functions that write numbers.
pub fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

fn row(links: &Links, package: &Package, directory: &str, child: Child<'_>) -> Markup {
    let path = |entry: &str| below(directory, entry);
    html! {
        tr {
            @match child {
                Child::Directory(entry, files) => {
                    td { a class="directory" href=(links.source(&package.name, &package.num, &path(entry))) { (name(entry)) "/" } }
                    td class="n muted" { (counted(number(files), "file")) }
                    td {}
                }
                Child::File(entry, file) => {
                    td { a href=(links.source(&package.name, &package.num, &path(entry))) { (name(entry)) } (marks(file)) }
                    td class="n" { @if matches!(file.form, Form::Text | Form::OtherText) { (file.lines) } }
                    td class="n" { (size(number(file.size))) }
                }
            }
        }
    }
}

fn marks(file: &FileFacts) -> Markup {
    html! {
        @if file.is_executable { " " span class="tag" { "executable" } }
        @match file.form {
            Form::Binary => { " " span class="tag" { "binary" } }
            Form::Link => { " " span class="tag warn" { "link" } }
            Form::Text | Form::OtherText => {}
        }
    }
}

fn below(directory: &str, entry: &str) -> String {
    if directory.is_empty() { entry.to_owned() } else { format!("{directory}/{entry}") }
}

/// The directories that lead to a file, each with its entries.
pub fn beside(links: &Links, opened: &Opened, path: &str) -> Markup {
    html! {
        details class="tree" open {
            summary { "Files" }
            nav aria-label="Files of the package" { (level(links, opened, "", path)) }
        }
    }
}

/// The entries of a directory; below the one that leads to the file, its entries.
fn level(links: &Links, opened: &Opened, directory: &str, path: &str) -> Markup {
    let (package, listing) = (&opened.package, opened.source.listing());
    let children = listing.children(directory).unwrap_or_default();
    let start = if directory.is_empty() { 0 } else { directory.len() + 1 };
    let towards = path.get(start..).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let is_towards =
        |child: &Child<'_>| matches!(child, Child::File(name, _) | Child::Directory(name, _) if *name == towards);
    // What leads to the file is shown in any case.
    let place = children.iter().position(is_towards).unwrap_or(0);
    let first = if place < BESIDE { 0 } else { place - BESIDE / 2 };
    let shown = &children[first..(first + BESIDE).min(children.len())];
    html! {
        ul {
            @if first > 0 { (more(links, package, directory)) }
            @for child in shown {
                @match child {
                    Child::Directory(entry, _) => {
                        @let inner = below(directory, entry);
                        li {
                            a class="directory" href=(links.source(&package.name, &package.num, &inner)) { (name(entry)) "/" }
                            @if path.strip_prefix(&inner).is_some_and(|rest| rest.starts_with('/')) {
                                (level(links, opened, &inner, path))
                            }
                        }
                    }
                    Child::File(entry, _) => {
                        @let inner = below(directory, entry);
                        li {
                            a href=(links.source(&package.name, &package.num, &inner)) aria-current=[(inner == path).then_some("page")] {
                                (name(entry))
                            }
                        }
                    }
                }
            }
            @if first + shown.len() < children.len() { (more(links, package, directory)) }
        }
    }
}

fn more(links: &Links, package: &Package, directory: &str) -> Markup {
    html! { li { a href=(links.source(&package.name, &package.num, directory)) { "… all entries" } } }
}
