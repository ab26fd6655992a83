//! The numbers that the database keeps, so that no request counts crates: they are exact after every change, and no request
//! reads a whole table.

use axum::http::{Method, StatusCode};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde_json::{Value, json};
use supercargo::database::catalog::topics::{self, Kind};
use supercargo::database::upkeep::registry_count_states;

use crate::support::cluster::Database;
use crate::support::harness::{Client, TestRegistry};
use crate::support::package::Package;

fn package(name: &str, version: &str, keywords: &[&str], categories: &[&str]) -> Package {
    Package::new(name, version)
        .manifest(&format!("keywords = {keywords:?}\ncategories = {categories:?}\n"))
        .metadata("keywords", json!(keywords))
        .metadata("categories", json!(categories))
}

fn depending(name: &str, version: &str, on: &[&str]) -> Package {
    let index = "sparse+http://registry.test/index/";
    let line = |name: &&str| format!("{name} = {{ version = \"1\", registry-index = \"{index}\" }}\n");
    let lines: String = on.iter().map(line).collect();
    let deps: Vec<Value> = on
        .iter()
        .map(|name| {
            json!({ "name": name, "version_req": "^1", "features": [], "optional": false, "default_features": true,
                    "target": null, "kind": "normal" })
        })
        .collect();
    Package::new(name, version).manifest(&format!("[dependencies]\n{lines}")).metadata("deps", json!(deps))
}

fn get(registry: &TestRegistry, path: &str) -> Value {
    registry.anonymous().get(&format!("/api/v1/{path}")).good().json()
}

fn delete(client: &Client<'_>, name: &str) {
    let answer = client.request(Method::DELETE, &format!("/api/v1/crates/{name}"), "");
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text());
}

/// Whether each number is that of the rows.
fn are_exact(registry: &TestRegistry) {
    let wrong = registry.pool.with(|connection| registry_count_states::wrong(connection).unwrap()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// The number of crates, of those with the keyword `a` and the category `parsing`, and of keywords.
fn numbers(registry: &TestRegistry) -> [u64; 4] {
    are_exact(registry);
    let number = |path: &str, pointer: &str| {
        let answer = registry.anonymous().get(&format!("/api/v1/{path}"));
        if answer.status == 404 { 0 } else { answer.good().json().pointer(pointer).unwrap().as_u64().unwrap() }
    };
    [
        number("summary", "/num_crates"),
        number("keywords/a", "/keyword/crates_cnt"),
        number("categories/parsing", "/category/crates_cnt"),
        number("keywords", "/meta/total"),
    ]
}

#[test]
fn numbers_are_exact_after_each_change_of_a_crate() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    assert_eq!(numbers(&registry), [0, 0, 0, 0]);
    ann.publish(&package("one", "1.0.0", &["a", "b"], &["parsing", "parsing::json"])).good();
    ann.publish(&package("two", "1.0.0", &["a"], &["parsing::json"])).good();
    assert_eq!(numbers(&registry), [0, 0, 0, 0]);
    registry.run_jobs();
    assert_eq!(numbers(&registry), [2, 2, 2, 2]);
    // A new version as before, and one with other keywords.
    ann.publish(&package("one", "1.1.0", &["a", "b"], &["parsing", "parsing::json"])).good();
    registry.run_jobs();
    assert_eq!(numbers(&registry), [2, 2, 2, 2]);
    ann.publish(&package("one", "1.2.0", &["c", "d"], &["encoding"])).good();
    registry.run_jobs();
    assert_eq!(numbers(&registry), [2, 1, 1, 3]);
    // The version before describes the crate again.
    ann.yank("one", "1.2.0").good();
    registry.run_jobs();
    assert_eq!(numbers(&registry), [2, 2, 2, 2]);
    let unyanked = || get(&registry, "crates?include_yanked=no")["meta"]["total"].clone();
    assert_eq!(unyanked(), 2);
    for version in ["1.0.0", "1.1.0"] {
        ann.yank("one", version).good();
    }
    registry.run_jobs();
    assert_eq!((numbers(&registry), unyanked()), ([2, 1, 1, 3], json!(1)));
    delete(&ann, "two");
    registry.run_jobs();
    assert_eq!((numbers(&registry), unyanked()), ([1, 0, 0, 2], json!(0)));
    delete(&registry.admin("root"), "one");
    registry.run_jobs();
    assert_eq!(numbers(&registry), [0, 0, 0, 0]);
}

#[test]
fn the_totals_of_lists_are_those_of_their_crates() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for (name, keywords, categories) in
        [("one", ["a", "b"], "parsing::json"), ("two", ["a", "c"], "parsing"), ("three", ["c", "d"], "encoding")]
    {
        ann.publish(&package(name, "1.0.0", &keywords, &[categories])).good();
    }
    registry.run_jobs();
    for query in [
        "",
        "keyword=a",
        "keyword=A",
        "keyword=z",
        "category=parsing",
        "category=parsing::json",
        "category=Encoding",
        "all_keywords=a%20c",
        "keyword=a&category=parsing::json",
        "include_yanked=no",
        "letter=t",
    ] {
        let answer = get(&registry, &format!("crates?{query}"));
        assert_eq!(answer["meta"]["total"], answer["crates"].as_array().unwrap().len(), "{query}");
    }
}

#[test]
fn dependents_follow_the_default_version() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for name in ["base", "other"] {
        ann.publish(&Package::new(name, "1.0.0")).good();
    }
    ann.publish(&depending("app", "1.0.0", &["base"])).good();
    ann.publish(&depending("tool", "1.0.0", &["base", "other"])).good();
    registry.run_jobs();
    let dependents = |name: &str| {
        are_exact(&registry);
        let answer = get(&registry, &format!("crates/{name}/reverse_dependencies"));
        let versions = answer["versions"].as_array().unwrap();
        assert_eq!(answer["meta"]["total"], versions.len());
        versions
            .iter()
            .map(|one| format!("{}@{}", one["crate"].as_str().unwrap(), one["num"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(dependents("base"), ["app@1.0.0", "tool@1.0.0"]);
    registry.count_downloads(&[("tool", "1.0.0", 1)]);
    assert_eq!(dependents("base"), ["tool@1.0.0", "app@1.0.0"]);
    ann.publish(&depending("tool", "1.1.0", &["other"])).good();
    registry.run_jobs();
    assert_eq!(
        (dependents("base"), dependents("other")),
        (vec!["app@1.0.0".to_owned()], vec!["tool@1.1.0".to_owned()])
    );
    ann.yank("tool", "1.1.0").good();
    registry.run_jobs();
    assert_eq!(dependents("base"), ["tool@1.0.0", "app@1.0.0"]);
    delete(&registry.admin("root"), "tool");
    registry.run_jobs();
    assert_eq!((dependents("base"), dependents("other").len()), (vec!["app@1.0.0".to_owned()], 0));
}

/// The crates with a keyword, and when the first was created.
fn keyword(connection: &mut PgConnection, name: &str) -> Option<(i64, String)> {
    let found = topics::find(connection, Kind::Keywords, &[name.to_owned()]).unwrap().pop()?;
    Some((found.crates, found.created_at.format("%Y").to_string()))
}

fn is_exact(connection: &mut PgConnection) {
    assert_eq!(registry_count_states::wrong(connection).unwrap(), []);
}

/// Both would wait for each other if they wrote the same numbers.
#[test]
fn transactions_that_change_the_same_numbers_do_not_wait_for_each_other() {
    let database = Database::fresh();
    let (one, other) = (&mut database.connect(), &mut database.connect());
    one.batch_execute(
        "INSERT INTO crates (id, name, created_at, version_count, keywords)
         SELECT n, 'c' || n, make_timestamptz(2000 + n, 6, 1, 0, 0, 0), 1, '{a,b}' FROM generate_series(1, 4) AS n",
    )
    .unwrap();
    assert_eq!(keyword(one, "a"), Some((4, "2001".to_owned())));
    other.batch_execute("SET statement_timeout = '20s'").unwrap();
    one.batch_execute("BEGIN; UPDATE crates SET keywords = '{a,c}' WHERE id = 1").unwrap();
    other.batch_execute("BEGIN; UPDATE crates SET keywords = '{c,b}' WHERE id = 2").unwrap();
    one.batch_execute("UPDATE crates SET keywords = '{b}' WHERE id = 3").unwrap();
    other.batch_execute("UPDATE crates SET keywords = '{a}', version_count = 0 WHERE id = 4").unwrap();
    // Each sees its own changes.
    assert_eq!((keyword(one, "a"), keyword(other, "a")), (Some((3, "2001".to_owned())), Some((2, "2001".to_owned()))));
    is_exact(one);
    is_exact(other);
    other.batch_execute("COMMIT").unwrap();
    is_exact(other);
    one.batch_execute("COMMIT").unwrap();
    is_exact(one);
    assert_eq!(
        [keyword(one, "a"), keyword(one, "b"), keyword(one, "c")],
        [Some((1, "2001".to_owned())), Some((2, "2002".to_owned())), Some((2, "2001".to_owned()))]
    );
    // The next transaction adds what the other one left behind, and the first crate with a keyword is looked for again.
    one.batch_execute("UPDATE crates SET keywords = '{}' WHERE id = 1").unwrap();
    #[derive(QueryableByName)]
    struct Left {
        #[diesel(sql_type = BigInt)]
        left: i64,
    }
    let left: Left = diesel::sql_query("SELECT count(*) AS left FROM registry_count_changes").get_result(one).unwrap();
    assert_eq!(left.left, 0);
    assert_eq!((keyword(one, "a"), keyword(one, "c")), (None, Some((1, "2002".to_owned()))));
    is_exact(one);
}

#[test]
fn the_time_of_the_first_crate_with_a_keyword_is_corrected() {
    let database = Database::fresh();
    let connection = &mut database.connect();
    connection
        .batch_execute(
            "INSERT INTO crates (id, name, created_at, version_count, keywords)
             VALUES (1, 'one', '2001-06-01', 1, '{a,b}'), (2, 'two', '2002-06-01', 1, '{a}');
             UPDATE registry_counts SET since = since - interval '1 year' WHERE name = 'a';
             UPDATE registry_counts SET since = since + interval '1 year' WHERE name = 'b'",
        )
        .unwrap();
    assert_eq!(registry_count_states::wrong(connection).unwrap()[0].wrong, 2);
    registry_count_states::correct(connection, "keyword").unwrap();
    is_exact(connection);
    // So it is by counting everything again.
    connection.batch_execute("SELECT recount_registry()").unwrap();
    is_exact(connection);
    assert_eq!(
        (keyword(connection, "a"), keyword(connection, "b")),
        (Some((2, "2001".to_owned())), Some((1, "2001".to_owned())))
    );
}

mod slow {
    use super::*;

    #[derive(QueryableByName, PartialEq, Debug)]
    struct Scans {
        #[diesel(sql_type = Text)]
        table: String,
        #[diesel(sql_type = BigInt)]
        scans: i64,
    }

    /// The sequential scans of this transaction. PostgreSQL counts those that it makes, so no statement is left out.
    fn scans(registry: &TestRegistry) -> Vec<Scans> {
        const SCANS: &str = "SELECT relname::text AS table, seq_scan AS scans FROM pg_stat_xact_user_tables
            WHERE relname IN ('crates', 'versions', 'dependencies', 'crate_dependents', 'crate_search',
                              'registry_counts', 'crate_owners') AND seq_scan > 0 ORDER BY 1";
        registry.pool.with(|connection| diesel::sql_query(SCANS).load(connection).unwrap()).unwrap()
    }

    #[derive(QueryableByName)]
    struct Names {
        #[diesel(sql_type = Text)]
        popular: String,
        #[diesel(sql_type = Text)]
        rare: String,
        #[diesel(sql_type = Text)]
        keyword: String,
    }

    #[test]
    fn no_request_for_a_page_reads_a_whole_table() {
        let database = Database::fresh();
        let generated = include_str!("support/generated.sql").replace("{crates}", "3000");
        database.connect().batch_execute(&generated).unwrap();
        let registry = TestRegistry::on(&database);
        let names = "SELECT (SELECT name FROM crates WHERE id = (SELECT min(id) FROM crates)) AS popular,
            (SELECT name FROM crates WHERE id = (SELECT min(id) + 2000 FROM crates)) AS rare,
            (SELECT name FROM registry_counts WHERE kind = 'keyword' ORDER BY count DESC LIMIT 1) AS keyword";
        let Names { popular, rare, keyword } =
            registry.pool.with(|connection| diesel::sql_query(names).get_result(connection).unwrap()).unwrap();
        let paths = [
            format!("crates/{popular}"),
            format!("crates/{rare}"),
            format!("crates/{popular}?include=default_version"),
            format!("crates/{popular}/versions"),
            format!("crates/{popular}/versions?sort=date&per_page=1"),
            format!("crates/{popular}/reverse_dependencies"),
            // For 100 of 3,000 crates the whole table is cheaper.
            format!("crates/{popular}/reverse_dependencies?per_page=20"),
            format!("crates/{rare}/reverse_dependencies"),
            format!("crates/{popular}/downloads"),
            format!("crates/{popular}/owners"),
            format!("crates/{popular}/1.0.0"),
            format!("crates/{popular}/1.2.0/dependencies"),
            format!("crates/{popular}/1.2.0/downloads"),
            "summary".to_owned(),
            "keywords".to_owned(),
            "keywords?sort=crates&page=3".to_owned(),
            format!("keywords/{keyword}"),
            "categories?sort=crates".to_owned(),
            "categories/category-1".to_owned(),
            "crates".to_owned(),
            "crates?sort=downloads".to_owned(),
            "crates?sort=recent-downloads".to_owned(),
            "crates?sort=recent-updates".to_owned(),
            "crates?sort=new".to_owned(),
            "crates?include_yanked=no".to_owned(),
            format!("crates?keyword={keyword}"),
            // A page of a category or of an owner with a large part of all crates does read the table.
            "crates?category=category-40&sort=new".to_owned(),
            "crates?category=category-40&per_page=100".to_owned(),
            "crates?category=category-40&sort=downloads&per_page=100".to_owned(),
            "crates?letter=b".to_owned(),
            format!("crates?ids[]={popular}&ids[]={rare}"),
            // From the first search on, the rest of the transaction has the settings of searches.
            format!("crates?q={popular}"),
            "crates?q=xxq".to_owned(),
            format!("crates?q={keyword}&sort=downloads"),
        ];
        let mut scanning = Vec::new();
        for path in paths {
            let before = scans(&registry);
            get(&registry, &path);
            let after = scans(&registry);
            if after != before {
                scanning.push((path, before, after));
            }
        }
        assert!(scanning.is_empty(), "{scanning:#?}");
    }
}
