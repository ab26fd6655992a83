//! What packages are made from: script/package and script/test-packages build and install them; these are the mistakes
//! that can be found without doing so.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use supercargo::config::{self, is_settable};

use crate::support::process::{PROGRAM, succeeded};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The options that the file and variables can set: their keys, and their variables.
fn options() -> (BTreeSet<String>, BTreeSet<String>) {
    fn collect(command: &clap::Command, keys: &mut BTreeSet<String>, variables: &mut BTreeSet<String>) {
        for argument in command.get_arguments().filter(|argument| is_settable(argument)) {
            keys.extend(argument.get_long().map(str::to_owned));
            variables.extend(argument.get_env().map(|name| name.to_str().unwrap().to_owned()));
        }
        command.get_subcommands().for_each(|below| collect(below, keys, variables));
    }
    let (mut keys, mut variables) = (BTreeSet::new(), BTreeSet::new());
    collect(&config::command(), &mut keys, &mut variables);
    (keys, variables)
}

/// The files below a directory.
fn files(directory: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(Path::new(ROOT).join(directory)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(path.strip_prefix(ROOT).unwrap().to_str().unwrap()));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn the_configuration_file_of_the_debian_package_is_valid_with_and_without_its_comments() {
    let shipped = read("packaging/debian/supercargo.toml");
    let complete: Vec<_> = shipped
        .lines()
        .map(|line| line.strip_prefix('#').unwrap_or(line))
        .filter(|line| !line.starts_with(' '))
        .collect();
    assert!(complete.len() > 4, "{complete:?}");
    let complete = complete.join("\n");
    for text in [shipped, complete] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("supercargo.toml");
        fs::write(&file, text).unwrap();
        let mut check = Command::new(PROGRAM);
        check.env_clear().args(["config", "check", "--config"]).arg(&file);
        assert!(succeeded(check.output().unwrap()).contains("valid"));
    }
}

#[test]
fn compose_file_image_and_chart_set_options_that_exist() {
    let (keys, variables) = options();
    let mut seen = 0;
    let text = [read("packaging/compose/compose.yaml"), read("packaging/container/Containerfile")].join("\n");
    let names = text.split(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
    for name in names.filter(|name| name.starts_with("SUPERCARGO_")) {
        let others = ["SUPERCARGO_S3_ACCESS_KEY_ID", "SUPERCARGO_S3_SECRET_ACCESS_KEY", "SUPERCARGO_IMAGE"];
        assert!(others.contains(&name) || variables.contains(name), "{name}");
        seen += 1;
    }
    let template = read("packaging/helm/supercargo/templates/config.yaml");
    for line in template.lines().filter(|line| line.contains(" = ") && !line.trim_start().starts_with('{')) {
        let key = line.trim_start().split(" = ").next().unwrap();
        assert!(keys.contains(key), "{key}");
        seen += 1;
    }
    assert!(seen > 25, "{seen}");
}

#[test]
fn everything_has_the_version_of_the_program() {
    let chart = read("packaging/helm/supercargo/Chart.yaml");
    assert!(chart.contains(&format!("\nversion: {VERSION}\nappVersion: {VERSION}\n")), "{chart}");
    assert!(read("packaging/compose/compose.yaml").contains(&format!("/supercargo:{VERSION}}}")));
    let page = read("docs/installing.md");
    for name in ["supercargo_VERSION-1_amd64.deb", "supercargo-VERSION-x86_64", "localhost/supercargo:VERSION"] {
        let name = name.replace("VERSION", VERSION);
        assert!(page.contains(&name), "{name}");
    }
}

#[test]
fn files_that_packages_contain_exist() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    let mut sources: Vec<_> =
        deb["assets"].as_array().unwrap().iter().map(|asset| asset[0].as_str().unwrap().to_owned()).collect();
    for unit in deb["systemd-units"].as_array().unwrap() {
        let (directory, name) = (unit["unit-scripts"].as_str().unwrap(), unit["unit-name"].as_str().unwrap());
        sources.push(format!("{directory}/{name}.service"));
    }
    let containerfile = read("packaging/container/Containerfile");
    let copied = containerfile.lines().filter_map(|line| line.strip_prefix("COPY packaging/"));
    sources.extend(copied.map(|rest| format!("packaging/{}", rest.split(' ').next().unwrap())));
    assert!(sources.len() > 10, "{sources:?}");
    for source in sources.iter().filter(|source| !source.starts_with("target/")) {
        let path = source.split('*').next().unwrap();
        assert!(Path::new(ROOT).join(path).exists(), "{source}");
    }
}

#[test]
fn scripts_of_packages_are_valid_shell_and_can_be_run() {
    use std::os::unix::fs::PermissionsExt;

    let mut scripts = vec![Path::new(ROOT).join("script/package"), Path::new(ROOT).join("script/test-packages")];
    scripts.extend(files("packaging").into_iter().filter(|path| fs::read(path).unwrap().starts_with(b"#!/bin/")));
    assert!(scripts.len() >= 8, "{scripts:?}");
    for script in scripts {
        let shell = if fs::read(&script).unwrap().starts_with(b"#!/bin/bash") { "bash" } else { "sh" };
        let parsed = Command::new(shell).arg("-n").arg(&script).output().unwrap();
        assert!(parsed.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&parsed.stderr));
        assert_eq!(fs::metadata(&script).unwrap().permissions().mode() & 0o111, 0o111, "{}", script.display());
    }
}

#[test]
fn both_release_workflows_build_with_the_same_script() {
    for workflow in [".github/workflows/release.yml", ".forgejo/workflows/release.yml"] {
        assert!(read(workflow).contains("packaging/release/build \"$GITHUB_REF_NAME\""), "{workflow}");
    }
    let build = Path::new(ROOT).join("packaging/release/build");
    let refused = Command::new(build).arg("v0.0.0").output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(said, format!("the tag is v0.0.0, and Cargo.toml has the version {VERSION}: use the tag v{VERSION}\n"));
}

#[test]
fn the_crate_contains_what_its_build_needs_and_no_tests() {
    let mut list = Command::new(env!("CARGO"));
    list.args(["package", "--list", "--allow-dirty", "--offline", "--manifest-path"])
        .arg(Path::new(ROOT).join("Cargo.toml"));
    let listed = succeeded(list.output().unwrap());
    for needed in ["Cargo.lock", "README.md", "LICENSE-MIT", "src/main.rs", "src/web/pages/assets/style.css"] {
        assert!(listed.lines().any(|file| file == needed), "{needed}");
    }
    assert!(listed.lines().any(|file| file.starts_with("migrations/")));
    assert!(!listed.lines().any(|file| file.starts_with("tests/") || file.starts_with("fuzz/")), "{listed}");
}
