use std::io::Write;

use super::*;

// protocol: 29
#[test]
fn git_clones_with_every_version_of_the_protocol() {
    let server = Server::start();
    let head = server.commit(&[("config.json", "{}"), ("1/a", "one")]).head.commit.unwrap().to_string();
    for version in ["0", "1", "2"] {
        let protocol = format!("protocol.version={version}");
        let listed = succeeded(server.git(&["-c", &protocol, "ls-remote", &server.git_url()]));
        assert_eq!(listed, format!("{head}\tHEAD\n{head}\trefs/heads/main\n"));
        let clone = format!("clone-{version}");
        succeeded(server.git(&["-c", &protocol, "clone", "-q", &server.git_url(), &clone]));
        let clone = server.directory.path().join(clone);
        assert_eq!(std::fs::read_to_string(clone.join("1/a")).unwrap(), "one");
        succeeded(git(&clone, &["fsck", "--full", "--strict"]));
    }
}

/// Some tools know no other name for the branch of an index.
// protocol: 32
#[test]
fn the_branch_is_also_served_as_master_at_the_same_commit() {
    let server = Server::start();
    server.commit(&[("1/a", "one")]);
    server.index.lock_writer().unwrap().name_branch("main").unwrap();
    for content in ["two", "three"] {
        let head = server.commit(&[("1/a", content)]).head.commit.unwrap().to_string();
        for version in ["0", "1", "2"] {
            let protocol = format!("protocol.version={version}");
            let list =
                |arguments: &[&str]| succeeded(server.git(&[&["-c", &protocol, "ls-remote"][..], arguments].concat()));
            let expected = format!("{head}\tHEAD\n{head}\trefs/heads/main\n{head}\trefs/heads/master\n");
            assert_eq!(list(&[&server.git_url()]), expected);
            assert_eq!(list(&[&server.git_url(), "refs/heads/master"]), format!("{head}\trefs/heads/master\n"));
            let symbolic = list(&["--symref", &server.git_url(), "HEAD"]);
            assert_eq!(symbolic, format!("ref: refs/heads/main\tHEAD\n{head}\tHEAD\n"));
            for (branch, name) in [(&["-b", "master"][..], "master"), (&[], "main")] {
                let directory = format!("{content}-{version}-{name}");
                let url = server.git_url();
                let clone = ["-c", &protocol, "clone", "-q", &url, &directory];
                succeeded(server.git(&[&clone[..], branch].concat()));
                let clone = server.directory.path().join(directory);
                assert_eq!(succeeded(git(&clone, &["branch", "--show-current"])), format!("{name}\n"));
                assert_eq!(std::fs::read_to_string(clone.join("1/a")).unwrap(), content);
            }
        }
    }
    let earlier = server.directory.path().join("two-2-master");
    succeeded(git(&earlier, &["pull", "-q", "--ff-only"]));
    assert_eq!(std::fs::read_to_string(earlier.join("1/a")).unwrap(), "three");
}

#[test]
fn an_empty_index_is_cloned_and_filled_later() {
    let server = Server::start();
    succeeded(server.git(&["clone", "-q", &server.git_url(), "clone"]));
    server.commit(&[("1/a", "one")]);
    let clone = server.directory.path().join("clone");
    // The refspec cargo uses.
    succeeded(git(&clone, &["fetch", "-q", "origin", "+HEAD:refs/remotes/origin/HEAD"]));
    assert_eq!(succeeded(git(&clone, &["show", "refs/remotes/origin/HEAD:1/a"])), "one");
}

// protocol: 30
#[test]
fn shallow_and_filtered_clones_work_and_can_be_deepened() {
    let server = Server::start();
    for content in ["one", "two", "three"] {
        server.commit(&[("1/a", content)]);
    }
    for version in ["0", "2"] {
        let protocol = format!("protocol.version={version}");
        let name = format!("shallow-{version}");
        succeeded(server.git(&["-c", &protocol, "clone", "-q", "--depth", "1", &server.git_url(), &name]));
        let clone = server.directory.path().join(name);
        assert_eq!(succeeded(git(&clone, &["rev-list", "--count", "HEAD"])), "1\n");
        succeeded(git(&clone, &["-c", &protocol, "fetch", "-q", "--unshallow"]));
        assert_eq!(succeeded(git(&clone, &["rev-list", "--count", "HEAD"])), "3\n");
    }
    let filtered =
        succeeded(server.git(&["clone", "-q", "--bare", "--filter=blob:none", &server.git_url(), "filtered"]));
    assert_eq!(filtered, "");
    let missing = succeeded(git(
        &server.directory.path().join("filtered"),
        &["rev-list", "--objects", "--missing=print", "HEAD"],
    ));
    assert!(missing.lines().any(|line| line.starts_with('?')), "{missing}");
}

// protocol: 29
#[test]
fn a_long_negotiation_with_compressed_requests_finds_what_is_missing() {
    let server = Server::start();
    for n in 0..60 {
        server.commit(&[("1/a", &n.to_string())]);
    }
    succeeded(server.git(&["clone", "-q", &server.git_url(), "clone"]));
    let clone = server.directory.path().join("clone");
    let own = ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-m", "own"];
    // Commits that the server does not have make the client send many more ids, compressed.
    for _ in 0..80 {
        succeeded(git(&clone, &own));
    }
    server.commit(&[("1/a", "last")]);
    for version in ["0", "2"] {
        let protocol = format!("protocol.version={version}");
        succeeded(git(&clone, &["update-ref", "-d", "refs/remotes/origin/main"]));
        succeeded(git(&clone, &["-c", &protocol, "fetch", "-q", "origin"]));
        assert_eq!(succeeded(git(&clone, &["show", "origin/main:1/a"])), "last");
    }
}

// protocol: 29
#[test]
fn libgit2_which_cargo_uses_by_default_speaks_to_the_same_routes() {
    // Its client is built without HTTP here; what it sends is version 0 without a Git-Protocol header.
    let server = Server::start();
    let head = server.commit(&[("1/a", "one")]).head.commit.unwrap();
    let answer = server.get("/git/index/info/refs?service=git-upload-pack", &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/x-git-upload-pack-advertisement");
    assert_eq!(answer.header("cache-control"), "no-cache, max-age=0, must-revalidate");
    let start = format!("001e# service=git-upload-pack\n0000015f{head} HEAD\0");
    let text = answer.text();
    assert_eq!(text[..34], start[..34]);
    assert_eq!(text[38..84], start[38..84]);
    let want = format!("0032want {head}\n00000009done\n");
    let headers = [("Content-Type", "application/x-git-upload-pack-request")];
    let pack = server.send("POST", "/git/index/git-upload-pack", &headers, want.as_bytes());
    assert_eq!(pack.status, 200);
    assert!(pack.body.starts_with(b"0008NAK\nPACK"));
}

#[test]
fn clones_are_whole_while_commits_are_written_and_repacked() {
    let server = Server::start();
    server.commit(&[("ab/cd/abcd", "0"), ("ef/gh/efgh", "0")]);
    std::thread::scope(|scope| {
        let cloner = scope.spawn(|| {
            for n in 0..6 {
                let name = format!("clone-{n}");
                succeeded(server.git(&["clone", "-q", &server.git_url(), &name]));
                let clone = server.directory.path().join(name);
                let read = |path| std::fs::read_to_string(clone.join(path)).unwrap();
                assert_eq!(read("ab/cd/abcd"), read("ef/gh/efgh"));
                succeeded(git(&clone, &["fsck", "--full", "--strict"]));
            }
        });
        let mut number = 0;
        while !cloner.is_finished() {
            number += 1;
            server.commit(&[("ab/cd/abcd", &number.to_string()), ("ef/gh/efgh", &number.to_string())]);
            server.index.lock_maintenance().unwrap().maintain().unwrap();
        }
        assert!(number > 6, "{number}");
    });
}

#[test]
fn a_push_is_refused_with_the_remedy() {
    let server = Server::start();
    server.commit(&[("1/a", "one")]);
    succeeded(server.git(&["clone", "-q", &server.git_url(), "clone"]));
    let clone = server.directory.path().join("clone");
    let push = git(&clone, &["push", "origin", "HEAD:refs/heads/other"]);
    assert!(!push.status.success());
    let stderr = String::from_utf8(push.stderr).unwrap();
    assert!(stderr.contains("the index is read-only: use cargo publish"), "{stderr}");
    assert_eq!(server.send("POST", "/git/index/git-receive-pack", &[], b"").status, 403);
}

// protocol: 9
#[test]
fn other_clients_get_the_right_url() {
    let server = Server::start();
    server.commit(&[("1/a", "one")]);
    for (path, status, text) in [
        ("/git/index/info/refs", 403, "smart HTTP protocol only"),
        ("/git/index/info/refs?service=git-shell", 403, "no such git service"),
        ("/git/index/HEAD", 404, "smart HTTP protocol only: run `git clone http://registry.test/git/index`"),
        ("/git/index/objects/info/packs", 404, "sparse+http://registry.test/index/ for cargo's sparse protocol"),
        ("/git/index/config", 404, "smart HTTP protocol only"),
        ("/git/index.git", 404, "without `.git` at the end"),
        ("/git/index.git/HEAD", 404, "without `.git` at the end"),
        ("/git/index", 200, "git clone"),
        ("/git/index/", 200, "git clone"),
    ] {
        let answer = server.get(path, &[]);
        assert_eq!((answer.status, answer.header("cache-control")), (status, "no-store"), "{path}");
        assert!(answer.text().contains(text), "{path}: {}", answer.text());
        assert_eq!(answer.text().lines().count(), 1);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn invalid_fetch_requests_are_refused() {
    let server = Server::start();
    server.commit(&[("1/a", "one")]);
    let kind = ("Content-Type", "application/x-git-upload-pack-request");
    let post =
        |headers: &[(&str, &str)], body: &[u8]| server.send("POST", "/git/index/git-upload-pack", headers, body).status;
    assert_eq!(post(&[("Content-Type", "text/plain")], b"0000"), 415);
    let coded = server.send("POST", "/git/index/git-upload-pack", &[kind, ("Content-Encoding", "br")], b"0000");
    let text = "unsupported Content-Encoding `br`: send the fetch request with gzip or without compression\n";
    assert_eq!((coded.status, coded.text()), (415, text));
    assert_eq!(post(&[kind, ("Content-Encoding", "identity")], b"0000"), 200);
    assert_eq!(post(&[kind, ("Content-Encoding", "gzip")], b"0000"), 400);
    let bomb = gzip(&vec![b'0'; 17 * 1024 * 1024]);
    assert_eq!(post(&[kind, ("Content-Encoding", "gzip")], &bomb), 400, "more packets follow the flush packet");
    let want = format!("0032want {}\n0000", "1".repeat(40));
    let long = [want, "0032have 1111111111111111111111111111111111111111\n".repeat(42_000)].concat();
    assert_eq!(post(&[kind, ("Content-Encoding", "gzip")], &gzip(long.as_bytes())), 413);
    assert_eq!(post(&[kind], long.as_bytes()), 413);
    assert_eq!(post(&[kind], b"zzzz"), 400);
    assert_eq!(post(&[kind, ("Content-Encoding", "gzip")], &gzip(b"0000")), 200, "a probe");
}

#[test]
fn a_protocol_header_with_unusual_characters_is_ignored() {
    let server = Server::start();
    server.commit(&[("1/a", "one")]);
    let path = "/git/index/info/refs?service=git-upload-pack";
    let plain = server.get(path, &[("Git-Protocol", "version=2")]);
    assert!(plain.text().starts_with("000eversion 2\n"), "{}", plain.text());
    let odd = server.get(path, &[("Git-Protocol", "version=2 $(x)")]);
    assert!(odd.text().starts_with("001e# service=git-upload-pack\n"), "{}", odd.text());
}

#[test]
fn a_fetch_without_a_free_process_is_503_with_retry_after() {
    let limits = Limits { processes: 0, wait: Duration::from_millis(1), ..Limits::default() };
    let server = Server::start_with(|index| GitService::with_limits(index, limits));
    let head = server.commit(&[("1/a", "one")]).head.commit.unwrap();
    let headers = [("Content-Type", "application/x-git-upload-pack-request")];
    let want = format!("0032want {head}\n00000009done\n");
    let answer = server.send("POST", "/git/index/git-upload-pack", &headers, want.as_bytes());
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    insta::assert_snapshot!(answer.text(), @"too many fetches in progress: try again in a few seconds");
}

#[test]
fn a_finished_fetch_releases_its_process_permit() {
    let server =
        Server::start_with(|index| GitService::with_limits(index, Limits { processes: 1, ..Limits::default() }));
    server.commit(&[("1/a", "one")]);
    for n in 0..3 {
        // Each clone has another depth, so that none uses a cached answer.
        let depth = format!("--depth={}", n + 1);
        succeeded(server.git(&["clone", "-q", &depth, &server.git_url(), &format!("clone-{n}")]));
    }
}

#[test]
fn a_repository_that_git_cannot_read_is_500() {
    let server = Server::start();
    server.commit(&[("1/a", "one")]);
    std::fs::remove_file(server.index.path().join("HEAD")).unwrap();
    let answer = server.get("/git/index/info/refs?service=git-upload-pack", &[]);
    assert_eq!(answer.status, 500);
    insta::assert_snapshot!(answer.text(), @"git failed on the server: see the server log");
}
