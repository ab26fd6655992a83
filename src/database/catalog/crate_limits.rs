//! Limits of single crates, which override the registry's limits.

use diesel::prelude::*;

use crate::database::schema::crates;
use crate::package::Limits;

/// The limits of a crate; None keeps the registry's limit. Sizes are in bytes.
#[derive(Queryable, Selectable, AsChangeset, Clone, Debug, Default, PartialEq, Eq)]
#[diesel(table_name = crates, treat_none_as_null = true)]
pub struct CrateLimits {
    pub max_crate_size: Option<i64>,
    pub max_unpacked_size: Option<i64>,
    pub max_features: Option<i32>,
    pub max_dependencies: Option<i32>,
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

/// Replaces the limits of a crate.
pub fn set(connection: &mut PgConnection, crate_id: i32, limits: &CrateLimits) -> QueryResult<usize> {
    diesel::update(crates::table.find(crate_id)).set(limits).execute(connection)
}

/// The largest limit of crate files that a crate has; None if no crate has such a limit.
pub fn largest_crate_size(connection: &mut PgConnection) -> QueryResult<Option<i64>> {
    crates::table.select(diesel::dsl::max(crates::max_crate_size)).first(connection)
}
