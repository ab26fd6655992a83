//! Two versions of the program on one database, while one replaces the other.

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;

use diesel_migrations::MigrationHarness;
use serde_json::json;
use supercargo::crate_store::CrateStore;
use supercargo::database::migrations::MIGRATIONS;
use supercargo::package::Checksum;

use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, failed};

/// The last migration of the version before programs could tell what they can work with.
const PREVIOUS: &str = "20261121000005";

/// What a newer program would do: a column more in every table, a table more, and its migration noted.
const ADDED: &str = "
    DO $$ DECLARE one text; BEGIN
        FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '\\_\\_diesel%' LOOP
            EXECUTE format('ALTER TABLE %I ADD COLUMN added_later integer NOT NULL DEFAULT 7', one);
        END LOOP;
    END $$;
    CREATE TABLE added_later (id integer PRIMARY KEY);
    INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000');";

/// A version that was accepted, and its job, by the statements of that time.
fn as_the_previous_program_wrote(checksum: &str) -> String {
    format!(
        r#"INSERT INTO users (id, login) VALUES (1000, 'ann');
        INSERT INTO crates (id, name) VALUES (1000, 'early');
        INSERT INTO crate_owners (crate_id, user_id) VALUES (1000, 1000);
        INSERT INTO versions (id, crate_id, num, num_without_build, checksum, size, index_line, metadata, manifest, created_by)
        VALUES (1000, 1000, '1.0.0', '1.0.0', '\x{checksum}', 1,
            '{{"name":"early","vers":"1.0.0","deps":[],"cksum":"{checksum}","features":{{}},"yanked":false}}', '{{}}',
            '{{"name":"early"}}', 1000);
        INSERT INTO jobs (queue, kind, key, payload, requested_by)
        VALUES ('index', 'publish_version', 'early',
            '{{"crate_id": 1000, "version_id": 1000, "name": "early", "num": "1.0.0"}}', 'ann');"#
    )
}

#[test]
fn a_migration_that_takes_something_away_says_which_programs_it_leaves_behind() {
    let takes_away = ["DROP TABLE", "DROP COLUMN", "RENAME", "SET NOT NULL", " TYPE ", "DROP CONSTRAINT"];
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut looked_at = 0;
    for migration in std::fs::read_dir(directory).unwrap() {
        let path = migration.unwrap().path().join("up.sql");
        let name = path.to_string_lossy().into_owned();
        let (_, version) = name.rsplit_once("2026-11-21-").unwrap_or(("", &name));
        if version < "000006" {
            // Older than the table that would say so.
            continue;
        }
        looked_at += 1;
        let sql = std::fs::read_to_string(&path).unwrap();
        let takes = takes_away.iter().find(|words| sql.to_uppercase().contains(*words));
        assert!(
            takes.is_none() || sql.contains("UPDATE schema_compatibility"),
            "{name}: {takes:?} breaks programs that know nothing of it: raise schema_compatibility.oldest"
        );
    }
    assert!(looked_at > 0);
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn a_newer_program_may_add_to_the_database_while_this_one_works_on() {
        let mut served = Served::start(&["--no-worker"]);
        served.start_worker();
        let token = served.token("ann");
        let publish = |served: &Served, num: &str| {
            assert_eq!(
                http::publish(&served.url, &token, &Package::new("steady", num)).good().advice(),
                Vec::<String>::new()
            );
        };
        publish(&served, "1.0.0");
        // ADDED locks many tables in one transaction: what runs in the background would lock them in another order.
        served.wait_until_described();
        served.wait_until_analysed();
        served.database.connect().batch_execute(ADDED).unwrap();
        publish(&served, "1.1.0");
        http::delete_as(&format!("{}/api/v1/crates/steady/1.0.0/yank", served.url), &token).good();
        // The old program is started once more, because its machine was.
        served.kill();
        served.start_again();
        served.start_worker();
        publish(&served, "1.2.0");
        served.token("ben");
        let owners = json!({ "users": ["ben"] });
        http::put_json_as(&format!("{}/api/v1/crates/steady/owners", served.url), &token, &owners).good();
        let lines = http::index_lines(&served.url, "st/ea/steady");
        let shown: Vec<_> = lines.iter().map(|line| (line["vers"].as_str().unwrap(), line["yanked"] == true)).collect();
        assert_eq!(shown, [("1.0.0", true), ("1.1.0", false), ("1.2.0", false)]);
        // Until a migration takes away what this program needs.
        served.database.connect().batch_execute("UPDATE schema_compatibility SET oldest = '29990101000000'").unwrap();
        let said = failed(served.command("worker").output().unwrap(), 1);
        insta::assert_snapshot!(said, @"supercargo: the database has the migration 29990101000000, which is incompatible with this version of supercargo: start the version that applied it, or a later one");
    }

    #[test]
    fn the_previous_schema_is_brought_up_to_date_with_the_work_that_was_owed() {
        let mut served = Served::stopped();
        let connection = &mut served.database.connect();
        let mut migrations: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations().unwrap();
        migrations.sort_by_key(|migration| migration.name().to_string());
        for migration in migrations.iter().rev().take_while(|one| one.name().version().to_string().as_str() > PREVIOUS)
        {
            connection.revert_migration(migration).unwrap();
        }
        let package = Package::new("early", "1.0.0");
        let file = package.crate_file();
        let checksum = Checksum::of(&file);
        CrateStore::local(&served.data_dir().join("crates")).unwrap().put(checksum, file.into()).unwrap();
        connection.batch_execute(&as_the_previous_program_wrote(&checksum.to_string())).unwrap();
        let said = failed(served.command("worker").output().unwrap(), 1);
        assert!(said.contains("run `supercargo migrate` first"), "{said}");
        served.start_again();
        let shown = || http::index_lines(&served.url, "ea/rl/early").len() == 1;
        wait_until("the version that was queued", shown);
        let file = http::get(&format!("{}/api/v1/crates/early/1.0.0/download", served.url)).good().body;
        assert_eq!(Checksum::of(&file), checksum);
    }
}
