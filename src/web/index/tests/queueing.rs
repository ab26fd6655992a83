//! Clones that wait for each other.

use std::io::Read;
use std::net::TcpStream;
use std::time::Instant;

use super::sharing::CountedGit;
use super::*;

#[test]
fn a_clone_that_waits_for_too_long_is_503() {
    let limits = Limits { clones: 0, clone_wait: Duration::from_millis(1), ..Limits::default() };
    let server = Server::start_with(|index| GitService::with_limits(index, limits));
    let head = server.commit(&[("1/a", "one")]).head.commit.unwrap();
    let headers = [("Content-Type", "application/x-git-upload-pack-request")];
    let want = format!("0032want {head}\n00000009done\n");
    let answer = server.send("POST", "/git/index/git-upload-pack", &headers, want.as_bytes());
    assert_eq!((answer.status, answer.header("retry-after")), (503, "30"));
    insta::assert_snapshot!(answer.text(), @"too many clones in progress: try again in a minute, or use the sparse index");
    let output = server.git(&["clone", "-q", &server.git_url(), "clone"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    // git shows the texts of errors only for lists of references.
    assert!(stderr.contains("The requested URL returned error: 503"), "{stderr}");
}

#[test]
fn fetches_of_what_is_new_do_not_wait_for_clones() {
    let server = Server::start();
    server.commit(&[("1/a", "one")]);
    succeeded(server.git(&["clone", "-q", "--bare", &server.git_url(), "clone"]));
    let limits = Limits { clones: 0, answers: 3, requests: 1, ..Limits::default() };
    let busy = Server::start_on(&server, |index| GitService::with_limits(index, limits));
    let commit = server.commit(&[("1/a", "two")]).head.commit.unwrap().to_string();
    let waiting: Vec<TcpStream> = (1..=3).map(|depth| busy.ask_for_clone(&commit, depth)).collect();
    let clone = server.directory.path().join("clone");
    for version in ["0", "2"] {
        let protocol = format!("protocol.version={version}");
        succeeded(git(&clone, &["-c", &protocol, "ls-remote", &busy.git_url()]));
        succeeded(git(&clone, &["-c", &protocol, "fetch", "-q", &busy.git_url(), "+main:main"]));
        assert_eq!(succeeded(git(&clone, &["show", "main:1/a"])), "two");
        succeeded(git(&clone, &["update-ref", "refs/heads/main", "main~1"]));
    }
    for mut stream in waiting {
        stream.set_nonblocking(true).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[test]
fn clones_run_one_after_the_other_and_one_that_has_left_never_runs() {
    let gate = tempfile::tempdir().unwrap();
    let open = gate.path().join("open");
    let git = CountedGit::that_first(&format!("while ! [ -e '{}' ]; do sleep 0.01; done", open.display()));
    let server = git.server(Limits { clones: 1, ..Limits::default() });
    let commit = server.commit(&[("1/a", "one")]).head.commit.unwrap().to_string();
    let patience = Instant::now() + Duration::from_secs(60);
    let first = server.ask_for_clone(&commit, 1);
    while git.starts().0 == 0 {
        assert!(Instant::now() < patience);
        std::thread::sleep(Duration::from_millis(5));
    }
    // Each has another depth, so that none shares an answer.
    let left = server.ask_for_clone(&commit, 2);
    let last = server.ask_for_clone(&commit, 3);
    // The server reads them, and then that one is gone.
    std::thread::sleep(Duration::from_millis(200));
    left.shutdown(std::net::Shutdown::Both).unwrap();
    drop(left);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(git.starts().0, 1);
    std::fs::write(&open, "").unwrap();
    for mut stream in [first, last] {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }
    assert_eq!(git.starts().0, 2);
}
