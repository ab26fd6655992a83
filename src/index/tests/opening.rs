use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::index::IndexError;

#[test]
fn a_new_index_is_empty_private_and_on_main() {
    let test = TestIndex::new();
    assert_eq!(test.index.head().unwrap().commit, None);
    assert_eq!(test.text("config.json"), None);
    assert_eq!(fs::metadata(test.index.path()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(test.git(&["symbolic-ref", "HEAD"]), "refs/heads/main\n");
    let hooks = fs::read_dir(test.index.path().join("hooks")).unwrap();
    let hooks: Vec<_> = hooks.map(|hook| hook.unwrap().file_name()).collect();
    assert_eq!(hooks, ["README.sample"], "libgit2's own, none of a template");
    let around: Vec<_> = fs::read_dir(test.directory.path()).unwrap().collect();
    assert_eq!(around.len(), 1, "nothing is left of building it: {around:?}");
}

#[test]
fn an_index_is_opened_again_with_what_it_holds() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    let again = Index::open_or_init(test.index.path()).unwrap();
    assert_eq!(text(&again, "1/a").unwrap(), "one");
}

#[test]
fn a_setting_that_was_changed_is_put_right_when_the_index_is_opened() {
    let test = TestIndex::new();
    test.git(&["config", "core.fsync", "none"]);
    Index::open_or_init(test.index.path()).unwrap();
    assert_eq!(test.git(&["config", "core.fsync"]), "committed\n");
}

#[test]
fn an_empty_directory_becomes_an_index_and_another_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    Index::open_or_init(directory.path()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("notes"), "mine").unwrap();
    let error = Index::open_or_init(directory.path()).unwrap_err();
    assert!(matches!(error, IndexError::NotARepository { .. }), "{error}");
    assert!(error.is_outage());
    assert!(error.to_string().contains("is neither a bare git repository nor empty"), "{error}");
}

#[test]
fn a_repository_on_another_branch_is_refused() {
    let test = TestIndex::new();
    test.git(&["symbolic-ref", "HEAD", "refs/heads/master"]);
    let error = Index::open_or_init(test.index.path()).unwrap_err();
    assert!(error.to_string().contains("is refs/heads/master instead of refs/heads/main"), "{error}");
}
