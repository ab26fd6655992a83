//! What an admin changes about teams.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{self, Response};

use super::list::PATH;
use super::{list, show};
use crate::jobs::team_changes::{self, Membership};
use crate::package::link_segment;
use crate::web::ApiError;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::admin::Admin;
use crate::web::pages::visit::leading_to;

/// The path of a team's page, below the registry's.
fn page_of(name: &str) -> String {
    format!("{PATH}/{}", link_segment::encode(name))
}

/// Whether a page is shown again with the reason.
fn is_shown_again(refused: &ApiError) -> bool {
    [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::CONFLICT].contains(&refused.status())
}

/// `POST /admin/teams`.
pub async fn create(admin: Admin, request: Request) -> response::Result<Response> {
    let sent = admin.sent_with_proof(request, PATH).await?;
    let entered = sent.text("name").unwrap_or_default().trim().to_owned();
    let name = entered.clone();
    let created = admin.administer(move |connection, actor| Ok(team_changes::create(connection, &name, actor)?));
    match created.await {
        Ok(team) => Ok(leading_to(admin.links().with_query(&page_of(&team.name), &[("notice", "created")]))),
        Err(refused) if is_shown_again(&refused) => {
            Ok(list::page(&admin, &QueryParameters::parse(""), Some((&entered, &refused))).await?)
        }
        Err(refused) => Err(refused.into()),
    }
}

/// `POST …/add-member`.
pub async fn add_member(admin: Admin, ApiPath(team): ApiPath<String>, request: Request) -> response::Result<Response> {
    set_member(&admin, (team, request), Membership::Add).await
}

/// `POST …/remove-member`.
pub async fn remove_member(
    admin: Admin,
    ApiPath(team): ApiPath<String>,
    request: Request,
) -> response::Result<Response> {
    set_member(&admin, (team, request), Membership::Remove).await
}

async fn set_member(
    admin: &Admin,
    (team, request): (String, Request),
    membership: Membership,
) -> response::Result<Response> {
    let sent = admin.sent_with_proof(request, &page_of(&team)).await?;
    let entered = sent.text("login").unwrap_or_default().trim().to_owned();
    let (name, login) = (team.clone(), entered.clone());
    let changed = admin.administer(move |connection, actor| {
        Ok(team_changes::set_member(connection, (&name, &login), membership, actor)?)
    });
    match changed.await {
        Ok(done) => {
            let notice = match (membership, done.changed) {
                (_, false) => "same",
                (Membership::Add, true) => "added",
                (Membership::Remove, true) => "removed",
            };
            Ok(leading_to(admin.links().with_query(&page_of(&done.team.name), &[("notice", notice)])))
        }
        Err(refused) if is_shown_again(&refused) => {
            Ok(show::page(admin, team, None, Some((&entered, &refused))).await?)
        }
        Err(refused) => Err(refused.into()),
    }
}

/// `POST …/delete`.
pub async fn delete(admin: Admin, ApiPath(team): ApiPath<String>, request: Request) -> response::Result<Response> {
    admin.sent_with_proof(request, &page_of(&team)).await?;
    let name = team.clone();
    let deleted = admin.administer(move |connection, actor| Ok(team_changes::delete(connection, &name, actor)?));
    match deleted.await {
        Ok(_) => Ok(leading_to(admin.links().with_query(PATH, &[("notice", "deleted")]))),
        Err(refused) if is_shown_again(&refused) => Ok(show::page(&admin, team, None, Some(("", &refused))).await?),
        Err(refused) => Err(refused.into()),
    }
}
