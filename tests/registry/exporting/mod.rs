//! The copy of the index in a bucket, in a real S3 server, and downloads that are redirected to it.

mod attempts;
mod commands;
mod redirects;
mod slow;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use supercargo::index::Index;

use crate::support::cargo::Cargo;
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::nginx::{Nginx, Port};
use crate::support::package::Package;
use crate::support::process::Served;
use crate::support::s3::{BUCKET, S3Server};

/// A registry whose index is copied to a bucket.
struct Exporting {
    server: S3Server,
    served: Served,
    token: String,
}

impl Exporting {
    fn start(more: &[&str]) -> Self {
        let server = S3Server::start();
        let arguments = arguments(&server);
        let served = Served::start_with_fail_points("warn", &with(&arguments, more));
        let token = served.token("ann");
        Self { server, served, token }
    }

    fn publish(&self, name: &str, version: &str) {
        http::publish(&self.served.url, &self.token, &Package::new(name, version)).good();
    }

    fn yank(&self, name: &str, version: &str) {
        http::delete_as(&format!("{}/api/v1/crates/{name}/{version}/yank", self.served.url), &self.token).good();
    }

    fn copy(&self) -> BTreeMap<String, Vec<u8>> {
        files(&self.server.objects().join("index"))
    }

    fn index(&self) -> BTreeMap<String, Vec<u8>> {
        let index = Index::open_or_init(&self.served.data_dir().join("index.git")).unwrap();
        let head = index.head().unwrap();
        let read = |path: &str| index.read(&head, path).unwrap().unwrap().content.to_vec();
        index.files(&head).unwrap().into_iter().map(|(path, _)| (path.clone(), read(&path))).collect()
    }

    fn wait_until_exported(&self) {
        wait_until("the copy is the index", || self.copy() == self.index());
        wait_until("the copy is recorded", || self.status()["commits_behind"] == 0);
    }

    fn status(&self) -> Value {
        let arguments = arguments(&self.server);
        let said = self.served.run("index export", &with(&arguments, &["--status", "--json"]));
        serde_json::from_str(&said).unwrap()
    }

    fn metric(&self, name: &str) -> f64 {
        let text = http::get(&format!("{}/metrics", self.served.url)).text();
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(f64::NAN)
    }

    fn health(&self) -> Value {
        http::get(&format!("{}/health/ready", self.served.url)).json()
    }
}

/// The options of the copy: the S3 ones without a crate store.
fn arguments(server: &S3Server) -> Vec<String> {
    let export = ["--index-export".to_owned(), format!("s3://{BUCKET}/index")];
    export.into_iter().chain(server.arguments().into_iter().skip(2)).collect()
}

fn with<'a>(arguments: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    arguments.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

/// The files below a directory, without those in which the server keeps headers.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut open) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                open.push(path);
            } else if let (false, Ok(content)) = (name.contains(".tmp"), std::fs::read(&path)) {
                found.insert(name, content);
            }
        }
    }
    found
}

#[test]
fn cargo_builds_from_the_copy_that_a_server_of_files_delivers() {
    let registry = Exporting::start(&[]);
    let cargo = Cargo::new(&format!("sparse+{}/index/", registry.served.url), &registry.token);
    cargo.library("leaf", "1.0.0", "", "pub fn seven() -> u32 { 7 }\n");
    cargo.publish("leaf");
    cargo.library(
        "branch",
        "1.0.0",
        "[dependencies]\nleaf = { version = \"1\", registry = \"supercargo\" }\n",
        "pub use leaf::seven;\n",
    );
    cargo.publish("branch");
    registry.wait_until_exported();
    let port = Port::free();
    let root = registry.server.objects().join("index");
    let http =
        format!("server {{ listen 127.0.0.1:{}; root {}; default_type text/plain; }}", port.number, root.display());
    let nginx = Nginx::start(&port, &http);
    let reader = Cargo::new(&format!("sparse+http://127.0.0.1:{}/", port.number), "none");
    reader.binary(
        "app",
        "[dependencies]\nbranch = { version = \"1\", registry = \"supercargo\" }\n",
        "fn main() { assert_eq!(branch::seven(), 7); }\n",
    );
    reader.good("app", &["run"]);
    let log = nginx.access_log();
    for path in ["/config.json", "/le/af/leaf", "/br/an/branch"] {
        assert!(log.contains(path), "{path}: {log}");
    }
}

#[test]
fn an_object_has_the_headers_of_the_sparse_index_and_goes_with_its_crate() {
    let registry = Exporting::start(&["--index-export-cache-control", "public, max-age=60"]);
    registry.publish("foo", "1.0.0");
    registry.publish("bar", "1.0.0");
    registry.wait_until_exported();
    let bucket = attempts::bucket(&registry.server);
    for (path, content_type) in [("3/f/foo", "text/plain; charset=utf-8"), ("config.json", "application/json")] {
        let headers = bucket.look_at(path).unwrap().unwrap().headers;
        assert_eq!((&*headers.content_type, &*headers.cache_control), (content_type, "public, max-age=60"));
        let own = http::get(&format!("{}/index/{path}", registry.served.url)).good();
        assert_eq!(own.header("content-type"), content_type);
        assert_eq!(own.header("etag").trim_matches('"'), headers.notes["index-blob"]);
        assert_eq!(bucket.read(path).unwrap().unwrap(), own.body);
    }
    assert_eq!(registry.copy().len(), 3);
    registry.served.run("admin crate delete", &["foo", "--reason", "a mistake"]);
    wait_until("the object is removed", || !registry.copy().contains_key("3/f/foo"));
    registry.wait_until_exported();
    assert!(registry.copy().contains_key("3/b/bar"));
}

#[test]
fn without_its_bucket_a_registry_publishes_and_says_how_far_the_copy_is_behind() {
    let mut registry = Exporting::start(&["--s3-timeout", "2s"]);
    registry.publish("foo", "1.0.0");
    registry.wait_until_exported();
    wait_until("the metric is 0", || registry.metric("supercargo_index_export_commits_behind") == 0.0);
    registry.server.stop();
    for version in ["1.1.0", "1.2.0"] {
        registry.publish("foo", version);
    }
    assert_eq!(http::index_lines(&registry.served.url, "3/f/foo").len(), 3);
    wait_until("the metric is 2", || registry.metric("supercargo_index_export_commits_behind") == 2.0);
    wait_until("seconds pass", || registry.metric("supercargo_index_export_seconds_behind") >= 1.0);
    wait_until("health has it", || registry.health()["index_export"]["state"] == "behind");
    let health = registry.health();
    assert_eq!((&health["status"], &health["index_export"]["commits_behind"]), (&"ready".into(), &2.into()));
    wait_until("the job waits", || registry.served.run("jobs list", &[]).contains("export_index"));
    registry.server.start_again();
    registry.wait_until_exported();
    wait_until("the metric is 0 again", || registry.metric("supercargo_index_export_commits_behind") == 0.0);
    wait_until("health has it", || registry.health()["index_export"]["state"] == "current");
}

#[test]
fn changed_paths_are_handed_to_a_command_until_it_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    let (paths, broken) = (directory.path().join("paths"), directory.path().join("broken"));
    let command = format!("test ! -e {} && cat >> {}", broken.display(), paths.display());
    let registry = Exporting::start(&["--index-export-invalidate", &command]);
    let said = || std::fs::read_to_string(&paths).unwrap_or_default();
    wait_until("the first export is of everything", || said() == "*\n");
    registry.wait_until_exported();
    std::fs::write(&broken, "").unwrap();
    registry.publish("foo", "1.0.0");
    wait_until("the file is written", || registry.copy().contains_key("3/f/foo"));
    wait_until("the failure is known", || registry.served.run("jobs list", &["--failed"]).contains("export_index"));
    assert_eq!((said(), &registry.status()["commits_behind"]), ("*\n".to_owned(), &1.into()));
    std::fs::remove_file(&broken).unwrap();
    wait_until("the path is handed over", || said() == "*\n3/f/foo\n");
    registry.wait_until_exported();
}
