//! What is brought into the cache of upstreams ahead of time, stays there, and is carried to where there is no network.

mod bundles;
mod fetching;
mod importing;
mod mirroring;
mod pins;
mod status;

use std::path::PathBuf;
use std::process::{Command, Output};

use supercargo::package::Checksum;

use crate::support::faulty_upstream::FaultyUpstream;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, succeeded};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Before any cooldown.
const OLD: &str = "2024-01-01T00:00:00Z";

/// A library whose function says what it is.
fn library(name: &str, version: &str) -> Package {
    let mut package = Package::new(name, version);
    let code = format!("pub fn version() -> &'static str {{ \"{name} {version}\" }}\n");
    package.files = vec![("src/lib.rs".to_owned(), code.into_bytes())];
    package
}

fn sum(package: &Package) -> Checksum {
    Checksum::of(&package.crate_file())
}

/// The part of a lock file about a package of a source.
fn locked(package: &Package, source: &str) -> String {
    format!(
        "[[package]]\nname = \"{}\"\nversion = \"{}\"\nsource = \"{source}\"\nchecksum = \"{}\"\n\n",
        package.name,
        package.version,
        sum(package)
    )
}

/// Writes a lock file with packages of crates.io into the directory of a registry; its path.
fn lock_file(served: &Served, name: &str, packages: &[&Package]) -> String {
    let parts: String = packages.iter().map(|package| locked(package, CRATES_IO)).collect();
    write(served, name, &format!("version = 4\n\n{parts}"))
}

fn write(served: &Served, name: &str, content: &str) -> String {
    let path = served.directory.path().join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// An upstream `crates-io` with `foo` 1.0.0 and `bar` 1.0.0, and a registry before it.
fn crates_io(arguments: &[&str]) -> (FaultyUpstream, Served) {
    let upstream = FaultyUpstream::start();
    for name in ["foo", "bar"] {
        upstream.add(&library(name, "1.0.0"), OLD);
    }
    let served = Served::start(&[&["--upstream", &named(&upstream)], arguments].concat());
    (upstream, served)
}

fn named(upstream: &FaultyUpstream) -> String {
    format!("crates-io={}", upstream.sparse())
}

/// A command that knows this upstream.
fn command(served: &Served, upstream: &FaultyUpstream, subcommand: &str, arguments: &[&str]) -> Command {
    let mut command = served.command(subcommand);
    command.args(["--upstream", &named(upstream)]).args(arguments);
    command
}

fn output(served: &Served, upstream: &FaultyUpstream, subcommand: &str, arguments: &[&str]) -> Output {
    command(served, upstream, subcommand, arguments).output().unwrap()
}

/// Standard output of a command that succeeded.
fn run(served: &Served, upstream: &FaultyUpstream, subcommand: &str, arguments: &[&str]) -> String {
    succeeded(output(served, upstream, subcommand, arguments))
}

/// Both streams of a command that ended with this exit code.
fn ended(output: &Output, code: i32) -> String {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

fn download(served: &Served, name: &str, version: &str) -> http::Reply {
    http::get(&format!("{}/upstream/crates-io/api/v1/crates/{name}/{version}/download", served.url))
}

/// The versions of a crate that the registry shows.
fn versions(served: &Served, path: &str) -> Vec<String> {
    let reply = http::get(&format!("{}/upstream/crates-io/index/{path}", served.url)).good();
    let lines = reply.text();
    let version =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["vers"].as_str().unwrap().to_owned();
    lines.lines().map(version).collect()
}

/// Where a kept crate file is.
fn place(served: &Served, package: &Package) -> PathBuf {
    let name = sum(package).to_string();
    served.data_dir().join(format!("crates/upstream/{}/{name}.crate", &name[..2]))
}
