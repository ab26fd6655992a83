//! The schema, brought up to date by the program itself.

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

/// Every migration, in order. Each goes down as well as up.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Programs that start together take turns.
const MIGRATION_LOCK: i64 = 0x7375_7065_7264;

/// Why the schema is not as this program needs it.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    #[error(
        "the database is newer than this program: it has the migration {newest}, which this version of supercargo does \
         not know and can't work with. Start the version that made it, or a later one"
    )]
    Newer { newest: String },
    #[error("the database is not up to date ({missing} migrations are missing): run `supercargo migrate` first")]
    Older { missing: usize },
    #[error(
        "the database needs PostgreSQL's extension pg_trgm, which can't be created there: {0}. Install the server's contrib \
         package (on Debian it is part of the server) and let the database's user create objects in it, or create the \
         extension as a superuser"
    )]
    Extension(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the database could not be brought up to date: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

/// Applies what is missing and answers the names of what was applied.
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

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> MigrationError {
    if error.to_string().contains("pg_trgm") { MigrationError::Extension(error) } else { MigrationError::Failed(error) }
}

/// Checks that nothing is missing, without changing anything.
pub fn check(connection: &mut PgConnection) -> Result<(), MigrationError> {
    refuse_newer(connection)?;
    match connection.pending_migrations(MIGRATIONS).map_err(MigrationError::Failed)?.len() {
        0 => Ok(()),
        missing => Err(MigrationError::Older { missing }),
    }
}

/// Whether this program has a migration of this version.
pub fn knows(version: &str) -> Result<bool, MigrationError> {
    use diesel::migration::{Migration, MigrationSource};
    let known: Vec<Box<dyn Migration<diesel::pg::Pg>>> = MIGRATIONS.migrations().map_err(MigrationError::Failed)?;
    Ok(known.iter().any(|one| one.name().version().to_string() == version))
}

/// A newer program may have migrated the database already, while this one is still in use beside it or is started once
/// more. That is good as long as what was added leaves what this one knows as it is, which the database says of itself.
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
    tracing::info!(%newest, "a newer version of supercargo has added to the database; this one works with it");
    Ok(())
}

fn lock(connection: &mut PgConnection, statement: &str) -> QueryResult<usize> {
    diesel::sql_query(statement).bind::<BigInt, _>(MIGRATION_LOCK).execute(connection)
}
