//! The real cargo with a home of its own, against a registry that is being served.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use supercargo::web::upstreams::cargo_config;

use super::http;

/// A place to work in, and a user to work as.
pub struct Cargo {
    directory: tempfile::TempDir,
    index: String,
    token: String,
    has_token: bool,
    /// `+name` of a toolchain, if not the one in use.
    toolchain: Option<String>,
}

impl Cargo {
    /// With the registry named `supercargo`, found by `index`, which is a URL as cargo takes it.
    pub fn new(index: &str, token: &str) -> Self {
        let cargo = Self {
            directory: tempfile::tempdir().unwrap(),
            index: index.to_owned(),
            token: token.to_owned(),
            has_token: true,
            toolchain: None,
        };
        cargo.forget();
        cargo
    }

    /// Without a token, and with the crates of crates.io from another index.
    pub fn replacing_crates_io(index: &str) -> Self {
        let cargo = Self {
            directory: tempfile::tempdir().unwrap(),
            index: String::new(),
            token: String::new(),
            has_token: false,
            toolchain: None,
        };
        cargo.forget_but(&format!(
            "[source.crates-io]\nreplace-with = \"instead\"\n[source.instead]\nregistry = \"{index}\"\n"
        ));
        cargo
    }

    /// The same, by the upstream `crates-io` of a registry, with the configuration that the registry shows.
    pub fn through(registry: &str) -> Self {
        let cargo = Self::replacing_crates_io("");
        cargo.forget_through(registry);
        cargo
    }

    /// An empty CARGO_HOME with that configuration.
    pub fn forget_through(&self, registry: &str) {
        let auth_required = http::get(&format!("{registry}/upstream/crates-io/index/config.json")).status == 401;
        self.forget_but(&cargo_config(registry, ("crates-io", ""), auth_required));
    }

    /// An empty CARGO_HOME with this configuration.
    pub fn forget_but(&self, config: &str) {
        let home = self.path("home");
        let _ = std::fs::remove_dir_all(&home);
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(home.join("config.toml"), config).unwrap();
    }

    pub fn toolchain(mut self, name: &str) -> Self {
        self.toolchain = Some(name.to_owned());
        self
    }

    /// Somebody who has not logged in.
    pub fn leave_out_the_token(&mut self) {
        self.has_token = false;
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// An empty CARGO_HOME: nothing downloaded, nothing cached.
    pub fn forget(&self) {
        // Nothing may come from anywhere else.
        let config = format!(
            "[registries.supercargo]\nindex = \"{}\"\n[registry]\nglobal-credential-providers = [\"cargo:token\"]\n\
             [source.crates-io]\nreplace-with = \"nowhere\"\n[source.nowhere]\nregistry = \"sparse+http://127.0.0.1:9/\"\n",
            self.index
        );
        self.forget_but(&config);
    }

    pub fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// A library crate: `manifest` stands below name, version and the usual lines.
    pub fn library(&self, name: &str, version: &str, manifest: &str, code: &str) {
        self.write(&format!("{name}/Cargo.toml"), &manifest_of(name, version, manifest));
        self.write(&format!("{name}/src/lib.rs"), code);
    }

    pub fn binary(&self, name: &str, manifest: &str, code: &str) {
        self.write(&format!("{name}/Cargo.toml"), &manifest_of(name, "1.0.0", manifest));
        self.write(&format!("{name}/src/main.rs"), code);
    }

    /// A cargo command in a directory.
    pub fn command(&self, directory: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("cargo");
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            // What the test's own cargo set.
            if name.starts_with("CARGO") || name.starts_with("RUSTUP_TOOLCHAIN") || name.starts_with("SUPERCARGO") {
                command.env_remove(name);
            }
        }
        command
            .args(self.toolchain.iter().map(|name| format!("+{name}")))
            .args(arguments)
            .current_dir(self.path(directory))
            .env("CARGO_HOME", self.path("home"))
            .env("CARGO_TARGET_DIR", self.path("target"))
            .env("CARGO_TERM_COLOR", "never");
        if self.has_token {
            command.env("CARGO_REGISTRIES_SUPERCARGO_TOKEN", &self.token);
        }
        command
    }

    /// Runs cargo and asserts success; answers what it printed on standard error.
    pub fn good(&self, directory: &str, arguments: &[&str]) -> String {
        let output = self.command(directory, arguments).output().unwrap();
        assert!(output.status.success(), "cargo {arguments:?}: {}", said(&output));
        said(&output)
    }

    /// Runs cargo and asserts failure; answers what it printed.
    pub fn bad(&self, directory: &str, arguments: &[&str]) -> String {
        let output = self.command(directory, arguments).output().unwrap();
        assert!(!output.status.success(), "cargo {arguments:?} should have failed: {}", said(&output));
        said(&output)
    }

    pub fn publish(&self, directory: &str) -> String {
        self.good(directory, &["publish", "--registry", "supercargo", "--no-verify", "--allow-dirty"])
    }
}

fn manifest_of(name: &str, version: &str, rest: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\ndescription = \"A crate\"\nlicense = \"MIT\"\n{rest}"
    )
}

/// Both streams.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every toolchain that is installed here, by its full name, and once those that are the same version under several; the
/// one in use if there is no rustup to ask.
pub fn toolchains() -> Vec<Option<String>> {
    let listed = Command::new("rustup").args(["toolchain", "list"]).output();
    let Ok(listed) = listed.map(|output| String::from_utf8(output.stdout).unwrap()) else { return vec![None] };
    let mut versions = std::collections::BTreeMap::new();
    for name in listed.lines().filter_map(|line| line.split_whitespace().next()) {
        let version = Command::new("cargo").args([&format!("+{name}"), "--version"]).output().unwrap();
        versions.insert(said(&version), Some(name.to_owned()));
    }
    if versions.is_empty() { vec![None] } else { versions.into_values().collect() }
}

/// The crate files that building this program has downloaded.
pub fn downloaded_crates() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.unwrap_or_else(|| Path::new(&std::env::var_os("HOME").expect("a home")).join(".cargo"));
    let caches = std::fs::read_dir(home.join("registry/cache")).into_iter().flatten();
    let files = caches.flat_map(|cache| std::fs::read_dir(cache.unwrap().path()).into_iter().flatten());
    files.map(|file| file.unwrap().path()).collect()
}
