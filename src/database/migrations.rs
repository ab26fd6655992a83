//! The migrations of the schema, which are part of the program.

use std::collections::BTreeSet;

use diesel::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

diesel::table! {
    schema_compatibility (only_one) {
        only_one -> Bool,
        oldest -> Text,
    }
}

/// All migrations, in order. Each can be reverted.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// The number of the advisory lock by which programs that start together migrate one after the other.
const MIGRATION_LOCK: i64 = 0x7375_7065_7264;

/// Why the schema does not fit this program.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    #[error(
        "the database has the migration {newest}, which is incompatible with this version of supercargo: start the \
         version that applied it, or a later one"
    )]
    Newer { newest: String },
    #[error("the database lacks {missing} migrations: run `supercargo migrate` first")]
    Older { missing: usize },
    #[error(
        "the database needs PostgreSQL's extension pg_trgm, which cannot be created ({0}): install the server's \
         contrib package (on Debian it is part of the server) and grant the database's user the right to create \
         objects, or create the extension as a superuser"
    )]
    Extension(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("a migration of the database failed: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

/// Applies the missing migrations and returns their names.
pub fn migrate(connection: &mut PgConnection) -> Result<Vec<String>, MigrationError> {
    lock(connection, "SELECT pg_advisory_lock($1)")?;
    let applied = refuse_newer(connection).and_then(|()| {
        connection
            .run_pending_migrations(MIGRATIONS)
            .map(|versions| versions.iter().map(ToString::to_string).collect())
            .map_err(failed)
    });
    lock(connection, "SELECT pg_advisory_unlock($1)")?;
    applied
}

/// Applies these migrations to an empty database, and no others: it gets the schema that another one has.
pub fn apply(connection: &mut PgConnection, versions: &BTreeSet<String>) -> Result<(), MigrationError> {
    use diesel::migration::{Migration, MigrationSource};
    if versions.is_empty() {
        return Ok(());
    }
    let known: Vec<Box<dyn Migration<diesel::pg::Pg>>> = MIGRATIONS.migrations().map_err(MigrationError::Failed)?;
    let is_known = |version: &&String| known.iter().any(|one| one.name().version().to_string() == **version);
    if let Some(newest) = versions.iter().rev().find(|version| !is_known(version)) {
        return Err(MigrationError::Newer { newest: newest.clone() });
    }
    // This also creates the table of applied migrations.
    let applied = connection.applied_migrations().map_err(MigrationError::Failed)?;
    let is_missing = |one: &dyn Migration<diesel::pg::Pg>| {
        versions.contains(&one.name().version().to_string()) && !applied.contains(&one.name().version().as_owned())
    };
    for migration in known.iter().filter(|one| is_missing(one.as_ref())) {
        connection.run_migration(migration).map_err(failed)?;
    }
    Ok(())
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> MigrationError {
    if error.to_string().contains("pg_trgm") { MigrationError::Extension(error) } else { MigrationError::Failed(error) }
}

/// Checks that no migration is missing, without applying any.
pub fn check(connection: &mut PgConnection) -> Result<(), MigrationError> {
    refuse_newer(connection)?;
    match connection.pending_migrations(MIGRATIONS).map_err(MigrationError::Failed)?.len() {
        0 => Ok(()),
        missing => Err(MigrationError::Older { missing }),
    }
}

/// Whether this program has the migration with this version.
pub fn is_known(version: &str) -> Result<bool, MigrationError> {
    use diesel::migration::{Migration, MigrationSource};
    let known: Vec<Box<dyn Migration<diesel::pg::Pg>>> = MIGRATIONS.migrations().map_err(MigrationError::Failed)?;
    Ok(known.iter().any(|one| one.name().version().to_string() == version))
}

/// Rejects a database with incompatible migrations of a newer program. A newer program may have migrated the database
/// while this one still runs beside it, or is started again. That works as long as the newer migrations only add to the
/// schema of this program: the database stores the oldest migration that a program must have.
fn refuse_newer(connection: &mut PgConnection) -> Result<(), MigrationError> {
    use diesel::migration::{Migration, MigrationSource};
    let known: Vec<Box<dyn Migration<diesel::pg::Pg>>> = MIGRATIONS.migrations().map_err(MigrationError::Failed)?;
    let applied = connection.applied_migrations().map_err(MigrationError::Failed)?;
    // The newest comes first.
    let unknown = applied.into_iter().find(|version| known.iter().all(|one| one.name().version() != *version));
    let Some(newest) = unknown else { return Ok(()) };
    let newest_known = known.iter().map(|one| one.name().version().to_string()).max().unwrap_or_default();
    let oldest: String = schema_compatibility::table.select(schema_compatibility::oldest).first(connection)?;
    if newest_known < oldest {
        return Err(MigrationError::Newer { newest: newest.to_string() });
    }
    tracing::info!(%newest, "a newer, compatible version of supercargo has migrated the database");
    Ok(())
}

fn lock(connection: &mut PgConnection, statement: &str) -> QueryResult<usize> {
    diesel::sql_query(statement).bind::<BigInt, _>(MIGRATION_LOCK).execute(connection)
}
