//! `/api/v1/trusted_publishing/gitlab_configs`: trusted publishers at GitLab, as crates.io has them.

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
pub struct NewGitLabConfigRequest {
    gitlab_config: NewGitLabConfig,
}

/// A pipeline at GitLab.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGitLabConfig {
    /// The crate, or a prefix with `*`: the crates of the caller and, if that is an admin, new ones.
    #[serde(rename = "crate")]
    #[schema(example = "demo")]
    krate: String,
    /// The path of the group or the user.
    #[schema(example = "acme/tools")]
    namespace: String,
    #[schema(example = "widgets")]
    project: String,
    /// The path of the file in the project.
    #[schema(example = ".gitlab-ci.yml")]
    workflow_filepath: String,
    /// The environment that the job has to be in; null: any.
    #[serde(default)]
    environment: Option<String>,
    /// The issuer, if it is not gitlab.com's: the URL of the server.
    #[serde(default)]
    issuer: Option<String>,
    /// Whether it may only stage versions, in release sets.
    #[serde(default)]
    stage_only: bool,
}

/// A trusted publisher at GitLab.
#[derive(Serialize, ToSchema)]
pub struct GitLabConfig {
    id: i32,
    /// The crate, or a prefix with `*`.
    #[serde(rename = "crate")]
    krate: String,
    namespace: String,
    /// The number of the namespace; null until the first publish.
    namespace_id: Option<String>,
    project: String,
    workflow_filepath: String,
    environment: Option<String>,
    issuer: String,
    stage_only: bool,
    created_at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
pub struct GitLabConfigAnswer {
    gitlab_config: GitLabConfig,
}

#[derive(Serialize, ToSchema)]
pub struct GitLabConfigList {
    gitlab_configs: Vec<GitLabConfig>,
    meta: Meta,
}

impl GitLabConfig {
    /// None if it is of another provider.
    fn of(publisher: Publisher) -> Option<Self> {
        if publisher.provider != Provider::GitLab {
            return None;
        }
        let Rule::Pipeline { namespace, namespace_id, project, workflow, environment } = publisher.rule else {
            return None;
        };
        Some(Self {
            id: publisher.id,
            krate: publisher.covers.text(),
            namespace,
            namespace_id,
            project,
            workflow_filepath: workflow,
            environment,
            issuer: publisher.issuer,
            stage_only: publisher.stages_only,
            created_at: publisher.created_at,
        })
    }
}

/// Add a trusted publisher at GitLab
#[utoipa::path(
    post,
    path = "/api/v1/trusted_publishing/gitlab_configs",
    tag = "trusted publishing",
    security(("token" = ["trusted-publishing"])),
    request_body = NewGitLabConfigRequest,
    responses((status = 200, body = GitLabConfigAnswer, description = "The trusted publisher"), AnyError),
)]
pub async fn add(State(app): State<App>, request: Request) -> Result<Json<GitLabConfigAnswer>, ApiError> {
    let may = |caller: &Caller| Ok(check_may_configure(caller)?);
    let (caller, NewGitLabConfigRequest { gitlab_config: new }) = callers_json(&app, request, MAX_BODY, may).await?;
    let given = Given {
        repository: Some(format!("{}/{}", new.namespace, new.project)),
        workflow: Some(new.workflow_filepath),
        environment: new.environment,
        ..Given::default()
    };
    let (issuer, stages_only) = (new.issuer, new.stage_only);
    let asked = Asked { provider: Provider::GitLab, issuer, given, stages_only, owner: None };
    let publisher = trusted_publishers::add(&app, new.krate, asked, caller).await?;
    let config = GitLabConfig::of(publisher).ok_or_else(|| ApiError::internal("a publisher of another provider"))?;
    Ok(Json(GitLabConfigAnswer { gitlab_config: config }))
}

/// List trusted publishers at GitLab
#[utoipa::path(
    get,
    path = "/api/v1/trusted_publishing/gitlab_configs",
    tag = "trusted publishing",
    security(("token" = ["trusted-publishing"])),
    params(ConfigsQuery),
    responses((status = 200, body = GitLabConfigList, description = "The trusted publishers"), AnyError),
)]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    let publishers = list_publishers(&app, &query, caller).await?;
    let configs: Vec<_> = publishers.into_iter().filter_map(GitLabConfig::of).collect();
    Ok(unstored(GitLabConfigList { meta: Meta::of(configs.len()), gitlab_configs: configs }))
}

/// Remove a trusted publisher at GitLab
#[utoipa::path(
    delete,
    path = "/api/v1/trusted_publishing/gitlab_configs/{id}",
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
    remove_publisher(&app, (&id, Some(Provider::GitLab)), caller).await
}
