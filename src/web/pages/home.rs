//! `GET /`: how to use the registry, and what is new in it.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::layout::Page;
use super::links::Links;
use super::parts::crate_list::short_item;
use super::parts::text::{counted, short_number};
use super::parts::{copy, time};
use super::visit::Visit;
use crate::database::catalog::crate_details::{self, CountedCrate};
use crate::database::catalog::topics::{self, Kind, Order, Topic};
use crate::database::registry_counts::{self, Count};
use crate::database::search::{self, Filter, Page as Part, SearchQuery, Sort};
use crate::web::upstreams::cargo_config;
use crate::web::{ApiError, App, Settings};

/// Length of each list.
const LENGTH: i64 = 8;

/// The setting of cargo that makes a registry's versions usable at once, whatever age the user requires of others. A
/// comment, because older versions of cargo warn of a key that they do not know.
const AGE: &str = "# min-publish-age = \"0\"  # for cargo 1.100 and later";

/// What the database says for this page.
struct Reading {
    crates: i64,
    downloads: i64,
    new: Vec<CountedCrate>,
    updated: Vec<CountedCrate>,
    popular: Vec<CountedCrate>,
    categories: Vec<Topic>,
}

/// Shows the page. Without the session that a private registry needs it has the set-up alone.
pub async fn show(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    let reading = if visit.is_locked_out() { None } else { Some(app.with_connection(read).await?) };
    let links = visit.links();
    let content = html! {
        div class="hero" {
            h1 { "A cargo registry" }
            @match &reading {
                Some(reading) => {
                    p class="lead" {
                        a href=(links.search(&[])) { (counted(reading.crates, "crate")) } ", "
                        (counted(reading.downloads, "download")) "."
                    }
                }
                None => {
                    p class="lead" {
                        "It is private: everything needs a token. " a href=(links.sign_in()) { "Sign in" } ", or see "
                        a href=(links.me()) { "how to get a token" } "."
                    }
                }
            }
        }
        @if let Some(reading) = &reading { (lists(links, reading)) }
        (set_up(links, &app.settings))
    };
    let about = "A registry for crates: search them, read them, and set up cargo to use and to publish them.";
    let page = Page::new("supercargo", content).described(about).known_as(links.home());
    let page = match reading {
        Some(_) => page
            .with_feed("New crates", links.to("/feeds/crates.atom"))
            .with_feed("New versions", links.to("/feeds/versions.atom")),
        None => page,
    };
    Ok(visit.show(page))
}

fn read(connection: &mut diesel::PgConnection) -> Result<Reading, ApiError> {
    let [crates, downloads] = registry_counts::read(connection, [Count::Crates, Count::Downloads])?;
    let mut listed = |sort| {
        let query = SearchQuery { text: None, filter: Filter::default(), sort, after: None };
        let ids = search::page(connection, &query, Part { limit: LENGTH, offset: 0 })?;
        crate_details::by_ids(connection, &ids)
    };
    Ok(Reading {
        crates,
        downloads,
        new: listed(Sort::New)?,
        updated: listed(Sort::RecentUpdates)?,
        popular: listed(Sort::RecentDownloads)?,
        categories: topics::list(connection, Kind::Categories, Order::Crates, 2 * LENGTH, 0)?,
    })
}

fn lists(links: &Links, reading: &Reading) -> Markup {
    if reading.crates == 0 {
        return html! { p class="notice" { "There is no crate yet: publish the first one, as shown below." } };
    }
    let list = |id: &str, title: &str, sort: &str, crates: &[CountedCrate], fact: &dyn Fn(&CountedCrate) -> Markup| {
        html! {
            section aria-labelledby=(id) {
                h2 id=(id) { a href=(links.search(&[("sort", sort)])) { (title) } }
                ol class="crates-short" { @for krate in crates { (short_item(links, krate, &fact(krate))) } }
            }
        }
    };
    html! {
        div class="columns" {
            (list("new", "New crates", "new", &reading.new, &|krate| time::ago(krate.row.created_at)))
            (list("updated", "Just updated", "recent-updates", &reading.updated, &|krate| html! {
                @if let Some(num) = &krate.row.newest_version { (num) ", " } (time::ago(krate.row.updated_at))
            }))
            (list("popular", "Most downloaded in 90 days", "recent-downloads", &reading.popular, &|krate| html! {
                (short_number(krate.recent_downloads))
            }))
        }
        @if !reading.categories.is_empty() {
            section aria-labelledby="categories" {
                h2 id="categories" { a href=(links.categories()) { "Categories" } }
                ul class="topics" {
                    @for topic in &reading.categories {
                        li { a href=(links.search(&[("category", &topic.name)])) { (topic.name) } " " span { (topic.crates) } }
                    }
                }
            }
        }
    }
}

/// How to use the registry with cargo.
fn set_up(links: &Links, settings: &Settings) -> Markup {
    let auth_required = settings.auth_required;
    let base = links.base_url();
    let provider = if auth_required { "\ncredential-provider = \"cargo:token\"" } else { "" };
    let sparse = format!("[registries.supercargo]\nindex = \"sparse+{base}/index/\"{provider}\n{AGE}");
    let git = format!("[registries.supercargo]\nindex = \"{base}/git/index\"{provider}\n{AGE}");
    html! {
        section class="prose" aria-labelledby="set-up" {
            h2 id="set-up" { "Use crates" }
            p { "Add this to " code { ".cargo/config.toml" } " in your project or home directory:" }
            (copy::block("sparse", &sparse))
            p {
                "Cargo 1.100 and later can hold back new versions of all registries (" code { "global-min-publish-age" }
                "). If you use that, remove the " code { "#" } " before " code { "min-publish-age" }
                ", which exempts this registry."
            }
            p { "Then run" }
            (copy::block("use", "cargo add --registry supercargo NAME\ncargo search --registry supercargo WORDS"))
            @for state in settings.upstreams.state() {
                @let upstream = &*state.name;
                h2 id=(format!("upstream-{upstream}")) { "Crates of " (upstream) }
                p {
                    "To get them through this registry, add this to " code { "config.toml" } " in your " code { "$CARGO_HOME" } " ("
                    code { "~/.cargo" } "). " code { "Cargo.lock" } " stays as it is."
                }
                (copy::block(&format!("upstream-lines-{upstream}"), &cargo_config(base, (upstream, &state.index), auth_required)))
            }
            h2 id="publish" { "Publish crates" }
            p { a href=(links.me()) { "Get a token" } ", then run" }
            (copy::block("publish-lines", "cargo login --registry supercargo\ncargo publish --registry supercargo"))
            p {
                "To allow a crate to be published only here, add " code { "publish = [\"supercargo\"]" } " to its "
                code { "[package]" } "."
            }
            h2 id="git" { "Git index" }
            p { "The index is also a git repository:" }
            (copy::block("git-lines", &git))
            p {
                "Choose one of the two and keep it: every " code { "Cargo.lock" } " has its URL."
                @if auth_required {
                    " When git prompts for a user name and a password, enter any name, and the token as the password."
                }
            }
            h2 id="api" { "API" }
            p { "The OpenAPI description is at " a href=(links.to("/api/openapi.json")) { "/api/openapi.json" } "." }
        }
    }
}
