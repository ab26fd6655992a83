//! What crate files say of versions: targets at once, lines of code soon after the publish, and both for older versions.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::MigrationHarness;
use serde_json::{Value, json};
use supercargo::crate_store::{CrateStore, S3Credentials, S3Settings};
use supercargo::database::migrations::{MIGRATIONS, migrate};
use supercargo::jobs::analysis;

use crate::support::cluster::Database;
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

fn package(version: &str) -> Package {
    Package::new("foo", version)
        .file("src/main.rs", b"fn main() {\n    // Nothing.\n}\n")
        .file("src/bin/tool/main.rs", b"fn main() {}\n")
        .file("src/help.py", b"# Helps.\nprint('#')\n")
        .file("tests/all.rs", b"fn all() {}\n")
}

fn published() -> TestRegistry {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&package("1.0.0")).good();
    registry.run_jobs();
    registry
}

fn shown(registry: &TestRegistry, version: &str) -> Value {
    registry.anonymous().get(&format!("/api/v1/crates/foo/{version}")).good().json()["version"].take()
}

fn targets(version: &Value) -> [&Value; 3] {
    ["edition", "has_lib", "bin_names"].map(|field| &version[field])
}

fn execute(registry: &TestRegistry, statements: &str) {
    registry.pool.with(|connection| connection.batch_execute(statements).unwrap()).unwrap();
}

fn pending(registry: &TestRegistry) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    let counting = "SELECT count(*) AS count FROM pending_analyses";
    let count = |connection: &mut PgConnection| diesel::sql_query(counting).get_result::<Count>(connection).unwrap();
    registry.pool.with(count).unwrap().count
}

fn lines() -> Value {
    json!({
        "languages": {
            "Python": { "code_lines": 1, "comment_lines": 1, "files": 1 },
            "Rust": { "code_lines": 3, "comment_lines": 1, "files": 3 },
        },
        "total_code_lines": 4,
        "total_comment_lines": 2,
    })
}

#[test]
fn a_version_has_its_targets_at_once_and_its_lines_when_it_was_analysed() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&package("1.0.0")).good();
    let queued = shown(&registry, "1.0.0");
    assert_eq!(targets(&queued), [&json!("2021"), &json!(true), &json!(["tool", "foo"])]);
    assert_eq!(queued["linecounts"], Value::Null);
    registry.run_jobs();
    assert_eq!((registry.analyse(), registry.analyse()), (1, 0));
    let analysed = shown(&registry, "1.0.0");
    assert_eq!((targets(&analysed), &analysed["linecounts"]), (targets(&queued), &lines()));
    for list in ["foo", "foo/versions", "foo/downloads?include=versions"] {
        let version = registry.anonymous().get(&format!("/api/v1/crates/{list}")).good().json()["versions"][0].take();
        assert_eq!((&version["linecounts"], targets(&version)), (&lines(), targets(&queued)), "{list}");
    }
}

/// What the program before the analysis left: no targets in the manifest, and nothing pending.
const AS_BEFORE: &str =
    "UPDATE versions SET manifest = manifest - 'edition' - 'has_lib' - 'bin_names', linecounts = NULL;
    DELETE FROM pending_analyses;
    UPDATE analysis_progress SET versions_below = (SELECT max(id) + 1 FROM versions)";

#[test]
fn older_versions_are_analysed_once() {
    let registry = published();
    for minor in 1..4 {
        registry.user("ann").publish(&package(&format!("1.{minor}.0"))).good();
    }
    registry.run_jobs();
    execute(&registry, AS_BEFORE);
    let before = shown(&registry, "1.0.0");
    assert_eq!((targets(&before), &before["linecounts"]), ([&Value::Null; 3], &Value::Null));
    assert_eq!((registry.analyse(), registry.analyse()), (4, 0));
    for minor in 0..4 {
        let after = shown(&registry, &format!("1.{minor}.0"));
        assert_eq!(targets(&after), [&json!("2021"), &json!(true), &json!(["tool", "foo"])]);
        assert_eq!((&after["linecounts"], &after["description"]), (&lines(), &json!("A crate")));
    }
}

#[test]
fn an_analysis_that_is_stopped_goes_on_where_it_was() {
    let registry = published();
    registry.user("ann").publish(&package("1.1.0")).good();
    registry.run_jobs();
    let store = CrateStore::attach(&registry.directory.path().join("crates")).unwrap();
    let rounds = std::cell::Cell::new(0);
    let after_one = || rounds.replace(rounds.get() + 1) == 1;
    let run = |connection: &mut PgConnection| analysis::run(connection, &store, &after_one).unwrap();
    assert_eq!(registry.pool.with(run).unwrap(), 1);
    // The newest first.
    assert_eq!(
        (&shown(&registry, "1.1.0")["linecounts"], &shown(&registry, "1.0.0")["linecounts"]),
        (&lines(), &Value::Null)
    );
    assert_eq!((registry.analyse(), pending(&registry)), (1, 0));
}

#[test]
fn a_version_that_an_older_program_or_a_repair_inserts_is_analysed() {
    let registry = published();
    registry.analyse();
    execute(
        &registry,
        "INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, metadata)
         SELECT crate_id, '1.0.1', '1.0.1', checksum, size, index_line, metadata FROM versions",
    );
    assert_eq!(pending(&registry), 1);
    // The file is that of another version, so it has no manifest at the expected place.
    assert_eq!((registry.analyse(), pending(&registry)), (1, 0));
    assert_eq!(shown(&registry, "1.0.1")["linecounts"], Value::Null);
}

#[test]
fn a_file_that_is_missing_or_damaged_or_of_a_deleted_version_stops_nothing() {
    let registry = published();
    for version in ["1.1.0", "1.2.0"] {
        registry.user("ann").publish(&package(version)).good();
    }
    registry.run_jobs();
    let place = |version: &str| {
        let name = supercargo::package::Checksum::of(&package(version).crate_file()).to_string();
        registry.directory.path().join("crates").join(&name[..2]).join(format!("{name}.crate"))
    };
    std::fs::remove_file(place("1.2.0")).unwrap();
    std::fs::write(place("1.1.0"), b"no archive").unwrap();
    execute(&registry, "UPDATE versions SET state = 'deleted', effective_yanked = NULL, deletion_requested_at = now(), deletion_reason = 'x'
         WHERE num = '1.0.0'");
    assert_eq!((registry.analyse(), pending(&registry)), (3, 0));
    for version in ["1.1.0", "1.2.0"] {
        assert_eq!(shown(&registry, version)["linecounts"], Value::Null, "{version}");
    }
}

#[test]
fn versions_stay_pending_while_the_crate_store_is_away() {
    let registry = published();
    // Nobody listens at this port, since it is bound and not listening.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let away = CrateStore::s3(&S3Settings {
        bucket: "crates".to_owned(),
        prefix: String::new(),
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        region: "us-east-1".to_owned(),
        virtual_hosted: false,
        allow_http: true,
        limit: Duration::from_millis(200),
        credentials: S3Credentials {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: None,
        },
    })
    .unwrap();
    let run = |connection: &mut PgConnection| analysis::run(connection, &away, &|| false).unwrap_err();
    let error = registry.pool.with(run).unwrap();
    assert!(matches!(error, analysis::AnalysisError::CrateStore(_)), "{error}");
    assert_eq!(pending(&registry), 1);
    assert_eq!((registry.analyse(), &shown(&registry, "1.0.0")["linecounts"]), (1, &lines()));
}

#[test]
fn users_who_published_and_yanked_a_version_are_shown_with_it() {
    let registry = published();
    let root = registry.admin("root");
    let ann = registry.user("ann");
    ann.publish(&package("1.1.0")).good();
    ann.yank("foo", "1.0.0").good();
    root.unyank("foo", "1.0.0").good();
    ann.yank("foo", "1.0.0").good();
    registry.user("bob").publish(&Package::new("foo2", "1.0.0")).good();
    registry.run_jobs();
    let actions = |version: &Value| -> Vec<String> {
        let all = version["audit_actions"].as_array().unwrap().iter();
        all.map(|one| {
            assert!(one["time"].as_str().unwrap().ends_with('Z') && one["user"]["id"].is_u64(), "{one}");
            format!("{} {}", one["user"]["login"].as_str().unwrap(), one["action"].as_str().unwrap())
        })
        .collect()
    };
    let of_first = ["ann publish", "ann yank", "root unyank", "ann yank"];
    assert_eq!(actions(&shown(&registry, "1.0.0")), of_first);
    let listed = registry.anonymous().get("/api/v1/crates/FOO/versions").good().json();
    assert_eq!(
        (actions(&listed["versions"][0]), actions(&listed["versions"][1])),
        (vec!["ann publish".into()], of_first.map(String::from).to_vec())
    );
    // Of many, the last ones.
    execute(
        &registry,
        "INSERT INTO audit_log (action, actor, user_id, crate_name, version)
         SELECT 'yank', login, id, 'foo', '1.0.0' FROM users, generate_series(1, 150) WHERE login = 'bob';
         INSERT INTO audit_log (action, actor, crate_name, version) VALUES ('unyank', 'root@host', 'foo', '1.0.0')",
    );
    assert_eq!(actions(&shown(&registry, "1.0.0")), vec!["bob yank"; 100]);
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

#[test]
fn the_migration_leaves_older_versions_to_the_analysis_and_notes_their_categories() {
    const NAME: &str = "2026-11-27-000014_analyses";
    let database = Database::empty();
    let connection = &mut database.connect();
    // Makes Diesel's own table.
    assert!(connection.applied_migrations().unwrap().is_empty());
    let mut all: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations().unwrap();
    all.sort_by_key(|migration| migration.name().to_string());
    for migration in all.iter().take_while(|migration| migration.name().to_string() != NAME) {
        connection.run_migration(migration).unwrap();
    }
    connection
        .batch_execute(
            "INSERT INTO crates (id, name, categories) VALUES (1, 'foo', '{a::b,c}'), (2, 'bar', '{c}'), (3, 'baz', '{}');
             INSERT INTO versions (id, crate_id, num, num_without_build, checksum, size, index_line, metadata)
             VALUES (7, 1, '1.0.0', '1.0.0', sha256('x'), 1, '{}', '{}'), (9, 2, '1.0.0', '1.0.0', sha256('y'), 1, '{}', '{}');",
        )
        .unwrap();
    migrate(connection).unwrap();
    let lines = |connection: &mut PgConnection, query: &str| -> Vec<String> {
        let lines: Vec<Line> = diesel::sql_query(query).load(connection).unwrap();
        lines.into_iter().map(|line| line.line).collect()
    };
    let progress = "SELECT versions_below::text AS line FROM analysis_progress";
    let pending = "SELECT version_id::text AS line FROM pending_analyses ORDER BY version_id";
    assert_eq!((lines(connection, progress), lines(connection, pending)), (vec!["10".to_owned()], vec![]));
    assert_eq!(lines(connection, "SELECT slug AS line FROM crate_categories ORDER BY 1"), ["a::b", "c"]);
    use supercargo::database::catalog::analyses::add_older;
    assert!(add_older(connection).unwrap());
    assert_eq!(
        (lines(connection, progress), lines(connection, pending)),
        (vec!["7".to_owned()], vec!["7".into(), "9".into()])
    );
    assert!(!add_older(connection).unwrap());
    assert_eq!(lines(connection, progress), ["0"]);
    assert!(!add_older(connection).unwrap());
}

mod slow {
    use crate::support::event::wait_for;
    use crate::support::http;
    use crate::support::process::Served;

    use super::*;

    #[test]
    fn a_served_registry_analyses_what_is_published() {
        let served = Served::start(&[]);
        http::publish(&served.url, &served.token("ann"), &package("1.0.0")).good();
        let version = format!("{}/api/v1/crates/foo/1.0.0", served.url);
        let counted = wait_for("lines of code", || {
            let lines = http::get(&version).good().json()["version"]["linecounts"].take();
            (!lines.is_null()).then_some(lines)
        });
        assert_eq!(counted, lines());
    }
}
