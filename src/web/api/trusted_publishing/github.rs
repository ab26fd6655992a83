//! `/api/v1/trusted_publishing/github_configs`: trusted publishers at GitHub, as crates.io has them.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ConfigPath, ConfigsQuery, MAX_BODY, Meta, list_publishers, remove_publisher};
use crate::database::access::caller::Caller;
use crate::database::access::provenance::Provider;
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
pub struct NewGitHubConfigRequest {
    github_config: NewGitHubConfig,
}

/// A workflow at GitHub.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGitHubConfig {
    /// The crate, or a prefix with `*`: the crates of the caller and, if that is an admin, new ones.
    #[serde(rename = "crate")]
    #[schema(example = "demo")]
    krate: String,
    /// The user or the organization.
    #[schema(example = "acme")]
    repository_owner: String,
    #[schema(example = "widgets")]
    repository_name: String,
    /// The name of the file in `.github/workflows`.
    #[schema(example = "release.yml")]
    workflow_filename: String,
    /// The environment that the job has to be in; null: any.
    #[serde(default)]
    environment: Option<String>,
    /// The issuer, if it is not github.com's: `https://HOST/_services/token` of a GitHub Enterprise Server.
    #[serde(default)]
    issuer: Option<String>,
    /// Whether it may only stage versions, in release sets.
    #[serde(default)]
    stage_only: bool,
}

/// A trusted publisher at GitHub.
#[derive(Serialize, ToSchema)]
pub struct GitHubConfig {
    id: i32,
    /// The crate, or a prefix with `*`.
    #[serde(rename = "crate")]
    krate: String,
    repository_owner: String,
    /// The number of the owner; null until the first publish, if GitHub did not tell it.
    repository_owner_id: Option<i64>,
    repository_name: String,
    workflow_filename: String,
    environment: Option<String>,
    issuer: String,
    stage_only: bool,
    created_at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
pub struct GitHubConfigAnswer {
    github_config: GitHubConfig,
}

#[derive(Serialize, ToSchema)]
pub struct GitHubConfigList {
    github_configs: Vec<GitHubConfig>,
    meta: Meta,
}

impl GitHubConfig {
    /// None if it is of another provider.
    fn of(publisher: Publisher) -> Option<Self> {
        if publisher.provider != Provider::GitHub {
            return None;
        }
        let Rule::Workflow { owner, owner_id, repository, workflow, environment } = publisher.rule else { return None };
        Some(Self {
            id: publisher.id,
            krate: publisher.covers.text(),
            repository_owner: owner,
            repository_owner_id: owner_id.and_then(|id| id.parse().ok()),
            repository_name: repository,
            workflow_filename: workflow,
            environment,
            issuer: publisher.issuer,
            stage_only: publisher.stages_only,
            created_at: publisher.created_at,
        })
    }
}

/// Add a trusted publisher at GitHub
#[utoipa::path(
    post,
    path = "/api/v1/trusted_publishing/github_configs",
    tag = "trusted publishing",
    security(("token" = ["trusted-publishing"])),
    request_body = NewGitHubConfigRequest,
    responses((status = 200, body = GitHubConfigAnswer, description = "The trusted publisher"), AnyError),
)]
pub async fn add(State(app): State<App>, request: Request) -> Result<Json<GitHubConfigAnswer>, ApiError> {
    let may = |caller: &Caller| Ok(check_may_configure(caller)?);
    let (caller, NewGitHubConfigRequest { github_config: new }) = callers_json(&app, request, MAX_BODY, may).await?;
    let given = Given {
        repository: Some(format!("{}/{}", new.repository_owner, new.repository_name)),
        workflow: Some(new.workflow_filename),
        environment: new.environment,
        ..Given::default()
    };
    let (issuer, stages_only) = (new.issuer, new.stage_only);
    let asked = Asked { provider: Provider::GitHub, issuer, given, stages_only, owner: None };
    let publisher = trusted_publishers::add(&app, new.krate, asked, caller).await?;
    let config = GitHubConfig::of(publisher).ok_or_else(|| ApiError::internal("a publisher of another provider"))?;
    Ok(Json(GitHubConfigAnswer { github_config: config }))
}

/// List trusted publishers at GitHub
#[utoipa::path(
    get,
    path = "/api/v1/trusted_publishing/github_configs",
    tag = "trusted publishing",
    security(("token" = ["trusted-publishing"])),
    params(ConfigsQuery),
    responses((status = 200, body = GitHubConfigList, description = "The trusted publishers"), AnyError),
)]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    let publishers = list_publishers(&app, &query, caller).await?;
    let configs: Vec<_> = publishers.into_iter().filter_map(GitHubConfig::of).collect();
    Ok(unstored(GitHubConfigList { meta: Meta::of(configs.len()), github_configs: configs }))
}

/// Remove a trusted publisher at GitHub
#[utoipa::path(
    delete,
    path = "/api/v1/trusted_publishing/github_configs/{id}",
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
    remove_publisher(&app, (&id, Some(Provider::GitHub)), caller).await
}
