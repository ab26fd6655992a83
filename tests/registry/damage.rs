//! Each kind of damage is found as that kind and no other, repaired, and then gone or reported as remaining.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::Method;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use supercargo::crate_store::CrateStore;
use supercargo::database::access::audit::Actor;
use supercargo::database::catalog::owners::Owner;
use supercargo::index::{Change, ConfigJson};
use supercargo::package::Checksum;
use supercargo::verify::{Kind, Repairs, Report, Settings, Verifier};

use crate::support::harness::TestRegistry;
use crate::support::package::Package;

/// A registry to damage: `foo` with three versions, of which 1.1.0 is yanked and 0.9.0 deleted, and `bar`.
struct World {
    registry: TestRegistry,
    crate_store: CrateStore,
    /// A pack of an older state of the index, which the current one does not need.
    old_pack: PathBuf,
}

impl World {
    fn new() -> Self {
        let registry = TestRegistry::new();
        let config = ConfigJson { dl: "http://x/dl".to_owned(), api: "http://x".to_owned(), auth_required: false };
        write(&registry, config.change(None));
        let packs = || -> BTreeSet<PathBuf> {
            let entries = std::fs::read_dir(registry.index.path().join("objects/pack")).unwrap();
            entries
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension() == Some("pack".as_ref()))
                .collect()
        };
        let before = packs();
        let ann = registry.user("ann");
        ann.publish(&Package::new("foo", "0.9.0")).good();
        registry.run_jobs();
        let old_pack = packs().difference(&before).next().unwrap().clone();
        for (name, version) in [("foo", "1.0.0"), ("bar", "1.0.0"), ("foo", "1.1.0")] {
            let rest =
                "[dependencies]\nserde = { version = \"1\", optional = true }\n[features]\nx = [\"dep:serde\"]\n";
            ann.publish_body(package(name, version, rest)).good();
        }
        registry.run_jobs();
        ann.yank("foo", "1.1.0").good();
        let root = registry.admin("root");
        let path = "/api/v1/crates/foo/0.9.0?reason=leaked";
        root.request(axum::http::Method::DELETE, path, "").good();
        registry.run_jobs();
        let crate_store = CrateStore::attach(&registry.directory.path().join("crates")).unwrap();
        Self { registry, crate_store, old_pack }
    }

    fn sql(&self, statements: &str) {
        self.registry.pool.with(|connection| connection.batch_execute(statements).unwrap()).unwrap();
    }

    fn one_text(&self, query: &str) -> String {
        #[derive(QueryableByName)]
        struct One {
            #[diesel(sql_type = diesel::sql_types::Text)]
            one: String,
        }
        let query = diesel::sql_query(query);
        self.registry.pool.with(|connection| query.get_result::<One>(connection).unwrap().one).unwrap()
    }

    /// Rewrites a file of the index; an empty one is removed.
    fn index(&self, path: &str, change: impl FnOnce(String) -> String) {
        let content = change(self.registry.index_file(path));
        let content = (!content.is_empty()).then(|| content.into());
        write(&self.registry, Change { path: path.to_owned(), content, message: "Damage".to_owned() });
    }

    fn checksum(&self, name: &str, version: &str) -> Checksum {
        let query = format!(
            "SELECT encode(checksum, 'hex') AS one FROM versions JOIN crates ON crates.id = crate_id
             WHERE name = '{name}' AND num = '{version}'"
        );
        self.one_text(&query).parse().unwrap()
    }

    fn file(&self, name: &str, version: &str) -> PathBuf {
        self.path(&CrateStore::place(self.checksum(name, version)))
    }

    fn path(&self, path: &str) -> PathBuf {
        self.registry.directory.path().join("crates").join(path)
    }

    /// Deletes all pending jobs.
    fn forget_jobs(&self) {
        self.sql("DELETE FROM jobs");
    }

    fn verify(&self, orphan_age: Duration, repairs: Option<Repairs<'_>>) -> Report {
        self.verify_with(Settings { orphan_age, ..Settings::default() }, repairs)
    }

    fn verify_with(&self, settings: Settings, repairs: Option<Repairs<'_>>) -> Report {
        let settings = Settings { patience: Duration::ZERO, page: 2, ..settings };
        let verifier = Verifier {
            pool: &self.registry.pool,
            index: &self.registry.index,
            crate_store: &self.crate_store,
            settings,
            watch: &(),
            repairs,
        };
        let ended = verifier.run().unwrap();
        assert!(ended.report.complete && !ended.interrupted);
        ended.report
    }

    fn repair(&self, orphan_age: Duration, retry_dead: bool) -> Report {
        let perform = || {
            let failed = self.registry.drain().failed;
            if failed.is_empty() { Ok(()) } else { Err(format!("{failed:?}")) }
        };
        let owners = self.registry.pool.with(|connection| Owner::find(connection, "root").unwrap()).unwrap();
        let repairs = Repairs {
            mirror: None,
            owners: owners.into_iter().collect(),
            yanks_from_index: false,
            retry_dead,
            actor: Actor::operator("op@host".to_owned()),
            perform: &perform,
            grace: Duration::ZERO,
        };
        self.verify(orphan_age, Some(repairs))
    }
}

fn package(name: &str, version: &str, rest: &str) -> Vec<u8> {
    let deps = serde_json::json!([{ "name": "serde", "version_req": "^1", "features": [], "optional": true,
        "default_features": true, "target": null, "kind": "normal", "registry": "https://github.com/rust-lang/crates.io-index" }]);
    let package = Package::new(name, version).file("README.md", b"# Read me");
    let package = package.metadata("readme", "# Read me".into()).metadata("readme_file", "README.md".into());
    package.manifest(rest).metadata("deps", deps).metadata("features", serde_json::json!({ "x": ["dep:serde"] })).body()
}

fn write(registry: &TestRegistry, change: Change) {
    let writer = registry.index.lock_writer().unwrap();
    writer.commit(&registry.index.head().unwrap(), &[change]).unwrap();
}

fn kinds(report: &Report) -> Vec<&'static str> {
    report.by_kind.keys().map(|kind| kind.as_str()).collect()
}

/// A row of the table.
struct Damage {
    what: &'static str,
    make: fn(&World),
    found: &'static [Kind],
    /// What remains after the repair.
    left: &'static [Kind],
    retry_dead: bool,
}

const fn damage(what: &'static str, make: fn(&World), found: &'static [Kind], left: &'static [Kind]) -> Damage {
    Damage { what, make, found, left, retry_dead: false }
}

const FOO: &str = "3/f/foo";
const OF_FOO: &str = "crate_id = (SELECT id FROM crates WHERE name = 'foo')";

fn lose_version(world: &World) {
    world.sql(&format!("DELETE FROM versions WHERE {OF_FOO} AND num = '1.1.0'"));
}

fn lose_crate(world: &World) {
    world.sql(&format!(
        "DELETE FROM versions WHERE {OF_FOO}; DELETE FROM crate_owners WHERE {OF_FOO};
         DELETE FROM crate_downloads WHERE {OF_FOO}; DELETE FROM crates WHERE name = 'foo'"
    ));
}

fn kill_a_job(world: &World) {
    world.registry.user("ann").yank("foo", "1.0.0").good();
    bury_the_jobs(world);
}

fn bury_the_jobs(world: &World) {
    world.sql(
        "INSERT INTO dead_jobs (id, queue, kind, key, payload, priority, requested_by, created_at, attempts, claim_no, last_error)
         SELECT id, queue, kind, key, payload, priority, requested_by, created_at, 20, 20, 'it was in vain' FROM jobs;
         DELETE FROM jobs",
    );
}

/// Changes the line of foo 1.0.0 in the database and in the index, as if it had been published with it.
fn change_line(world: &World, from: &str, to: &str) {
    let line = world.one_text(&format!("SELECT index_line AS one FROM versions WHERE {OF_FOO} AND num = '1.0.0'"));
    let changed = line.replace(from, to);
    assert_ne!(changed, line);
    world.sql(&format!("UPDATE versions SET index_line = '{changed}' WHERE {OF_FOO} AND num = '1.0.0'"));
    world.index(FOO, |file| file.replace(&line, &changed));
    world.sql("UPDATE crates SET index_blob = NULL, index_bytes = NULL, index_last_id = NULL WHERE name = 'foo'");
}

fn swap_lines(file: String) -> String {
    file.lines().rev().map(|line| format!("{line}\n")).collect()
}

fn damages() -> Vec<Damage> {
    use Kind::*;
    let of_jobs = |kind: &'static [Kind]| (kind, &[] as &'static [Kind]);
    let (queued, _) = of_jobs(&[QueuedWithoutJob]);
    vec![
        damage("a crate's index file is gone", |world| world.index(FOO, |_| String::new()), &[MissingIndexFile], &[]),
        damage(
            "an index file is not JSON",
            |world| world.index(FOO, |file| file.replacen('{', "", 1)),
            &[UnreadableIndexFile],
            &[],
        ),
        damage("lines are in another order", |world| world.index(FOO, swap_lines), &[FileDiffers], &[]),
        damage(
            "a line is gone",
            |world| world.index(FOO, |file| file.lines().take(1).map(|line| format!("{line}\n")).collect()),
            &[MissingLine],
            &[],
        ),
        damage("a version's row is gone", lose_version, &[LineWithoutRow, DerivedDiffers], &[]),
        damage(
            "a version's row and file are gone",
            |world| {
                std::fs::remove_file(world.file("foo", "1.1.0")).unwrap();
                lose_version(world);
            },
            &[LineWithoutRow, DerivedDiffers],
            &[],
        ),
        damage(
            "a line has another checksum",
            |world| world.index(FOO, |file| file.replacen("\"cksum\":\"", "\"cksum\":\"0", 1)),
            &[LineDiffers],
            &[],
        ),
        damage(
            "a line has another yank state",
            |world| world.index(FOO, |file| file.replace("\"yanked\":true", "\"yanked\":false")),
            &[YankedDiffers],
            &[],
        ),
        damage(
            "a line is there twice",
            |world| world.index(FOO, |file| format!("{file}{}\n", file.lines().next().unwrap())),
            &[DuplicateLine],
            &[],
        ),
        damage(
            "the line of a deleted version is back",
            |world| {
                let line = world.one_text("SELECT index_line AS one FROM versions WHERE num = '0.9.0'");
                world.index(FOO, |file| format!("{line}\n{file}"));
            },
            &[DeletedLine],
            &[],
        ),
        damage("all rows of a crate are gone", lose_crate, &[UnknownCrate], &[]),
        damage(
            "all rows and files of a crate are gone",
            |world| {
                for version in ["1.0.0", "1.1.0"] {
                    std::fs::remove_file(world.file("foo", version)).unwrap();
                }
                lose_crate(world);
            },
            &[UnknownCrate],
            &[],
        ),
        damage(
            "an unexpected file is in the index",
            |world| world.index("docs/notes.txt", |_| "notes".to_owned()),
            &[UnexpectedFile],
            &[],
        ),
        damage(
            "the job of a publish is gone",
            |world| {
                world.registry.user("ann").publish(&Package::new("new", "1.0.0")).good();
                world.forget_jobs();
            },
            queued,
            &[],
        ),
        damage(
            "the job of a yank is gone",
            |world| {
                world.registry.user("ann").yank("foo", "1.0.0").good();
                world.forget_jobs();
            },
            &[YankWithoutJob],
            &[],
        ),
        damage(
            "the job of a deletion is gone",
            |world| {
                let path = "/api/v1/crates/foo/1.0.0?reason=x";
                world.registry.admin("root").request(axum::http::Method::DELETE, path, "").good();
                world.forget_jobs();
            },
            &[DeletionWithoutJob],
            &[],
        ),
        damage(
            "the database says yanked, the index does not",
            |world| world.sql("UPDATE versions SET effective_yanked = true WHERE num = '1.0.0'"),
            &[EffectiveDiffers, DerivedDiffers],
            &[],
        ),
        damage(
            "the database names another index file",
            |world| world.sql("UPDATE crates SET index_blob = repeat('a', 40) WHERE name = 'foo'"),
            &[NotedFileDiffers],
            &[],
        ),
        damage(
            "the database has another size of an index file",
            |world| world.sql("UPDATE crates SET index_bytes = index_bytes + 1 WHERE name = 'foo'"),
            &[NotedFileDiffers],
            &[],
        ),
        damage(
            "the database knows a newer version than the last one of an index file",
            |world| world.sql("UPDATE crates SET index_last_id = index_last_id - 1 WHERE name = 'foo'"),
            &[NotedFileDiffers],
            &[],
        ),
        damage(
            "the database names a commit that is not there",
            |world| world.sql("UPDATE versions SET commit_id = repeat('a', 40) WHERE num = '1.1.0'"),
            &[UnknownCommit],
            &[],
        ),
        damage(
            "a crate's highest version is wrong",
            |world| world.sql("UPDATE crates SET max_version = '9.9.9' WHERE name = 'foo'"),
            &[DerivedDiffers],
            &[],
        ),
        damage("a search cannot find a crate", |world| world.sql("DELETE FROM crate_search"), &[DerivedDiffers], &[]),
        // Beside the numbers, where a transaction adds to them that runs at the same time as another one.
        damage(
            "a number of the registry is wrong",
            |world| {
                world.sql(
                    "INSERT INTO registry_count_changes (kind, name, change)
                     VALUES ('crates', '', 5), ('downloads', '', -3), ('dependents', 'x', 1), ('keywords', '', 1)",
                );
            },
            &[CountDiffers],
            &[],
        ),
        damage(
            "a crate is a dependent of a crate that it does not depend on",
            |world| {
                world.sql("INSERT INTO crate_dependents (canonical_name, crate_id) SELECT 'x', id FROM crates WHERE name = 'foo'");
            },
            &[DerivedDiffers, CountDiffers],
            &[],
        ),
        damage(
            "a row contradicts itself",
            |world| world.sql("UPDATE versions SET index_line = '{}' WHERE num = '1.1.0'"),
            &[UnreadableRow],
            &[UnreadableRow],
        ),
        damage(
            "a line lacks a feature of the manifest",
            |world| change_line(world, "\"features2\":{\"x\":[\"dep:serde\"]},", "\"features2\":{},"),
            &[ManifestDiffers],
            &[],
        ),
        damage(
            "a line has an address in place of crates.io",
            |world| change_line(world, "https://github.com/rust-lang/crates.io-index", "https://x.example/index"),
            &[ManifestDiffers],
            &[],
        ),
        damage(
            "a line has its checksum in capitals",
            |world| {
                let checksum = world.checksum("foo", "1.0.0").to_string();
                change_line(world, &checksum, &checksum.to_uppercase());
            },
            &[ManifestDiffers],
            &[],
        ),
        damage("a job is dead", kill_a_job, &[DeadJob], &[DeadJob]),
        Damage { retry_dead: true, ..damage("a job is dead, and may be requeued", kill_a_job, &[DeadJob], &[]) },
        damage(
            "a crate file is gone",
            |world| std::fs::remove_file(world.file("foo", "1.0.0")).unwrap(),
            &[MissingCrateFile],
            &[MissingCrateFile],
        ),
        damage(
            "a crate file was moved away by mistake",
            |world| {
                drop(
                    world
                        .crate_store
                        .quarantine(&CrateStore::place(world.checksum("foo", "1.0.0")), chrono::Utc::now())
                        .unwrap(),
                )
            },
            &[MissingCrateFile],
            &[],
        ),
        damage(
            "the database has another size of a file",
            |world| world.sql("UPDATE versions SET size = size + 1 WHERE num = '1.1.0'"),
            &[SizeDiffers],
            &[],
        ),
        damage(
            "a crate file has another byte",
            |world| {
                let path = world.file("foo", "1.0.0");
                let mut content = std::fs::read(&path).unwrap();
                content[40] ^= 1;
                std::fs::write(path, content).unwrap();
            },
            &[DamagedCrateFile],
            &[MissingCrateFile],
        ),
        damage(
            "a crate file is cut short",
            |world| std::fs::write(world.file("foo", "1.0.0"), "x").unwrap(),
            &[DamagedCrateFile],
            &[MissingCrateFile],
        ),
        damage(
            "the file of a deleted version is back",
            |world| {
                world
                    .crate_store
                    .put(world.checksum("foo", "0.9.0"), Package::new("foo", "0.9.0").crate_file().into())
                    .unwrap()
            },
            &[DeletedCrateFile],
            &[],
        ),
        damage(
            "the store has a file that no version names",
            |world| world.crate_store.put(Checksum::of(b"x"), b"x"[..].into()).unwrap(),
            &[OrphanFile],
            &[],
        ),
        damage(
            "the store has a file with an unexpected name",
            |world| std::fs::write(world.path("ab/notes.txt"), "x").unwrap(),
            &[OrphanFile],
            &[],
        ),
        damage(
            "a part of a file was left",
            |world| std::fs::write(world.path(&format!("{}#1", CrateStore::place(Checksum::of(b"y")))), "y").unwrap(),
            &[StagedLeftover],
            &[],
        ),
        damage(
            "config.json is gone",
            |world| world.index("config.json", |_| String::new()),
            &[ConfigJson],
            &[ConfigJson],
        ),
        damage(
            "config.json is not valid",
            |world| world.index("config.json", |_| "{\"dl\": 1}".to_owned()),
            &[ConfigJson],
            &[ConfigJson],
        ),
        damage(
            "a pack of the index's history is gone",
            |world| std::fs::remove_file(&world.old_pack).unwrap(),
            &[BrokenRepository],
            &[BrokenRepository],
        ),
    ]
}

/// Makes a damage, verifies, repairs and verifies again. The result is a row of the table.
fn try_one(damage: &Damage) -> Result<String, String> {
    let world = World::new();
    // The files of lost rows would be orphans, too.
    let is_about_orphans = damage.found.iter().any(|kind| matches!(kind, Kind::OrphanFile | Kind::StagedLeftover));
    let age = if is_about_orphans { Duration::ZERO } else { Duration::from_secs(3600) };
    let clean = world.verify(Duration::ZERO, None);
    assert!(clean.agrees(), "{}", clean.to_text());
    (damage.make)(&world);
    let found = world.verify(age, None);
    let repaired = world.repair(age, damage.retry_dead);
    let after = world.verify(Duration::ZERO, None);
    let expected = |kinds: &[Kind]| kinds.iter().map(|kind| kind.as_str()).collect::<BTreeSet<_>>();
    let seen = |report: &Report| kinds(report).into_iter().collect::<BTreeSet<_>>();
    let reports = format!("{}\n{}{}{}", damage.what, found.to_text(), repaired.to_text(), after.to_text());
    // A test must not leave any.
    world.sql("DELETE FROM dead_jobs");
    if seen(&found) != expected(damage.found) || seen(&repaired) != expected(damage.found) {
        return Err(format!("found: {reports}"));
    }
    if seen(&after) != expected(damage.left) || repaired.agrees() != damage.left.is_empty() {
        return Err(format!("left: {reports}"));
    }
    if repaired.differences.iter().any(|one| one.repaired.is_some() == one.left.is_some()) {
        return Err(format!("not reported: {reports}"));
    }
    let outcome = if damage.left.is_empty() { "yes".to_owned() } else { format!("no: {}", kinds(&after).join(", ")) };
    Ok(format!("{:<46} {:<42} {outcome}", damage.what, kinds(&found).join(", ")))
}

#[test]
fn a_crate_that_was_lost_comes_back_with_all_that_can_be_known() {
    let world = World::new();
    let about = |path: &str| world.registry.user("ann").get(path).good().json();
    let paths = ["/api/v1/crates/foo/1.0.0", "/api/v1/crates/foo/1.0.0/dependencies", "/api/v1/crates/foo/owners"];
    world.registry.analyse();
    let mut before = paths.map(about);
    let readme = world.registry.anonymous().get("/api/v1/crates/foo/1.0.0/readme").good().text();
    lose_crate(&world);
    let report = world.repair(Duration::ZERO, false);
    assert!(report.agrees(), "{}", report.to_text());
    world.registry.analyse();
    let mut after = paths.map(about);
    for versions in [&mut before[0], &mut after[0]] {
        let version = &mut versions["version"];
        for field in ["id", "created_at", "updated_at", "published_at", "index_commit", "audit_actions"] {
            version[field] = serde_json::Value::Null;
        }
    }
    for dependencies in [&mut before[1], &mut after[1]] {
        for dependency in dependencies["dependencies"].as_array_mut().unwrap() {
            dependency["id"] = serde_json::Value::Null;
            dependency["version_id"] = serde_json::Value::Null;
        }
    }
    assert_eq!(after[0], before[0]);
    assert_eq!(after[1], before[1]);
    // The audit log has its owner, so the one that the repair names is not used.
    assert_eq!(after[2]["users"][0]["login"], "ann");
    assert_eq!(after[0]["version"]["published_by"]["login"], "ann");
    assert_eq!(world.registry.anonymous().get("/api/v1/crates/foo/1.0.0/readme").good().text(), readme);
    let logged = world.registry.admin("root").get("/api/v1/admin/audit?action=repair").good().json();
    assert_eq!(logged["entries"].as_array().map_or(0, Vec::len), 2, "{logged:#}");
}

#[test]
fn the_message_of_a_yank_comes_back_with_the_row_of_its_version() {
    let world = World::new();
    let ann = world.registry.user("ann");
    let body = r#"{"version":{"yanked":true,"yank_message":"it loses data"}}"#;
    ann.request(Method::PATCH, "/api/v1/crates/foo/1.1.0", body).good();
    world.registry.run_jobs();
    lose_version(&world);
    let report = world.repair(Duration::ZERO, false);
    assert!(report.agrees(), "{}", report.to_text());
    let version = ann.get("/api/v1/crates/foo/1.1.0").good().json()["version"].clone();
    assert_eq!((&version["yanked"], &version["yank_message"]), (&true.into(), &"it loses data".into()));
}

/// The lines of a deleted crate are back, with a file, and nothing but the audit log knows of the crate.
#[test]
fn a_deleted_crate_whose_rows_were_lost_stays_deleted() {
    let world = World::new();
    let (root, path) = (world.registry.admin("root"), world.file("foo", "1.0.0"));
    let (lines, file) = (world.registry.index_file(FOO), std::fs::read(&path).unwrap());
    let answer = root.request(Method::DELETE, "/api/v1/crates/foo?message=withdrawn", "");
    assert_eq!(answer.status, 204, "{}", answer.text());
    world.registry.run_jobs();
    assert!(world.verify(Duration::ZERO, None).agrees());
    lose_crate(&world);
    world.index(FOO, |_| lines);
    std::fs::write(&path, file).unwrap();
    let report = world.repair(Duration::ZERO, false);
    assert!(report.agrees(), "{}", report.to_text());
    assert_eq!(world.registry.index_file(FOO), "");
    let gone = root.get("/api/v1/crates/foo");
    assert!(gone.status == 404 && gone.detail().ends_with(": withdrawn"), "{}", gone.text());
    let refused = world.registry.user("ann").publish(&Package::new("foo", "2.0.0"));
    assert!(refused.status == 409 && refused.detail().contains("its name stays taken"), "{}", refused.text());
    let number =
        "SELECT state AS one FROM versions JOIN crates ON crates.id = crate_id WHERE name = 'foo' AND num = '1.0.0'";
    assert_eq!(world.one_text(number), "deleted");
}

#[test]
fn a_dead_deletion_of_a_crate_is_one_difference_and_is_retried() {
    let world = World::new();
    let root = world.registry.admin("root");
    assert_eq!(root.request(Method::DELETE, "/api/v1/crates/foo", "").status, 204);
    bury_the_jobs(&world);
    assert_eq!(kinds(&world.verify(Duration::ZERO, None)), ["dead-job"]);
    let report = world.repair(Duration::ZERO, true);
    assert!(report.agrees(), "{}", report.to_text());
    assert_eq!(world.registry.index_file(FOO), "");
}

#[test]
fn a_line_that_an_older_import_took_as_it_was_is_rebuilt_from_the_manifest_with_its_rows() {
    let world = World::new();
    let dependencies = || world.registry.user("ann").get("/api/v1/crates/foo/1.0.0/dependencies").good().json();
    let file = || world.registry.index_file(FOO);
    let (before, right) = (file(), dependencies()["dependencies"][0]["crate_id"].clone());
    let line = before.lines().next().unwrap();
    let parsed: serde_json::Value = serde_json::from_str(line).unwrap();
    // Without dependencies and features; yanked meanwhile.
    let poor = serde_json::json!({
        "name": "foo", "vers": "1.0.0", "deps": [], "cksum": parsed["cksum"], "features": {}, "yanked": false,
        "pubtime": parsed["pubtime"], "rust_version": ">=1.60",
    });
    change_line(&world, line, &poor.to_string());
    world.sql("DELETE FROM dependencies WHERE version_id = (SELECT id FROM versions WHERE num = '1.0.0' AND index_line LIKE '%>=1.60%')");
    world.registry.user("ann").yank("foo", "1.0.0").good();
    world.registry.run_jobs();
    let light = Settings { depth: supercargo::verify::Depth::Light, ..Settings::default() };
    assert!(world.verify_with(light, None).agrees(), "a light verification reads no file");
    let found = world.verify(Duration::ZERO, None);
    let lines: Vec<_> = found.differences.iter().map(|one| format!("{}\n{}", one.found, one.expected)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    dependencies: none; features: none; rust-version: `rust_version` is `>=1.60`, which cargo cannot read: unexpected version requirement, expected a version like "1.32"
    dependencies: serde (normal); features: x = [dep:serde]; rust-version: what Cargo.toml says
    "#);
    assert_eq!(kinds(&found), ["manifest-differs"]);
    let repaired = world.repair(Duration::ZERO, false);
    assert!(repaired.agrees() && repaired.repaired == 1, "{}", repaired.to_text());
    assert_eq!(file(), before.replacen("\"yanked\":false", "\"yanked\":true", 1));
    assert_eq!(dependencies()["dependencies"][0]["crate_id"], right);
    assert!(world.verify(Duration::ZERO, None).agrees());
    // The index line is as the publish wrote it, so a second repair finds nothing.
    assert_eq!(world.repair(Duration::ZERO, false).found(), 0);
}

#[test]
fn a_line_that_cargo_cannot_use_and_a_manifest_that_it_cannot_use_either_remain_with_the_remedy() {
    let world = World::new();
    // An older program took such packages.
    let package = Package::new("old", "1.0.0").manifest("rust-version = \">=1.60\"\n");
    let (file, checksum) = (package.crate_file(), Checksum::of(&package.crate_file()));
    world.crate_store.put(checksum, file.clone().into()).unwrap();
    let line = serde_json::json!({
        "name": "old", "vers": "1.0.0", "deps": [], "cksum": checksum, "features": {}, "yanked": false,
        "rust_version": ">=1.60",
    });
    world.registry.user("ann").publish(&Package::new("old", "1.0.0")).good();
    world.registry.run_jobs();
    world.sql(&format!(
        "UPDATE versions SET index_line = '{line}', checksum = '\\x{checksum}', size = {}
         WHERE crate_id = (SELECT id FROM crates WHERE name = 'old')",
        file.len()
    ));
    world.index("3/o/old", |_| format!("{line}\n"));
    world.sql("UPDATE crates SET index_blob = NULL, index_bytes = NULL, index_last_id = NULL WHERE name = 'old'");
    let report = world.repair(Duration::from_secs(3600), false);
    assert_eq!(kinds(&report), ["manifest-differs"], "{}", report.to_text());
    insta::assert_snapshot!(report.differences[0].left.as_deref().unwrap(), @r#"cargo can use neither its manifest nor its index line (Cargo.toml in the package cannot be read: line 7: unexpected version requirement, expected a version like "1.32"; `rust_version` is `>=1.60`, which cargo cannot read: unexpected version requirement, expected a version like "1.32"): publish a corrected version, and yank this one, or delete it with `supercargo admin version delete`"#);
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn every_damage_is_found_as_what_it_is_and_repaired_as_far_as_it_can_be() {
        let damages = damages();
        let covered: BTreeSet<Kind> = damages.iter().flat_map(|damage| damage.found.iter().copied()).collect();
        // The tests of remotes, upstreams, documentation and exports cover these, with real ones.
        let elsewhere = [
            Kind::MissingDocs,
            Kind::DamagedDocs,
            Kind::RemoteDiffers,
            Kind::DamagedUpstreamFile,
            Kind::DamagedUpstreamIndexFile,
            Kind::MissingExportedFile,
            Kind::StaleExportedFile,
            Kind::ForeignExportedFile,
        ];
        let here = Kind::ALL.iter().copied().filter(|kind| !elsewhere.contains(kind)).collect();
        assert_eq!(covered, here, "each kind is covered");
        println!("{:<46} {:<42} repaired", "damage", "found");
        let rows: Vec<_> = std::thread::scope(|scope| {
            let several: Vec<_> =
                damages.chunks(9).map(|some| scope.spawn(|| some.iter().map(try_one).collect::<Vec<_>>())).collect();
            several.into_iter().flat_map(|one| one.join().unwrap()).collect()
        });
        let failed: Vec<String> = rows.iter().filter_map(|row| row.as_ref().err().cloned()).collect();
        rows.into_iter().flatten().for_each(|row| println!("{row}"));
        assert!(failed.is_empty(), "\n{}", failed.join("\n----\n"));
    }
}
