//! `GET /release-sets/{set}/{crate}/{version}`: what the approval of a staged version would publish.

use axum::response::Response;
use chrono::Utc;
use maud::{Markup, html};

use crate::database::access::caller::Caller;
use crate::database::staging::SetName;
use crate::database::staging::sets::SetState;
use crate::jobs::RequestError;
use crate::package::{CrateName, Version};
use crate::web::extract::path::{ApiPath, crate_and_version};
use crate::web::extract::query::QueryParameters;
use crate::web::pages::diff::{self, Place, Request, Shown};
use crate::web::pages::layout::Page;
use crate::web::pages::links::Links;
use crate::web::pages::member::Member;
use crate::web::pages::parts::text::{name, names, size, text};
use crate::web::pages::parts::time::ago;
use crate::web::pages::source::left_out;
use crate::web::pages::visit::leading_to;
use crate::web::release_sets::{Review, review, set_name, visible};
use crate::web::{ApiError, App, ClientAddress};

pub async fn show(
    member: Member,
    client: ClientAddress,
    query: QueryParameters,
    ApiPath((set, krate, num)): ApiPath<(String, String, String)>,
) -> Result<Response, ApiError> {
    let set = set_name(&set)?;
    let (krate, num) = crate_and_version(&krate, &num)?;
    let Member { app, visit, caller } = member;
    if let Some(published) = published(&app, (&set, &krate, &num), &caller).await? {
        return Ok(leading_to(visit.links().version(&published, &num)));
    }
    let reviewed = review(&app, client, caller, (set.clone(), krate, num)).await?;
    let path = visit.links().staged(&set, &reviewed.staged.name, &reviewed.staged.num);
    let place = Place { path, has_before: reviewed.previous.is_some(), has_after: false };
    let (before, after, comparison) = (reviewed.before.clone(), reviewed.after.clone(), reviewed.comparison.clone());
    let request = Request { place, app, visit, client, query, before, after, comparison };
    let title = title(request.links(), &reviewed);
    Ok(match diff::shown(&request, &title).await? {
        Shown::Part(part) => part,
        Shown::Content(content) => {
            let content = html! {
                (head(request.links(), &set, &reviewed))
                (content)
            };
            let title = format!("{} {} in {set}", reviewed.staged.name, reviewed.staged.num);
            left_out(request.visit.show(Page::new(title, content).unlisted()))
        }
    })
}

/// The crate of a version that was published with its set, so that a link to the review leads to the version afterwards.
async fn published(
    app: &App,
    (set, krate, num): (&SetName, &CrateName, &Version),
    caller: &Caller,
) -> Result<Option<CrateName>, ApiError> {
    let (set, caller, krate, num) = (set.clone(), caller.clone(), krate.clone(), num.clone());
    app.with_connection(move |connection| {
        let set = visible(connection, &set, &caller)?;
        let contents = set.contents.clone().filter(|_| set.state(Utc::now()) == SetState::Approved);
        let versions = contents.as_ref().and_then(|contents| contents["versions"].as_array());
        let is_meant = |one: &&serde_json::Value| {
            let name = one["crate"].as_str().and_then(|name| name.parse::<CrateName>().ok());
            name.is_some_and(|name| name.canonical() == krate.canonical()) && one["version"] == num.to_string()
        };
        let found = versions.and_then(|versions| versions.iter().find(is_meant));
        Ok::<_, RequestError>(found.and_then(|one| one["crate"].as_str()?.parse().ok()))
    })
    .await
}

fn title(links: &Links, reviewed: &Review) -> Markup {
    let staged = &reviewed.staged;
    html! {
        h2 {
            @match &reviewed.previous {
                Some(previous) => {
                    "From " a href=(links.source(&staged.name, &previous.num, "")) { (previous.num) } " to " (staged.num)
                }
                None => { "A new crate: all its files" }
            }
        }
    }
}

/// Who staged it, and whom it concerns.
fn head(links: &Links, set: &SetName, reviewed: &Review) -> Markup {
    let Review { staged, previous, owners, dependents: (named, dependents), vcs_commit, .. } = reviewed;
    html! {
        nav class="crumbs" aria-label="Path" {
            a href=(links.release_sets(&[])) { "Release sets" } " / " a href=(links.release_set(set)) { (set) } " / "
            (staged.name) " " (staged.num)
        }
        h1 { (staged.name) " " span class="num" { (staged.num) } }
        dl class="review-facts" {
            dt { "Staged" }
            dd {
                (ago(staged.staged_at)) " by " (name(&staged.login))
                @if let Some(token) = &staged.token_name { " with the token " (name(token)) }
                @if let Some(address) = &staged.address { " from " (text(address)) }
            }
            dt { "Size" }
            dd {
                (size(staged.size))
                @if let Some(previous) = previous { ", before " (size(previous.size)) }
            }
            dt { "Commit" }
            dd { @match vcs_commit { Some(commit) => { code { (name(commit)) } } None => { "not recorded" } } }
            dt { "Owners" }
            dd {
                @if owners.is_empty() { "none yet: the crate will belong to " (name(staged.owner_if_new.as_ref().unwrap_or(&staged.login))) }
                (names(owners))
            }
            dt { "Dependents" }
            dd {
                (dependents) " in this registry"
                @for (place, krate) in named.iter().enumerate() {
                    @if place == 0 { ": " } @else { ", " }
                    a href=(links.krate(krate)) { (krate) }
                }
                @if usize::try_from(*dependents).is_ok_and(|all| all > named.len()) { ", …" }
            }
        }
    }
}
