//! Upgrades that are killed: the old or the new database can be used, and the next upgrade finishes.

use super::*;

/// Lets an upgrade abort at fail points.
fn aborted(registry: &Registry, points: &str) {
    let output = registry.upgrade(13, 17).env("SUPERCARGO_FAIL_POINTS", points).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), None, "{points}: {} {said}", output.status);
}

fn beside(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn killed_before_the_swap_there_is_the_old_database_and_the_next_upgrade_finishes() {
    let mut registry = Registry::of(13);
    let points = [
        "upgrade.created",
        "upgrade.copying",
        "upgrade.copied",
        "upgrade.started_again",
        "upgrade.verified",
        "upgrade.complete",
    ];
    let mut versions = vec!["1.0.0*".to_owned(), "1.1.0".to_owned()];
    for (number, point) in points.iter().enumerate() {
        aborted(&registry, &format!("{point}=abort"));
        assert_eq!(registry.state(), (13, beside(&["postgres.upgrade"])), "{point}");
        // What is published now must not be lost by a later upgrade.
        registry.start(13);
        registry.publish(&format!("2.{number}.0"));
        versions.push(format!("2.{number}.0"));
        assert_eq!(registry.versions(), versions, "{point}");
        registry.stop();
    }
    // As on a file system that cannot let two directories change places.
    let output = registry.upgrade(13, 17).env("SUPERCARGO_FAIL_POINTS", "upgrade.exchange=error").output().unwrap();
    assert!(succeeded(output).contains("postgres.13"));
    assert_eq!(registry.state(), (17, beside(&["postgres.13"])));
    registry.start(17);
    assert_eq!(registry.versions(), versions);
    assert_eq!(text(&mut connect(&registry.data_dir), "(SELECT count(*)::text FROM versions)"), "8");
    registry.stop();
}

#[test]
fn killed_after_the_swap_there_is_the_new_database_and_the_next_upgrade_or_start_finishes() {
    let mut registry = Registry::of(13);
    aborted(&registry, "upgrade.swapped=abort");
    assert_eq!(registry.state(), (17, beside(&["postgres.upgrade"])));
    let said = succeeded(registry.upgrade(13, 17).output().unwrap());
    assert!(said.contains("finished an interrupted upgrade"), "{said}");
    assert_eq!(registry.state(), (17, beside(&["postgres.13"])));
    registry.has(17, &["1.0.0*", "1.1.0"]);
    // And once more, with the old database named already.
    fs::rename(registry.data_dir.join("postgres"), registry.directory.path().join("new")).unwrap();
    fs::rename(registry.data_dir.join("postgres.13"), registry.data_dir.join("postgres")).unwrap();
    aborted(&registry, "upgrade.kept=abort");
    assert_eq!(registry.state(), (17, beside(&["postgres.13", "postgres.upgrade"])));
    registry.has(17, &["1.0.0*", "1.1.0"]);
    assert_eq!(registry.state(), (17, beside(&["postgres.13"])));
}

#[test]
fn killed_between_two_renames_a_start_does_the_second_one() {
    let mut registry = Registry::of(13);
    aborted(&registry, "upgrade.exchange=error;upgrade.moved_away=abort");
    assert!(!registry.data_dir.join("postgres").exists());
    registry.has(17, &["1.0.0*", "1.1.0"]);
    assert_eq!(registry.state(), (17, beside(&["postgres.13"])));
}
