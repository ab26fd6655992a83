//! The facts of a version, beside its README.

use maud::{Markup, html};
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::provenance;
use super::reading::Reading;
use crate::database::access::caller::Caller;
use crate::database::catalog::owners::Owner;
use crate::package::line_counts::LineCounts;
use crate::web::pages::links::Links;
use crate::web::pages::parts::text::{counted, name, number, size, text};
use crate::web::pages::parts::{copy, time};

/// The most names that are shown of authors and binaries.
const NAMES: usize = 20;

/// The highest versions that are listed.
const VERSIONS: usize = 5;

/// All facts.
pub fn section(links: &Links, reading: &Reading, caller: Option<&Caller>) -> Markup {
    html! {
        (about(links, reading))
        (places(links, reading))
        (owners(links, reading))
        (topics(links, reading))
        (numbers(links, reading))
        @if caller.is_some() && reading.audit.is_some() {
            p class="aside-text" {
                a href=(links.of_crate(&reading.found.krate.row.name, "settings")) { "Settings" } " · " a href="#changes" { "Log of changes" }
            }
        }
    }
}

fn fact(title: &str, value: &Markup) -> Markup {
    html! { dt { (title) } dd { (value) } }
}

fn about(links: &Links, reading: &Reading) -> Markup {
    let (version, name_of) = (&reading.found.version, &reading.found.krate.row.name);
    let about = &version.about;
    html! {
        section aria-labelledby="version" {
            h2 id="version" { "Version " (version.row.num) }
            dl {
                @if version.row.effective_yanked.is_some() { (fact("Published", &published(links, reading))) }
                @else { (fact("Accepted", &html! { (published(links, reading)) ", not in the index yet" })) }
                @if let Some(provenance) = version.row.provenance() { (fact("Built from", &provenance::source(&provenance))) }
                (fact("Licence", &licence(links, reading)))
                @if let Some(rust) = &about.rust_version { (fact("Rust", &html! { (text(rust)) " and later" })) }
                @if let Some(edition) = &about.edition { (fact("Edition", &text(edition))) }
                (fact("Size", &html! { a href=(links.download(name_of, &version.row.num)) download { (size(version.row.size)) } }))
                @if let Some(lines) = lines(reading) { (fact("Code", &lines)) }
                @if let Some(native) = &about.links { (fact("Links", &html! { code { (name(native)) } })) }
                @if let Some(bins) = about.bin_names.as_ref().filter(|bins| !bins.is_empty()) {
                    (fact("Binaries", &html! { @for (place, bin) in bins.iter().take(NAMES).enumerate() { @if place > 0 { ", " } code { (name(bin)) } } }))
                }
                @if let Some(authors) = about.authors.as_ref().filter(|authors| !authors.is_empty()) {
                    (fact("Authors", &html! { @for (place, author) in authors.iter().take(NAMES).enumerate() { @if place > 0 { ", " } (text(author)) } }))
                }
            }
            details {
                summary { "Checksum and package URL" }
                (copy::block("checksum", &version.row.checksum.to_string()))
                (copy::block("purl", &purl(links, reading)))
            }
        }
    }
}

fn published(links: &Links, reading: &Reading) -> Markup {
    let version = &reading.found.version;
    html! {
        (time::ago(version.row.created_at))
        @match (version.row.provenance(), &version.published_by) {
            (Some(provenance), _) => { " by " (provenance::run(&provenance)) }
            (None, Some(user)) => { " by " a href=(links.search(&[("owner", &user.login)])) { (user.login) } }
            (None, None) => {}
        }
        @if let Some(token) = reading.publishing_token().filter(|_| version.row.provenance.is_none()) { " with the token " (text(token)) }
    }
}

fn licence(links: &Links, reading: &Reading) -> Markup {
    let (version, name_of) = (&reading.found.version, &reading.found.krate.row.name);
    html! {
        @match (&version.about.license, &version.about.license_file) {
            (Some(expression), _) => { (name(expression)) }
            (None, Some(file)) => { a href=(links.source(name_of, &version.row.num, file)) { (name(file)) } }
            (None, None) => { "not given" }
        }
    }
}

fn lines(reading: &Reading) -> Option<Markup> {
    let counts = reading.found.version.row.linecounts.clone()?;
    let counts: LineCounts = serde_json::from_value(counts).ok()?;
    let lines = |count: u64| number(i64::try_from(count).unwrap_or(i64::MAX));
    let languages: Vec<String> =
        counts.languages.iter().map(|(language, of)| format!("{language} {}", lines(of.code_lines))).collect();
    Some(
        html! { span title=(languages.join(", ")) { (counted(i64::try_from(counts.total_code_lines).unwrap_or(i64::MAX), "line")) } },
    )
}

/// The package URL of the version. Source: the purl specification, type cargo.
fn purl(links: &Links, reading: &Reading) -> String {
    let (name_of, num) = (&reading.found.krate.row.name, &reading.found.version.row.num);
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    format!("pkg:cargo/{name_of}@{}?repository_url={}", encoded(&num.to_string()), encoded(links.base_url()))
}

/// The documentation here, and the links of the manifest. Only those with https are links for sure; others say what they are.
fn places(links: &Links, reading: &Reading) -> Markup {
    let (version, name_of) = (&reading.found.version, &reading.found.krate.row.name);
    let about = &version.about;
    let places =
        [("Homepage", &about.homepage), ("Documentation", &about.documentation), ("Repository", &about.repository)];
    html! {
        @if version.has_docs || places.iter().any(|(_, place)| place.is_some()) {
            section aria-labelledby="links" {
                h2 id="links" { "Links" }
                ul {
                    @if version.has_docs {
                        li {
                            a href=(links.docs(name_of, &version.row.num)) { "Documentation of " (version.row.num) }
                            @if version.row.effective_yanked == Some(true) { " " span class="tag bad" { "yanked" } }
                        }
                    }
                    @for (title, place) in places {
                        @if let Some(place) = place { li { (link(title, place)) } }
                    }
                }
            }
        }
    }
}

fn link(title: &str, place: &str) -> Markup {
    // What is before an `@` reads like the host.
    let is_plain =
        |url: &Url| matches!(url.scheme(), "https" | "http") && url.username().is_empty() && url.password().is_none();
    let url = Url::parse(place).ok().filter(is_plain);
    html! {
        @match url {
            Some(url) => {
                (title) ": "
                a href=(url) rel="nofollow noopener" { (text(shown_url(url.as_str()))) }
                @if url.scheme() == "http" { " " span class="tag warn" { "not encrypted" } }
            }
            None => { (title) ": " (text(place)) " " span class="tag warn" { "no plain web address" } }
        }
    }
}

/// A URL as it is read.
fn shown_url(url: &str) -> &str {
    let short = url.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    short.strip_suffix(".git").unwrap_or(short)
}

fn owners(links: &Links, reading: &Reading) -> Markup {
    html! {
        section aria-labelledby="owners" {
            h2 id="owners" { "Owners" }
            ul {
                @for owner in &reading.owners {
                    @let login = owner.login();
                    li {
                        a href=(links.search(&[("owner", &login)])) { (login) }
                        @match owner {
                            Owner::User(user) => { @if let Some(full) = &user.name { " " span class="muted" { (text(full)) } } }
                            Owner::Team(_) => { " " span class="tag" { "team" } }
                        }
                    }
                }
            }
        }
    }
}

fn topics(links: &Links, reading: &Reading) -> Markup {
    let row = &reading.found.krate.row;
    html! {
        @if !row.categories.is_empty() {
            section aria-labelledby="of-categories" {
                h2 id="of-categories" { "Categories" }
                ul { @for category in &row.categories { li { a href=(links.search(&[("category", category)])) { (text(category)) } } } }
            }
        }
        @if !row.keywords.is_empty() {
            section aria-labelledby="of-keywords" {
                h2 id="of-keywords" { "Keywords" }
                ul class="chips" { @for keyword in &row.keywords { li { a href=(links.search(&[("keyword", keyword)])) { (text(keyword)) } } } }
            }
        }
    }
}

fn numbers(links: &Links, reading: &Reading) -> Markup {
    let (krate, version) = (&reading.found.krate, &reading.found.version);
    let name_of = &krate.row.name;
    let badge = links.to(&format!("/badges/{name_of}.svg"));
    html! {
        section aria-labelledby="numbers" {
            h2 id="numbers" { "Numbers" }
            dl {
                (fact("Downloads", &html! { (number(krate.downloads)) ", in 90 days " (number(krate.recent_downloads)) }))
                (fact("This version", &html! { (number(version.downloads)) }))
                (fact("Versions", &html! { a href=(links.of_crate(name_of, "versions")) { (number(i64::from(krate.row.version_count))) } }))
                (fact("Created", &time::ago(krate.row.created_at)))
            }
            ul {
                @for one in reading.listed.iter().take(VERSIONS) {
                    li {
                        a href=(links.version(name_of, &one.num)) aria-current=[(one.id == version.row.id).then_some("true")] { (one.num) }
                        @if one.yanked == Some(true) { " " span class="tag bad" { "yanked" } }
                        " " span class="muted" { (time::ago(one.created_at)) }
                    }
                }
            }
            p { a href=(links.of_crate(name_of, "feed.atom")) { "Feed" } " · " a href=(badge) { "Badge" } }
        }
    }
}
