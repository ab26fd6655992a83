//! What an advisory says of a crate.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::advisory::draft::Origin;
use crate::advisory::interval::Interval;
use crate::advisory::policy::{Action, Actions};
use crate::advisory::{Ranges, Severity};
use crate::database::advisories::known::Known;
use crate::database::advisories::own::OWN;
use crate::package::Version;

/// What an advisory says of a crate.
#[derive(Serialize, ToSchema)]
pub struct AdvisoryView {
    id: String,
    /// The upstream whose crate it is about; null for a crate of this registry.
    upstream: Option<String>,
    #[serde(rename = "crate")]
    krate: String,
    title: String,
    url: Option<String>,
    severity: String,
    /// The kind of one that is about no vulnerability.
    informational: Option<String>,
    /// The affected intervals, each from a version on and below another one; null is no bound.
    affected: Vec<IntervalView>,
    /// Affected versions besides.
    affected_versions: Vec<String>,
    /// What to use instead.
    patched: Vec<String>,
    /// What this registry does with affected versions.
    action: &'static str,
    withdrawn_at: Option<DateTime<Utc>>,
    first_seen: DateTime<Utc>,
}

/// An interval of versions.
#[derive(Serialize, ToSchema)]
struct IntervalView {
    from: Option<String>,
    below: Option<String>,
}

/// Those of a crate.
#[derive(Serialize, ToSchema)]
pub struct AdvisoriesView {
    advisories: Vec<AdvisoryView>,
}

impl AdvisoriesView {
    /// Those that affect a version, or all.
    pub fn of(
        rows: Vec<Known>,
        version: Option<&Version>,
        (actions, origin): (&Actions, &Origin),
    ) -> serde_json::Result<Self> {
        let version = version.and_then(|version| version.to_string().parse::<semver::Version>().ok());
        let mut advisories = Vec::new();
        for row in rows {
            let ranges = row.affected()?;
            if version.as_ref().is_none_or(|version| ranges.affects(version)) {
                advisories.push(view(row, &ranges, (actions, origin)));
            }
        }
        Ok(Self { advisories })
    }
}

/// What it says, and what is done about it.
pub fn view(row: Known, ranges: &Ranges, (actions, origin): (&Actions, &Origin)) -> AdvisoryView {
    let severity: Severity = row.severity.parse().unwrap_or_default();
    let counts = row.informational.is_none() && row.withdrawn_at.is_none();
    let action = if counts { actions.of(severity) } else { Action::Warn };
    let (affected, versions) = ranges.affected();
    let text = |version: &Option<semver::Version>| version.as_ref().map(ToString::to_string);
    let interval = |of: &Interval| IntervalView { from: text(&of.from), below: text(&of.below) };
    let own_page = || (row.upstream == OWN).then(|| format!("{}{}", origin.pages, row.advisory_id));
    AdvisoryView {
        url: row.url.or_else(own_page),
        affected: affected.iter().map(interval).collect(),
        affected_versions: versions.iter().map(ToString::to_string).collect(),
        patched: ranges.patched().to_vec(),
        id: row.advisory_id,
        upstream: Some(row.upstream).filter(|upstream| upstream != OWN),
        krate: row.crate_name,
        title: row.title,
        severity: row.severity,
        informational: row.informational,
        action: action.as_str(),
        withdrawn_at: row.withdrawn_at,
        first_seen: row.first_seen,
    }
}
