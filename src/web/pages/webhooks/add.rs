//! `POST /admin/webhooks` and `POST /crates/{name}/settings/webhooks`: a new webhook. Needs a fresh proof that it is the user.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{self, Response};

use super::fields::Entered;
use super::{list, secret};
use crate::jobs::webhooks::configure::{self, Wanted};
use crate::jobs::webhooks::rights::Who;
use crate::package::CrateName;
use crate::web::ApiError;
use crate::web::extract::path::{ApiPath, crate_name};
use crate::web::extract::query::QueryParameters;
use crate::web::pages::admin::Admin;
use crate::web::pages::member::Member;
use crate::web::pages::sign_in::{again, sent};

/// `POST /admin/webhooks`.
pub async fn of_registry(admin: Admin, request: Request) -> response::Result<Response> {
    add(&admin.into_member(), None, request).await
}

/// `POST /crates/{name}/settings/webhooks`.
pub async fn of_crate(member: Member, ApiPath(given): ApiPath<String>, request: Request) -> response::Result<Response> {
    let krate = crate_name(&given)?;
    add(&member, Some(krate), request).await
}

async fn add(member: &Member, krate: Option<CrateName>, request: Request) -> response::Result<Response> {
    let sent = sent(&member.visit, request).await?;
    again::check_proven_to_send(&member.visit, &member.caller, &list::path(krate.as_ref()))?;
    let entered = Entered::sent(&sent);
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (of_crate, of_team) = match &krate {
        Some(name) => (Some(name.to_string()), None),
        None => (some(&entered.krate), some(&entered.team)),
    };
    let wanted = Wanted {
        url: entered.url.clone(),
        description: some(&entered.description),
        krate: of_crate,
        team: of_team,
        events: Some(entered.patterns()),
    };
    let (caller, registry) = (member.caller.clone(), member.links().base_url().to_owned());
    let added = member.app.with_connection(move |connection| {
        Ok::<_, ApiError>(configure::add(connection, &wanted, Some(&registry), Who::User(&caller))?)
    });
    match added.await {
        Ok((webhook, secret)) => Ok(secret::of_new(member, &webhook, &secret)),
        Err(refused) if [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND].contains(&refused.status()) => {
            Ok(list::page(member, krate, &QueryParameters::parse(""), Some((&entered, &refused))).await?)
        }
        Err(refused) => Err(refused.into()),
    }
}
