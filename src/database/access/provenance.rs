//! Where a version comes from that a trusted publisher has published: repository, commit and run, as the ID token said.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Jsonb;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{EnumString, IntoStaticStr, VariantNames};

/// How the claims of an issuer are read.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, strum::Display, VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", parse_err_ty = UnknownProvider, parse_err_fn = unknown_provider)]
pub enum Provider {
    /// GitHub Actions, of github.com or a GitHub Enterprise Server.
    GitHub,
    /// GitLab CI/CD, of gitlab.com or another server.
    GitLab,
    /// Forgejo Actions.
    Forgejo,
    /// Any issuer, by claims that a trusted publisher names.
    Oidc,
}

/// The text is not a provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no provider of ID tokens: use one of {providers}", providers = Provider::VARIANTS.join(", "))]
pub struct UnknownProvider(pub String);

fn unknown_provider(text: &str) -> UnknownProvider {
    UnknownProvider(text.to_owned())
}

impl Provider {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The name that people know it by.
    pub fn title(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub Actions",
            Self::GitLab => "GitLab CI/CD",
            Self::Forgejo => "Forgejo Actions",
            Self::Oidc => "OpenID Connect",
        }
    }
}

/// Where a version comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    pub provider: Provider,
    /// The issuer of the ID token.
    pub issuer: String,
    /// The claim `sub`.
    pub subject: String,
    /// The repository, as `OWNER/NAME`, or the path of a project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
    /// The branch or the tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_ref: Option<String>,
    /// The file of the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// What has started the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The account that has started the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The run of the workflow, or the pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// The page of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_url: Option<String>,
}

/// What a token from an exchange may publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = Jsonb)]
pub struct Trusted {
    /// The trusted publishers that it was issued for, as long as they exist.
    pub publishers: Vec<i32>,
    pub provenance: Provenance,
}

impl Trusted {
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl ToSql<Jsonb, Pg> for Trusted {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <Value as ToSql<Jsonb, Pg>>::to_sql(&self.to_json(), &mut out.reborrow())
    }
}

impl FromSql<Jsonb, Pg> for Trusted {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(serde_json::from_value(<Value as FromSql<Jsonb, Pg>>::from_sql(value)?)?)
    }
}

impl Provenance {
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
