//! Importing from other registries: our own, by both protocols, and crates that the real one made.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use supercargo::package::Checksum;
use supercargo::package::index_path::index_path;

use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, failed};

fn import(served: &Served, arguments: &[&str]) -> (Output, Value) {
    let output = served.command("admin import").args(["--json", "--owner", "ann"]).args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{} {told}", output.status));
    (output, summary)
}

fn assert_agrees(served: &Served) {
    let output = served.command("verify").args(["--json", "--orphan-age", "0s"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Waits until nothing is pending.
fn settle(served: &Served) {
    let mut connection = served.database.connect();
    wait_until("an empty queue", || supercargo::queue::inspection::count(&mut connection).unwrap() == (0, 0));
    served.wait_until_described();
}

fn lines(served: &Served, name: &str) -> Vec<Value> {
    http::index_lines(&served.url, &index_path(&name.parse().unwrap()))
}

#[test]
fn another_registry_is_taken_in_by_either_protocol_and_a_second_time_changes_nothing() {
    let mut from = Served::start(&[]);
    let token = from.token("bob");
    let crates = [("alpha", "1.0.0"), ("alpha", "1.1.0"), ("Beta-Two", "0.1.0+build"), ("gamma", "2.0.0-rc.1")];
    for (name, version) in crates {
        http::publish(&from.url, &token, &Package::new(name, version).described("Taken in")).good();
    }
    http::delete_as(&format!("{}/api/v1/crates/alpha/1.0.0/yank", from.url), &token).good();
    let names = ["alpha", "Beta-Two", "gamma"];
    let before: Vec<_> = names.map(|name| lines(&from, name)).into();

    let by_git = Served::start(&[]);
    by_git.token("ann");
    let git = format!("{}/git/index", from.url);
    let (_, would) = import(&by_git, &[&git, "--dry-run"]);
    assert_eq!((&would["imported"], lines(&by_git, "alpha").len()), (&json!(4), 0), "{would:#}");
    let (done, summary) = import(&by_git, &[&git]);
    assert_eq!((done.status.code(), &summary["imported"]), (Some(0), &json!(4)), "{summary:#}");
    settle(&by_git);
    assert_eq!(names.map(|name| lines(&by_git, name)).to_vec(), before);
    let (_, again) = import(&by_git, &[&git]);
    assert_eq!((&again["imported"], &again["existed"]), (&json!(0), &json!(4)), "{again:#}");
    let told = http::get(&format!("{}/api/v1/crates/alpha", by_git.url)).good().json();
    assert_eq!(told["crate"]["description"], "Taken in", "{told:#}");
    let owners = by_git.run("admin audit", &["--action", "import"]);
    assert!(owners.contains("Beta-Two"), "{owners}");
    assert_agrees(&by_git);

    // The same by the other protocol, from what became a private registry.
    from.stop();
    from.set_arguments(&["--auth-required"]);
    from.start_again();
    let by_sparse = Served::start(&[]);
    let ann = by_sparse.token("ann");
    http::publish(&by_sparse.url, &ann, &Package::new("gamma", "2.0.0-rc.1").described("Something else")).good();
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (listed, token) = (write("crates", "alpha\nBeta-Two\n# no more\ngamma\nnone\n"), write("token", &token));
    let sparse = format!("sparse+{}/index/", from.url);
    let (done, summary) = import(&by_sparse, &[&sparse, "--crates", &listed, "--token-file", &token]);
    assert_eq!((done.status.code(), &summary["imported"]), (Some(1), &json!(3)), "{summary:#}");
    let problems: BTreeMap<String, String> = serde_json::from_value(summary["failed"].clone()).unwrap();
    assert_eq!(problems.keys().collect::<Vec<_>>(), ["gamma 2.0.0-rc.1", "none"]);
    assert!(problems["gamma 2.0.0-rc.1"].contains("it exists with the checksum"), "{problems:?}");
    settle(&by_sparse);
    assert_eq!(lines(&by_sparse, "alpha"), before[0]);
    assert_agrees(&by_sparse);

    let refused = by_sparse.command("admin import").args([&sparse, "--owner", "ann"]).output().unwrap();
    assert!(
        failed(refused, 1).contains("answered 401: the registry is private, so give a token with --token-file"),
        "without the token"
    );
    let refused = by_sparse.command("admin import").args([&git, "--owner", "nobody"]).output().unwrap();
    assert!(failed(refused, 1).contains("there is no user or team \"nobody\""));
    [from, by_git, by_sparse].iter_mut().for_each(Served::stop);
}

#[test]
fn a_deleted_crate_is_imported_again_only_after_its_name_was_released() {
    let mut from = Served::start(&[]);
    let token = from.token("bob");
    http::publish(&from.url, &token, &Package::new("alpha", "1.0.0")).good();
    let into = Served::start(&[]);
    let ann = into.token("ann");
    http::publish(&into.url, &ann, &Package::new("alpha", "0.9.0")).good();
    into.run("admin crate delete", &["alpha", "--reason", "a mistake"]);
    let git = format!("{}/git/index", from.url);
    let (done, summary) = import(&into, &[&git]);
    assert_eq!(done.status.code(), Some(1), "{summary:#}");
    let problem = summary["failed"]["alpha"].as_str().unwrap();
    assert!(problem.contains("(a mistake): to import it again, release its name first"), "{problem}");
    into.run("admin crate release", &["alpha"]);
    let (done, summary) = import(&into, &[&git]);
    assert_eq!((done.status.code(), &summary["created_crates"]), (Some(0), &json!(1)), "{summary:#}");
    settle(&into);
    assert_eq!(lines(&into, "alpha"), lines(&from, "alpha"));
    assert!(into.run("admin owner list", &["alpha"]).contains("ann"));
    from.stop();
}

#[test]
fn the_clone_of_another_registrys_index_is_for_this_user_alone() {
    let served = Served::stopped();
    served.run("admin user create", &["ann"]);
    let directory = tempfile::tempdir().unwrap();
    let (git, mode) = (directory.path().join("git"), directory.path().join("mode"));
    // Instead of git: the last argument is the clone.
    let script =
        format!("#!/bin/sh\nfor last; do :; done\nstat -c %a \"$(dirname \"$last\")\" > {}\nexit 1\n", mode.display());
    std::fs::write(&git, script).unwrap();
    std::fs::set_permissions(&git, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let import = served
        .command("admin import")
        .args(["--owner", "ann", "https://crates.example/index", "--git"])
        .arg(&git)
        .output();
    assert!(failed(import.unwrap(), 1).contains("cannot clone "));
    assert_eq!(std::fs::read_to_string(mode).unwrap().trim(), "700");
}

/// What cargo has downloaded to build this program: lines of the index of crates.io, and the files that they are of.
struct Downloaded {
    files: BTreeMap<String, PathBuf>,
    index: tempfile::TempDir,
    versions: usize,
}

impl Downloaded {
    /// None if cargo's own directories have nothing of the kind.
    fn find(dl: &str) -> Option<Self> {
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))?;
        let named = |directory: &str| {
            let entries = std::fs::read_dir(home.join("registry").join(directory)).ok()?;
            entries.flatten().map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("index.crates.io"))
        };
        let (cache, lines) = (named("cache")?, named("index")?.join(".cache"));
        let index = tempfile::tempdir().unwrap();
        let mut found = Self { files: BTreeMap::new(), index, versions: 0 };
        let git = |arguments: &[&str]| {
            let output =
                std::process::Command::new("git").args(arguments).current_dir(found.index.path()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        git(&["init", "-q", "-b", "master"]);
        std::fs::write(found.index.path().join("config.json"), json!({ "dl": dl, "api": null }).to_string()).unwrap();
        let (mut files, mut versions) = (BTreeMap::new(), 0);
        for entry in std::fs::read_dir(&cache).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let checksum = Checksum::of(&std::fs::read(&path).unwrap()).to_string();
            let split = stem.match_indices('-').map(|(at, _)| at);
            let at = split.into_iter().find(|at| stem[at + 1..].parse::<semver::Version>().is_ok()).unwrap();
            let place = index_path(&stem[..at].parse().unwrap());
            // Cargo's own form of it: versions and lines, divided by NULs.
            let Ok(cached) = std::fs::read(lines.join(&place)) else { continue };
            let line = cached
                .split(|&byte| byte == 0)
                .find(|part| part.starts_with(b"{") && String::from_utf8_lossy(part).contains(&checksum));
            let Some(line) = line else { continue };
            let file = found.index.path().join(&place);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
            file.write_all(line).unwrap();
            file.write_all(b"\n").unwrap();
            files.insert(checksum, path);
            versions += 1;
        }
        git(&["add", "-A"]);
        git(&["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "-m", "Lines"]);
        (found.files, found.versions) = (files, versions);
        Some(found)
    }
}

/// Serves files by what stands behind the last slash, each connection once; the first answer says that it is too busy.
fn serve_files(listener: TcpListener, files: BTreeMap<String, PathBuf>) {
    std::thread::spawn(move || {
        let mut is_busy = true;
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = BufReader::new(connection.try_clone().unwrap());
            let mut line = String::new();
            request.read_line(&mut line).unwrap();
            let mut header = String::new();
            while request.read_line(&mut header).unwrap() > 2 {
                header.clear();
            }
            let path = line.split(' ').nth(1).unwrap_or_default().rsplit('/').next().unwrap_or_default();
            let (status, body) = match files.get(path) {
                _ if std::mem::take(&mut is_busy) => ("429 Too Many Requests\r\nretry-after: 1", Vec::new()),
                Some(file) => ("200 OK", std::fs::read(file).unwrap()),
                None => ("404 Not Found", Vec::new()),
            };
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(&body));
        }
    });
}

/// The lines with their dependencies in one order, because crates.io has another one than a publish here.
fn sorted(mut lines: Vec<Value>) -> Vec<Value> {
    for line in &mut lines {
        let dependencies = line["deps"].as_array_mut().unwrap();
        for dependency in dependencies.iter_mut() {
            let fields: BTreeMap<String, Value> = serde_json::from_value(dependency.clone()).unwrap();
            *dependency = json!(fields);
        }
        dependencies.sort_by_key(ToString::to_string);
    }
    lines
}

#[test]
fn crates_that_the_real_registry_has_are_taken_as_they_are() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dl = format!("http://{}/{{sha256-checksum}}", listener.local_addr().unwrap());
    let Some(downloaded) = Downloaded::find(&dl).filter(|found| found.versions >= 50) else {
        eprintln!("SKIPPED: cargo has no 50 crates of crates.io in its directories, so no real crates were imported");
        return;
    };
    serve_files(listener, downloaded.files.clone());
    let mut served = Served::start(&[]);
    served.token("ann");
    let path: &Path = downloaded.index.path();
    let arguments = [path.to_str().unwrap(), "--concurrency", "4", "--crates-io-dependencies", "here"];
    let (done, summary) = import(&served, &arguments);
    assert_eq!(done.status.code(), Some(0), "{summary:#}");
    assert_eq!(summary["imported"], json!(downloaded.versions), "{summary:#}");
    assert_eq!((&summary["healed"], &summary["from_line"]), (&json!({}), &json!({})), "{summary:#}");
    settle(&served);
    assert_agrees(&served);
    let original = std::fs::read_to_string(path.join("se/rd/serde")).unwrap();
    let original: Vec<Value> = original.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(sorted(lines(&served, "serde")), sorted(original));
    let told = http::get(&format!("{}/api/v1/crates?q=serialization", served.url)).good().json();
    assert!(told["meta"]["total"].as_u64().unwrap() > 0, "{told:#}");
    println!(
        "{} real versions of {} crates imported, {} against a rule of ours: {:#}",
        downloaded.versions,
        summary["crates"],
        summary["against_rules"].as_object().unwrap().len(),
        summary["against_rules"]
    );
    served.stop();
}
