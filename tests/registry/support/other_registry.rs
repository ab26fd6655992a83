//! Another registry: an index as a test writes it, as a git repository and over HTTP, and crate files.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use supercargo::package::Checksum;
use supercargo::package::index_path::index_path;

use super::package::Package;

/// The answers by path: headers and bodies.
type Answers = Arc<Mutex<BTreeMap<String, (String, Vec<u8>)>>>;

pub struct OtherRegistry {
    index: tempfile::TempDir,
    answers: Answers,
    /// Its base URL.
    pub url: String,
}

impl OtherRegistry {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Answers::default();
        let served = answers.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let answers = served.clone();
                std::thread::spawn(move || answer(connection.unwrap(), &answers));
            }
        });
        let other = Self { index: tempfile::tempdir().unwrap(), answers, url };
        other.git(&["init", "-q", "-b", "master"]);
        let config = json!({ "dl": format!("{}/dl/{{crate}}/{{version}}", other.url), "api": other.url });
        other.write("config.json", &config.to_string());
        other
    }

    /// The URL of its sparse index, as cargo has it.
    pub fn sparse(&self) -> String {
        format!("sparse+{}/index/", self.url)
    }

    /// The path of its git index, with everything written so far.
    pub fn git_index(&self) -> String {
        self.git(&["add", "-A"]);
        self.git(&["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-m", "Lines"]);
        self.index.path().to_str().unwrap().to_owned()
    }

    fn git(&self, arguments: &[&str]) {
        let output = Command::new("git").args(arguments).current_dir(self.index.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Writes a file of both indexes.
    pub fn write(&self, path: &str, content: &str) {
        self.write_encoded(path, content, "", content.as_bytes());
    }

    /// Writes a file of both indexes, which the sparse one sends as `body` with these headers.
    pub fn write_encoded(&self, path: &str, content: &str, headers: &str, body: &[u8]) {
        let file = self.index.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
        self.answers.lock().insert(format!("/index/{path}"), (headers.to_owned(), body.to_vec()));
    }

    /// Stores the crate file of a package, sent with these headers, and returns the line of a crate without anything.
    pub fn store(&self, package: &Package, headers: &str) -> Value {
        self.store_file(&package.name, &package.version, package.crate_file(), headers)
    }

    fn store_file(&self, name: &str, version: &str, file: Vec<u8>, headers: &str) -> Value {
        let line = json!({
            "name": name, "vers": version, "deps": [], "cksum": Checksum::of(&file), "features": {}, "yanked": false,
        });
        self.answers.lock().insert(format!("/dl/{name}/{version}"), (headers.to_owned(), file));
        line
    }

    /// Stores a crate file and adds the line of a crate without anything.
    pub fn add_file(&self, name: &str, version: &str, file: Vec<u8>) {
        let line = self.store_file(name, version, file, "");
        self.add_line(&index_path(&name.parse().unwrap()), &line);
    }

    /// Stores a package and adds a line to the file of its crate: the line of a crate without anything, changed.
    pub fn add(&self, package: &Package, change: impl FnOnce(&mut Value)) {
        let mut line = self.store(package, "");
        change(&mut line);
        self.add_line(&index_path(&package.name.parse().unwrap()), &line);
    }

    pub fn add_line(&self, path: &str, line: &Value) {
        let before = std::fs::read_to_string(self.index.path().join(path)).unwrap_or_default();
        self.write(path, &format!("{before}{line}\n"));
    }

    pub fn index(&self) -> &Path {
        self.index.path()
    }
}

/// Answers one request and closes the connection.
fn answer(mut connection: TcpStream, answers: &Answers) {
    let mut request = BufReader::new(connection.try_clone().unwrap());
    let mut line = String::new();
    request.read_line(&mut line).unwrap();
    let mut header = String::new();
    while request.read_line(&mut header).unwrap() > 2 {
        header.clear();
    }
    let found = answers.lock().get(line.split(' ').nth(1).unwrap_or_default()).cloned();
    let (status, headers, body) = match found {
        Some((headers, body)) => ("200 OK", headers, body),
        None => ("404 Not Found", String::new(), Vec::new()),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n");
    // The client may have gone.
    let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(&body));
}
