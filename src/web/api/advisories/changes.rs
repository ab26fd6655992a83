//! `POST /api/v1/advisories`, `PATCH …/{id}` and `PUT …/{id}/withdraw`: what admins say of crates of this registry.

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AdvisoryPath;
use crate::advisory::MAX_DOCUMENT;
use crate::database::access::administrator::Administrator;
use crate::database::access::caller::Caller;
use crate::own_advisories::change::{self, Given, Published};
use crate::web::administration::crate_name;
use crate::web::extract::json::callers_json;
use crate::web::extract::path::ApiPath;
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

/// The largest body, in bytes: a description whose characters are escaped.
const MAX_BODY: usize = 2 * MAX_DOCUMENT as usize;

/// What an advisory says. Unknown fields are rejected. In a change, what is absent or null stays, and an empty text or list removes
/// what there is.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct AdvisoryText {
    /// One line.
    #[schema(example = "Reads beyond its buffer", min_length = 1, max_length = 300)]
    title: Option<String>,
    /// Markdown.
    description: Option<String>,
    /// Where people read more; its page at this registry if it is absent.
    url: Option<String>,
    /// A CVSS vector of version 3 or 4, which gives the severity.
    #[schema(example = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N")]
    cvss: Option<String>,
    /// The kind of one that is about no vulnerability: `notice`, `unmaintained` or `unsound`.
    informational: Option<String>,
    /// Requirements of versions that mend it. All versions are affected, except for these and those of `unaffected`.
    #[schema(example = json!([">=1.2.3"]))]
    patched: Option<Vec<String>>,
    /// Requirements of versions that never had it.
    unaffected: Option<Vec<String>>,
    /// Ids of the same in other databases, at most 50.
    aliases: Option<Vec<String>>,
    /// URLs of something to read besides, at most 50.
    references: Option<Vec<String>>,
}

/// An advisory to publish. Unknown fields are rejected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAdvisory {
    /// The crate, in any spelling.
    #[serde(rename = "crate")]
    #[schema(example = "foo")]
    krate: String,
    /// An id of your own; the registry gives one if it is absent.
    #[serde(default)]
    #[schema(example = "ACME-2026-0001")]
    id: Option<String>,
    /// One line.
    #[schema(example = "Reads beyond its buffer", min_length = 1, max_length = 300)]
    title: String,
    /// Markdown.
    #[serde(default)]
    description: Option<String>,
    /// Where people read more; its page at this registry if it is absent.
    #[serde(default)]
    url: Option<String>,
    /// A CVSS vector of version 3 or 4, which gives the severity.
    #[serde(default)]
    #[schema(example = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N")]
    cvss: Option<String>,
    /// The kind of one that is about no vulnerability: `notice`, `unmaintained` or `unsound`.
    #[serde(default)]
    informational: Option<String>,
    /// Requirements of versions that mend it. All versions are affected, except for these and those of `unaffected`.
    #[serde(default)]
    #[schema(example = json!([">=1.2.3"]))]
    patched: Option<Vec<String>>,
    /// Requirements of versions that never had it.
    #[serde(default)]
    unaffected: Option<Vec<String>>,
    /// Ids of the same in other databases, at most 50.
    #[serde(default)]
    aliases: Option<Vec<String>>,
    /// URLs of something to read besides, at most 50.
    #[serde(default)]
    references: Option<Vec<String>>,
}

/// Why an advisory is withdrawn.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdrawal {
    /// For everybody to read.
    #[serde(default)]
    #[schema(example = "the buffer is checked by the caller", min_length = 1, max_length = 1000)]
    reason: String,
}

/// An advisory after a change.
#[derive(Serialize, ToSchema)]
pub struct ChangedAdvisory {
    id: String,
    #[serde(rename = "crate")]
    krate: String,
    /// The versions in the index that it affects, the highest first.
    affected: Vec<String>,
    /// How many versions the crate has in the index; null if there is no such crate.
    versions: Option<u32>,
    /// False if it said the same before.
    changed: bool,
}

impl From<AdvisoryText> for Given {
    fn from(of: AdvisoryText) -> Self {
        let AdvisoryText { title, description, url, cvss, informational, patched, unaffected, aliases, references } =
            of;
        Self { title, description, url, cvss, informational, patched, unaffected, aliases, references }
    }
}

impl From<NewAdvisory> for Given {
    fn from(of: NewAdvisory) -> Self {
        let NewAdvisory { description, url, cvss, informational, patched, unaffected, aliases, references, .. } = of;
        let title = Some(of.title);
        Self { title, description, url, cvss, informational, patched, unaffected, aliases, references }
    }
}

impl From<Published> for ChangedAdvisory {
    fn from(of: Published) -> Self {
        Self {
            id: of.id,
            krate: of.draft.krate,
            affected: of.affected.iter().map(ToString::to_string).collect(),
            versions: of.versions.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
            changed: of.is_changed,
        }
    }
}

/// Publish an advisory about a crate of this registry
///
/// Everybody who may read the registry reads it at once. It changes nothing about what is delivered: a yank does.
#[utoipa::path(
    post,
    path = "/api/v1/advisories",
    tag = "advisories",
    security(("token" = ["administer"])),
    request_body = NewAdvisory,
    responses((status = 200, body = ChangedAdvisory, description = "It is published"), AnyError),
)]
pub async fn publish(State(app): State<App>, request: Request) -> Result<Json<ChangedAdvisory>, ApiError> {
    let (caller, wanted): (Caller, NewAdvisory) = body(&app, request).await?;
    let (name, id) = (crate_name(&wanted.krate)?, wanted.id.clone());
    let given = wanted.into();
    let published = app.with_connection(move |connection| {
        change::publish(connection, (&name, id.as_deref()), &given, Administrator::Admin(&caller))
    });
    Ok(Json(published.await?.into()))
}

/// Change an advisory of this registry, such as which versions are patched
#[utoipa::path(
    patch,
    path = "/api/v1/advisories/{id}",
    tag = "advisories",
    params(AdvisoryPath),
    security(("token" = ["administer"])),
    request_body = AdvisoryText,
    responses((status = 200, body = ChangedAdvisory, description = "It says what was given"), AnyError),
)]
pub async fn edit(
    State(app): State<App>,
    ApiPath(id): ApiPath<String>,
    request: Request,
) -> Result<Json<ChangedAdvisory>, ApiError> {
    let (caller, text): (Caller, AdvisoryText) = body(&app, request).await?;
    let given = text.into();
    let published =
        app.with_connection(move |connection| change::edit(connection, &id, &given, Administrator::Admin(&caller)));
    Ok(Json(published.await?.into()))
}

/// Withdraw an advisory of this registry
///
/// It does not count any more, and stays for people to read.
#[utoipa::path(
    put,
    path = "/api/v1/advisories/{id}/withdraw",
    tag = "advisories",
    params(AdvisoryPath),
    security(("token" = ["administer"])),
    request_body = Withdrawal,
    responses((status = 200, body = ChangedAdvisory, description = "It is withdrawn"), AnyError),
)]
pub async fn withdraw(
    State(app): State<App>,
    ApiPath(id): ApiPath<String>,
    request: Request,
) -> Result<Json<ChangedAdvisory>, ApiError> {
    let (caller, Withdrawal { reason }) = body(&app, request).await?;
    let published = app
        .with_connection(move |connection| change::withdraw(connection, &id, &reason, Administrator::Admin(&caller)));
    Ok(Json(published.await?.into()))
}

/// Authenticates an admin, and only then reads the body.
async fn body<T: serde::de::DeserializeOwned>(app: &App, request: Request) -> Result<(Caller, T), ApiError> {
    callers_json(app, request, MAX_BODY, |caller| Ok(caller.administrator()?)).await
}
