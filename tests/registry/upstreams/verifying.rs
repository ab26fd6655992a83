//! `supercargo verify --upstreams`, and backups of the cache.

use std::path::Path;

use diesel::connection::SimpleConnection;
use serde_json::Value;
use supercargo::crate_store::CrateStore;
use supercargo::package::Checksum;

use super::{ALWAYS_FRESH, FOO, download, index, through};
use crate::support::package::Package;
use crate::support::process::{Served, failed, succeeded};

const IN_DATABASE: [&str; 2] = ["--upstream-index-in", "database"];

fn verify(served: &Served, arguments: &[&str]) -> Value {
    let output = served.command("verify").args(["--json", "--upstreams"]).args(arguments).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn kinds(report: &Value) -> Vec<String> {
    let differences = report["differences"].as_array().unwrap().iter();
    differences.map(|one| format!("{} {}", one["kind"].as_str().unwrap(), one["path"].as_str().unwrap())).collect()
}

fn sum() -> Checksum {
    Checksum::of(&Package::new("foo", "1.0.0").crate_file())
}

/// Where the crate file of `foo` 1.0.0 is kept.
fn kept_file(served: &Served) -> std::path::PathBuf {
    served.data_dir().join("crates/upstream").join(CrateStore::place(sum()))
}

#[test]
fn a_whole_cache_agrees_and_damaged_files_are_found_and_removed_and_fetched_again() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    let (lines, file) = (index(&served, "3/f/foo").good().body, download(&served, "foo", "1.0.0").good().body);
    let whole = verify(&served, &[]);
    assert_eq!(whole["agreement"], true, "{whole:#}");
    let counted =
        |report: &Value| ["upstream_index_files", "upstream_crate_files"].map(|key| report["counts"][key].clone());
    assert_eq!(counted(&whole), [1, 1]);
    assert_eq!(counted(&verify(&served, &["--light"])), [1, 0]);
    let place = served.data_dir().join("upstream-index/other/3/f/foo");
    let content = std::fs::read(&place).unwrap();
    std::fs::write(&place, &content[..content.len() - 1]).unwrap();
    std::fs::write(served.data_dir().join("upstream-index/other/3/f/.tmpAbCdEf"), "{").unwrap();
    std::fs::write(kept_file(&served), "another").unwrap();
    let expected = [
        format!("damaged-upstream-file {}", CrateStore::place(sum())),
        "damaged-upstream-index-file upstream-index/other/3/f/.tmpAbCdEf".to_owned(),
        "damaged-upstream-index-file upstream-index/other/3/f/foo".to_owned(),
    ];
    assert_eq!(kinds(&verify(&served, &["--orphan-age", "0s"])), expected);
    // The file that is being written is not old enough.
    assert_eq!(kinds(&verify(&served, &["--light"])), expected[2..]);
    assert_eq!(
        verify(&served, &["--light"])["differences"][0]["remedy"],
        "run `supercargo verify --upstreams --repair`"
    );
    let repaired = verify(&served, &["--orphan-age", "0s", "--repair"]);
    assert_eq!((&repaired["repaired"], &repaired["left"]), (&Value::from(3), &Value::from(0)), "{repaired:#}");
    assert!(!place.exists() && !kept_file(&served).exists());
    assert_eq!(verify(&served, &["--orphan-age", "0s"])["agreement"], true);
    let mut served = served;
    served.kill();
    served.start_again();
    assert_eq!((index(&served, "3/f/foo").good().body, download(&served, "foo", "1.0.0").good().body), (lines, file));
    assert_eq!([upstream.count(FOO), upstream.count("/dl/foo/1.0.0")], [2, 2]);
}

#[test]
fn damaged_files_of_the_database_are_found_and_removed() {
    let (_upstream, served) = through(&[&ALWAYS_FRESH[..], &IN_DATABASE].concat());
    index(&served, "3/f/foo").good();
    assert_eq!(verify(&served, &[])["agreement"], true);
    let mut connection = served.database.connect();
    // A whole file at the path of another crate, and one that is cut.
    connection
        .batch_execute(
            "INSERT INTO upstream_index_files (upstream, path, known, content)
             SELECT upstream, '3/b/bar', known, content FROM upstream_index_files;
             UPDATE upstream_index_files SET content = substr(content, 1, 20) WHERE path = '3/f/foo'",
        )
        .unwrap();
    let found = verify(&served, &["--light"]);
    let expected =
        ["damaged-upstream-index-file database/other/3/b/bar", "damaged-upstream-index-file database/other/3/f/foo"];
    assert_eq!(kinds(&found), expected);
    let of_other = found["differences"][0]["found"].as_str().unwrap();
    assert!(of_other.contains("is of the crate \"foo\""), "{of_other}");
    assert_eq!(verify(&served, &["--repair"])["left"], 0);
    assert_eq!(verify(&served, &[])["counts"]["upstream_index_files"], 0);
}

fn backup(served: &Served, to: &Path, more: &[&str]) -> Value {
    let output = served.command("backup").arg(to).arg("--json").args(more).output().unwrap();
    serde_json::from_str(&succeeded(output)).unwrap()
}

#[test]
fn a_backup_has_the_cache_if_it_is_asked_for_and_a_restore_puts_it_back() {
    for index_in in ["directory", "database"] {
        let (mut upstream, served) = through(&[&ALWAYS_FRESH[..], &["--upstream-index-in", index_in]].concat());
        let kept = (index(&served, "3/f/foo").good().body, download(&served, "foo", "1.0.0").good().body);
        let backups = tempfile::tempdir().unwrap();
        let without = backup(&served, &backups.path().join("without"), &[]);
        let with = backup(&served, &backups.path().join("with"), &["--with-upstream-cache"]);
        assert_eq!(without["upstream_cache"], Value::Null);
        // Index files of the database are in its dump.
        let files = if index_in == "directory" { 2 } else { 1 };
        assert_eq!(with["upstream_cache"]["files"], files, "{with:#}");
        served.run("backup", &[backups.path().join("with").to_str().unwrap(), "--check", "--checksums-only"]);
        upstream.stop();
        for (name, has_cache) in [("without", false), ("with", true)] {
            let arguments = ["--upstream", &format!("other={}", upstream.sparse()), "--upstream-index-in", index_in];
            let mut restored = Served::nothing(&arguments);
            succeeded(restored.command("restore").arg(backups.path().join(name)).output().unwrap());
            restored.start_again();
            let reply = index(&restored, "3/f/foo");
            if !has_cache {
                assert_eq!(reply.status, 503, "{index_in}: {}", reply.text());
                continue;
            }
            assert_eq!((reply.good().body, download(&restored, "foo", "1.0.0").good().body), kept, "{index_in}");
        }
        // A file that has changed since is found.
        let place = with["name"].as_str().unwrap();
        let file = backups.path().join("with").join(place).join("upstream/crates").join(CrateStore::place(sum()));
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, "another").unwrap();
        let mut check = served.command("backup");
        check.arg(backups.path().join("with")).args(["--check", "--checksums-only"]);
        let said = failed(check.output().unwrap(), 1);
        assert!(said.contains("has changed since it was written"), "{said}");
    }
}
