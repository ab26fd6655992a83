//! A release set with what is staged in it, as clients and operators see it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::{PgConnection, QueryResult};
use serde::Serialize;
use utoipa::ToSchema;

use super::rules;
use super::sets::{self, ReleaseSet, SetState};
use super::staged::{self, StagedChange, StagedVersion};
use crate::package::CrateName;

/// A release set.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[schema(as = ReleaseSet)]
pub struct ReleaseSetView {
    #[schema(example = "acme-2.4")]
    pub name: String,
    pub title: Option<String>,
    /// `open`, `approved`, `rejected` or `expired`.
    #[schema(example = "open")]
    pub state: String,
    /// Whether everyone who may read the registry may read the set while it is open.
    pub preview: bool,
    /// The index to publish into the set, and to build with it.
    #[schema(example = "sparse+https://cargo.example/stage/acme-2.4/index/")]
    pub index: String,
    /// The page with what is staged, for people.
    #[schema(example = "https://cargo.example/release-sets/acme-2.4")]
    pub page: String,
    /// Changes with what is staged.
    pub revision: i64,
    /// The login of its creator; null: an operator.
    pub created_by: Option<String>,
    pub created_at: DateTime<Utc>,
    /// When it ends, or would have ended.
    pub expires_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// Who approved or rejected it.
    pub ended_by: Option<String>,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// The logins of users who have approved the present revision.
    pub approved_by: Vec<String>,
    /// The logins of users who have approved an earlier revision; what was staged since makes that void.
    pub formerly_approved_by: Vec<String>,
    /// Why it was approved without the approvals that its rules want, if it was.
    pub override_reason: Option<String>,
    /// The approvals that are needed before the set is published, a sentence for each rule; none when it has ended.
    pub missing: Vec<String>,
    /// The staged versions, or those that were staged when the set ended.
    pub versions: Vec<StagedVersionView>,
    /// The staged changes of published versions, or those that were staged when the set ended.
    pub changes: Vec<StagedChangeView>,
}

/// A version in a release set.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[schema(as = StagedVersion)]
pub struct StagedVersionView {
    #[serde(rename = "crate")]
    pub krate: String,
    pub version: String,
    /// SHA-256 of the crate file.
    pub checksum: String,
    /// The size of the crate file in bytes.
    pub size: i64,
    pub staged_by: String,
    /// The name of the token; for members of the set and admins alone.
    pub token: Option<String>,
    pub staged_at: Option<DateTime<Utc>>,
}

/// A change of a published version in a release set.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[schema(as = StagedChange)]
pub struct StagedChangeView {
    #[serde(rename = "crate")]
    pub krate: String,
    pub version: String,
    /// `yank`, `unyank` or `delete`.
    pub change: String,
    /// Of a yank; the reason of a deletion.
    pub message: Option<String>,
    pub staged_by: Option<String>,
    pub staged_at: Option<DateTime<Utc>>,
}

impl From<&StagedVersion> for StagedVersionView {
    fn from(staged: &StagedVersion) -> Self {
        Self {
            krate: staged.name.to_string(),
            version: staged.num.to_string(),
            checksum: staged.checksum.to_string(),
            size: staged.size,
            staged_by: staged.login.clone(),
            token: staged.token_name.clone(),
            staged_at: Some(staged.staged_at),
        }
    }
}

impl From<&StagedChange> for StagedChangeView {
    fn from(staged: &StagedChange) -> Self {
        Self {
            krate: staged.name.to_string(),
            version: staged.num.to_string(),
            change: staged.change.to_string(),
            message: staged.message.clone(),
            staged_by: Some(staged.login.clone()),
            staged_at: Some(staged.staged_at),
        }
    }
}

impl ReleaseSetView {
    /// The view for users who do not belong to the set.
    pub fn without_tokens(mut self) -> Self {
        self.versions.iter_mut().for_each(|version| version.token = None);
        self
    }

    /// The view of a set with what is staged in it.
    pub fn read(connection: &mut PgConnection, set: ReleaseSet, base_url: &str) -> QueryResult<Self> {
        let state = set.state(Utc::now());
        let (staged, changed) = match state {
            SetState::Open => (staged::of_set(connection, set.id)?, staged::changes_of(connection, set.id)?),
            _ => (Vec::new(), Vec::new()),
        };
        let (versions, changes) = match &set.contents {
            Some(contents) => past(contents),
            None => (staged.iter().map(Into::into).collect(), changed.iter().map(Into::into).collect()),
        };
        let created_by = sets::creator(connection, &set)?;
        let approvers = rules::approvers(connection, set.id, set.revision)?;
        let (missing, formerly_approved_by) = match state {
            SetState::Open => (
                missing(connection, &set, (&staged, &changed))?,
                rules::former_approvers(connection, set.id, set.revision)?,
            ),
            _ => (Vec::new(), Vec::new()),
        };
        let past_override = set.contents.as_ref().and_then(|contents| contents["override"].as_str());
        let override_reason = past_override.map(str::to_owned);
        let index = format!("sparse+{base_url}/stage/{}/index/", set.name);
        let page = format!("{base_url}/release-sets/{}", set.name);
        Ok(Self {
            name: set.name.to_string(),
            title: set.title,
            state: state.to_string(),
            preview: set.is_preview,
            index,
            page,
            revision: set.revision,
            created_by,
            created_at: set.created_at,
            expires_at: set.expires_at,
            ended_at: set.ended_at,
            ended_by: set.ended_by,
            reason: set.reason,
            approved_by: approvers.into_iter().map(|(_, login)| login).collect(),
            formerly_approved_by,
            override_reason,
            missing,
            versions,
            changes,
        })
    }
}

fn missing(
    connection: &mut PgConnection,
    set: &ReleaseSet,
    (staged, changed): (&[StagedVersion], &[StagedChange]),
) -> QueryResult<Vec<String>> {
    let names: BTreeSet<&CrateName> =
        staged.iter().map(|one| &one.name).chain(changed.iter().map(|one| &one.name)).collect();
    let names: Vec<CrateName> = names.into_iter().cloned().collect();
    let needed = rules::needed(connection, (set.id, set.revision), &names)?;
    Ok(needed.iter().filter(|one| one.is_missing()).map(ToString::to_string).collect())
}

/// What an ended set had, as it was noted then.
fn past(contents: &serde_json::Value) -> (Vec<StagedVersionView>, Vec<StagedChangeView>) {
    let text = |one: &serde_json::Value, field: &str| one[field].as_str().map(str::to_owned);
    let time = |one: &serde_json::Value| one["staged_at"].as_str().and_then(|time| time.parse().ok());
    let list = |field: &str| contents[field].as_array().cloned().unwrap_or_default();
    let versions = list("versions").into_iter().map(|one| StagedVersionView {
        krate: text(&one, "crate").unwrap_or_default(),
        version: text(&one, "version").unwrap_or_default(),
        checksum: text(&one, "checksum").unwrap_or_default(),
        size: one["size"].as_i64().unwrap_or_default(),
        staged_by: text(&one, "staged_by").unwrap_or_default(),
        token: text(&one, "token"),
        staged_at: time(&one),
    });
    let changes = list("changes").into_iter().map(|one| StagedChangeView {
        krate: text(&one, "crate").unwrap_or_default(),
        version: text(&one, "version").unwrap_or_default(),
        change: text(&one, "change").unwrap_or_default(),
        message: text(&one, "message"),
        staged_by: text(&one, "staged_by"),
        staged_at: time(&one),
    });
    (versions.collect(), changes.collect())
}
