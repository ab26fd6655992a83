//! The columns of a crate that are derived from its versions in the index. The job that writes the index writes them
//! afterwards.
//!
//! An error in a description must not prevent the publication of a version, because its line is already in the index.
//! Therefore every value that goes into a database index is limited in size ([`About`], `words`). If the database
//! rejects a description all the same, [`describe_all`] stores the crate without one.

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::{Integer, Jsonb, Text};

use crate::database::about::{About, short_url};
use crate::database::schema::{crates, versions};
use crate::database::search::{self, Described, categories};
use crate::full_disk;
use crate::package::Version;
use crate::statement::statement;

/// A version that is in the index.
#[derive(Queryable, Clone, Debug)]
pub struct Shown {
    pub id: i32,
    pub num: Version,
    pub yanked: Option<bool>,
}

/// The derived columns.
#[derive(Queryable, Selectable, AsChangeset, Clone, Debug, Default, PartialEq, Eq)]
#[diesel(table_name = crates, treat_none_as_null = true)]
pub struct Derived {
    /// The highest version that is not yanked, or the highest of all.
    pub max_version: Option<Version>,
    pub max_stable_version: Option<Version>,
    /// The version that was published last.
    pub newest_version: Option<Version>,
    pub default_version_id: Option<i32>,
    pub version_count: i32,
    /// Whether every version is yanked.
    pub yanked: bool,
    pub description: Option<String>,
    pub homepage: Option<String>,
    pub documentation: Option<String>,
    pub repository: Option<String>,
    pub keywords: Vec<String>,
    pub categories: Vec<String>,
}

impl Derived {
    /// Derives the columns from the versions in the index, in the order of their ids, and the manifest of the default
    /// version.
    pub fn of(shown: &[Shown], about: &About) -> Self {
        let Some(default) = default_version(shown) else { return Self::default() };
        let usable = || shown.iter().filter(|one| one.yanked == Some(false));
        let max = usable().map(|one| &one.num).max().or_else(|| shown.iter().map(|one| &one.num).max());
        Self {
            max_version: max.cloned(),
            max_stable_version: usable().map(|one| &one.num).filter(|num| !num.is_prerelease()).max().cloned(),
            newest_version: usable().next_back().or(shown.last()).map(|one| one.num.clone()),
            default_version_id: Some(default.id),
            version_count: i32::try_from(shown.len()).unwrap_or(i32::MAX),
            yanked: usable().next().is_none(),
            description: about.short_description(),
            homepage: short_url(about.homepage.as_ref()),
            documentation: short_url(about.documentation.as_ref()),
            repository: short_url(about.repository.as_ref()),
            keywords: about.keyword_ids(),
            categories: about.category_ids(),
        }
    }

    /// The names of the columns that differ.
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        [
            ("max_version", self.max_version == other.max_version),
            ("max_stable_version", self.max_stable_version == other.max_stable_version),
            ("newest_version", self.newest_version == other.newest_version),
            ("default_version_id", self.default_version_id == other.default_version_id),
            ("version_count", self.version_count == other.version_count),
            ("yanked", self.yanked == other.yanked),
            ("description", self.description == other.description),
            ("homepage", self.homepage == other.homepage),
            ("documentation", self.documentation == other.documentation),
            ("repository", self.repository == other.repository),
            ("keywords", self.keywords == other.keywords),
            ("categories", self.categories == other.categories),
        ]
        .into_iter()
        .filter(|(_, equal)| !equal)
        .map(|(name, _)| name)
        .collect()
    }
}

/// A crate whose description the database rejected: only its name and its versions are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undescribed {
    pub crate_id: i32,
    /// The database's error.
    pub problem: String,
}

/// Describes crates like [`describe`]. A crate whose description the database rejects is stored without it. The caller
/// holds the locks of the crates' rows.
///
/// # Errors
///
/// Errors that no crate caused: the database is unreachable, or a statement was canceled.
pub fn describe_all(connection: &mut PgConnection, crate_ids: &[i32]) -> QueryResult<Vec<Undescribed>> {
    if crate_ids.is_empty() {
        return Ok(Vec::new());
    }
    let all = |connection: &mut PgConnection| crate_ids.iter().try_for_each(|&id| describe(connection, id));
    match connection.transaction(all) {
        Ok(()) => return Ok(Vec::new()),
        Err(error) if !is_refusal(&error) => return Err(error),
        Err(_) => {}
    }
    let mut undescribed = Vec::new();
    for &crate_id in crate_ids {
        match connection.transaction(|connection| describe(connection, crate_id)) {
            Ok(()) => {}
            Err(error) if is_refusal(&error) => {
                connection.transaction(|connection| describe_without_texts(connection, crate_id))?;
                undescribed.push(Undescribed { crate_id, problem: error.to_string() });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(undescribed)
}

/// Whether the database rejected the content of a statement. Diesel does not return the error code. An error that is
/// mistaken for a rejection leaves a crate without a description, which a verification finds and repairs.
pub fn is_refusal(error: &Error) -> bool {
    const TRANSIENT: [&str; 3] = ["canceling statement", "deadlock detected", "out of memory"];
    match error {
        Error::DatabaseError(kind, information) => {
            !matches!(
                kind,
                DatabaseErrorKind::ClosedConnection
                    | DatabaseErrorKind::UnableToSendCommand
                    | DatabaseErrorKind::SerializationFailure
                    | DatabaseErrorKind::ReadOnlyTransaction
            ) && !TRANSIENT.iter().any(|transient| information.message().contains(transient))
                && !full_disk::is_named_in(information.message())
        }
        _ => false,
    }
}

/// Writes the derived columns of a crate and its search document. The caller holds the lock of the crate's row.
pub fn describe(connection: &mut PgConnection, crate_id: i32) -> QueryResult<()> {
    let shown = shown(connection, crate_id)?;
    match default_version(&shown) {
        Some(default) => {
            let DefaultVersion { manifest, readme } = read_default(connection, default.id)?;
            write(connection, crate_id, &shown, &About::from_json(manifest), &readme)
        }
        None => hide(connection, crate_id),
    }
}

/// Describes a crate by its name and its versions only.
fn describe_without_texts(connection: &mut PgConnection, crate_id: i32) -> QueryResult<()> {
    let shown = shown(connection, crate_id)?;
    write(connection, crate_id, &shown, &About::default(), "")
}

fn shown(connection: &mut PgConnection, crate_id: i32) -> QueryResult<Vec<Shown>> {
    versions::table
        .filter(versions::crate_id.eq(crate_id))
        .filter(versions::effective_yanked.is_not_null())
        .order(versions::id)
        .select((versions::id, versions::num, versions::effective_yanked))
        .load(connection)
}

/// The texts of a crate's default version.
#[derive(QueryableByName)]
struct DefaultVersion {
    #[diesel(sql_type = Jsonb)]
    manifest: serde_json::Value,
    /// Its beginning. It is longer than the part that is searched, since some characters are not part of words.
    #[diesel(sql_type = Text)]
    readme: String,
}

fn read_default(connection: &mut PgConnection, version_id: i32) -> QueryResult<DefaultVersion> {
    statement("SELECT manifest, left(coalesce(metadata->>'readme', ''), $1) AS readme FROM versions WHERE id = $2")
        .bind::<Integer, _>(i32::try_from(2 * search::document::README).unwrap_or(i32::MAX))
        .bind::<Integer, _>(version_id)
        .get_result(connection)
}

fn write(
    connection: &mut PgConnection,
    crate_id: i32,
    shown: &[Shown],
    about: &About,
    readme: &str,
) -> QueryResult<()> {
    let derived = Derived::of(shown, about);
    categories::note(connection, &derived.categories)?;
    let name: String = diesel::update(crates::table.find(crate_id))
        .set((derived, crates::updated_at.eq(diesel::dsl::now)))
        .returning(crates::canonical_name)
        .get_result(connection)?;
    statement(
        "INSERT INTO crate_downloads (crate_id, downloads, recent, shown) VALUES ($1, 0, 0, true)
         ON CONFLICT (crate_id) DO UPDATE SET shown = true WHERE NOT crate_downloads.shown",
    )
    .bind::<Integer, _>(crate_id)
    .execute(connection)?;
    search::note(connection, &Described { crate_id, canonical_name: &name, about, readme })
}

/// Removes the derived columns and the search document of a crate without versions in the index.
fn hide(connection: &mut PgConnection, crate_id: i32) -> QueryResult<()> {
    diesel::update(crates::table.find(crate_id)).set(Derived::default()).execute(connection)?;
    diesel::sql_query("UPDATE crate_downloads SET shown = false WHERE crate_id = $1 AND shown")
        .bind::<Integer, _>(crate_id)
        .execute(connection)?;
    search::forget(connection, crate_id)
}

/// The default version, which describes a crate: the highest that is neither yanked nor a pre-release, else the highest
/// that is not yanked, else the highest yanked one that is not a pre-release, else the highest. crates.io has the same
/// rule.
pub fn default_version(shown: &[Shown]) -> Option<&Shown> {
    shown.iter().max_by_key(|&one| (one.yanked == Some(false), !one.num.is_prerelease(), &one.num, one.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default(versions: &[(&str, bool)]) -> Option<String> {
        let shown: Vec<Shown> = versions
            .iter()
            .zip(1..)
            .map(|((num, yanked), id)| Shown { id, num: num.parse().unwrap(), yanked: Some(*yanked) })
            .collect();
        default_version(&shown).map(|one| one.num.to_string())
    }

    #[test]
    fn a_crate_is_described_by_its_highest_usable_version() {
        let of = |versions: &[(&str, bool)]| default(versions).unwrap();
        assert_eq!(of(&[("1.9.0", false), ("1.10.0", false), ("1.2.0", false)]), "1.10.0");
        assert_eq!(of(&[("1.0.0", false), ("2.0.0-rc.1", false)]), "1.0.0");
        assert_eq!(of(&[("1.0.0", true), ("2.0.0-rc.1", false)]), "2.0.0-rc.1");
        assert_eq!(of(&[("1.0.0", true), ("2.0.0-rc.1", true)]), "1.0.0");
        assert_eq!(default(&[]), None);
    }
}
