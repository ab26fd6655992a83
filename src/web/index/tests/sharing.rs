//! Which fetches start git, and how slow clients are handled.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

/// A git that writes each start of `upload-pack` to a file.
pub(super) struct CountedGit {
    directory: tempfile::TempDir,
}

impl CountedGit {
    fn new() -> Self {
        Self::that_first("true")
    }

    /// One that runs a command of the shell after its note.
    pub(super) fn that_first(command: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let counted = Self { directory };
        let script = format!(
            "#!/bin/sh\ncase \" $* \" in\n*' --advertise-refs '*) echo \"$*\" >> '{0}' ;;\n\
             *' upload-pack '*) echo \"$*\" >> '{0}'; {command} ;;\nesac\nexec git \"$@\"\n",
            counted.notes().display()
        );
        let program = counted.directory.path().join("git");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        counted
    }

    fn notes(&self) -> PathBuf {
        self.directory.path().join("notes")
    }

    fn program(&self) -> GitProgram {
        GitProgram { executable: self.directory.path().join("git"), ..GitProgram::default() }
    }

    /// Starts for objects, and starts for the capabilities.
    pub(super) fn starts(&self) -> (usize, usize) {
        let notes = std::fs::read_to_string(self.notes()).unwrap_or_default();
        let for_capabilities = notes.lines().filter(|line| line.contains("--advertise-refs")).count();
        (notes.lines().count() - for_capabilities, for_capabilities)
    }

    pub(super) fn server(&self, limits: Limits) -> Server {
        self.server_for(ClientAddress::default(), limits)
    }

    fn server_for(&self, client: ClientAddress, limits: Limits) -> Server {
        Server::start_as(client, self.program(), |index| GitService::with_limits(index, limits))
    }
}

impl Server {
    /// Commits an incompressible file of this length.
    fn commit_noise(&self, length: usize) -> String {
        let mut noise = vec![0; length];
        rand::fill(&mut noise[..]);
        let change =
            Change { path: "no/is/noise".to_owned(), content: Some(noise.into()), message: "Noise".to_owned() };
        let writer = self.index.lock_writer().unwrap();
        let committed = writer.commit(&self.index.head().unwrap(), &[change]).unwrap();
        committed.head.commit.unwrap().to_string()
    }

    /// Sends a request for the objects of a commit with this depth, and reads the status of the answer.
    fn begin_to_clone(&self, commit: &str, depth: usize) -> TcpStream {
        let mut stream = self.ask_for_clone(commit, depth);
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        stream
    }

    /// Sends a request for the objects of a commit with this depth.
    pub(super) fn ask_for_clone(&self, commit: &str, depth: usize) -> TcpStream {
        let depth = format!("deepen {depth}\n");
        let body = format!("0032want {commit}\n{:04x}{depth}00000009done\n", depth.len() + 4);
        let mut stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        let head = format!(
            "POST /git/index/git-upload-pack HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-git-upload-pack-request\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }
}

/// The rest of an answer, decoded from its chunks.
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut sent = Vec::new();
    stream.read_to_end(&mut sent).unwrap();
    let head = sent.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let (mut left, mut content) = (&sent[head + 4..], Vec::new());
    loop {
        let end = left.windows(2).position(|window| window == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&left[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return content;
        }
        content.extend_from_slice(&left[end + 2..end + 2 + length]);
        left = &left[end + 2 + length + 2..];
    }
}

/// More than the buffers of a connection hold.
const LARGE: usize = 8 << 20;

#[test]
fn references_start_no_process() {
    let git = CountedGit::new();
    let server = git.server(Limits { processes: 0, ..Limits::default() });
    for n in 0..5 {
        server.commit(&[("1/a", &n.to_string())]);
        for version in ["0", "1", "2"] {
            let protocol = format!("protocol.version={version}");
            succeeded(server.git(&["-c", &protocol, "ls-remote", &server.git_url()]));
        }
    }
    assert_eq!(git.starts(), (0, 2), "one for each form of the capabilities");
}

#[test]
fn clones_of_one_state_are_one_process() {
    let git = CountedGit::new();
    let server = git.server(Limits::default());
    server.commit(&[("config.json", "{}"), ("1/a", "one")]);
    let clone = |name: &str, arguments: &[&str]| {
        let url = server.git_url();
        succeeded(server.git(&[&["clone", "-q", "--bare"], arguments, &[&url, name]].concat()));
        let clone = server.directory.path().join(name);
        succeeded(super::git(&clone, &["fsck", "--full", "--strict"]));
        succeeded(super::git(&clone, &["show", "HEAD:1/a"]))
    };
    assert_eq!(clone("first", &[]), "one");
    assert_eq!(git.starts().0, 1);
    for n in 0..3 {
        assert_eq!(clone(&format!("more-{n}"), &[]), "one");
    }
    assert_eq!(git.starts().0, 1);
    for n in 0..3 {
        assert_eq!(clone(&format!("shallow-{n}"), &["--depth=1"]), "one");
    }
    assert_eq!(git.starts().0, 2);
    server.commit(&[("1/a", "two")]);
    assert_eq!(clone("later", &[]), "two");
    assert_eq!(git.starts().0, 3);
}

#[test]
fn clones_at_once_are_one_process() {
    let git = CountedGit::new();
    let server = git.server(Limits::default());
    let commit = server.commit_noise(LARGE);
    let streams: Vec<TcpStream> = (0..8).map(|_| server.begin_to_clone(&commit, 1)).collect();
    let answers: Vec<Vec<u8>> = streams.into_iter().map(rest).collect();
    assert!(answers[0].len() > LARGE && answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(git.starts().0, 1);
}

#[test]
fn an_answer_leaves_the_cache_after_the_branch_has_moved() {
    let git = CountedGit::new();
    let server = git.server(Limits { cached_outdated: Duration::ZERO, ..Limits::default() });
    let commit = server.commit(&[("1/a", "one")]).head.commit.unwrap().to_string();
    let read = || rest(server.begin_to_clone(&commit, 1));
    assert_eq!(read(), read());
    assert_eq!(git.starts().0, 1);
    server.commit(&[("1/a", "two")]);
    read();
    assert_eq!(git.starts().0, 2);
}

#[test]
fn clients_that_read_nothing_occupy_no_process() {
    let git = CountedGit::new();
    let server = git.server(Limits { processes: 1, ..Limits::default() });
    let commit = server.commit_noise(LARGE);
    let _silent: Vec<TcpStream> = (1..=4).map(|depth| server.begin_to_clone(&commit, depth)).collect();
    succeeded(server.git(&["clone", "-q", "--bare", &server.git_url(), "clone"]));
    assert_eq!(git.starts().0, 5);
}

#[test]
fn a_client_that_reads_too_slowly_is_cut_off() {
    let git = CountedGit::new();
    let window = Duration::from_millis(50);
    let server = git.server(Limits { answers: 1, window, ..Limits::default() });
    let commit = server.commit_noise(LARGE);
    let mut silent = server.begin_to_clone(&commit, 1);
    // It waits for the only permit.
    succeeded(server.git(&["clone", "-q", "--bare", &server.git_url(), "clone"]));
    let mut answer = Vec::new();
    let ended = silent.read_to_end(&mut answer);
    assert!(ended.is_err() || !answer.ends_with(b"0\r\n\r\n"), "a client cannot take a part for the whole");
    assert!(answer.len() < LARGE);
}

#[test]
fn a_client_has_a_limit_of_its_own() {
    let git = CountedGit::new();
    let client = ClientAddress::from(std::net::IpAddr::from([192, 0, 2, 1]));
    let limits = Limits { answers_by_address: 1, wait: Duration::from_millis(1), ..Limits::default() };
    let server = git.server_for(client, limits);
    let commit = server.commit_noise(LARGE);
    let silent = server.begin_to_clone(&commit, 1);
    let headers = [("Content-Type", "application/x-git-upload-pack-request")];
    let body = format!("0032want {commit}\n00000009done\n");
    let fetch = || server.send("POST", "/git/index/git-upload-pack", &headers, body.as_bytes());
    let answer = fetch();
    assert_eq!((answer.status, answer.header("retry-after")), (429, "5"));
    insta::assert_snapshot!(answer.text(), @"too many fetches in progress from your address: try again in a few seconds");
    drop(silent);
    while fetch().status == 429 {}
    assert_eq!(fetch().status, 200);
}

#[test]
fn without_disk_space_clients_are_served_at_their_own_pace() {
    let git = CountedGit::new();
    for spooled in [0, 3 << 20] {
        let limits = Limits { spooled, spooled_indexes: 0, ..Limits::default() };
        let server = git.server(limits);
        let commit = server.commit_noise(LARGE);
        let streams: Vec<TcpStream> = (0..3).map(|depth| server.begin_to_clone(&commit, depth + 1)).collect();
        for stream in streams {
            assert!(rest(stream).len() > LARGE);
        }
        succeeded(server.git(&["clone", "-q", "--bare", &server.git_url(), "clone"]));
    }
}

#[test]
fn a_process_ends_when_its_client_disconnects() {
    let git = CountedGit::new();
    let server = git.server(Limits { processes: 1, spooled: 0, spooled_indexes: 0, ..Limits::default() });
    let commit = server.commit_noise(LARGE);
    // Without disk space git works for as long as the client reads.
    let silent = server.begin_to_clone(&commit, 1);
    drop(silent);
    succeeded(server.git(&["clone", "-q", "--bare", &server.git_url(), "clone"]));
}

/// Git reads these requests differently from a clone, and later clones got their answers.
#[test]
fn usual_clones_do_not_get_the_answer_to_an_unusual_request() {
    let server = Server::start();
    let commit = server.commit(&[("1/a", "one")]).head.commit.unwrap().to_string();
    let line = |content: &str| format!("{:04x}{content}", content.len() + 4);
    let kind = ("Content-Type", "application/x-git-upload-pack-request");
    let git =
        "multi_ack_detailed no-done side-band-64k thin-pack no-progress include-tag ofs-delta deepen-since deepen-not";
    let libgit2 = "multi_ack_detailed side-band-64k include-tag thin-pack ofs-delta ";
    for capabilities in [git, libgit2] {
        let want = |rest: &str| line(&format!("want {commit}{rest}\n"));
        let usual = want(&format!(" {capabilities}"));
        for body in [
            format!("{}00000009done\n", want(&format!("\0{capabilities}"))),
            format!("{}00000009done\n", want(&format!(" {}", capabilities.replace(' ', "\x0c")))),
            format!("{usual}000000000009done\n"),
            format!("{usual}0009done\n0000"),
        ] {
            server.send("POST", "/git/index/git-upload-pack", &[kind], body.as_bytes());
        }
        let clone = format!("{usual}00000009done\n");
        let answer = server.send("POST", "/git/index/git-upload-pack", &[kind], clone.as_bytes());
        let has = |part: &[u8]| answer.body.windows(part.len()).any(|window| window == part);
        assert!(answer.body.starts_with(b"0008NAK\n") && has(b"\x01PACK"), "{:?}", answer.body);
    }
    let head = format!("{}{}0001", line("command=fetch"), line("object-format=sha1"));
    let flags = ["thin-pack", "no-progress", "include-tag", "ofs-delta"].map(line).concat();
    for end in [line("done x"), line("done\0"), format!("{}{}", line("done"), line("wait-for-done"))] {
        let body = format!("{head}{flags}{}{end}0000", line(&format!("want {commit}")));
        server.send("POST", "/git/index/git-upload-pack", &[kind, ("Git-Protocol", "version=2")], body.as_bytes());
    }
    for version in ["0", "2"] {
        let protocol = format!("protocol.version={version}");
        let clone = format!("clone-{version}");
        succeeded(server.git(&["-c", &protocol, "clone", "-q", &server.git_url(), &clone]));
    }
}

#[test]
fn answers_that_slow_clients_read_do_not_fill_the_cache() {
    let git = CountedGit::new();
    let server = git.server(Limits::default());
    let commit = server.commit_noise(LARGE);
    let cached = Limits::default().cached;
    let _silent: Vec<TcpStream> = (1..=cached).map(|depth| server.begin_to_clone(&commit, depth)).collect();
    for _ in 0..3 {
        rest(server.begin_to_clone(&commit, cached + 1));
    }
    assert_eq!(git.starts().0, cached + 1);
}

#[test]
fn one_address_has_few_of_the_cached_answers() {
    let git = CountedGit::new();
    let client = ClientAddress::from(std::net::IpAddr::from([192, 0, 2, 1]));
    let server = git.server_for(client, Limits::default());
    let commit = server.commit(&[("1/a", "one")]).head.commit.unwrap().to_string();
    let read = |depth| rest(server.begin_to_clone(&commit, depth));
    for depth in [1, 2, 2, 3, 2] {
        read(depth);
    }
    assert_eq!(git.starts().0, 3);
    read(1);
    assert_eq!(git.starts().0, 4, "the third answer took the place of the first one");
}

#[test]
fn a_shallow_clone_since_a_time_after_the_last_commit_fails_with_the_reason() {
    let server = Server::start();
    server.commit(&[("1/a", "one")]);
    for version in ["0", "2"] {
        let protocol = format!("protocol.version={version}");
        let since = "--shallow-since=2099-01-01";
        let failed =
            server.git(&["-c", &protocol, "clone", "-q", since, &server.git_url(), &format!("clone-{version}")]);
        let stderr = String::from_utf8_lossy(&failed.stderr).into_owned();
        assert!(!failed.status.success() && stderr.contains("no commits selected"), "{stderr}");
    }
}

#[test]
fn no_client_waits_for_the_permit_of_another_address() {
    let limits = Limits { processes: 2, processes_by_address: 1, spooled: 0, spooled_indexes: 0, ..Limits::default() };
    let server = Server::start();
    let commit = server.commit_noise(LARGE);
    let service = GitService::with_limits(&server.index, limits);
    let kind = "application/x-git-upload-pack-request".parse().unwrap();
    let headers = axum::http::HeaderMap::from_iter([(axum::http::header::CONTENT_TYPE, kind)]);
    let fetch = |address: u8, more: &str| {
        let address = ClientAddress::from(std::net::IpAddr::from([192, 0, 2, address]));
        let body = axum::body::Body::from(format!("0032want {commit}\n{more}00000009done\n"));
        service.upload_pack(&headers, address, body)
    };
    server._runtime.block_on(async {
        // Without disk space this fetch occupies its process until its body is read.
        let slow = fetch(1, "000ddeepen 5\n").await;
        let mut waits = Box::pin(fetch(1, ""));
        assert!(tokio::time::timeout(Duration::from_millis(500), &mut waits).await.is_err());
        let other = tokio::time::timeout(Duration::from_secs(10), fetch(2, "")).await;
        assert_eq!(other.unwrap().status(), 200);
        drop((waits, slow));
    });
}
