//! The names of the branch.

use super::*;
use crate::index::IndexError;

fn name(test: &TestIndex, name: &str) {
    test.index.lock_writer().unwrap().name_branch(name).unwrap();
}

/// Asserts that HEAD and all names show the content, and which of them is the branch.
fn expect(test: &TestIndex, branch: &str, content: &str) {
    assert_eq!(test.text("1/a").unwrap(), content);
    assert_eq!(test.git(&["symbolic-ref", "HEAD"]), format!("refs/heads/{branch}\n"));
    for name in ["HEAD", branch, "main", "master"] {
        assert_eq!(test.git(&["show", &format!("{name}:1/a")]), content, "{name}");
    }
    assert_eq!(git(test.index.path(), &["symbolic-ref", "-q", &format!("refs/heads/{branch}")]).status.code(), Some(1));
    test.fsck();
}

#[test]
fn the_branch_is_named_and_named_again_and_every_name_follows_it() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    for (number, branch) in ["main", "trunk", "stable/1", "master", "trunk", "main"].into_iter().enumerate() {
        for _a_second_time_nothing_changes in 0..2 {
            name(&test, branch);
        }
        let content = format!("content {number}");
        test.commit(&[put("1/a", &content)]);
        expect(&test, branch, &content);
        Index::open_or_init(test.index.path()).unwrap();
    }
    assert_eq!(test.git(&["show", "trunk:1/a"]), "content 5", "earlier names follow as well");
    test.git(&["pack-refs", "--all"]);
    name(&test, "trunk");
    test.commit(&[put("1/a", "packed")]);
    expect(&test, "trunk", "packed");
}

#[test]
fn an_empty_index_is_named_after_its_first_commit() {
    for branch in ["main", "trunk", "master"] {
        let test = TestIndex::new();
        name(&test, branch);
        assert_eq!(test.git(&["for-each-ref"]), "");
        test.fsck();
        test.commit(&[put("1/a", "one")]);
        name(&test, branch);
        expect(&test, branch, "one");
    }
}

#[test]
fn a_branch_with_commits_of_its_own_is_not_replaced() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    let own = ["-c", "user.name=x", "-c", "user.email=x@x", "commit-tree", "main^{tree}", "-m", "own"];
    let own = test.git(&own).trim().to_owned();
    test.git(&["branch", "trunk", &own]);
    test.git(&["branch", "master", &own]);
    let error = test.index.lock_writer().unwrap().name_branch("trunk").unwrap_err();
    assert!(matches!(error, IndexError::BranchTaken { .. }), "{error}");
    let shown = error.to_string().replace(&*test.index.path().to_string_lossy(), "INDEX");
    insta::assert_snapshot!(shown, @"the index INDEX has a branch trunk with commits of its own: choose another --index-branch, or run `git update-ref -d refs/heads/trunk` there if nobody needs them");
    name(&test, "main");
    for branch in ["trunk", "master"] {
        assert_eq!(test.git(&["rev-parse", branch]).trim(), own);
    }
    test.commit(&[put("1/a", "two")]);
    assert_eq!(test.git(&["show", "main:1/a"]), "two");
}

#[test]
fn an_interrupted_change_of_the_name_is_completed() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    name(&test, "main");
    // Ended after its first step: the new name has a copy, and the index goes on as before.
    test.git(&["branch", "trunk", "main"]);
    test.commit(&[put("1/a", "two")]);
    name(&test, "trunk");
    expect(&test, "trunk", "two");
    // Ended before its last step.
    test.git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    Index::open_or_init(test.index.path()).unwrap();
    test.commit(&[put("1/a", "three")]);
    name(&test, "trunk");
    expect(&test, "trunk", "three");
}

#[test]
fn a_name_below_main_or_master_is_one_for_the_remote_only() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    for branch in ["main/index", "master/index"] {
        name(&test, branch);
        expect(&test, "main", "one");
    }
}

#[test]
fn a_backup_of_an_index_with_a_named_branch_is_restored() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    name(&test, "trunk");
    let head = test.commit(&[put("1/a", "two")]).head;
    let bundle = test.directory.path().join("bundle");
    assert_eq!(test.index.write_bundle(&bundle).unwrap(), head.commit);
    let restored = TestIndex::new();
    assert_eq!(restored.index.read_bundle(&bundle).unwrap(), head);
    name(&restored, "trunk");
    expect(&restored, "trunk", "two");
}

/// docs/operations.md squashes the history so.
#[test]
fn an_operator_may_move_the_branch_by_the_name_main() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    name(&test, "trunk");
    let old = test.git(&["rev-parse", "refs/heads/main"]).trim().to_owned();
    let own = ["-c", "user.name=x", "-c", "user.email=x@x", "commit-tree", "main^{tree}", "-m", "Squash"];
    let new = test.git(&own).trim().to_owned();
    test.git(&["update-ref", "refs/heads/main", &new, &old]);
    expect(&test, "trunk", "one");
    test.commit(&[put("1/a", "two")]);
    expect(&test, "trunk", "two");
}
