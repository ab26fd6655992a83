//! The dependencies of a version by kind, with links to the crates.

use maud::{Markup, html};
use url::Url;

use crate::database::catalog::dependencies::StoredDependency;
use crate::package::CrateName;
use crate::package::registry_urls::is_crates_io;
use crate::web::App;
use crate::web::pages::links::Links;
use crate::web::pages::parts::text::{name, text};

/// The kinds in the order in which they are shown.
const KINDS: [(&str, &str); 3] = [("normal", "To build and run"), ("build", "To build only"), ("dev", "To develop")];

/// Where a crate is.
enum Place {
    /// A path on this host or a URL, and the host.
    At(String, Option<String>),
    Unknown(String),
}

/// A table for each kind.
pub fn tables(app: &App, links: &Links, dependencies: &[StoredDependency]) -> Markup {
    html! {
        @for (kind, title) in KINDS {
            @let of_kind: Vec<&StoredDependency> = dependencies.iter().filter(|one| one.kind == kind).collect();
            @if !of_kind.is_empty() {
                div class="scroll" {
                    table {
                        caption { (title) " (" (of_kind.len()) ")" }
                        thead {
                            tr { th scope="col" { "Crate" } th scope="col" { "Version" } th scope="col" { "Features" } th scope="col" { "Only for" } }
                        }
                        tbody { @for one in of_kind { (row(app, links, one)) } }
                    }
                }
            }
        }
    }
}

fn row(app: &App, links: &Links, one: &StoredDependency) -> Markup {
    html! {
        tr {
            th scope="row" class="wrap" {
                @match place(app, links, one) {
                    Place::At(path, host) => {
                        a href=(path) rel=[host.is_some().then_some("nofollow noopener")] { (one.name) }
                        @if let Some(host) = host { " " span class="tag" { (host) } }
                    }
                    Place::Unknown(registry) => { (one.name) " " span class="tag" { (text(&registry)) } }
                }
                @if let Some(rename) = &one.rename { span class="muted" { " as " (name(rename)) } }
                @if one.optional { " " span class="tag" { "optional" } }
            }
            td class="req" { code { (text(&one.req)) } }
            td class="wrap" {
                @if !one.default_features { span class="muted" { "without default" } @if !one.features.is_empty() { ", " } }
                @for (place, feature) in one.features.iter().enumerate() { @if place > 0 { ", " } code { (name(feature)) } }
            }
            td class="wrap" { @if let Some(target) = &one.target { code { (text(target)) } } }
        }
    }
}

/// The page of the crate: in this registry, at crates.io, or the host of the other registry.
fn place(app: &App, links: &Links, one: &StoredDependency) -> Place {
    let Some(registry) = &one.registry else { return Place::At(links.krate(&one.name), None) };
    if app.settings.urls.is_own(registry) {
        return Place::At(links.krate(&one.name), None);
    }
    if is_crates_io(registry) {
        return match one.name.parse::<CrateName>() {
            Ok(name) => Place::At(format!("https://crates.io/crates/{name}"), Some("crates.io".to_owned())),
            Err(_) => Place::Unknown("crates.io".to_owned()),
        };
    }
    let url = Url::parse(registry.strip_prefix("sparse+").unwrap_or(registry)).ok();
    match url.filter(|url| url.scheme() == "https").and_then(|url| Some((url.host_str()?.to_owned(), url))) {
        Some((host, url)) => Place::At(format!("{}/", url.origin().ascii_serialization()), Some(host)),
        None => Place::Unknown(registry.clone()),
    }
}
