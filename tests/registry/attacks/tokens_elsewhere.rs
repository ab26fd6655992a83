//! A token that is sent to a host that it is not for, or over plain HTTP.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use supercargo::package::Checksum;

use crate::support::package::Package;
use crate::support::process::{Served, failed};

const SECRET: &str = "s3cret-of-the-other-registry";

/// A status and a body by path.
type Pages = HashMap<String, (String, Vec<u8>)>;
/// Paths, each with its Authorization header.
type Asked = Vec<(String, Option<String>)>;

/// A web server that writes down who asked for what with which token.
#[derive(Clone, Default)]
struct Site {
    url: String,
    pages: Arc<Mutex<Pages>>,
    asked: Arc<Mutex<Asked>>,
    /// Everything wants the token.
    is_private: bool,
}

impl Site {
    fn start(host: &str, is_private: bool) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let site = Self { url: format!("http://{}", listener.local_addr().unwrap()), is_private, ..Self::default() };
        let shared = site.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = shared.clone();
                std::thread::spawn(move || shared.answer(stream.unwrap()));
            }
        });
        site
    }

    fn has(&self, path: &str, status: &str, content: &[u8]) {
        self.pages.lock().unwrap().insert(path.to_owned(), (status.to_owned(), content.to_vec()));
    }

    /// Who asked, with whether the token came along.
    fn asked(&self) -> Vec<(String, bool)> {
        let asked = self.asked.lock().unwrap().clone();
        asked.into_iter().map(|(path, token)| (path, token.is_some_and(|token| token.contains(SECRET)))).collect()
    }

    fn answer(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            lines.push(line.trim().to_owned());
        }
        let path = lines[0].split(' ').nth(1).unwrap().to_owned();
        let token = lines.iter().find(|line| line.to_lowercase().starts_with("authorization:")).cloned();
        self.asked.lock().unwrap().push((path.clone(), token.clone()));
        let page = self.pages.lock().unwrap().get(&path).cloned();
        let (status, content) = match page {
            _ if self.is_private && token.is_none() => ("401 Unauthorized".to_owned(), Vec::new()),
            Some(page) => page,
            None => ("404 Not Found".to_owned(), Vec::new()),
        };
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", content.len());
        // Nobody may be there any more.
        let _ = reader.get_mut().write_all(&[head.as_bytes(), &content].concat());
    }
}

/// An index with `foo` 1.0.0, and where its file is.
fn index(private: bool, dl: &str, auth_required: bool) -> Site {
    let site = Site::start("127.0.0.1", private);
    let file = Package::new("foo", "1.0.0").crate_file();
    let line = json!({
        "name": "foo", "vers": "1.0.0", "deps": [], "features": {}, "yanked": false, "cksum": Checksum::of(&file).to_string(),
    });
    let mut config = json!({ "dl": dl });
    if auth_required {
        config["auth-required"] = json!(true);
    }
    site.has("/index/config.json", "200 OK", config.to_string().as_bytes());
    site.has("/index/3/f/foo", "200 OK", format!("{line}\n").as_bytes());
    site
}

struct Importer {
    served: Served,
    token: PathBuf,
}

impl Importer {
    fn new() -> Self {
        let served = Served::start(&["--no-worker"]);
        served.token("ann");
        let token = served.directory.path().join("token");
        std::fs::write(&token, SECRET).unwrap();
        Self { served, token }
    }

    fn import(&self, from: &Site) -> Output {
        let mut command = self.served.command("admin import");
        command.args(["--json", "--owner", "ann", "--token-file"]).arg(&self.token);
        command.arg(format!("sparse+{}/index/", from.url)).arg("foo").output().unwrap()
    }
}

fn imported(output: &Output) -> Value {
    let summary: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{} {}", output.status, String::from_utf8_lossy(&output.stderr)));
    summary["imported"].clone()
}

#[test]
fn without_auth_required_the_token_of_an_import_is_sent_nowhere() {
    let importer = Importer::new();
    let elsewhere = Site::start("127.0.0.2", false);
    elsewhere.has("/dl/foo/1.0.0/download", "200 OK", &Package::new("foo", "1.0.0").crate_file());
    let index = index(false, &format!("{}/dl", elsewhere.url), false);
    let output = importer.import(&index);
    assert_eq!(imported(&output), 1);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("config.json does not have auth-required"), "{told}");
    assert_eq!(index.asked(), [("/index/config.json".to_owned(), false), ("/index/3/f/foo".to_owned(), false)]);
    assert_eq!(elsewhere.asked(), [("/dl/foo/1.0.0/download".to_owned(), false)]);
}

#[test]
fn an_index_that_wants_the_token_gets_it_and_downloads_do_not_unless_it_says_auth_required() {
    for auth_required in [false, true] {
        let importer = Importer::new();
        let elsewhere = Site::start("127.0.0.2", false);
        elsewhere.has("/dl/foo/1.0.0/download", "200 OK", &Package::new("foo", "1.0.0").crate_file());
        let index = index(true, &format!("{}/dl", elsewhere.url), auth_required);
        assert_eq!(imported(&importer.import(&index)), 1);
        // As cargo does: without the token first.
        let asked = index.asked();
        let config = || "/index/config.json".to_owned();
        assert_eq!(asked, [(config(), false), (config(), true), ("/index/3/f/foo".to_owned(), true)]);
        assert_eq!(elsewhere.asked(), [("/dl/foo/1.0.0/download".to_owned(), auth_required)]);
    }
}

#[test]
fn a_redirect_to_another_host_does_not_carry_the_token() {
    let importer = Importer::new();
    let elsewhere = Site::start("127.0.0.2", false);
    elsewhere.has("/file", "200 OK", &Package::new("foo", "1.0.0").crate_file());
    let redirecting = Site::start("127.0.0.1", true);
    let status = format!("302 Found\r\nlocation: {}/file", elsewhere.url);
    redirecting.has("/dl/foo/1.0.0/download", &status, b"");
    let index = index(true, &format!("{}/dl", redirecting.url), true);
    assert_eq!(imported(&importer.import(&index)), 1);
    assert_eq!(redirecting.asked(), [("/dl/foo/1.0.0/download".to_owned(), true)]);
    assert_eq!(elsewhere.asked(), [("/file".to_owned(), false)]);
}

/// The names do not exist: what tried to reach them would say so instead.
#[test]
fn no_secret_is_sent_to_another_machine_over_plain_http() {
    let importer = Importer::new();
    let index = index(true, "http://crates.invalid/dl", true);
    let said = failed(importer.import(&index), 1);
    assert!(said.contains("the token is not sent to http://crates.invalid/dl, because plain HTTP"), "{said}");
    assert!(said.contains("--allow-insecure-token"), "{said}");

    let token = importer.token.to_str().unwrap();
    let mirror = ["--repair", "--mirror", "http://crates.invalid/dl", "--token-file", token];
    let remote = ["--index-remote", "http://git.invalid/index.git", "--index-token-file", token];
    let pages = ["--pagerduty-key-file", token, "--pagerduty-url", "http://pages.invalid/v2/enqueue"];
    let cases: [(&str, &[&str], i32); 6] = [
        ("verify", &mirror, 2),
        ("verify", &remote, 2),
        ("serve", &remote, 1),
        ("worker", &remote, 1),
        ("monitor", &remote, 3),
        ("monitor", &pages, 3),
    ];
    for (subcommand, arguments, code) in cases {
        let output = importer.served.command(subcommand).args(arguments).output().unwrap();
        // A monitoring plug-in says everything on standard output.
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = format!("{told}{}", failed(output, code));
        assert!(said.contains("plain HTTP") && said.contains("--allow-insecure-token"), "{subcommand}: {said}");
        assert!(!said.contains(SECRET), "{said}");
    }
}
