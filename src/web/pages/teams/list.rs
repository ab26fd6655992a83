//! `GET /admin/teams`.

use axum::http::StatusCode;
use axum::response::Response;
use diesel::PgConnection;
use maud::{Markup, html};

use crate::database::access::teams::{self, Team};
use crate::web::ApiError;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::admin::Admin;
use crate::web::pages::layout::Page;
use crate::web::pages::links::Links;
use crate::web::pages::parts::form::{hidden, why};
use crate::web::pages::parts::pager::numbered;
use crate::web::pages::parts::text::{name, number, text};

/// Teams on a page.
const PER_PAGE: usize = 100;

pub(super) const PATH: &str = "/admin/teams";

pub async fn show(admin: Admin, query: QueryParameters) -> Result<Response, ApiError> {
    page(&admin, &query, None).await
}

/// The list. `refused`: the name that was entered in its form, and why it was refused.
pub async fn page(
    admin: &Admin,
    query: &QueryParameters,
    refused: Option<(&str, &ApiError)>,
) -> Result<Response, ApiError> {
    let wanted = query.text("q").unwrap_or_default();
    let number: usize = query.parsed("page", "the number of a page")?.unwrap_or(1).max(1);
    let offset = i64::try_from((number - 1).saturating_mul(PER_PAGE)).unwrap_or(i64::MAX);
    let part = wanted.trim().to_owned();
    let read = move |connection: &mut PgConnection| {
        Ok::<_, ApiError>(teams::page(connection, &part, (PER_PAGE as i64, offset))?)
    };
    let (shown, count) = admin.app.with_connection(read).await?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let links = admin.links();
    let content = html! {
        h1 { "Teams" }
        @if query.get("notice") == Some("deleted") { p class="notice good" role="status" { "The team is deleted, with its memberships and webhooks." } }
        p { "Members of a team publish and yank the crates that it owns." }
        form class="sign-in" method="get" action=(links.to(PATH)) {
            label for="find" { "Name" }
            input id="find" type="search" name="q" value=(wanted) maxlength="200" autocomplete="off" spellcheck="false";
            button type="submit" { "Find" }
        }
        @if !shown.is_empty() { (table(links, &shown)) } @else if wanted.is_empty() { p { "There is none." } } @else {
            p { "No team has " (text(&wanted)) " in its name." }
        }
        (neighbours(links, (&wanted, number), count))
        (new_team(admin, refused))
    };
    let status = refused.map_or(StatusCode::OK, |(_, error)| error.status());
    Ok(admin.visit.show(Page::new("Teams", content).unlisted().with_status(status)))
}

fn table(links: &Links, shown: &[(Team, i64, i64)]) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="group" aria-label="Teams" {
            table {
                caption class="aside" { "Teams" }
                thead { tr {
                    th scope="col" { "Team" } th scope="col" class="n" { "Members" } th scope="col" class="n" { "Crates" }
                } }
                tbody { @for (team, members, crates) in shown {
                    tr {
                        th scope="row" class="wrap" { a href=(links.team(&team.name)) { (name(&team.name)) } }
                        td class="n" { (number(*members)) }
                        td class="n" { (number(*crates)) }
                    }
                } }
            }
        }
    }
}

fn neighbours(links: &Links, (wanted, number): (&str, usize), count: usize) -> Markup {
    let to = |number: usize| links.with_query(PATH, &[("q", wanted), ("page", &number.to_string())]);
    numbered(number, number.saturating_mul(PER_PAGE) < count, to)
}

fn new_team(admin: &Admin, refused: Option<(&str, &ApiError)>) -> Markup {
    html! {
        section aria-labelledby="new" {
            h2 id="new" { "New team" }
            (why(refused.map(|(_, error)| error)))
            @match admin.form_token() {
                Err(why) => (why),
                Ok(form_token) => {
                    form class="sign-in" method="post" action=(admin.links().to(PATH)) {
                        (hidden(&form_token, &[]))
                        label for="name" { "Name" }
                        input id="name" name="name" required maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false"
                            value=(refused.map_or("", |(entered, _)| entered)) aria-describedby="about-name";
                        p id="about-name" class="aside-text" {
                            "Owners of crates name it as " code { "team:NAME" } "."
                        }
                        button type="submit" { "Create the team" }
                    }
                }
            }
        }
    }
}
