//! `/api/v1/trusted_publishing/configs`: trusted publishers of every kind.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use std::collections::BTreeMap;

use super::{ConfigPath, ConfigsQuery, MAX_BODY, Meta, bad, list_publishers, remove_publisher};
use crate::database::access::caller::Caller;
use crate::database::access::provenance::{Provider, UnknownProvider};
use crate::database::publishers::configurations::Publisher;
use crate::database::publishers::rule::{Given, Rule};
use crate::jobs::trusted_publishing::configure::{Asked, check_may_configure};
use crate::web::answers::unstored::unstored;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::json::callers_json;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::views::AnyError;
use crate::web::{ApiError, App, trusted_publishers};

/// A trusted publisher to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPublisherRequest {
    config: NewPublisherConfig,
}

/// A workflow, a pipeline, or claims of an ID token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPublisherConfig {
    /// The crate, or a prefix with `*`: the crates of the caller and, if that is an admin, new ones.
    #[serde(rename = "crate")]
    #[schema(example = "acme-*")]
    krate: String,
    /// `github`, `gitlab`, `forgejo` or `oidc`.
    #[schema(example = "forgejo", pattern = "^(github|gitlab|forgejo|oidc)$")]
    provider: String,
    /// The issuer; by default that of github.com or gitlab.com, or the only one of the kind.
    #[serde(default)]
    issuer: Option<String>,
    /// `OWNER/NAME`, or the path of a GitLab project; not of `oidc`.
    #[serde(default)]
    #[schema(example = "acme/widgets")]
    repository: Option<String>,
    /// The number of the owner at GitHub or Forgejo, or of the namespace at GitLab; by default the server is asked, or the
    /// first ID token.
    #[serde(default)]
    owner_id: Option<String>,
    /// The name of the workflow's file, or the path of a pipeline's file; not of `oidc`.
    #[serde(default)]
    #[schema(example = "release.yml")]
    workflow: Option<String>,
    /// The environment that the job has to be in; null: any.
    #[serde(default)]
    environment: Option<String>,
    /// A name for the audit log; only of `oidc`.
    #[serde(default)]
    name: Option<String>,
    /// The claims that the ID token has to have, with `*` for any text; only of `oidc`.
    #[serde(default)]
    claims: BTreeMap<String, String>,
    /// Whether it may only stage versions, in release sets.
    #[serde(default)]
    stage_only: bool,
    /// The login of the user whose crates a prefix covers, and who owns the new ones; only admins name another than themselves.
    #[serde(default)]
    owner: Option<String>,
}

/// A trusted publisher.
#[derive(Serialize, ToSchema)]
pub struct PublisherConfig {
    id: i32,
    /// The crate, or a prefix with `*`.
    #[serde(rename = "crate")]
    krate: String,
    /// `github`, `gitlab`, `forgejo` or `oidc`.
    provider: &'static str,
    issuer: String,
    repository: Option<String>,
    /// The number of the owner, or of the namespace; null until the first publish, if the server did not tell it.
    owner_id: Option<String>,
    workflow: Option<String>,
    environment: Option<String>,
    name: Option<String>,
    claims: BTreeMap<String, String>,
    stage_only: bool,
    /// Whether it may publish new crates.
    new_crates: bool,
    /// The login of the user whose crates a prefix covers, or who added it for a crate; null for an operator.
    created_by: Option<String>,
    created_at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
pub struct PublisherConfigAnswer {
    config: PublisherConfig,
}

#[derive(Serialize, ToSchema)]
pub struct PublisherConfigList {
    configs: Vec<PublisherConfig>,
    meta: Meta,
}

impl From<Publisher> for PublisherConfig {
    fn from(publisher: Publisher) -> Self {
        let Publisher { id, provider, issuer, covers, rule, stages_only, creates, created_by, created_at } = publisher;
        let repository = rule.repository();
        let (owner_id, workflow, environment, name, claims) = match rule {
            Rule::Workflow { owner_id: id, workflow, environment, .. }
            | Rule::Pipeline { namespace_id: id, workflow, environment, .. } => {
                (id, Some(workflow), environment, None, BTreeMap::new())
            }
            Rule::Claims { name, claims } => (None, None, None, Some(name), claims),
        };
        let (krate, provider, stage_only) = (covers.text(), provider.as_str(), stages_only);
        Self {
            id,
            krate,
            provider,
            issuer,
            repository,
            owner_id,
            workflow,
            environment,
            name,
            claims,
            stage_only,
            new_crates: creates,
            created_by,
            created_at,
        }
    }
}

/// Add a trusted publisher
#[utoipa::path(
    post,
    path = "/api/v1/trusted_publishing/configs",
    tag = "trusted publishing",
    security(("token" = ["trusted-publishing"])),
    request_body = NewPublisherRequest,
    responses((status = 200, body = PublisherConfigAnswer, description = "The trusted publisher"), AnyError),
)]
pub async fn add(State(app): State<App>, request: Request) -> Result<Json<PublisherConfigAnswer>, ApiError> {
    let may = |caller: &Caller| Ok(check_may_configure(caller)?);
    let (caller, NewPublisherRequest { config: new }) = callers_json(&app, request, MAX_BODY, may).await?;
    let provider: Provider = new.provider.parse().map_err(|unknown: UnknownProvider| bad(unknown.to_string()))?;
    let given = Given {
        repository: new.repository,
        owner_id: new.owner_id,
        workflow: new.workflow,
        environment: new.environment,
        name: new.name,
        claims: new.claims,
    };
    let asked = Asked { provider, issuer: new.issuer, given, stages_only: new.stage_only, owner: new.owner };
    let config = trusted_publishers::add(&app, new.krate, asked, caller).await?.into();
    Ok(Json(PublisherConfigAnswer { config }))
}

/// List trusted publishers
#[utoipa::path(
    get,
    path = "/api/v1/trusted_publishing/configs",
    tag = "trusted publishing",
    security(("token" = ["trusted-publishing"])),
    params(ConfigsQuery),
    responses((status = 200, body = PublisherConfigList, description = "The trusted publishers"), AnyError),
)]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    let publishers = list_publishers(&app, &query, caller).await?;
    let configs: Vec<PublisherConfig> = publishers.into_iter().map(Into::into).collect();
    Ok(unstored(PublisherConfigList { meta: Meta::of(configs.len()), configs }))
}

/// Remove a trusted publisher
#[utoipa::path(
    delete,
    path = "/api/v1/trusted_publishing/configs/{id}",
    tag = "trusted publishing",
    security(("token" = ["trusted-publishing"])),
    params(ConfigPath),
    responses((status = 204, description = "It is removed"), AnyError),
)]
pub async fn remove(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    remove_publisher(&app, (&id, None), caller).await
}
