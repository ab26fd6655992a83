//! Limits of single crates, which override the registry's limits. They belong to the name, so that they can be set before
//! the first publish.

use diesel::prelude::*;

use crate::database::schema::{crate_limits, crates};
use crate::package::{CrateName, Limits};

/// The limits of a crate; None keeps the registry's limit. Sizes are in bytes.
#[derive(Queryable, Selectable, AsChangeset, Insertable, Clone, Debug, Default, PartialEq, Eq)]
#[diesel(table_name = crate_limits, treat_none_as_null = true)]
pub struct CrateLimits {
    pub max_crate_size: Option<i64>,
    pub max_unpacked_size: Option<i64>,
    pub max_features: Option<i32>,
    pub max_dependencies: Option<i32>,
}

/// The limits of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedLimits {
    /// The name of the crate, or the canonical name if there is no crate yet.
    pub name: String,
    /// Whether there is a crate of this name.
    pub exists: bool,
    pub limits: CrateLimits,
}

impl CrateLimits {
    /// The limits of a publish of this crate: these, and the registry's where there are none.
    pub fn over(&self, registry: &Limits) -> Limits {
        let number = |own: Option<i64>, registry: u64| own.and_then(|own| u64::try_from(own).ok()).unwrap_or(registry);
        let count =
            |own: Option<i64>, registry: usize| own.and_then(|own| usize::try_from(own).ok()).unwrap_or(registry);
        Limits {
            max_crate: count(self.max_crate_size, registry.max_crate),
            max_unpacked: number(self.max_unpacked_size, registry.max_unpacked),
            max_features: count(self.max_features.map(i64::from), registry.max_features),
            max_dependencies: count(self.max_dependencies.map(i64::from), registry.max_dependencies),
            ..registry.clone()
        }
    }
}

/// The limits of a name, in any spelling. All are None if it has none.
pub fn of(connection: &mut PgConnection, name: &CrateName) -> QueryResult<CrateLimits> {
    let found = crate_limits::table.find(name.canonical()).select(CrateLimits::as_select()).first(connection);
    found.optional().map(Option::unwrap_or_default)
}

/// The limits of a name, whose row is locked until the transaction ends.
pub fn lock(connection: &mut PgConnection, name: &CrateName) -> QueryResult<CrateLimits> {
    diesel::insert_into(crate_limits::table)
        .values(crate_limits::canonical_name.eq(name.canonical()))
        .on_conflict_do_nothing()
        .execute(connection)?;
    crate_limits::table.find(name.canonical()).select(CrateLimits::as_select()).for_update().first(connection)
}

/// Replaces the limits of a name that [`lock`] has locked. A name without limits has no row.
pub fn set(connection: &mut PgConnection, name: &CrateName, limits: &CrateLimits) -> QueryResult<()> {
    let row = crate_limits::table.find(name.canonical());
    let changed = if *limits == CrateLimits::default() {
        diesel::delete(row).execute(connection)
    } else {
        diesel::update(row).set(limits).execute(connection)
    };
    changed.map(drop)
}

/// All names with limits, by name.
pub fn list(connection: &mut PgConnection) -> QueryResult<Vec<NamedLimits>> {
    let rows: Vec<(String, Option<CrateName>, CrateLimits)> = crate_limits::table
        .left_join(crates::table.on(crates::canonical_name.eq(crate_limits::canonical_name)))
        .select((crate_limits::canonical_name, crates::name.nullable(), CrateLimits::as_select()))
        .order(crate_limits::canonical_name)
        .load(connection)?;
    let named = rows.into_iter().map(|(canonical, krate, limits)| NamedLimits {
        exists: krate.is_some(),
        name: krate.map_or(canonical, |name| name.to_string()),
        limits,
    });
    Ok(named.collect())
}

/// The largest limit of crate files that a crate has; None if no crate has such a limit.
pub fn largest_crate_size(connection: &mut PgConnection) -> QueryResult<Option<i64>> {
    crate_limits::table.select(diesel::dsl::max(crate_limits::max_crate_size)).first(connection)
}
