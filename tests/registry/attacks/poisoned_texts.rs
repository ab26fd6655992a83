//! Texts that a database index cannot hold. A btree of PostgreSQL takes rows of up to 2,704 bytes, an entry of a GIN index
//! 2,712, a word of a `tsvector` 2,046; compression helps only texts that repeat themselves, so these do not.

use std::collections::BTreeMap;
use std::process::Output;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Jsonb, Text};
use serde_json::{Value, json};
use supercargo::advisory_sources::{Outcome, Refresher};
use supercargo::database::about;
use supercargo::database::access::administrator::Administrator;
use supercargo::database::access::audit::{Action, Actor, Event, MAX_OPERATOR};
use supercargo::database::access::provenance::Provider;
use supercargo::database::access::sessions::{self, Origin, SessionSecret};
use supercargo::database::access::{audit, teams, users};
use supercargo::database::advisories::sources;
use supercargo::database::catalog::set_name::MAX_SET_NAME;
use supercargo::database::catalog::{crate_limits, descriptions, reserved_names};
use supercargo::database::email::recipients;
use supercargo::database::publishers::configurations::{self, NewPublisher, Target};
use supercargo::database::publishers::origin::login;
use supercargo::database::publishers::rule::{MAX_TEXT, Rule};
use supercargo::database::publishers::{exchange, issuers};
use supercargo::database::sign_in::attempts::Attempt;
use supercargo::database::sign_in::devices;
use supercargo::database::sign_in::identities::Account;
use supercargo::database::sign_in::links as one_time;
use supercargo::database::staging::rules;
use supercargo::database::upkeep::index_exports;
use supercargo::database::upstream_sharing::{index_files, requests};
use supercargo::database::{download_log, upstream_pins, upstream_policies, upstream_rules};
use supercargo::index::{GitProgram, Reach};
use supercargo::oidc::http::check_issuer;
use supercargo::own_advisories::change::{self, Given};
use supercargo::package::index_path::index_path;
use supercargo::package::policy::labels::{MAX_CATEGORY, MAX_LABELS};
use supercargo::package::{Checksum, CrateName, name, version};
use supercargo::queue::{Enqueue, EnqueueError, Job, MAX_KEY, Policy, inspection};

use crate::support::event::wait_until;
use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, failed};

/// A category that fits into no index: beyond what compression can do.
const POISON: usize = 2720;

/// Random numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        // Knuth's linear congruential generator; the upper half of its state is random enough.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }

    /// A text of these characters.
    fn text(&mut self, length: usize, of: &str) -> String {
        let of: Vec<char> = of.chars().collect();
        (0..length).map(|_| of[self.next(of.len())]).collect()
    }

    fn slug(&mut self, length: usize) -> String {
        self.text(length, "abcdefghijklmnopqrstuvwxyz0123456789-")
    }
}

fn with_categories(name: &str, version: &str, categories: &[&str]) -> Package {
    Package::new(name, version)
        .manifest(&format!("categories = {}\n", json!(categories)))
        .metadata("categories", json!(categories))
}

/// What a program before this rule left of a publish: the categories as they came, and the version queued.
fn poison(name: &str, labels: &Value) -> String {
    format!(
        "UPDATE versions SET manifest = manifest || '{labels}'
         WHERE crate_id = (SELECT id FROM crates WHERE name = '{name}')"
    )
}

/// Takes a version out of what is shown, as if its job had never come to its end.
fn unshow(name: &str) -> String {
    format!(
        "UPDATE versions SET state = 'queued', effective_yanked = NULL, commit_id = NULL, published_at = NULL
         WHERE crate_id = (SELECT id FROM crates WHERE name = '{name}');
         DELETE FROM crate_search WHERE crate_id = (SELECT id FROM crates WHERE name = '{name}');
         UPDATE crates SET version_count = 0, max_version = NULL, newest_version = NULL, max_stable_version = NULL,
             default_version_id = NULL, description = NULL, categories = '{{}}' WHERE name = '{name}'"
    )
}

/// Lets the database refuse every row of a table that this condition holds for, as an index does that cannot hold it.
fn refusing(table: &str, condition: &str) -> String {
    format!(
        "CREATE FUNCTION refuse_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'index row size 2736 exceeds maximum 2712 for index \"{table}_x\"' USING ERRCODE = '54000'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({condition})
         EXECUTE FUNCTION refuse_{table}()"
    )
}

fn told(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn crate_of(served: &Served, name: &str) -> Value {
    http::get(&format!("{}/api/v1/crates/{name}", served.url)).good().json()["crate"].take()
}

#[test]
fn a_category_that_no_index_can_hold_is_refused() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let mut random = Random(1);
    let long = random.slug(POISON);
    let answer = ann.publish(&with_categories("foo", "1.0.0", &[&long]));
    assert_eq!(answer.status.as_u16(), 400, "{}", answer.text());
    let expected = format!(
        "in Cargo.toml, the category `{}…` is not well-formed: choose a slug of https://crates.io/category_slugs, or write your \
         own with a-z, 0-9, `:`, `+`, `_` and `-`, at most 64 characters",
        &long[..80]
    );
    assert_eq!(answer.detail(), expected);
    for category in [&random.slug(MAX_CATEGORY + 1), "", "In House", "größe", "a\u{202e}b"] {
        assert_eq!(ann.publish(&with_categories("foo", "1.0.0", &[category])).status.as_u16(), 400, "{category:?}");
    }
    assert_eq!(registry.pending(), 0);
    // The longest that is allowed, as often as it is allowed.
    let longest: Vec<String> = (0..MAX_LABELS).map(|_| random.slug(MAX_CATEGORY)).collect();
    let longest: Vec<&str> = longest.iter().map(String::as_str).collect();
    ann.publish(&with_categories("foo", "1.0.0", &longest)).good();
    registry.run_jobs();
    let told = registry.anonymous().get("/api/v1/crates/foo").good().json();
    assert_eq!(told["crate"]["categories"].as_array().unwrap().len(), MAX_LABELS);
}

#[test]
fn a_nul_that_only_the_manifest_has_is_refused() {
    let registry = TestRegistry::new();
    // Some releases of cargo leave such a value out of the metadata.
    let package = Package::new("foo", "1.0.0")
        .manifest("[features]\na = [\"b/x\\u0000\"]\n[dependencies]\nb = { version = \"1\", package = \"c\" }\n")
        .metadata("features", json!({ "a": [] }))
        .metadata(
            "deps",
            json!([{ "name": "c", "version_req": "^1", "explicit_name_in_toml": "b",
                     "registry": "https://github.com/rust-lang/crates.io-index" }]),
        );
    let answer = registry.user("ann").publish(&package);
    assert_eq!(answer.status.as_u16(), 400, "{}", answer.text());
    assert!(answer.detail().contains("the feature `a` contains U+0000"), "{}", answer.detail());
}

#[test]
fn a_crate_with_texts_that_no_index_can_hold_is_described_without_them() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for name in ["evil", "good"] {
        ann.publish(&Package::new(name, "1.0.0")).good();
    }
    let mut random = Random(2);
    let labels = json!({
        "categories": [random.slug(POISON), "parsing", random.slug(100_000)],
        "keywords": [random.slug(POISON), "web"],
        "description": format!("Parses {}", random.text(60_000, "abcdefghijklmnopqrstuvwxyzäöü日本")),
        "homepage": format!("https://a.example/{}", random.slug(POISON)),
    });
    registry.pool.with(|connection| connection.batch_execute(&poison("evil", &labels)).unwrap()).unwrap();
    assert_eq!(registry.run_jobs(), 2);
    let evil = registry.anonymous().get("/api/v1/crates/evil").good().json()["crate"].take();
    assert_eq!((&evil["categories"], &evil["keywords"]), (&json!(["parsing"]), &json!(["web"])));
    assert_eq!(evil["description"].as_str().unwrap().chars().count(), 1000);
    assert_eq!(evil["homepage"], Value::Null);
    assert_eq!(registry.anonymous().get("/api/v1/crates?q=evil").good().json()["meta"]["total"], 1);
    assert_eq!(registry.anonymous().get("/api/v1/crates?category=parsing").good().json()["meta"]["total"], 1);
}

/// The queue and the rows of a registry that the program before this rule served, and that was then upgraded.
#[test]
fn a_poisoned_database_heals_at_the_upgrade() {
    const MIGRATION: &str = "20261127000011";
    let mut served = Served::start(&[]);
    let token = served.token("ann");
    for name in ["evil", "waits", "foul", "good"] {
        http::publish(&served.url, &token, &Package::new(name, "1.0.0")).good();
    }
    // A description that is pending at the stop would replace what is written below.
    served.wait_until_described();
    served.stop();
    let mut random = Random(4);
    let labels = |random: &mut Random| json!({ "categories": [random.slug(POISON), "parsing"], "keywords": ["a"] });
    let mut statements = Vec::new();
    for name in ["evil", "waits", "foul"] {
        statements.extend([poison(name, &labels(&mut random)), unshow(name)]);
    }
    let payload = |name: &str| {
        format!(
            "(SELECT jsonb_build_object('crate_id', crate_id, 'version_id', versions.id, 'name', name, 'num', num)
              FROM versions JOIN crates ON crates.id = crate_id WHERE name = '{name}')"
        )
    };
    const ERROR: &str = "index row size 2736 exceeds maximum 2712 for index \"crates_by_category\"";
    // One that is dead; one whose message is in another language, and waits for its next attempt; one that is dead for
    // another reason, and of a crate with nothing wrong.
    for (id, name, error) in
        [(900, "evil", ERROR), (901, "foul", "Indexzeile zu groß"), (902, "good", "the remote refused it")]
    {
        statements.push(format!(
            "INSERT INTO dead_jobs (id, queue, kind, key, payload, priority, created_at, attempts, claim_no, last_error)
             VALUES ({id}, 'index', 'publish_version', '{name}', {}, 0, now(), 20, 20, '{error}')",
            payload(name)
        ));
    }
    statements.push(format!(
        "INSERT INTO jobs (id, queue, kind, key, payload, attempts, claim_no, last_error, run_at)
         VALUES (903, 'index', 'publish_version', 'waits', {}, 19, 19, '{ERROR}', now() + interval '1 hour')",
        payload("waits")
    ));
    // What is told of a crate may be too long without having failed.
    statements.push(format!("UPDATE crates SET categories = ARRAY['{}', 'x'] WHERE name = 'good'", random.slug(2000)));
    statements.push(format!("DELETE FROM __diesel_schema_migrations WHERE version = '{MIGRATION}'"));
    let mut connection = served.database.connect();
    connection.batch_execute(&statements.join(";")).unwrap();
    served.start_again();
    for name in ["evil", "waits", "foul"] {
        wait_until("the crate is shown", || http::get(&format!("{}/api/v1/crates/{name}", served.url)).status == 200);
        served.wait_until_described();
        let told = crate_of(&served, name);
        assert_eq!((&told["max_version"], &told["categories"]), (&json!("1.0.0"), &json!(["parsing"])), "{name}");
    }
    wait_until("only the other one is dead", || inspection::count(&mut connection).unwrap() == (0, 1));
    let dead: Value = serde_json::from_str(&served.run("jobs list", &["--dead", "--json"])).unwrap();
    assert_eq!(dead[0]["id"], 902, "{dead:#}");
    assert_eq!(crate_of(&served, "good")["categories"], json!(["x"]));
    let history = served.run("jobs show", &["900"]);
    assert!(history.contains("the upgrade of the database"), "{history}");
    served.stop();
}

#[test]
fn an_import_takes_versions_without_the_categories_that_no_publish_may_have() {
    let mut random = Random(5);
    let long = random.slug(POISON);
    let from = Served::start(&[]);
    let token = from.token("bob");
    let package = with_categories("foo", "1.0.0", &[&long, "parsing", "In House"]);
    http::publish(&from.url, &token, &Package::new("foo", "1.0.0")).good();
    // Another registry has other rules: its file and its line are replaced by those of the package with the categories.
    let (file, checksum) = (package.crate_file(), supercargo::package::Checksum::of(&package.crate_file()));
    let path = from.data_dir().join("crates").join(crate::support::s3::path_of(&file));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, &file).unwrap();
    from.database
        .connect()
        .batch_execute(&format!(
            "UPDATE versions SET checksum = '\\x{checksum}',
                 index_line = replace(index_line, encode(checksum, 'hex'), '{checksum}')"
        ))
        .unwrap();
    from.run("verify", &["--light", "--repair"]);

    let served = Served::start(&[]);
    served.token("ann");
    let index = format!("{}/git/index", from.url);
    let output = served.command("admin import").args(["--json", "--owner", "ann", &index]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let left_out = format!("without the categories `{}…`, `In House`", &long[..80]);
    assert_eq!(summary["without_categories"], json!({ "foo 1.0.0": left_out }), "{summary:#}");
    assert_eq!((&summary["imported"], &summary["failed"]), (&json!(1), &json!({})), "{summary:#}");
    wait_until("it is shown", || http::get(&format!("{}/api/v1/crates/foo", served.url)).status == 200);
    served.wait_until_described();
    assert_eq!(crate_of(&served, "foo")["categories"], json!(["parsing"]));
    let stored: Value = one(&mut served.database.connect(), "SELECT manifest->'categories' AS one FROM versions");
    assert_eq!(stored, json!(["parsing"]));
    [from, served].iter_mut().for_each(Served::stop);
}

#[test]
fn a_file_of_the_index_whose_path_no_job_can_hold_does_not_stop_a_repair() {
    let served = Served::start(&[]);
    http::publish(&served.url, &served.token("ann"), &Package::new("foo", "1.0.0")).good();
    let git = |arguments: &[&str], input: &str| {
        use std::io::Write;
        let mut git = std::process::Command::new("git");
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_NAME"), "x").env(format!("GIT_{role}_EMAIL"), "x@x");
        }
        git.args(arguments).current_dir(served.data_dir().join("index.git"));
        let piped = std::process::Stdio::piped;
        let mut child = git.stdin(piped()).stdout(piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let blob = git(&["hash-object", "-w", "--stdin"], "x");
    let mut entries = git(&["ls-tree", "main"], "");
    entries.push_str(&format!("\n100644 blob {blob}\t{}\n100644 blob {blob}\tREADME\n", Random(6).slug(3000)));
    let tree = git(&["mktree"], &entries);
    let commit = git(&["commit-tree", "-p", "main", "-m", "Files of somebody else", &tree], "");
    git(&["update-ref", "refs/heads/main", &commit], "");
    let output = served.command("verify").args(["--repair", "--json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", told(&output)));
    let became: Vec<(usize, bool)> = report["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["path"].as_str().unwrap().len(), one["repaired"].is_string()))
        .collect();
    assert_eq!(became.iter().collect::<std::collections::BTreeSet<_>>().len(), 2, "{report:#}");
    assert!(became.contains(&(6, true)) && became.contains(&(3000, false)), "{report:#}");
    assert!(report.to_string().contains("remove the file with git"), "{report:#}");
}

/// Whatever a version says of its crate, the crate is described.
#[test]
fn no_text_keeps_a_crate_from_being_described() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let mut random = Random(7);
    let alphabets = [
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "a b c 'd \\:*&|!<>() \t\n",
        "äöüßéèñçŐűıİΣςſKÅﬃ",
        "日本語中文한국어ไทย हिन्दी العربية עברית",
        "🦀👩‍👩‍👧‍👦🇪🇺e\u{301}\u{327}\u{200b}\u{202e}\u{feff}\u{fffd}\u{10ffff}",
        "https://example.com/a-b_c?d=e&f@g.h <tag attr=\"x\"> 1.5e-10 /usr/lib a.b-c",
        "\u{1}\u{7f}\u{80}\u{9f}\u{ad}\u{2028}",
    ];
    let lengths = [0, 1, 64, 65, 2046, 2047, 2712, 2713, 16_384, 70_000, 1_100_000];
    registry
        .pool
        .with(|connection| {
            for round in 0..60 {
                let mut text = |random: &mut Random, longest: usize| {
                    let of = alphabets[random.next(alphabets.len())];
                    let length = lengths[random.next(lengths.len())].min(longest);
                    random.text(length, of)
                };
                let words = |random: &mut Random, text: &mut dyn FnMut(&mut Random, usize) -> String| -> Vec<String> {
                    (0..random.next(12)).map(|_| text(random, 3000)).collect()
                };
                let (keywords, categories) = (words(&mut random, &mut text), words(&mut random, &mut text));
                let manifest = json!({
                    "description": text(&mut random, usize::MAX), "keywords": keywords, "categories": categories,
                    "homepage": text(&mut random, 70_000),
                });
                let metadata = json!({ "readme": text(&mut random, usize::MAX) });
                diesel::sql_query("UPDATE versions SET manifest = $1, metadata = $2")
                    .bind::<Jsonb, _>(&manifest)
                    .bind::<Jsonb, _>(&metadata)
                    .execute(connection)
                    .unwrap();
                let id: i32 =
                    one(connection, "SELECT to_jsonb(id) AS one FROM crates").as_i64().unwrap().try_into().unwrap();
                descriptions::request(connection, &[id]).unwrap();
                let described = descriptions::describe_next(connection).unwrap();
                assert_eq!(described.undescribed, [], "round {round}");
            }
        })
        .unwrap();
}

fn one(connection: &mut PgConnection, query: &str) -> Value {
    #[derive(QueryableByName)]
    struct One {
        #[diesel(sql_type = Jsonb)]
        one: Value,
    }
    diesel::sql_query(query).get_result::<One>(connection).unwrap().one
}

/// A column of an index that holds texts.
#[derive(QueryableByName, Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
struct Indexed {
    #[diesel(sql_type = Text)]
    index: String,
    #[diesel(sql_type = Text)]
    what: String,
    #[diesel(sql_type = Text)]
    method: String,
}

/// The bound of texts that stand in the program, such as the names of queues.
const LITERAL: usize = 40;

/// Every text in an index of the database: index, column, how its texts are read, and how many bytes they can have. A new
/// index of texts needs a row here, and a bound where its texts come from.
const BOUNDS: &[(&str, &str, &str, usize)] = &[
    // The migrations' own.
    ("__diesel_schema_migrations_pkey", "version", "SELECT version FROM __diesel_schema_migrations", 50),
    ("advisories_by_id", "advisory_id", "SELECT advisory_id FROM advisories", 100),
    ("advisories_of_a_crate", "canonical_name", "SELECT canonical_name FROM advisories", name::MAX_LENGTH),
    ("advisories_of_a_crate", "upstream", "SELECT upstream FROM advisories", 40),
    ("advisories_upstream_advisory_id_canonical_name_key", "advisory_id", "SELECT advisory_id FROM advisories", 100),
    (
        "advisories_upstream_advisory_id_canonical_name_key",
        "canonical_name",
        "SELECT canonical_name FROM advisories",
        name::MAX_LENGTH,
    ),
    ("advisories_upstream_advisory_id_canonical_name_key", "upstream", "SELECT upstream FROM advisories", 40),
    ("advisory_revisions_of_one", "advisory_id", "SELECT advisory_id FROM advisory_revisions", 100),
    ("advisory_sources_pkey", "upstream", "SELECT upstream FROM advisory_sources", 40),
    (
        "api_tokens_renewal_sha256_key",
        "renewal_sha256",
        "SELECT renewal_sha256 FROM api_tokens WHERE renewal_sha256 IS NOT NULL",
        32,
    ),
    ("api_tokens_token_sha256_key", "token_sha256", "SELECT token_sha256 FROM api_tokens", 32),
    ("audit_log_actor", "lower(actor)", "SELECT actor FROM audit_log", 4 * MAX_OPERATOR),
    (
        "audit_log_crate_name",
        "replace(lower(crate_name), '-'::text, '_'::text)",
        "SELECT crate_name FROM audit_log",
        name::MAX_LENGTH,
    ),
    ("crate_categories_pkey", "slug", "SELECT slug FROM crate_categories", about::MAX_LABEL),
    ("crate_dependents_on", "canonical_name", "SELECT canonical_name FROM crate_dependents", name::MAX_LENGTH),
    ("crate_dependents_pkey", "canonical_name", "SELECT canonical_name FROM crate_dependents", name::MAX_LENGTH),
    ("crate_limits_pkey", "canonical_name", "SELECT canonical_name FROM crate_limits", name::MAX_LENGTH),
    (
        "crate_search_document",
        "document",
        "SELECT word FROM crate_search, unnest(tsvector_to_array(document)) AS word",
        65,
    ),
    ("crate_search_name", "name", "SELECT name FROM crate_search", name::MAX_LENGTH),
    ("crate_search_similar_name", "name", "SELECT name FROM crate_search", name::MAX_LENGTH),
    ("crates_by_category", "categories", "SELECT unnest(categories) FROM crates", about::MAX_LABEL),
    ("crates_by_keyword", "keywords", "SELECT unnest(keywords) FROM crates", about::MAX_LABEL),
    ("crates_by_name", "canonical_name", "SELECT canonical_name FROM crates", name::MAX_LENGTH),
    ("crates_canonical_name_key", "canonical_name", "SELECT canonical_name FROM crates", name::MAX_LENGTH),
    ("dead_jobs_kind_key", "key", "SELECT key FROM dead_jobs", MAX_KEY),
    ("dead_jobs_kind_key", "kind", "SELECT kind FROM dead_jobs", LITERAL),
    ("dependencies_elsewhere", "canonical_name", "SELECT canonical_name FROM dependencies", name::MAX_LENGTH),
    ("dependencies_on", "canonical_name", "SELECT canonical_name FROM dependencies", name::MAX_LENGTH),
    ("device_requests_pkey", "device_code_sha256", "SELECT device_code_sha256 FROM device_requests", 32),
    ("device_requests_user_code_key", "user_code", "SELECT user_code FROM device_requests", 8),
    ("download_log_of_version", "canonical_name", "SELECT canonical_name FROM download_log", name::MAX_LENGTH),
    ("download_log_of_version", "upstream", "SELECT upstream FROM download_log", 40),
    ("download_log_of_version", "version", "SELECT version FROM download_log", version::MAX_LENGTH),
    ("email_recipients_unsubscribe_key_key", "unsubscribe_key", "SELECT unsubscribe_key FROM email_recipients", 68),
    ("identities_issuer_subject_key", "issuer", "SELECT issuer FROM identities", 500),
    ("identities_issuer_subject_key", "subject", "SELECT subject FROM identities", 255),
    ("index_exports_pkey", "destination", "SELECT destination FROM index_exports", 2000),
    ("jobs_awaiting_recovery", "queue", "SELECT queue FROM jobs", LITERAL),
    ("jobs_by_key", "key", "SELECT key FROM jobs", MAX_KEY),
    ("jobs_by_key", "kind", "SELECT kind FROM jobs", LITERAL),
    ("jobs_in_claim_order", "queue", "SELECT queue FROM jobs", LITERAL),
    // A login, or an operator as `account@host`; the index has 200 characters of it.
    (
        "jobs_laps",
        "\"left\"(COALESCE(requested_by, ''::text), 200)",
        "SELECT left(requested_by, 200) FROM jobs WHERE requested_by IS NOT NULL",
        4 * 200,
    ),
    ("jobs_laps", "queue", "SELECT queue FROM jobs", LITERAL),
    ("jobs_turn", "key", "SELECT key FROM jobs", MAX_KEY),
    ("jobs_turn", "kind", "SELECT kind FROM jobs", LITERAL),
    ("one_time_links_pkey", "secret_sha256", "SELECT secret_sha256 FROM one_time_links", 32),
    ("rate_limit_buckets_pkey", "action", "SELECT action FROM rate_limit_buckets", LITERAL),
    ("registry_counts_order", "kind", "SELECT kind FROM registry_counts", LITERAL),
    ("registry_counts_order", "name", "SELECT name FROM registry_counts", about::MAX_LABEL),
    ("registry_counts_pkey", "kind", "SELECT kind FROM registry_counts", LITERAL),
    ("registry_counts_pkey", "name", "SELECT name FROM registry_counts", about::MAX_LABEL),
    ("release_sets_name_key", "name", "SELECT name FROM release_sets", MAX_SET_NAME),
    ("reserved_names_pkey", "canonical_name", "SELECT canonical_name FROM reserved_names", name::MAX_LENGTH),
    ("sign_in_failures_pkey", "key_sha256", "SELECT key_sha256 FROM sign_in_failures", 32),
    (
        "staged_versions_canonical_name_num_without_build_key",
        "canonical_name",
        "SELECT canonical_name FROM staged_versions",
        name::MAX_LENGTH,
    ),
    (
        "staged_versions_canonical_name_num_without_build_key",
        "num_without_build",
        "SELECT num_without_build FROM staged_versions",
        version::MAX_LENGTH,
    ),
    ("staged_versions_checksum", "checksum", "SELECT checksum FROM staged_versions", 32),
    // `team:` and the name of a team.
    ("staging_rules_subject_key", "subject", "SELECT subject FROM staging_rules", 69),
    ("teams_name", "lower(name)", "SELECT name FROM teams", 64),
    ("trusted_issuers_url_key", "url", "SELECT url FROM trusted_issuers", 500),
    // OWNER/NAME.
    ("trusted_publishers_issuer_id", "repository", "SELECT repository FROM trusted_publishers", 2 * MAX_TEXT + 1),
    ("upstream_index_files_pkey", "path", "SELECT path FROM upstream_index_files", INDEX_PATH),
    ("upstream_index_files_pkey", "upstream", "SELECT upstream FROM upstream_index_files", 40),
    ("upstream_pins_checksum", "checksum", "SELECT checksum FROM upstream_pins", 32),
    (
        "upstream_pins_upstream_canonical_name_version_key",
        "canonical_name",
        "SELECT canonical_name FROM upstream_pins",
        name::MAX_LENGTH,
    ),
    ("upstream_pins_upstream_canonical_name_version_key", "upstream", "SELECT upstream FROM upstream_pins", 40),
    (
        "upstream_pins_upstream_canonical_name_version_key",
        "version",
        "SELECT version FROM upstream_pins",
        version::MAX_LENGTH,
    ),
    ("upstream_policies_pkey", "upstream", "SELECT upstream FROM upstream_policies", 40),
    ("upstream_requests_pkey", "subject", "SELECT subject FROM upstream_requests", INDEX_PATH),
    ("upstream_requests_pkey", "upstream", "SELECT upstream FROM upstream_requests", 40),
    (
        "upstream_rules_upstream_canonical_name_version_key",
        "canonical_name",
        "SELECT canonical_name FROM upstream_rules",
        // Of several crates, it ends in a `*`.
        name::MAX_LENGTH + 1,
    ),
    ("upstream_rules_upstream_canonical_name_version_key", "upstream", "SELECT upstream FROM upstream_rules", 40),
    (
        "upstream_rules_upstream_canonical_name_version_key",
        "version",
        "SELECT version FROM upstream_rules",
        version::MAX_LENGTH,
    ),
    ("used_id_tokens_pkey", "sha256", "SELECT sha256 FROM used_id_tokens", 32),
    // `forgejo:HOST/OWNER/NAME` of a machine.
    ("users_login", "lower(login)", "SELECT login FROM users", 8 + 500 - 8 + 1 + 2 * MAX_TEXT + 1),
    ("version_docs_checksum", "checksum", "SELECT checksum FROM version_docs", 32),
    ("versions_checksum", "checksum", "SELECT checksum FROM versions", 32),
    (
        "versions_crate_id_num_without_build_key",
        "num_without_build",
        "SELECT num_without_build FROM versions",
        version::MAX_LENGTH,
    ),
    ("web_sessions_pkey", "secret_sha256", "SELECT secret_sha256 FROM web_sessions", 32),
];

/// The path of a crate in an index, `ab/cd/NAME`.
const INDEX_PATH: usize = 6 + name::MAX_LENGTH;

/// What PostgreSQL takes: a third of a page for a row of a btree, a little more for an entry of a GIN index.
fn capacity(method: &str) -> usize {
    match method {
        "btree" => 2704,
        "gin" => 2712,
        other => panic!("what an index of the kind {other} can hold is not known here"),
    }
}

/// A job of which the key is as long as a key can be.
#[derive(serde::Serialize, serde::Deserialize)]
struct LongKey(String);

impl Job for LongKey {
    const KIND: &'static str = "a_kind_of_the_longest_name_of_all";
    const POLICY: Policy = Policy { order: supercargo::queue::Order::ByKey, ..Policy::in_queue("index") };

    fn key(&self) -> Option<String> {
        Some(self.0.clone())
    }
}

#[test]
fn every_text_in_an_index_of_the_database_has_a_bound_that_fits() {
    let registry = TestRegistry::new();
    let indexed: Vec<Indexed> = registry
        .pool
        .with(|connection| {
            diesel::sql_query(
                "SELECT relation.relname AS index, pg_get_indexdef(indexrelid, place::int, true) AS what, amname AS method
                 FROM pg_index JOIN pg_class AS relation ON relation.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
                 CROSS JOIN LATERAL unnest(indkey) WITH ORDINALITY AS keys (attnum, place)
                 LEFT JOIN pg_attribute AS of_table ON of_table.attrelid = indrelid AND of_table.attnum = keys.attnum
                     AND keys.attnum > 0
                 JOIN pg_attribute AS of_index ON of_index.attrelid = indexrelid AND of_index.attnum = place
                 WHERE relnamespace = 'public'::regnamespace
                     AND coalesce(of_table.atttypid, of_index.atttypid) NOT IN
                         ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'bool'::regtype, 'date'::regtype,
                          'timestamptz'::regtype, 'float8'::regtype)
                 ORDER BY 1, 2",
            )
            .load(connection)
            .unwrap()
        })
        .unwrap();
    let found: Vec<(&str, &str)> = indexed.iter().map(|one| (&*one.index, &*one.what)).collect();
    let listed: Vec<(&str, &str)> = BOUNDS.iter().map(|(index, what, ..)| (*index, *what)).collect();
    assert_eq!(found, listed, "each text in an index needs a bound, and a row in this list");
    let mut of_index: BTreeMap<&str, usize> = BTreeMap::new();
    for (one, (index, _, _, bound)) in indexed.iter().zip(BOUNDS) {
        let total = of_index.entry(index).or_default();
        *total += bound;
        // Numbers beside it, and the head of a row.
        assert!(*total + 64 <= capacity(&one.method), "{index}: up to {total} bytes");
    }

    // The longest of each is stored where the registry's own code lets it in.
    store_the_longest(&registry);
    registry
        .pool
        .with(|connection| {
            let docs = "INSERT INTO version_docs (version_id, checksum, size, files, unpacked_size, directory, entries)
                        SELECT id, checksum, 1, 1, 1, 'x', 'x' FROM versions LIMIT 1";
            diesel::sql_query(docs).execute(connection).unwrap();
            for (index, what, texts, bound) in BOUNDS {
                #[derive(QueryableByName)]
                struct Longest {
                    #[diesel(sql_type = BigInt)]
                    longest: i64,
                }
                let query =
                    format!("SELECT coalesce(max(octet_length(one)), 0)::bigint AS longest FROM ({texts}) AS t (one)");
                let Longest { longest } = diesel::sql_query(query).get_result(connection).unwrap();
                let longest = usize::try_from(longest).unwrap();
                assert!(longest <= *bound, "{index}, {what}: {longest} bytes, above the bound of {bound}");
                let exact = *bound != LITERAL && *index != "__diesel_schema_migrations_pkey";
                assert!(!exact || longest == *bound, "{index}, {what}: no text of {bound} bytes was tried: {longest}");
            }
            diesel::sql_query("DELETE FROM jobs").execute(connection).unwrap();
            diesel::sql_query("DELETE FROM dead_jobs").execute(connection).unwrap();
        })
        .unwrap();
}

fn store_the_longest_download(connection: &mut PgConnection, upstream: &str, (name, number): (&CrateName, &str)) {
    let download = download_log::Entry {
        at: chrono::Utc::now(),
        upstream: upstream.to_owned(),
        name: name.clone(),
        version: number.parse().unwrap(),
        checksum: Checksum::of(b"x"),
        who: None,
        address: None,
        user_agent: None,
        is_delivered: true,
    };
    download_log::add(connection, &[download]).unwrap();
}

/// What is kept of an upstream about a version of the longest name and number.
fn store_the_longest_kept(connection: &mut PgConnection, upstream: &str, (name, number): (&CrateName, &str)) {
    let version = number.parse().unwrap();
    let checksum = Checksum::of(b"x");
    let pin = upstream_pins::NewPin { upstream, name, version: &version, checksum, reason: "x", actor: "x" };
    assert!(upstream_pins::add(connection, &pin).unwrap());
    upstream_policies::note(connection, &[(upstream.to_owned(), "x".to_owned())]).unwrap();
    index_exports::declare(connection, &"x".repeat(2000)).unwrap();
    let path = index_path(name);
    index_files::write(connection, (upstream, &path), ("{}", b"x"), None).unwrap().unwrap();
    requests::take(connection, (upstream, &path), 1, Duration::ZERO).unwrap();
}

fn store_the_longest(registry: &TestRegistry) {
    let mut random = Random(8);
    let mut slug = |length: usize| format!("a{}", random.slug(length - 1).replace('-', "z"));
    let login = slug(64);
    let client = registry.user(&login);
    let (crate_name, dependency, keyword) = (slug(64), slug(64), slug(20));
    let categories: Vec<String> = (0..MAX_LABELS).map(|_| slug(MAX_CATEGORY)).collect();
    let number = format!("1.0.0-{}", slug(version::MAX_LENGTH - 6));
    let word = slug(64);
    let package = with_categories(&crate_name, &number, &categories.iter().map(String::as_str).collect::<Vec<_>>())
        .manifest(&format!("keywords = [\"{keyword}\"]\n[dependencies.{dependency}]\nversion = \"1\"\nregistry-index = \"sparse+http://registry.test/index/\"\n"))
        .described(&word)
        .metadata("keywords", json!([keyword]))
        .metadata("deps", json!([{ "name": dependency, "version_req": "^1" }]));
    client.publish(&package).good();
    let stage = format!("/stage/{}/api/v1/crates/new", slug(MAX_SET_NAME));
    client.request(axum::http::Method::PUT, &stage, Package::new(&slug(64), &number).body()).good();
    // What is no keyword for a publish, and is for an import; and what is for none.
    let labels = json!({ "keywords": [slug(about::MAX_LABEL), slug(about::MAX_LABEL + 1)] });
    registry.pool.with(|connection| connection.batch_execute(&poison(&crate_name, &labels)).unwrap()).unwrap();
    registry.run_jobs();
    let (team, reserved, key) = (slug(64), slug(64), slug(MAX_KEY));
    // Four bytes each.
    let operator: String = Random(9).text(MAX_OPERATOR + 80, "🦀🦞🦐🦑🐙🐚");
    registry
        .pool
        .with(|connection| {
            #[derive(QueryableByName)]
            struct OfUser {
                #[diesel(sql_type = diesel::sql_types::Integer)]
                token: i32,
            }
            let of_user: OfUser = diesel::sql_query("SELECT max(id) AS token FROM api_tokens").get_result(connection).unwrap();
            sessions::begin(connection, &SessionSecret::random().unwrap(), of_user.token, &Origin::default()).unwrap();
            let made = teams::create(connection, &team).unwrap();
            let subject = rules::Subject::OfTeam(made.id, made.name);
            let rule = rules::NewRule { subject, approvals: 1, by_another: false, approved_by: None };
            rules::add(connection, &rule).unwrap();
            assert!(teams::create(connection, &format!("{team}x")).is_err());
            assert!(users::create(connection, &format!("{login}x"), None).is_err());
            store_the_longest_publisher(connection);
            store_the_longest_sign_in(connection);
            let reserved: CrateName = reserved.parse().unwrap();
            reserved_names::reserve(connection, &reserved, "x").unwrap();
            crate_limits::lock(connection, &reserved).unwrap();
            let (upstream, version) = ("u".repeat(40), Some(number.parse().unwrap()));
            store_the_longest_download(connection, &upstream, (&reserved, &number));
            store_the_longest_kept(connection, &upstream, (&reserved, &number));
            let about = upstream_rules::Subject { upstream, crates: (&reserved).into(), version };
            let block = (upstream_rules::Decision::Block, "x");
            upstream_rules::set(connection, &about, block, "x").unwrap();
            let several = upstream_rules::Subject { crates: format!("{reserved}*").parse().unwrap(), version: None, ..about };
            upstream_rules::set(connection, &several, block, "x").unwrap();
            store_the_longest_advisory(connection, &reserved);
            let actor = Actor::operator(operator);
            Event::new(Action::NameReserve).of_crate(&reserved).record(connection, &actor).unwrap();
            let job = LongKey(key);
            Enqueue::new(&job).requested_by(&actor.name).insert(connection).unwrap();
            // A dead job keeps its key.
            let dead = "INSERT INTO dead_jobs (id, queue, kind, key, payload, priority, created_at, attempts, claim_no)
                        SELECT id, queue, kind, key, payload, priority, created_at, attempts, claim_no FROM jobs WHERE kind = $1";
            diesel::sql_query(dead).bind::<diesel::sql_types::Text, _>(LongKey::KIND).execute(connection).unwrap();
            let longer = LongKey(format!("{}x", job.0));
            assert!(matches!(Enqueue::new(&longer).insert(connection), Err(EnqueueError::LongKey { length, .. }) if length == MAX_KEY + 1));
            assert!(audit::list(connection, &audit::Filter::default(), 1).unwrap()[0].actor.chars().count() == MAX_OPERATOR);
        })
        .unwrap();
}

/// An advisory of the longest id about a crate of the longest name, read from a directory.
fn store_the_longest_advisory(connection: &mut PgConnection, about: &CrateName) {
    let directory = tempfile::tempdir().unwrap();
    let write = |id: &str| {
        let affected = json!([{ "package": { "ecosystem": "crates.io", "name": about }, "versions": ["1.0.0"] }]);
        let document = json!({ "id": id, "modified": "2026-01-01T00:00:00Z", "affected": affected });
        std::fs::write(directory.path().join(format!("{id}.json")), document.to_string()).unwrap();
    };
    write(&"a".repeat(100));
    write(&"b".repeat(101));
    let upstream = "u".repeat(40);
    sources::declare(connection, &upstream, directory.path().to_str().unwrap()).unwrap();
    let reach =
        Reach { git: GitProgram::default(), environment: Vec::new(), limit: Duration::from_secs(60), max_pack: 1 };
    let refresher = Refresher { reach, work: directory.path().join("work") };
    let Outcome::Read { advisories, skipped, .. } = refresher.run(connection, &upstream, false).unwrap() else {
        panic!("not read")
    };
    assert_eq!((advisories, skipped.len()), (1, 1));
    let given = Given { title: Some("t".repeat(300)), ..Given::default() };
    let actor = Actor::operator("root".to_owned());
    for (id, is_taken) in [("c".repeat(100), true), ("d".repeat(101), false)] {
        let published = change::publish(connection, (about, Some(&id)), &given, Administrator::Operator(&actor));
        assert_eq!(published.is_ok(), is_taken);
    }
}

/// An account with the longest issuer and number, a link, and a failed attempt.
fn store_the_longest_sign_in(connection: &mut PgConnection) {
    let issuer = format!("https://{}", "i".repeat(492));
    check_issuer(&issuer).unwrap();
    let user = users::create(connection, "signs-in", None).unwrap();
    let account = Account::new(&issuer, &"s".repeat(255), &"l".repeat(2000));
    assert!(account.add_to(connection, user.id).unwrap());
    one_time::create(connection, user.id, chrono::Utc::now()).unwrap();
    let address = "ann@example.com".parse().unwrap();
    recipients::set(connection, user.id, &address, true, &recipients::EmailSecret::random().unwrap()).unwrap();
    devices::begin(connection, &"n".repeat(80), None, None).unwrap();
    let renewal = "UPDATE api_tokens SET renewal_sha256 = sha256('renewal'), renewable_until = now() WHERE user_id = (SELECT max(user_id) FROM api_tokens)
                       AND id = (SELECT max(id) FROM api_tokens)";
    diesel::sql_query(renewal).execute(connection).unwrap();
    assert!(Attempt::new(&"l".repeat(5000), "192.0.2.1").count(connection).unwrap());
}

/// A trusted publisher of an issuer of the longest URL, its machine, and an ID token that was exchanged.
fn store_the_longest_publisher(connection: &mut PgConnection) {
    let url = format!("https://{}", "h".repeat(492));
    check_issuer(&url).unwrap();
    check_issuer(&format!("{url}x")).unwrap_err();
    let issuer = issuers::add(connection, (Provider::Forgejo, &url), "sub").unwrap().unwrap();
    let (owner, repository) = ("o".repeat(MAX_TEXT), "r".repeat(MAX_TEXT));
    let rule = |owner: String| {
        let (owner_id, repository, workflow) = (None, repository.clone(), "x.yml".to_owned());
        Rule::Workflow { owner, owner_id, repository, workflow, environment: None }
    };
    rule(format!("{owner}o")).check(Provider::Forgejo).unwrap_err();
    let rule = rule(owner);
    rule.check(Provider::Forgejo).unwrap();
    let login = login(Provider::Forgejo, &url, &rule.repository().unwrap());
    let user = exchange::machine(connection, &login, &url).unwrap().unwrap();
    let pattern = "*".parse().unwrap();
    let new = NewPublisher {
        issuer_id: issuer.id,
        target: Target::Pattern(&pattern),
        rule: &rule,
        stages_only: false,
        creates: false,
        allowed_by: None,
        created_by: Some(user.id),
    };
    configurations::add(connection, &new).unwrap();
    exchange::note_use(connection, [0; 32], chrono::Utc::now()).unwrap();
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn a_description_that_the_database_refuses_does_not_keep_a_version_from_being_published() {
        let mut served = Served::start_with_log("error", &[]);
        let token = served.token("ann");
        let mut connection = served.database.connect();
        connection.batch_execute(&refusing("crates", "NEW.description = 'evil'")).unwrap();
        let reply = http::publish(&served.url, &token, &Package::new("evil", "1.0.0").described("evil")).good();
        assert_eq!(reply.advice(), [""; 0], "published at once");
        http::publish(&served.url, &token, &Package::new("good", "1.0.0").described("good")).good();
        served.wait_until_described();
        let evil = crate_of(&served, "evil");
        assert_eq!((&evil["max_version"], &evil["description"]), (&json!("1.0.0"), &Value::Null));
        assert_eq!(crate_of(&served, "good")["description"], "good");
        assert!(served.log().contains("its description could not be written"), "{}", served.log());
        assert_eq!(inspection::count(&mut connection).unwrap(), (0, 0));

        // A verification finds it, and a repair says why it cannot help, as long as it cannot.
        let verify = |arguments: &[&str]| served.command("verify").arg("--json").args(arguments).output().unwrap();
        let differences = |output: &Output| -> Value {
            let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", told(output)));
            report["differences"].clone()
        };
        let found = differences(&verify(&[]));
        assert_eq!(
            (&found[0]["kind"], &found[0]["found"]),
            (&json!("derived-differs"), &json!("description")),
            "{found:#}"
        );
        let left = differences(&verify(&["--repair"]));
        assert!(left[0]["left"].as_str().unwrap().contains("the database rejects the description"), "{left:#}");
        connection.batch_execute("DROP TRIGGER refuse ON crates").unwrap();
        let repaired = differences(&verify(&["--repair"]));
        assert_eq!(repaired[0]["repaired"], "derived again from the crate's versions", "{repaired:#}");
        assert_eq!(crate_of(&served, "evil")["description"], "evil");
        served.stop();
    }

    #[test]
    fn a_registry_with_a_poisoned_crate_is_backed_up_checked_and_restored() {
        let mut served = Served::start(&[]);
        let token = served.token("ann");
        for name in ["evil", "good"] {
            http::publish(&served.url, &token, &Package::new(name, "1.0.0")).good();
        }
        served.stop();
        let labels = json!({ "categories": [Random(3).slug(POISON), "parsing"] });
        served.database.connect().batch_execute(&[poison("evil", &labels), unshow("evil")].join(";")).unwrap();
        let backups = tempfile::tempdir().unwrap();
        served.run("backup", &[backups.path().to_str().unwrap()]);
        let checked = served.run("backup", &["--check", "--json", backups.path().to_str().unwrap()]);
        let checked: Value = serde_json::from_str(&checked).unwrap();
        assert_eq!(checked["trial_restore"]["not_in_agreement"], json!([]), "{checked:#}");
        let mut restored = Served::nothing(&[]);
        restored.run("restore", &[backups.path().to_str().unwrap()]);
        restored.start_again();
        let evil = crate_of(&restored, "evil");
        assert_eq!((&evil["max_version"], &evil["categories"]), (&json!("1.0.0"), &json!(["parsing"])));
        assert_eq!(crate_of(&restored, "good")["max_version"], "1.0.0");
        restored.stop();
    }

    #[test]
    fn a_crate_that_cannot_be_brought_into_agreement_is_named_and_the_others_are_restored() {
        let mut served = Served::start(&[]);
        let token = served.token("ann");
        for name in ["evil", "good", "torn"] {
            http::publish(&served.url, &token, &Package::new(name, "1.0.0")).good();
        }
        served.stop();
        let torn = "UPDATE versions SET index_line = '{' WHERE crate_id = (SELECT id FROM crates WHERE name = 'torn')";
        // The dump has the trigger, too.
        let refuses = refusing("versions", "NEW.metadata->>'name' = 'evil'");
        let mut connection = served.database.connect();
        connection.batch_execute(&[&unshow("evil"), &unshow("good"), torn, &*refuses].join(";")).unwrap();
        let backups = tempfile::tempdir().unwrap();
        let directory = backups.path().to_str().unwrap();
        served.run("backup", &[directory]);
        let named = |output: &Output| {
            assert_eq!(output.status.code(), Some(3), "{}", told(output));
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(stderr.contains("the crate evil differs from the index: index row size 2736"), "{stderr}");
            assert!(stderr.contains("the crate torn differs from the index: "), "{stderr}");
            assert!(!stderr.contains("the crate good"), "{stderr}");
        };
        named(&served.command("backup").args(["--check", directory]).output().unwrap());
        let mut restored = Served::nothing(&[]);
        let output = restored.command("restore").args(["--json", directory]).output().unwrap();
        named(&output);
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        let crates: Vec<&str> =
            summary["not_in_agreement"].as_array().unwrap().iter().map(|one| one["crate"].as_str().unwrap()).collect();
        assert_eq!(crates, ["evil", "torn"], "{summary:#}");
        // It is there, and can be served and repaired.
        restored.start_again();
        assert_eq!(crate_of(&restored, "good")["max_version"], "1.0.0");
        assert_eq!(http::index_lines(&restored.url, "go/od/good").len(), 1);
        restored.database.connect().batch_execute("DROP TRIGGER refuse ON versions").unwrap();
        let repaired = restored.command("verify").args(["--repair", "--json"]).output().unwrap();
        assert_eq!(crate_of(&restored, "evil")["max_version"], "1.0.0", "{}", told(&repaired));
        restored.stop();
    }

    #[test]
    fn a_backup_that_cannot_be_restored_is_found_by_its_check() {
        let served = Served::start(&[]);
        http::publish(&served.url, &served.token("ann"), &Package::new("foo", "1.0.0")).good();
        // Rows that a constraint refuses are in the dump, and pg_restore cannot add the constraint to them.
        let mut connection = served.database.connect();
        connection
            .batch_execute(
                "CREATE FUNCTION fits(text) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
                 ALTER TABLE crates ADD CONSTRAINT fits CHECK (fits(name));
                 CREATE OR REPLACE FUNCTION fits(text) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$",
            )
            .unwrap();
        let backups = tempfile::tempdir().unwrap();
        let directory = backups.path().to_str().unwrap();
        served.run("backup", &[directory]);
        served.run("backup", &["--check", "--checksums-only", directory]);
        let said = failed(served.command("backup").args(["--check", directory]).output().unwrap(), 1);
        assert!(said.contains("pg_restore failed"), "{said}");
        let nowhere = served.command("backup").args(["--check", directory, "--postgres-bin-dir", "/nowhere"]).output();
        let said = failed(nowhere.unwrap(), 1);
        assert!(said.contains("found no PostgreSQL server programs") && said.contains("--checksums-only"), "{said}");
    }
}
