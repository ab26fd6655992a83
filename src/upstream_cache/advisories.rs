//! The advisories about crates of one upstream, as requests look them up.

use std::collections::HashMap;
use std::sync::Arc;

use semver::Version;

use crate::advisory::policy::{Action, Actions};
use crate::advisory::{Ranges, Severity};
use crate::database::advisories::known::Known;
use crate::package::CrateName;

/// Those of an upstream, by crate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advisories(HashMap<String, Arc<CrateAdvisories>>);

/// Those about a crate that count: not withdrawn, and about a vulnerability.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrateAdvisories(Vec<Arc<Noted>>);

/// What one advisory says of a crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    pub id: String,
    pub title: String,
    pub url: Option<String>,
    pub severity: Severity,
    pub ranges: Ranges,
}

impl Advisories {
    /// From the rows of one upstream.
    pub fn of(rows: Vec<Known>) -> Self {
        let mut crates: HashMap<String, CrateAdvisories> = HashMap::new();
        let counts =
            |row: &Known| row.withdrawn_at.is_none() && row.vanished_at.is_none() && row.informational.is_none();
        for row in rows.into_iter().filter(counts) {
            match noted(&row) {
                Ok(noted) => crates.entry(row.canonical_name).or_default().0.push(Arc::new(noted)),
                Err(error) => {
                    let Known { advisory_id, crate_name, .. } = row;
                    tracing::error!(advisory_id, crate_name, %error, "a stored advisory cannot be read and does not count");
                }
            }
        }
        Self(crates.into_iter().map(|(name, of)| (name, Arc::new(of))).collect())
    }

    /// Those about a crate.
    pub fn of_crate(&self, name: &CrateName) -> Option<Arc<CrateAdvisories>> {
        self.0.get(&name.canonical()).cloned()
    }
}

fn noted(row: &Known) -> serde_json::Result<Noted> {
    Ok(Noted {
        id: row.advisory_id.clone(),
        title: row.title.clone(),
        url: row.url.clone(),
        severity: row.severity.parse().unwrap_or_default(),
        ranges: serde_json::from_value(row.ranges.clone())?,
    })
}

impl CrateAdvisories {
    /// The advisory that affects a version and demands most, and what it demands.
    pub fn about(&self, version: &Version, actions: &Actions) -> Option<(Arc<Noted>, Action)> {
        let affecting = self.0.iter().filter(|noted| noted.ranges.affects(version));
        let judged = affecting.map(|noted| (noted, actions.of(noted.severity)));
        judged
            .max_by_key(|(noted, action)| (*action, noted.severity))
            .map(|(noted, action)| (Arc::clone(noted), action))
    }

    /// Whether an advisory names exactly this version as the one that mends it, and none affects it.
    pub fn names_as_mended(&self, version: &Version) -> bool {
        self.0.iter().any(|noted| noted.ranges.names_as_mended(version))
            && !self.0.iter().any(|noted| noted.ranges.affects(version))
    }
}
