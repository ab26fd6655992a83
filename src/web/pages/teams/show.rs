//! `GET /admin/teams/{name}`: the page of a team, with its members and crates.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::list::PATH;
use crate::database::access::teams::{self, Team};
use crate::database::access::users::{User, UserState};
use crate::database::staging::rules;
use crate::database::webhooks::endpoints::{self, Subject};
use crate::jobs::team_changes;
use crate::web::ApiError;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::admin::Admin;
use crate::web::pages::layout::Page;
use crate::web::pages::parts::form::{button, crate_links, hidden, why};
use crate::web::pages::parts::text::{counted, name, text};

/// What a team has.
struct Has {
    team: Team,
    /// Each with the issuer whose groups gave the membership, if one did.
    members: Vec<(User, Option<String>)>,
    crates: Vec<String>,
    rules: Vec<String>,
    webhooks: i64,
}

/// What was done, by the word in the link.
const NOTICES: [(&str, &str); 4] = [
    ("created", "The team is created: add its members."),
    ("added", "The user is a member now."),
    ("removed", "The user is no longer a member."),
    ("same", "Nothing was changed: the user is a member already."),
];

pub async fn show(admin: Admin, ApiPath(name): ApiPath<String>, query: QueryParameters) -> Result<Response, ApiError> {
    page(&admin, name, query.get("notice"), None).await
}

/// The page. `refused`: the login that was entered, and why nothing was changed.
pub async fn page(
    admin: &Admin,
    wanted: String,
    notice: Option<&str>,
    refused: Option<(&str, &ApiError)>,
) -> Result<Response, ApiError> {
    let has = read(admin, wanted).await?;
    let notice = notice.and_then(|word| NOTICES.iter().find(|(known, _)| *known == word));
    let form_token = admin.form_token();
    let token = form_token.as_ref().ok().map(String::as_str);
    let content = html! {
        h1 { "Team " (name(&has.team.name)) }
        @if let Some((_, said)) = notice { p class="notice good" role="status" { (said) } }
        (why(refused.map(|(_, error)| error)))
        p { "Members publish and yank the crates that the team owns. Owners of crates name it as " code { (has.team.login()) } "." }
        (by_groups(admin, &has.team))
        @if let Err(why) = &form_token { (why) }
        (members(admin, &has, token, refused.map_or("", |(login, _)| login)))
        (crates(admin, &has))
        @if let Some(token) = token { (deletion(admin, &has, token)) }
        p { a href=(admin.links().to(PATH)) { "All teams" } }
    };
    let status = refused.map_or(StatusCode::OK, |(_, error)| error.status());
    let title = format!("Team {}", has.team.name);
    Ok(admin.visit.show(Page::new(title, content).unlisted().with_status(status)))
}

async fn read(admin: &Admin, wanted: String) -> Result<Has, ApiError> {
    let read = admin.app.with_connection(move |connection| {
        let team = team_changes::existing(connection, &wanted)?;
        let subject = Subject::Team { id: team.id, name: team.name.clone() };
        Ok::<_, ApiError>(Has {
            members: teams::memberships(connection, team.id)?,
            crates: teams::crates_of(connection, team.id)?,
            rules: rules::naming_team(connection, team.id)?,
            webhooks: endpoints::count_alike(connection, &subject)?,
            team,
        })
    });
    read.await
}

/// What the groups of identity providers overwrite.
fn by_groups(admin: &Admin, team: &Team) -> Markup {
    let settings = admin.app.providers.iter().map(|provider| &provider.settings);
    let bound: Vec<_> = settings
        .filter_map(|provider| {
            let groups = provider.teams.iter().filter(|(_, name)| name.eq_ignore_ascii_case(&team.name));
            let groups: Vec<&String> = groups.map(|(group, _)| group).collect();
            (!groups.is_empty()).then(|| (provider.title(), groups))
        })
        .collect();
    html! {
        @for (title, groups) in &bound {
            p class="notice warn" {
                "Accounts at " (text(title)) " in "
                @for (place, group) in groups.iter().enumerate() { @if place > 0 { " or " } code { (text(group)) } }
                " become members at each sign-in. It overwrites changes of these memberships: a member who is removed here, and a team \
                 that is deleted here, come back then. Members that are added here stay."
            }
        }
    }
}

fn members(admin: &Admin, has: &Has, token: Option<&str>, entered: &str) -> Markup {
    let links = admin.links();
    let action = |what: &str| format!("{}/{what}", links.team(&has.team.name));
    html! {
        section aria-labelledby="members" {
            h2 id="members" { "Members" }
            @if has.members.is_empty() { p { "There is none." } } @else {
                div class="scroll" tabindex="0" role="group" aria-label="Members" {
                    table {
                        caption class="aside" { "Members" }
                        thead { tr {
                            th scope="col" { "Login" } th scope="col" { "State" } th scope="col" { "Membership by" }
                            @if token.is_some() { th scope="col" { "Change" } }
                        } }
                        tbody { @for (user, issuer) in &has.members {
                            tr {
                                th scope="row" class="wrap" { a href=(links.user(&user.login)) { (name(&user.login)) } }
                                td { @match user.state() {
                                    UserState::Active => "active",
                                    other => span class="tag bad" { (other.as_str()) },
                                } }
                                td class="wrap" { @match issuer { Some(issuer) => { "groups at " (text(issuer)) }, None => "admins" } }
                                @if let Some(token) = token {
                                    @let label = html! { "Remove" span class="aside" { " " (user.login) } };
                                    td { (button(&action("remove-member"), &hidden(token, &[("login", &user.login)]), ("", &label))) }
                                }
                            }
                        } }
                    }
                }
            }
            @if let Some(token) = token {
                form class="sign-in" method="post" action=(action("add-member")) {
                    (hidden(token, &[]))
                    label for="login" { "Login" }
                    input id="login" name="login" required maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false" value=(entered);
                    button type="submit" { "Add the member" }
                }
            }
        }
    }
}

fn crates(admin: &Admin, has: &Has) -> Markup {
    let links = admin.links();
    html! {
        section aria-labelledby="crates" {
            h2 id="crates" { "Crates" }
            @if has.crates.is_empty() { p { "It owns none." } } @else {
                p { (counted(i64::try_from(has.crates.len()).unwrap_or(i64::MAX), "crate")) ", each with its settings: " (crate_links(links, &has.crates)) }
                p { a href=(links.search(&[("owner", &has.team.login())])) { "All crates of this team" } }
            }
        }
    }
}

fn deletion(admin: &Admin, has: &Has, token: &str) -> Markup {
    let action = format!("{}/delete", admin.links().team(&has.team.name));
    html! {
        section aria-labelledby="delete" {
            h2 id="delete" { "Delete" }
            @if !has.crates.is_empty() {
                p { "A team that owns crates is not deleted: remove it first from the owners of each, in the settings of the crate." }
            } @else if !has.rules.is_empty() {
                p {
                    "A team that rules of approvals name is not deleted (" (text(&has.rules.join(", "))) "): an operator removes them with "
                    code { "supercargo set rule remove" } "."
                }
            } @else {
                p {
                    "Its memberships are removed with it"
                    @if has.webhooks > 0 { ", and " (counted(has.webhooks, "webhook")) }
                    "."
                }
                (button(&action, &hidden(token, &[]), ("danger", &html! { "Delete the team" })))
            }
        }
    }
}
