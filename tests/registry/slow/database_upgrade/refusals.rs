//! Upgrades that are refused, and leave everything as it was.

use super::*;
use crate::support::event::wait_until;
use crate::support::small_disk::{SmallDisk, in_namespace};

#[test]
fn an_upgrade_needs_a_stopped_registry_and_the_programs_of_both_versions() {
    let mut registry = Registry::of(15);
    registry.start(15);
    let said = failed(registry.upgrade(15, 17).output().unwrap(), 1);
    assert!(said.contains("is in use by process"), "{said}");
    registry.stop();

    let empty = tempfile::tempdir().unwrap();
    let mut command = registry.with(17, "database upgrade");
    let said = failed(command.arg("--old-postgres-bin-dir").arg(empty.path()).output().unwrap(), 1);
    assert!(said.contains("found no server programs of PostgreSQL 15") && said.contains("postgresql-15"), "{said}");
    let said = failed(registry.with(13, "database upgrade").output().unwrap(), 1);
    assert!(said.contains("a downgrade is not possible"), "{said}");
    let said = failed(registry.with(13, "serve").output().unwrap(), 1);
    assert!(said.contains("install PostgreSQL 15") && said.contains("a downgrade is not possible"), "{said}");
    let mut external = registry.upgrade(15, 17);
    let said = failed(external.args(["--database-url", "postgresql://h/db"]).output().unwrap(), 1);
    assert!(said.contains("is for the embedded PostgreSQL"), "{said}");

    let said = succeeded(registry.upgrade(15, 17).arg("--dry-run").output().unwrap());
    assert!(said.contains("from PostgreSQL 15") && said.contains("MiB needed"), "{said}");
    assert_eq!(registry.state(), (15, vec![]));
}

/// Every command that would open the database names the way out.
#[test]
fn commands_with_the_programs_of_another_version_say_which_command_upgrades() {
    let registry = Registry::of(13);
    let backups = registry.directory.path().join("backups").display().to_string();
    for subcommand in ["migrate", "admin user list", "jobs list", "verify", &format!("backup {backups}")] {
        let Output { status, stderr, .. } = registry.with(17, subcommand).output().unwrap();
        let said = String::from_utf8(stderr).unwrap();
        assert!(!status.success() && said.contains("upgrade the database with `supercargo database upgrade"), "{said}");
    }
    assert_eq!(registry.state(), (13, vec![]));
}

#[test]
fn what_supercargo_did_not_create_is_named_and_not_lost() {
    let mut registry = Registry::of(13);
    registry.start(13);
    connect(&registry.data_dir)
        .batch_execute(
            "CREATE TABLE notes (id integer PRIMARY KEY, text text); CREATE INDEX by_size ON versions (size)",
        )
        .unwrap();
    registry.stop();
    let said = failed(registry.upgrade(13, 17).output().unwrap(), 1);
    assert!(said.contains("the table public.notes") && said.contains("the index public.by_size"), "{said}");
    assert_eq!(registry.state(), (13, vec![]));
    registry.has(13, &["1.0.0*", "1.1.0"]);
}

/// Lets an upgrade wait before it compares, and changes the new database meanwhile.
fn tampered(registry: &Registry, statement: &str) -> String {
    let point = registry.directory.path().join("fail-point");
    fs::write(&point, "upgrade.started_again=stall(2s)").unwrap();
    let mut command = registry.upgrade(13, 17);
    command.env("SUPERCARGO_FAIL_POINTS", format!("@{}", point.display()));
    let errors = registry.directory.path().join("errors");
    let mut child = command.stdout(Stdio::null()).stderr(File::create(&errors).unwrap()).spawn().unwrap();
    wait_until("the copy", || !point.exists());
    let new = embedded::upgrade::directory(&registry.data_dir);
    connect(&new).batch_execute(statement).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    fs::read_to_string(errors).unwrap()
}

#[test]
fn a_difference_in_one_row_is_found_and_the_old_database_stays() {
    let mut registry = Registry::of(13);
    for (statement, named) in [
        (
            "UPDATE versions SET size = size + 1 WHERE num = '1.1.0'",
            "row 2 of the table public.versions has another content",
        ),
        ("DELETE FROM users", "the table public.users has only 0 rows"),
        ("SELECT nextval('crates_id_seq')", "the sequence public.crates_id_seq has another value"),
    ] {
        let said = tampered(&registry, &format!("SET session_replication_role = 'replica'; {statement}"));
        assert!(said.contains(named), "{said}");
        assert_eq!(registry.state(), (13, vec![]), "{statement}");
    }
    registry.has(13, &["1.0.0*", "1.1.0"]);
}

#[test]
fn an_upgrade_without_disk_space_is_refused_before_it_begins() {
    let test = "slow::database_upgrade::refusals::an_upgrade_without_disk_space_is_refused_before_it_begins";
    in_namespace(test, || {
        let disk = SmallDisk::of_kib(190 * 1024);
        let data_dir = disk.path().join("data");
        let mut registry = Registry::at(tempfile::tempdir().unwrap(), data_dir, 13);
        for arguments in [&["--dry-run"][..], &[]] {
            let said = failed(registry.upgrade(13, 17).args(arguments).output().unwrap(), 1);
            assert!(said.contains("no space is left for the upgrade") && said.contains("MiB are available"), "{said}");
        }
        assert_eq!(registry.state(), (13, vec![]));
        registry.has(13, &["1.0.0*", "1.1.0"]);
    });
}
