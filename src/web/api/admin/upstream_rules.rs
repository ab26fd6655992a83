//! `/api/v1/admin/upstream-rules`: what was decided about crates and versions of upstreams.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::requests::{administrators_json, read};
use crate::database::access::administrator::Administrator;
use crate::database::upstream_rules::{self, Decision, Rule, Subject};
use crate::jobs::upstream_decisions::{self, DecisionError};
use crate::package::version::VersionError;
use crate::web::administration::{bad, crates};
use crate::web::answers::unstored::unstored;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::query::QueryParameters;
use crate::web::shortened::shortened;
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

/// What is decided.
#[derive(Deserialize, Serialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamDecision {
    /// It passes however young it is.
    Allow,
    /// It is shown as yanked, and delivered only if it is kept.
    Hold,
    /// It is shown as yanked, and never delivered.
    Block,
}

/// A rule to make. Unknown fields are rejected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamRuleRequest {
    /// The name of the upstream.
    #[schema(example = "crates-io")]
    upstream: String,
    /// The crate, in any spelling; or the beginning of names and `*`; or `*` for all crates.
    #[serde(rename = "crate")]
    #[schema(example = "serde")]
    krate: String,
    /// One version; null for all.
    #[serde(default)]
    #[schema(example = "1.0.0")]
    version: Option<String>,
    decision: UpstreamDecision,
    /// Of a hold and a block, it is shown to users whose download is refused.
    #[schema(example = "it mends a leak", min_length = 1, max_length = 1000)]
    reason: String,
}

/// A rule.
#[derive(Serialize, ToSchema)]
pub struct UpstreamRule {
    upstream: String,
    /// A crate, or the beginning of names and `*`.
    #[serde(rename = "crate")]
    krate: String,
    /// Null for all versions.
    version: Option<String>,
    decision: UpstreamDecision,
    reason: String,
    /// Who made it.
    by: String,
    since: DateTime<Utc>,
}

/// Rules by upstream, crate and version.
#[derive(Serialize, ToSchema)]
pub struct UpstreamRules {
    rules: Vec<UpstreamRule>,
}

/// Whether a rule was made.
#[derive(Serialize, ToSchema)]
pub struct UpstreamRuleChange {
    /// False if there was the same rule for the same reason.
    changed: bool,
}

/// Which rules to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct UpstreamRulesQuery {
    /// Only those of this upstream.
    upstream: Option<String>,
}

/// What the rule to remove is about.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct UpstreamRuleQuery {
    /// The name of the upstream.
    #[param(example = "crates-io")]
    upstream: String,
    /// The crate, in any spelling, or the pattern.
    #[param(rename = "crate", example = "serde")]
    krate: String,
    /// One version; without it the rule about all.
    version: Option<String>,
}

impl From<Rule> for UpstreamRule {
    fn from(rule: Rule) -> Self {
        Self {
            upstream: rule.upstream,
            krate: rule.crate_name,
            version: Some(rule.version).filter(|version| !version.is_empty()),
            decision: match rule.decision {
                Decision::Allow => UpstreamDecision::Allow,
                Decision::Hold => UpstreamDecision::Hold,
                Decision::Block => UpstreamDecision::Block,
            },
            reason: rule.reason,
            by: rule.actor,
            since: rule.created_at,
        }
    }
}

fn subject(app: &App, upstream: &str, krate: &str, version: Option<&str>) -> Result<Subject, ApiError> {
    let names: Vec<&str> = app.settings.upstreams.names().collect();
    if !names.contains(&upstream) {
        let there = if names.is_empty() {
            "this registry has none".to_owned()
        } else {
            format!("there is {}", names.join(", "))
        };
        return Err(bad(format!("there is no upstream {:?}: {there}", shortened(upstream))));
    }
    let version = version.map(str::parse).transpose().map_err(|error: VersionError| bad(error.to_string()))?;
    Subject::new(upstream.to_owned(), crates(krate)?, version).map_err(|error| bad(error.to_string()))
}

/// List the rules about upstreams
#[utoipa::path(
    get,
    path = "/api/v1/admin/upstream-rules",
    tag = "admin",
    params(UpstreamRulesQuery),
    security(("token" = ["administer"])),
    responses((status = 200, body = UpstreamRules, description = "The rules"), AnyError),
)]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    let upstream = query.text("upstream").filter(|upstream| !upstream.is_empty());
    let found =
        read(&app, &caller, move |connection| Ok(upstream_rules::list(connection, upstream.as_deref())?)).await?;
    Ok(unstored(UpstreamRules { rules: found.into_iter().map(UpstreamRule::from).collect() }))
}

/// Let a crate or a version of an upstream pass, put it on hold, or block it
///
/// It counts within seconds, in place of the rule about the same.
#[utoipa::path(
    put,
    path = "/api/v1/admin/upstream-rules",
    tag = "admin",
    security(("token" = ["administer"])),
    request_body = UpstreamRuleRequest,
    responses((status = 200, body = UpstreamRuleChange, description = "There is such a rule"), AnyError),
)]
pub async fn set(State(app): State<App>, request: Request) -> Result<Json<UpstreamRuleChange>, ApiError> {
    let (caller, wanted): (_, UpstreamRuleRequest) = administrators_json(&app, request).await?;
    let subject = subject(&app, &wanted.upstream, &wanted.krate, wanted.version.as_deref())?;
    let decision = match wanted.decision {
        UpstreamDecision::Allow => Decision::Allow,
        UpstreamDecision::Hold => Decision::Hold,
        UpstreamDecision::Block => Decision::Block,
    };
    let made = app.with_connection(move |connection| {
        upstream_decisions::decide(connection, &subject, (decision, &wanted.reason), Administrator::Admin(&caller))
    });
    Ok(Json(UpstreamRuleChange { changed: made.await?.is_some() }))
}

/// Remove the rule about a crate or a version of an upstream
#[utoipa::path(
    delete,
    path = "/api/v1/admin/upstream-rules",
    tag = "admin",
    params(UpstreamRuleQuery),
    security(("token" = ["administer"])),
    responses((status = 204, description = "It is removed"), AnyError),
)]
pub async fn remove(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: QueryParameters,
) -> Result<StatusCode, ApiError> {
    caller.administrator()?;
    query.refuse_others(&["upstream", "crate", "version"])?;
    let given = |name: &str| query.text(name).unwrap_or_default();
    let subject = subject(&app, &given("upstream"), &given("crate"), query.text("version").as_deref())?;
    let removed = app.with_connection(move |connection| {
        upstream_decisions::release(connection, &subject, Administrator::Admin(&caller)).map_err(|error| match error {
            DecisionError::NoRule(_) => {
                ApiError::not_found(format!("there is no rule about {}", upstream_decisions::named(&subject)))
            }
            error => error.into(),
        })
    });
    removed.await?;
    Ok(StatusCode::NO_CONTENT)
}
