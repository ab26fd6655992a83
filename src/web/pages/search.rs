//! `GET /search`: all crates, or those that match a text, narrowed by owner, team, keyword and category. With `fragment=1` only
//! the results, which the script puts in place while somebody types.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use diesel::PgConnection;
use maud::{Markup, html};

use super::layout::Page;
use super::links::Links;
use super::parts::crate_list::item;
use super::parts::text::{counted, name as marked};
use super::parts::{copy, pager};
use super::visit::Visit;
use crate::database::catalog::crate_details::{self, CountedCrate};
use crate::database::catalog::owners::Owner;
use crate::database::catalog::topics::{self, Kind, Topic};
use crate::database::search::query::SearchText;
use crate::database::search::{self, Filter, Only, SearchQuery, Sort, Totals, categories};
use crate::web::extract::query::{Pagination, QueryParameters};
use crate::web::views::PageMeta;
use crate::web::{ApiError, App};

/// Crates on a page.
const PER_PAGE: u32 = 20;
/// The longest text, in characters.
const LONGEST: usize = 200;

/// The orders: the value of `sort`, its name, and the order.
const SORTS: [(&str, &str, Sort); 6] = [
    ("relevance", "Relevance", Sort::Relevance),
    ("recent-downloads", "Downloads in 90 days", Sort::RecentDownloads),
    ("downloads", "All downloads", Sort::Downloads),
    ("recent-updates", "Updated", Sort::RecentUpdates),
    ("new", "New", Sort::New),
    ("alpha", "Name", Sort::Alphabetical),
];

/// What is asked for. Empty texts are not conditions.
#[derive(Clone, Debug)]
struct Asked {
    text: String,
    sort: &'static str,
    keywords: String,
    category: String,
    owner: String,
}

/// The answer of the database.
struct Found {
    crates: Vec<CountedCrate>,
    total: i64,
    /// The owner that is asked for does not exist.
    is_owner_unknown: bool,
    subcategories: Vec<Topic>,
}

impl Asked {
    fn read(query: &QueryParameters) -> Self {
        let given = |name: &str| {
            let text = query.text(name).unwrap_or_default();
            text.trim().chars().take(LONGEST).collect::<String>()
        };
        let text = given("q");
        let sort = given("sort");
        let known = SORTS
            .iter()
            .map(|(value, ..)| *value)
            .find(|value| *value == sort && (*value != "relevance" || !text.is_empty()));
        let default = if text.is_empty() { "recent-downloads" } else { "relevance" };
        Self {
            sort: known.unwrap_or(default),
            keywords: given("keyword").to_lowercase(),
            category: given("category").to_lowercase(),
            owner: given("owner"),
            text,
        }
    }

    /// The link to this search with another value of one parameter, on its first page.
    fn with(&self, links: &Links, name: &str, value: &str) -> String {
        let own = [
            ("q", &*self.text),
            ("sort", self.sort),
            ("keyword", &*self.keywords),
            ("category", &*self.category),
            ("owner", &*self.owner),
        ];
        links.search(&own.map(|(given, own)| (given, if given == name { value } else { own })))
    }

    /// The conditions that can be removed: the parameter, its name, and its value.
    fn conditions(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        let all = [
            ("keyword", "keyword", &*self.keywords),
            ("category", "category", &*self.category),
            ("owner", "owner", &*self.owner),
        ];
        all.into_iter().filter(|(.., value)| !value.is_empty())
    }

    fn title(&self) -> String {
        match (self.text.as_str(), self.category.as_str(), self.keywords.as_str(), self.owner.as_str()) {
            ("", "", "", "") => "Crates".to_owned(),
            ("", "", "", owner) => format!("Crates of {owner}"),
            ("", "", keyword, _) => format!("Crates with the keyword {keyword}"),
            ("", category, ..) => format!("Crates in {category}"),
            (text, ..) => format!("Search for {text}"),
        }
    }
}

/// Shows the page, or the results alone.
pub async fn show(State(app): State<App>, visit: Visit, query: QueryParameters) -> Result<Response, ApiError> {
    let asked = Asked::read(&query);
    let pagination = query.pagination_of(PER_PAGE)?;
    let (wanted, totals) = (asked.clone(), app.totals.clone());
    let found = app.with_connection(move |connection| find(connection, &wanted, pagination, &totals)).await?;
    let links = visit.links();
    let meta = pagination.meta(found.total, &query.without("fragment"));
    let results = results(links, &asked, &found, &meta);
    if query.get("fragment") == Some("1") {
        let headers = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        return Ok((headers, Html(results.into_string())).into_response());
    }
    let content = html! {
        (filters(links, &asked))
        div id="results" aria-live="polite" { (results) }
    };
    let page = Page::new(asked.title(), content).searching(&asked.text);
    let is_list = asked.text.is_empty() && asked.owner.is_empty();
    Ok(visit.show(if is_list { page } else { page.unlisted() }))
}

fn find(
    connection: &mut PgConnection,
    asked: &Asked,
    pagination: Pagination,
    totals: &Totals,
) -> Result<Found, ApiError> {
    let mut only = Vec::new();
    let keywords: Vec<String> = asked.keywords.split_whitespace().map(str::to_owned).collect();
    if !keywords.is_empty() {
        only.push(Only::Keywords(keywords));
    }
    if !asked.owner.is_empty() {
        match Owner::find(connection, &asked.owner)? {
            Some(Owner::User(user)) => only.push(Only::Owner(user.id)),
            Some(Owner::Team(team)) => only.push(Only::Team(team.id)),
            None => {
                return Ok(Found { crates: Vec::new(), total: 0, is_owner_unknown: true, subcategories: Vec::new() });
            }
        }
    }
    let category = Some(asked.category.clone()).filter(|slug| !slug.is_empty());
    let sort = SORTS.iter().find(|(value, ..)| *value == asked.sort).map_or(Sort::Relevance, |(.., sort)| *sort);
    let filter = Filter { category, only, without_yanked: false };
    let query = SearchQuery { text: SearchText::parse(&asked.text), filter, sort, after: None };
    let found = search::search(connection, &query, pagination.page(), totals)?;
    let subcategories = match asked.category.as_str() {
        "" => Vec::new(),
        slug => {
            let children = categories::children(connection, slug)?;
            topics::find(connection, Kind::Categories, &children)?
        }
    };
    let crates = crate_details::by_ids(connection, &found.crate_ids)?;
    Ok(Found { crates, total: found.total, is_owner_unknown: false, subcategories })
}

/// Fields that narrow the list.
fn filters(links: &Links, asked: &Asked) -> Markup {
    let field = |id: &str, label: &str, value: &str, hint: &str| {
        html! {
            div {
                label for=(id) { (label) }
                input id=(id) name=(id) value=(value) placeholder=(hint) maxlength="200" autocapitalize="none" spellcheck="false";
            }
        }
    };
    html! {
        details open[asked.conditions().next().is_some()] {
            summary { "Narrow the list" }
            form class="filters" method="get" action=(links.search(&[])) {
                input type="hidden" name="q" value=(asked.text);
                (field("owner", "Owner or team", &asked.owner, "ann or team:core"))
                (field("keyword", "Keyword", &asked.keywords, "parser"))
                (field("category", "Category", &asked.category, "network-programming"))
                button type="submit" { "Narrow" }
            }
        }
    }
}

fn results(links: &Links, asked: &Asked, found: &Found, meta: &PageMeta) -> Markup {
    html! {
        h1 data-title=(format!("{} · supercargo", asked.title())) { (marked(&asked.title())) }
        @if asked.conditions().next().is_some() {
            ul class="chips" {
                @for (parameter, title, value) in asked.conditions() {
                    li {
                        a href=(asked.with(links, parameter, "")) {
                            (title) ": " (marked(value)) " " span aria-hidden="true" { "×" } span class="aside" { "remove" }
                        }
                    }
                }
            }
        }
        @if !found.subcategories.is_empty() {
            ul class="topics" {
                @for topic in &found.subcategories {
                    li { a href=(asked.with(links, "category", &topic.name)) { (topic.name) } " " span { (topic.crates) } }
                }
            }
        }
        @if found.crates.is_empty() { (nothing(links, asked, found)) } @else {
            p class="muted" role="status" { (counted(found.total, "crate")) }
            p class="sorts" {
                span class="muted" { "Sorted by" }
                @for (value, title, _) in SORTS.iter().filter(|(value, ..)| *value != "relevance" || !asked.text.is_empty()) {
                    a href=(asked.with(links, "sort", value)) aria-current=[(*value == asked.sort).then_some("true")] { (title) }
                }
            }
            ol class="crates" { @for krate in &found.crates { (item(links, krate)) } }
            (pager::pager(&links.search(&[]), meta))
        }
    }
}

/// What to do if nothing was found.
fn nothing(links: &Links, asked: &Asked, found: &Found) -> Markup {
    let is_narrowed = asked.conditions().next().is_some();
    html! {
        div class="notice" {
            p {
                strong { "Nothing found." }
                @if found.is_owner_unknown { " There is no user or team `" (marked(&asked.owner)) "` here: teams are named `team:NAME`." }
                @if is_narrowed { " Remove a condition, or " a href=(links.search(&[("q", &asked.text)])) { "search all crates" } "." }
            }
            @if !is_narrowed && !asked.text.is_empty() {
                p { "If it is yours, publish it here:" }
                (copy::block("how-to-publish", "cargo publish --registry supercargo"))
                p { a href=(format!("{}#publish", links.home())) { "How to set up cargo for that" } }
            }
        }
    }
}
