//! The schema goes up, down and up again, with rows in it.

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::MigrationHarness;
use supercargo::database::migrations::{MIGRATIONS, MigrationError, check, migrate};

use crate::support::cluster::Database;

fn all() -> Vec<Box<dyn Migration<Pg>>> {
    let mut all: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations().unwrap();
    all.sort_by_key(|migration| migration.name().to_string());
    all
}

#[derive(QueryableByName, PartialEq, Debug)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// Every column, index and constraint, as text.
fn schema(connection: &mut PgConnection) -> Vec<Line> {
    diesel::sql_query(
        "SELECT format('%s.%s %s null=%s default=%s', table_name, column_name, data_type, is_nullable, column_default) AS line
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_diesel%'
         UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE '\\_\\_diesel%'
         UNION ALL SELECT format('%s %s', conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE '\\_\\_diesel%'
         ORDER BY 1",
    )
    .load(connection)
    .unwrap()
}

/// Rows as they may stand after a migration, for the next one to meet.
fn sample(migration: &dyn Migration<Pg>) -> String {
    let path = format!("{}/tests/registry/migration_samples/{}.sql", env!("CARGO_MANIFEST_DIR"), migration.name());
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: every migration needs sample rows: {error}"))
}

#[test]
fn every_migration_goes_up_down_and_up_again_with_rows_in_the_tables() {
    let database = Database::empty();
    let connection = &mut database.connect();
    // Makes Diesel's own table.
    assert!(connection.applied_migrations().unwrap().is_empty());
    let mut before = vec![schema(connection)];
    for migration in all() {
        connection.run_migration(&*migration).unwrap();
        connection.batch_execute(&sample(&*migration)).unwrap();
        before.push(schema(connection));
    }
    let full = before.pop().unwrap();
    for migration in all().iter().rev() {
        connection.revert_migration(migration).unwrap();
        assert_eq!(schema(connection), before.pop().unwrap(), "after the way down of {}", migration.name());
    }
    for migration in all() {
        connection.run_migration(&*migration).unwrap();
    }
    assert_eq!(schema(connection), full);
}

#[test]
fn every_file_of_sample_rows_is_of_a_migration() {
    let names: Vec<String> = all().iter().map(|migration| format!("{}.sql", migration.name())).collect();
    let samples = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/registry/migration_samples")).unwrap();
    for sample in samples {
        let name = sample.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&name), "{name} is of no migration");
    }
}

#[test]
fn a_database_that_is_newer_than_the_program_is_refused() {
    let database = Database::fresh();
    let connection = &mut database.connect();
    check(connection).unwrap();
    connection.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')").unwrap();
    for refused in [migrate(connection).unwrap_err(), check(connection).unwrap_err()] {
        assert!(matches!(&refused, MigrationError::Newer { newest } if newest == "29990101000000"), "{refused}");
    }
}

#[test]
fn a_database_that_is_older_is_brought_up_to_date_by_one_of_two_that_try_at_once() {
    let database = Database::empty();
    assert!(
        matches!(check(&mut database.connect()).unwrap_err(), MigrationError::Older { missing } if missing == all().len())
    );
    let applied: usize = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| migrate(&mut database.connect()).unwrap().len()));
        both.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(applied, all().len());
    check(&mut database.connect()).unwrap();
}
