//! The schema goes up, down and up again, with rows in it.

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::MigrationHarness;
use supercargo::database::catalog::descriptions;
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
fn a_database_that_is_newer_than_the_program_is_refused_where_it_says_so() {
    let database = Database::fresh();
    let connection = &mut database.connect();
    check(connection).unwrap();
    connection.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')").unwrap();
    migrate(connection).unwrap();
    check(connection).unwrap();
    connection.batch_execute("UPDATE schema_compatibility SET oldest = '29990101000000'").unwrap();
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

/// What is told of every crate, but for when it changed.
fn told(connection: &mut PgConnection) -> Vec<Line> {
    diesel::sql_query(
        "SELECT (to_jsonb(crates) - 'updated_at')::text || to_jsonb(crate_search)::text || to_jsonb(crate_downloads)::text AS line
         FROM crates JOIN crate_search ON crate_id = crates.id JOIN crate_downloads USING (crate_id) ORDER BY crates.id",
    )
    .load(connection)
    .unwrap()
}

#[test]
fn what_the_migration_fills_in_is_what_the_job_would_have_written() {
    const NAME: &str = "2026-11-21-000005_catalog";
    let database = Database::empty();
    let connection = &mut database.connect();
    // Makes Diesel's own table.
    assert!(connection.applied_migrations().unwrap().is_empty());
    for migration in all().iter().take_while(|migration| migration.name().to_string() != NAME) {
        connection.run_migration(migration).unwrap();
    }
    let versions = |crate_id: i32, versions: &[(&str, bool)]| -> String {
        let row = |(num, yanked): &(&str, bool)| {
            format!(
                "({crate_id}, '{num}', split_part('{num}', '+', 1), sha256('x'), 1, '{{}}', 'published', {yanked}, 'c', now(),
                  '{{\"description\": \"Parses {num}\", \"keywords\": [\"Web\", \"http\", \"web\"], \"categories\": [\"x::y\"],
                    \"homepage\": \"https://{num}\", \"readme\": \"# Reads <b>all</b> of {num}\"}}')"
            )
        };
        let rows: Vec<String> = versions.iter().map(row).collect();
        format!(
            "INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, state, effective_yanked, commit_id,
                                   published_at, metadata) VALUES {};",
            rows.join(", ")
        )
    };
    let populate = [
        "INSERT INTO crates (id, name, max_version, version_count) VALUES (1, 'Many-Kinds', '2.0.0-rc.10', 5),
            (2, 'all_yanked', '1.0.0', 2), (3, 'early', '0.1.0-beta', 2);"
            .to_owned(),
        versions(
            1,
            &[("1.10.0", false), ("1.9.0", false), ("2.0.0-rc.9", false), ("2.0.0-rc.10", false), ("1.20.0", true)],
        ),
        versions(2, &[("1.0.0", true), ("0.9.0+b", true)]),
        versions(3, &[("0.1.0-alpha", false), ("0.1.0-beta", false)]),
    ];
    connection.batch_execute(&populate.concat()).unwrap();
    migrate(connection).unwrap();
    let filled_in = told(connection);
    assert_eq!(filled_in.len(), 3);
    descriptions::request(connection, &[1, 2, 3]).unwrap();
    assert_eq!(descriptions::describe_next(connection).unwrap().crates, 3);
    assert_eq!(told(connection), filled_in);
}

#[test]
fn tokens_made_before_they_had_makers_get_them_from_the_log_and_dates_and_deleted_versions_are_mended() {
    const NAME: &str = "2026-11-27-000012_authority";
    let database = Database::empty();
    let connection = &mut database.connect();
    // Makes Diesel's own table.
    assert!(connection.applied_migrations().unwrap().is_empty());
    for migration in all().iter().take_while(|migration| migration.name().to_string() != NAME) {
        connection.run_migration(migration).unwrap();
    }
    connection
        .batch_execute(
            "INSERT INTO users (id, login) VALUES (1, 'ann'), (2, 'bob');
             INSERT INTO api_tokens (id, user_id, name, token_sha256, expires_at) VALUES
                (1, 1, 'by an operator', sha256('1'), NULL), (2, 1, 'by the first', sha256('2'), '250000-01-01 00:00:00+00'),
                (3, 2, 'of another user', sha256('3'), now()), (4, 1, 'by the second', sha256('4'), NULL);
             INSERT INTO audit_log (action, actor, user_id, token_id, detail) VALUES
                ('token-create', 'root@host', NULL, NULL, '{\"token_id\": 1}'), ('token-create', 'ann', 1, 1, '{\"token_id\": 2}'),
                ('token-create', 'bob', 2, 1, '{\"token_id\": 3}'), ('token-create', 'ann', 1, 2, '{\"token_id\": 4}'),
                ('token-revoke', 'ann', 1, 2, '{\"token_id\": 1}'), ('token-create', 'ann', 1, 4, '{\"token_id\": \"x\"}');
             INSERT INTO crates (id, name) VALUES (1, 'foo');
             INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, metadata, manifest, state,
                                   deletion_wanted_at, deletion_reason)
             VALUES (1, '1.0.0', '1.0.0', sha256('x'), 1, '{\"name\":\"foo\"}', '{\"readme\": \"secret\"}', '{\"authors\": []}',
                     'deleted', now(), 'x'),
                    (1, '1.1.0', '1.1.0', sha256('y'), 1, '{\"name\":\"foo\"}', '{\"readme\": \"fine\"}', '{}', 'queued', NULL, NULL);",
        )
        .unwrap();
    migrate(connection).unwrap();
    let lines = |connection: &mut PgConnection, query: &str| -> Vec<String> {
        let lines: Vec<Line> = diesel::sql_query(query).load(connection).unwrap();
        lines.into_iter().map(|line| line.line).collect()
    };
    let tokens =
        "SELECT format('%s by %s', id, coalesce(created_by_token::text, '-')) AS line FROM api_tokens ORDER BY id";
    assert_eq!(lines(connection, tokens), ["1 by -", "2 by 1", "3 by -", "4 by 2"]);
    let end = "SELECT (expires_at AT TIME ZONE 'UTC')::text AS line FROM api_tokens WHERE id = 2";
    assert_eq!(lines(connection, end), ["9999-12-31 23:59:59"]);
    let versions = "SELECT num || metadata::text || manifest::text || index_line AS line FROM versions ORDER BY id";
    assert_eq!(
        lines(connection, versions),
        ["1.0.0{}{}{\"name\":\"foo\"}", "1.1.0{\"readme\": \"fine\"}{}{\"name\":\"foo\"}"]
    );
}
