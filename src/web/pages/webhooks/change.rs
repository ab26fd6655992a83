//! What is changed on the page of a webhook. Another URL, another secret and the removal need a fresh proof that it is the user.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{self, Response};
use chrono::{TimeDelta, Utc};
use diesel::PgConnection;

use super::fields::Entered;
use super::show::OVERLAPS;
use super::{list, secret, show};
use crate::database::webhooks::endpoints::Subject;
use crate::jobs::RequestError;
use crate::jobs::webhooks::configure::{self, Update};
use crate::jobs::webhooks::rights::Who;
use crate::web::ApiError;
use crate::web::extract::path::{ApiPath, webhook_number};
use crate::web::extract::query::QueryParameters;
use crate::web::pages::member::Member;
use crate::web::pages::sign_in::{again, sent};
use crate::web::pages::visit::leading_to;

/// The path of the page of a webhook, below the registry's.
fn page_of(id: i32) -> String {
    format!("/webhooks/{id}")
}

/// The webhook of a path, and the form that was sent for it.
async fn asked(member: &Member, id: &str, request: Request) -> Result<(i32, QueryParameters), ApiError> {
    let sent = sent(&member.visit, request).await?;
    Ok((webhook_number(id)?, sent))
}

/// The webhook and the form of a change that needs a fresh proof.
async fn asked_with_proof(member: &Member, id: &str, request: Request) -> response::Result<(i32, QueryParameters)> {
    let (id, sent) = asked(member, id, request).await?;
    again::check_proven_to_send(&member.visit, &member.caller, &page_of(id))?;
    Ok((id, sent))
}

/// Makes a change as the user, whose rights are checked in its transaction.
async fn make<T: Send + 'static>(
    member: &Member,
    change: impl FnOnce(&mut PgConnection, Who<'_>) -> Result<T, RequestError> + Send + 'static,
) -> Result<T, ApiError> {
    let caller = member.caller.clone();
    member.app.with_connection(move |connection| change(connection, Who::User(&caller))).await
}

/// Leads back to the page, with what was done.
fn back(member: &Member, id: i32, notice: &str) -> Response {
    leading_to(member.links().with_query(&page_of(id), &[("notice", notice)]))
}

fn bad(detail: String) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, detail)
}

/// `POST …/change`.
pub async fn change(member: Member, ApiPath(id): ApiPath<String>, request: Request) -> response::Result<Response> {
    let (id, sent) = asked(&member, &id, request).await?;
    let entered = Entered::sent(&sent);
    let now = make(&member, move |connection, who| configure::show(connection, id, who)).await?;
    // The URL that it has is not set: without a proof it could undo a change that is made meanwhile.
    let url = Some(entered.url.clone()).filter(|url| *url != now.url);
    if url.is_some() {
        again::check_proven_to_send(&member.visit, &member.caller, &page_of(id))?;
    }
    let update = Update { url, description: Some(entered.description.clone()), events: Some(entered.patterns()) };
    match make(&member, move |connection, who| configure::update(connection, id, &update, who)).await {
        Ok(_) => Ok(back(&member, id, "changed")),
        Err(refused) if refused.status() == StatusCode::BAD_REQUEST => {
            Ok(show::page(&member, id, &QueryParameters::parse(""), Some((&entered, &refused))).await?)
        }
        Err(refused) => Err(refused.into()),
    }
}

/// `POST …/pause`.
pub async fn pause(member: Member, ApiPath(id): ApiPath<String>, request: Request) -> Result<Response, ApiError> {
    let (id, sent) = asked(&member, &id, request).await?;
    let reason = sent.text("reason");
    make(&member, move |connection, who| configure::pause(connection, id, reason.as_deref(), who)).await?;
    Ok(back(&member, id, "paused"))
}

/// `POST …/resume`: ends a pause, or makes the next attempt now.
pub async fn resume(member: Member, ApiPath(id): ApiPath<String>, request: Request) -> Result<Response, ApiError> {
    let (id, sent) = asked(&member, &id, request).await?;
    let drops = sent.flag("drop")?.unwrap_or(false);
    make(&member, move |connection, who| configure::resume(connection, id, drops, who)).await?;
    Ok(back(&member, id, if drops { "dropped" } else { "resumed" }))
}

/// `POST …/test`.
pub async fn test(member: Member, ApiPath(id): ApiPath<String>, request: Request) -> Result<Response, ApiError> {
    let (id, _) = asked(&member, &id, request).await?;
    let registry = member.links().base_url().to_owned();
    make(&member, move |connection, who| configure::test(connection, id, Some(&registry), who)).await?;
    Ok(back(&member, id, "test"))
}

/// `POST …/redeliver`.
pub async fn redeliver(member: Member, ApiPath(id): ApiPath<String>, request: Request) -> Result<Response, ApiError> {
    let (id, sent) = asked(&member, &id, request).await?;
    let delivery: Option<i64> = sent.parsed("delivery", "the number of a delivery")?;
    let delivery = delivery.ok_or_else(|| bad("`delivery` is missing: send the form of the page".to_owned()))?;
    make(&member, move |connection, who| configure::redeliver(connection, id, delivery, who)).await?;
    Ok(back(&member, id, "again"))
}

/// `POST …/secret`.
pub async fn another_secret(
    member: Member,
    ApiPath(id): ApiPath<String>,
    request: Request,
) -> response::Result<Response> {
    let (id, sent) = asked_with_proof(&member, &id, request).await?;
    let overlap = overlap(&sent)?;
    let changed = make(&member, move |connection, who| {
        let secret = configure::rotate(connection, id, overlap, who)?;
        Ok((configure::show(connection, id, who)?.url, secret))
    });
    let (url, secret) = changed.await?;
    let until = (!overlap.is_zero()).then(|| Utc::now() + overlap);
    Ok(secret::another(&member, (id, &url), &secret, until))
}

/// How long the previous secret signs as well.
fn overlap(sent: &QueryParameters) -> Result<TimeDelta, ApiError> {
    let Some(given) = sent.get("overlap") else { return Ok(configure::OVERLAP) };
    let hours = OVERLAPS.iter().find(|(hours, _)| *hours == given).and_then(|(hours, _)| hours.parse().ok());
    let all = OVERLAPS.map(|(hours, _)| hours).join(", ");
    hours.map(TimeDelta::hours).ok_or_else(|| bad(format!("{given:?} is no such number of hours: use one of {all}")))
}

/// `POST …/remove`.
pub async fn remove(member: Member, ApiPath(id): ApiPath<String>, request: Request) -> response::Result<Response> {
    let (id, _) = asked_with_proof(&member, &id, request).await?;
    let removed = make(&member, move |connection, who| configure::remove(connection, id, who)).await?;
    let links = member.links();
    let place = match &removed.subject {
        Subject::Crate { name, .. } => list::path(Some(name)),
        _ if member.caller.admin().is_ok() => list::path(None),
        // Members have no list of the webhooks of a team.
        _ => return Ok(leading_to(links.me())),
    };
    Ok(leading_to(links.with_query(&place, &[("notice", "removed")])))
}
