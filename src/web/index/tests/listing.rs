//! Lists of references come from memory and equal git's own.

use std::io::Write;
use std::process::Stdio;

use super::*;
use crate::index::PackSizes;

const REFS: &str = "/git/index/info/refs?service=git-upload-pack";

/// Git's own answer, with the settings of the server.
fn git_says(server: &Server, protocol: Option<&str>, request: Option<&[u8]>) -> Vec<u8> {
    let mut command = server.index.upload_pack(PackSizes::default(), protocol, request.is_none());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(request.unwrap_or_default()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    output.stdout
}

fn line(content: &str) -> String {
    format!("{:04x}{content}", content.len() + 4)
}

fn ls_refs(arguments: &[&str]) -> Vec<u8> {
    let lines: String = arguments.iter().map(|argument| line(&format!("{argument}\n"))).collect();
    let head = [line("command=ls-refs\n"), line("agent=git/2.47.3"), line("object-format=sha1")].concat();
    format!("{head}0001{lines}0000").into_bytes()
}

/// Compares every version's answers with git's.
fn assert_as_git_says(server: &Server) {
    for (header, variable, preamble) in [
        ("", None, "001e# service=git-upload-pack\n0000"),
        ("version=1", Some("version=1"), "001e# service=git-upload-pack\n0000"),
        ("version=2", Some("version=2"), ""),
    ] {
        let answer = server.get(REFS, &[("Git-Protocol", header)]);
        assert_eq!(answer.status, 200);
        let git = [preamble.as_bytes(), &git_says(server, variable, None)].concat();
        assert_eq!(String::from_utf8_lossy(&answer.body), String::from_utf8_lossy(&git), "{header}");
    }
    for arguments in [
        &[] as &[&str],
        &["peel", "symrefs", "unborn", "ref-prefix HEAD", "ref-prefix refs/heads/", "ref-prefix refs/tags/"],
        &["symrefs"],
        &["peel", "ref-prefix refs/tags/v"],
        &["unborn", "ref-prefix HEAD"],
        &["symrefs", "unborn", "ref-prefix refs/heads/main"],
        &["symrefs", "peel", "ref-prefix refs/heads/master"],
        &["symrefs", "ref-prefix refs/heads/trunk"],
        &["ref-prefix refs/supercargo"],
        &["ref-prefix nothing"],
    ] {
        let request = ls_refs(arguments);
        let headers = [("Content-Type", "application/x-git-upload-pack-request"), ("Git-Protocol", "version=2")];
        let answer = server.send("POST", "/git/index/git-upload-pack", &headers, &request);
        let git = git_says(server, Some("version=2"), Some(&request));
        let (ours, git) = (String::from_utf8_lossy(&answer.body), String::from_utf8_lossy(&git));
        assert_eq!((answer.status, ours), (200, git), "{arguments:?}");
    }
}

#[test]
fn references_are_listed_as_git_lists_them() {
    let server = Server::start();
    assert_as_git_says(&server);
    let one = server.commit(&[("1/a", "one")]).head.commit.unwrap().to_string();
    assert_as_git_says(&server);
    let two = server.commit(&[("1/a", "two")]).head.commit.unwrap().to_string();
    assert_as_git_says(&server);
    let own = ["-c", "user.name=x", "-c", "user.email=x@x"];
    let run = |arguments: &[&str]| {
        succeeded(git(server.index.path(), &[&own, arguments].concat()));
    };
    run(&["update-ref", "refs/supercargo/remote", &one]);
    run(&["branch", "a-branch", &one]);
    run(&["tag", "light", &two]);
    run(&["tag", "-a", "-m", "x", "v1", &one]);
    run(&["tag", "-a", "-m", "x", "v2", "v1"]);
    run(&["symbolic-ref", "refs/heads/other", "refs/heads/main"]);
    assert_as_git_says(&server);
    run(&["pack-refs", "--all"]);
    assert_as_git_says(&server);
    server.commit(&[("1/a", "three")]);
    assert_as_git_says(&server);
}

#[test]
fn other_names_of_the_branch_are_listed_as_git_lists_them() {
    let server = Server::start();
    let name = |name| server.index.lock_writer().unwrap().name_branch(name).unwrap();
    server.commit(&[("1/a", "one")]);
    for named in ["main", "trunk", "stable", "master", "main"] {
        name(named);
        assert_as_git_says(&server);
        server.commit(&[("1/a", named)]);
        assert_as_git_says(&server);
    }
    // An interrupted change of the name leaves HEAD at `main`, which leads to the branch.
    name("trunk");
    succeeded(git(server.index.path(), &["symbolic-ref", "HEAD", "refs/heads/main"]));
    assert_as_git_says(&server);
}

#[test]
fn an_index_that_was_empty_at_first_is_listed_as_git_lists_it() {
    let server = Server::start();
    let refs = || server.get(REFS, &[]).body;
    assert!(String::from_utf8(refs()).unwrap().contains("capabilities^{}"));
    server.commit(&[("1/a", "one")]);
    assert_as_git_says(&server);
    // Nothing leads to a commit any more.
    succeeded(git(server.index.path(), &["update-ref", "-d", "refs/heads/main"]));
    assert_as_git_says(&server);
}
