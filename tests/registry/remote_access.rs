//! Logging in to the index's remote: by token, by key; and what is said when that fails, which is never a secret.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use supercargo::index::remote::Token;

use crate::support::event::{wait_for, wait_until};
use crate::support::git_http::GitServer;
use crate::support::git_remote::{Bare, options};
use crate::support::git_ssh::SshServer;
use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, failed, supercargo};
use crate::support::recorder::Recorder;

const TOKEN: &str = "s3cr3t-token";

fn only_error(registry: &TestRegistry) -> String {
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    let drained = registry.drain();
    let [(_, error)] = &drained.failed[..] else { panic!("{drained:?}") };
    error.clone()
}

fn finish(registry: &TestRegistry) {
    registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query("DELETE FROM jobs"), connection).unwrap())
        .unwrap();
}

/// The token as it is and as it is sent.
fn secrets() -> [String; 2] {
    [TOKEN.to_owned(), STANDARD.encode(format!("x-access-token:{TOKEN}"))]
}

#[test]
fn nobody_to_whom_a_remote_points_is_asked() {
    let elsewhere = Recorder::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut pointing = options(&format!("http://{}/index.git", listener.local_addr().unwrap()));
    pointing.credentials.token = Some(Token::Given(TOKEN.to_owned()));
    let to = format!("{}/index.git/info/refs?service=git-upload-pack", elsewhere.url);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let head = BufReader::new(client.try_clone().unwrap()).lines();
            let _read = head.map(Result::unwrap).take_while(|line| !line.is_empty()).count();
            let answer =
                format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            client.write_all(answer.as_bytes()).unwrap();
        }
    });
    let registry = TestRegistry::mirroring(pointing);
    let error = only_error(&registry);
    assert!(error.contains("302"), "{error}");
    assert!(elsewhere.all().is_empty(), "{:?}", elsewhere.all());
    finish(&registry);
}

fn command_lines() -> String {
    let processes = std::fs::read_dir("/proc").unwrap();
    let lines = processes.filter_map(|process| std::fs::read(process.unwrap().path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ") + "\n").collect()
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn a_token_from_a_file_opens_a_remote_by_http_and_stands_in_no_log_and_no_process_list() {
        let remote = Bare::new();
        let server = GitServer::start(&remote, Some(&format!("x-access-token:{TOKEN}")));
        let file = remote.parent().join("token");
        std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
        // The push is slow enough to be looked at.
        remote.hook("pre-receive", "while [ ! -e go-on ]; do sleep 0.01; done");
        let served = Served::start_with_log(
            "debug",
            &["--index-remote", server.url(), "--index-token-file", file.to_str().unwrap()],
        );
        wait_for("a push to be under way", || {
            let commands = command_lines();
            assert!(secrets().iter().all(|secret| !commands.contains(secret)), "{commands}");
            commands.contains(&format!("push --porcelain --no-verify -- {}", server.url())).then_some(())
        });
        std::fs::write(remote.path().join("go-on"), "").unwrap();
        let token = served.token("ann");
        http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
        remote.assert_versions("3/f/foo", &["1.0.0"]);
        let log = served.log();
        assert!(secrets().iter().all(|secret| !log.contains(secret)), "{log}");
    }

    #[test]
    fn a_token_that_is_renewed_in_its_file_counts_at_once() {
        let remote = Bare::new();
        let server = GitServer::start(&remote, Some(&format!("x-access-token:{TOKEN}")));
        let file = remote.parent().join("token");
        std::fs::write(&file, "an-older-token").unwrap();
        let mut renewed = options(server.url());
        renewed.credentials.token = Some(Token::InFile(file.clone()));
        let registry = TestRegistry::mirroring(renewed);
        let error = only_error(&registry);
        assert!(error.contains("--index-token-file"), "{error}");
        std::fs::write(&file, TOKEN).unwrap();
        registry.make_due();
        assert_eq!(registry.run_jobs(), 1);
        remote.assert_versions("3/f/foo", &["1.0.0"]);
    }

    #[test]
    fn a_wrong_token_is_told_with_the_remedy_and_without_the_token() {
        let remote = Bare::new();
        let server = GitServer::start(&remote, Some("x-access-token:another"));
        let mut wrong = options(server.url());
        wrong.credentials.token = Some(Token::Given(TOKEN.to_owned()));
        let registry = TestRegistry::mirroring(wrong);
        let error = only_error(&registry).replace(server.url(), "URL");
        assert!(error.starts_with("cannot query the index's remote URL: "), "{error}");
        assert!(error.contains("--index-token-file") && error.contains("--index-user"), "{error}");
        assert!(!error.contains(TOKEN), "{error}");
        finish(&registry);
    }

    #[test]
    fn a_remote_by_ssh_takes_the_key_and_refuses_others() {
        let remote = Bare::new();
        let server = SshServer::start();
        let with = |key: &Path, known_hosts: &Path| {
            let mut with = options(&server.url(&remote));
            with.credentials.ssh_key = Some(key.to_owned());
            with.credentials.ssh_known_hosts = Some(known_hosts.to_owned());
            TestRegistry::mirroring(with)
        };
        let good = with(&server.key(), &server.known_hosts());
        good.user("ann").publish(&Package::new("foo", "1.0.0")).good();
        good.run_jobs();
        remote.assert_versions("3/f/foo", &["1.0.0"]);
        // Each has a transaction of its own, and all want the same names.
        drop(good);

        let strange = with(&server.strange_key(), &server.known_hosts());
        let error = only_error(&strange);
        assert!(error.contains("Permission denied") && error.contains("--index-ssh-key"), "{error}");
        finish(&strange);
        drop(strange);

        let nobody = remote.parent().join("no-hosts");
        std::fs::write(&nobody, "").unwrap();
        let unknown = with(&server.key(), &nobody);
        let error = only_error(&unknown);
        assert!(error.contains("Host key verification failed") && error.contains("--index-ssh-known-hosts"), "{error}");
        finish(&unknown);
    }

    #[test]
    fn a_whole_registry_pushes_and_follows_by_ssh() {
        let remote = Bare::new();
        let server = SshServer::start();
        let (key, known) = (server.key(), server.known_hosts());
        let url = server.url(&remote);
        let arguments = ["--index-remote", &url, "--index-ssh-key", key.to_str().unwrap(), "--index-ssh-known-hosts"];
        let served = Served::start(&[&arguments[..], &[known.to_str().unwrap()]].concat());
        let token = served.token("ann");
        http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
        remote.assert_versions("3/f/foo", &["1.0.0"]);
        wait_until("the index to show it", || http::index_lines(&served.url, "3/f/foo").len() == 1);
    }

    #[test]
    fn a_remote_that_can_not_be_is_refused_at_the_start_with_the_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let refused = |arguments: &[&str], code| {
            let mut command = supercargo();
            command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(directory.path()).args(arguments);
            failed(command.output().unwrap(), code)
        };
        let said = refused(&["--index-remote", "https://me:hunter2@git.example/index.git"], 1);
        assert!(said.contains("--index-token-file") && !said.contains("hunter2"), "{said}");
        let said = refused(&["--index-remote", "ext::sh -c true"], 1);
        assert!(said.contains("helpers"), "{said}");
        let said = refused(&["--index-remote", "/nowhere", "--index-branch", "a..b"], 2);
        assert!(said.contains("git branch"), "{said}");
    }
}
