//! `index-fixtures`: one folder a change of the index.
//!
//! `before/` holds the index as it is, `job.json` what is asked for and the commits expected, `after/` the index as it must
//! be then, byte for byte. Publication times are replaced by one that is always the same. With UPDATE_FIXTURES=1 the tests
//! write `after/` and the commits instead of comparing them; read the difference before you commit it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Bool, Text};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use supercargo::index::Change;
use supercargo::index::entry::with_yanked;

use crate::support::harness::TestRegistry;
use crate::support::package::Package;

const PUBTIME: &str = "2026-01-01T00:00:00Z";

type Files = BTreeMap<String, String>;

#[derive(Serialize, Deserialize)]
struct Fixture {
    what: String,
    steps: Vec<Step>,
    commits: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Publish(Publish),
    Yank { name: String, version: String },
    Unyank { name: String, version: String },
}

#[derive(Serialize, Deserialize)]
struct Publish {
    name: String,
    version: String,
    /// What stands in Cargo.toml below `[package]`'s first lines.
    #[serde(default)]
    manifest: String,
    /// What differs from the plainest metadata.
    #[serde(default)]
    metadata: Value,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("index-fixtures")
}

fn read_files(directory: &Path) -> Files {
    let mut files = Files::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|name| name != ".gitkeep") {
                let name = path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(path).unwrap());
            }
        }
    }
    files
}

fn write_files(directory: &Path, files: &Files) {
    let _ = std::fs::remove_dir_all(directory);
    for (name, content) in files {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

/// Puts crates into index and database as if they had been published.
fn set_up(registry: &TestRegistry, before: &Files) {
    let ann = registry.user("ann");
    drop(ann);
    for (path, content) in before {
        let change = Change { path: path.clone(), content: Some(content.clone().into()), message: "before".to_owned() };
        registry.index.lock_writer().unwrap().commit(&registry.index.head().unwrap(), &[change]).unwrap();
        for line in content.lines().filter(|_| path != "config.json") {
            add_version(registry, line);
        }
    }
}

fn add_version(registry: &TestRegistry, line: &str) {
    let entry: Value = serde_json::from_str(line).unwrap();
    let text = |field: &str| entry[field].as_str().unwrap().to_owned();
    registry
        .pool
        .with(|connection| {
            sql_query("INSERT INTO crates (name) VALUES ($1) ON CONFLICT DO NOTHING")
                .bind::<Text, _>(text("name"))
                .execute(connection)
                .unwrap();
            sql_query(
                "INSERT INTO crate_owners (crate_id, user_id) SELECT crates.id, users.id FROM crates, users
                 WHERE crates.name = $1 AND login = 'ann' ON CONFLICT DO NOTHING",
            )
            .bind::<Text, _>(text("name"))
            .execute(connection)
            .unwrap();
            sql_query(
                "INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, metadata, desired_yanked,
                                       effective_yanked, state, commit_id, published_at)
                 SELECT id, $2, split_part($2, '+', 1), decode($3, 'hex'), 1, $4, '{}', $5, $5, 'published', 'before', now()
                 FROM crates WHERE name = $1",
            )
            .bind::<Text, _>(text("name"))
            .bind::<Text, _>(text("vers"))
            .bind::<Text, _>(text("cksum"))
            .bind::<Text, _>(with_yanked(line, false).unwrap())
            .bind::<Bool, _>(entry["yanked"].as_bool().unwrap_or(false))
            .execute(connection)
            .unwrap();
        })
        .unwrap();
}

fn take(registry: &TestRegistry, step: &Step) {
    let ann = registry.user("ann");
    match step {
        Step::Publish(publish) => {
            let mut package = Package::new(&publish.name, &publish.version).manifest(&publish.manifest);
            for (field, value) in publish.metadata.as_object().into_iter().flatten() {
                package = package.metadata(field, value.clone());
            }
            ann.publish(&package).good();
        }
        Step::Yank { name, version } => drop(ann.yank(name, version).good()),
        Step::Unyank { name, version } => drop(ann.unyank(name, version).good()),
    }
    registry.run_jobs();
}

/// The index's files at its head.
fn index_files(registry: &TestRegistry) -> Files {
    let git = |arguments: &[&str]| {
        let output =
            std::process::Command::new("git").args(arguments).current_dir(registry.index.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let names = git(&["ls-tree", "-r", "--name-only", "main"]);
    names.lines().map(|name| (name.to_owned(), fixed_times(&git(&["show", &format!("main:{name}")])))).collect()
}

/// Replaces what lies between `"pubtime":"` and the next quote.
fn fixed_times(text: &str) -> String {
    let mut parts = text.split("\"pubtime\":\"");
    let mut fixed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (time, rest) = part.split_once('"').unwrap();
        assert!(chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%SZ").is_ok(), "{time}");
        fixed += &format!("\"pubtime\":\"{PUBTIME}\"{rest}");
    }
    fixed
}

// protocol: 34, 35, 36, 37, 39, 40, 42
#[test]
fn every_change_leaves_the_index_as_its_fixture_says() {
    let update = std::env::var("UPDATE_FIXTURES").is_ok_and(|value| value == "1");
    let mut count = 0;
    for entry in std::fs::read_dir(root()).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() || folder.ends_with("captured") {
            continue;
        }
        count += 1;
        let job = folder.join("job.json");
        let text = std::fs::read_to_string(&job).unwrap_or_else(|error| panic!("{}: {error}", job.display()));
        let mut fixture: Fixture =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", job.display()));
        let registry = TestRegistry::new();
        let before = read_files(&folder.join("before"));
        set_up(&registry, &before);
        fixture.steps.iter().for_each(|step| take(&registry, step));
        let commits = registry.commits().split_off(before.len());
        if update {
            write_files(&folder.join("after"), &index_files(&registry));
            fixture.commits = commits;
            std::fs::write(&job, serde_json::to_string_pretty(&fixture).unwrap() + "\n").unwrap();
        } else {
            assert_eq!(index_files(&registry), read_files(&folder.join("after")), "{}", folder.display());
            assert_eq!(commits, fixture.commits, "{}", folder.display());
        }
    }
    assert!(count >= 14, "{count}");
}
