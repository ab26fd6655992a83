//! What the database says of a crate for its page.

use std::sync::Arc;

use chrono::Utc;
use diesel::PgConnection;

use crate::database::access::audit::{self, Record};
use crate::database::access::caller::Caller;
use crate::database::catalog::dependencies::{self, StoredDependency};
use crate::database::catalog::dependents;
use crate::database::catalog::downloads::{self, OfDay};
use crate::database::catalog::owners::{self, Owner};
use crate::database::catalog::version_details::{self, Listed};
use crate::package::{CrateName, Version};
use crate::web::ApiError;
use crate::web::pages::parts::advisories::OfCrate;
use crate::web::pages::parts::found::{self, Found};
use crate::web::pages::readme_cache::ReadmePages;

/// Dependents on the crate's page.
const DEPENDENTS: i64 = 8;
/// Versions with a colour of their own in the plot of downloads.
pub const PLOTTED: usize = 5;
/// Entries of the audit log on the crate's page.
const AUDITED: i64 = 20;

/// A dependent: its name, its description, and its requirement.
#[derive(Clone, Debug)]
pub struct Dependent {
    pub name: CrateName,
    pub description: Option<String>,
    pub dependency: StoredDependency,
}

/// The downloads of ninety days.
#[derive(Clone, Debug, Default)]
pub struct Downloads {
    /// The versions with days of their own.
    pub versions: Vec<(i32, Version)>,
    pub of_versions: Vec<OfDay>,
    pub of_others: Vec<(chrono::NaiveDate, i64)>,
}

/// The README: its HTML, if it was rendered before, or its text and its path in the package.
#[derive(Clone, Debug)]
pub enum Readme {
    None,
    Rendered(Arc<str>),
    Text(String, Option<String>),
}

/// Everything that the page shows.
#[derive(Clone, Debug)]
pub struct Reading {
    pub found: Found,
    /// The versions in the index, the highest first.
    pub listed: Vec<Listed>,
    pub owners: Vec<Owner>,
    pub dependencies: Vec<StoredDependency>,
    pub dependents: Vec<Dependent>,
    pub dependents_total: i64,
    pub downloads: Downloads,
    pub readme: Readme,
    /// The log of changes, for those who may see it.
    pub audit: Option<Vec<Record>>,
    /// Security advisories about the crate that are not withdrawn.
    pub advisories: OfCrate,
}

impl Reading {
    pub fn of(
        connection: &mut PgConnection,
        (name, num): (&str, Option<&str>),
        caller: Option<&Caller>,
        readmes: &ReadmePages,
    ) -> Result<Self, ApiError> {
        let found = match num {
            Some(num) => found::version(connection, name, num)?,
            None => found::default_version(connection, name)?,
        };
        let (crate_id, row) = (found.krate.row.id, &found.version.row);
        let listed = version_details::highest_first(connection, crate_id)?;
        let (dependents, dependents_total) = dependents_of(connection, &found.krate.row.name, DEPENDENTS, 0)?;
        let readme = match readmes.get(row) {
            Some(html) => Readme::Rendered(html),
            None => version_details::readme_and_path(connection, row.id)?
                .map_or(Readme::None, |(text, path)| Readme::Text(text, path)),
        };
        Ok(Self {
            owners: owners::list_all(connection, crate_id)?,
            dependencies: dependencies::of_version(connection, row.id)?,
            dependents,
            dependents_total,
            downloads: downloads_of(connection, crate_id, &listed)?,
            readme,
            audit: audit_of(connection, &found, caller)?,
            advisories: OfCrate::read(connection, &found.krate.row.name)?,
            listed,
            found,
        })
    }

    /// The name of the token with which the version was published, as far as the log of changes is shown.
    pub fn publishing_token(&self) -> Option<&str> {
        let num = self.found.version.row.num.to_string();
        let entries = self.audit.as_ref()?.iter();
        let mut published =
            entries.filter(|entry| entry.action == "publish" && entry.version.as_deref() == Some(num.as_str()));
        published.next()?.token_name.as_deref()
    }
}

/// The crates that depend on a crate, the most downloaded first, and their number.
pub fn dependents_of(
    connection: &mut PgConnection,
    name: &CrateName,
    limit: i64,
    offset: i64,
) -> Result<(Vec<Dependent>, i64), ApiError> {
    let (found, total) = dependents::of_default_versions(connection, name, limit, offset)?;
    let ids: Vec<i32> = found.iter().map(|one| one.version_id).collect();
    let crates = dependents::crates_of_defaults(connection, &ids)?;
    let named = found.into_iter().filter_map(|dependency| {
        let (_, name, description) = crates.iter().find(|(id, ..)| *id == dependency.version_id)?;
        Some(Dependent { name: name.clone(), description: description.clone(), dependency })
    });
    Ok((named.collect(), total))
}

fn downloads_of(connection: &mut PgConnection, crate_id: i32, listed: &[Listed]) -> Result<Downloads, ApiError> {
    let versions: Vec<(i32, Version)> = listed.iter().take(PLOTTED).map(|one| (one.id, one.num.clone())).collect();
    let ids: Vec<i32> = versions.iter().map(|(id, _)| *id).collect();
    let now = Utc::now();
    let of_versions = downloads::of_versions(connection, &ids, now)?;
    let of_others = if listed.len() > PLOTTED {
        downloads::of_other_versions(connection, crate_id, &ids, now)?
    } else {
        Vec::new()
    };
    Ok(Downloads { versions, of_versions, of_others })
}

/// The log of the crate's changes, for admins and for those who may publish it.
fn audit_of(
    connection: &mut PgConnection,
    found: &Found,
    caller: Option<&Caller>,
) -> Result<Option<Vec<Record>>, ApiError> {
    let Some(caller) = caller else { return Ok(None) };
    if !owners::may_see_log(connection, found.krate.row.id, caller)? {
        return Ok(None);
    }
    let filter = audit::Filter { crate_name: Some(found.krate.row.name.clone()), ..audit::Filter::default() };
    Ok(Some(audit::list(connection, &filter, AUDITED)?))
}
