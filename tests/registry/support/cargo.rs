//! The real cargo, in a CARGO_HOME of its own, without a way to any registry but the test's.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Nothing listens there: whoever asks crates.io, which is https, fails at once.
const NO_WAY_OUT: &str = "http://127.0.0.1:1";

/// An installed toolchain.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// What cargo says of itself: `cargo 1.95.0 (…)`.
    pub version: String,
    bin: PathBuf,
}

impl Toolchain {
    /// The one that built this test.
    pub fn own() -> Self {
        Self::at(Path::new(env!("CARGO")))
    }

    /// Every one that is installed, and once those that are the same under several names.
    pub fn installed() -> Vec<Self> {
        let mut found = vec![Self::own()];
        if let Ok(list) = Command::new("rustup").args(["toolchain", "list"]).output() {
            for line in succeeded(&list).lines() {
                let name = line.split(' ').next().unwrap_or_default();
                let cargo = Command::new("rustup").args(["which", "cargo", "--toolchain", name]).output().unwrap();
                let toolchain = Self::at(Path::new(succeeded(&cargo).trim()));
                if found.iter().all(|one| one.version != toolchain.version) {
                    found.push(toolchain);
                }
            }
        }
        println!("cargo as it is installed here: {found:#?}");
        found
    }

    fn at(cargo: &Path) -> Self {
        let version = succeeded(&Command::new(cargo).arg("--version").output().unwrap()).trim().to_owned();
        Self { version, bin: cargo.parent().unwrap().to_owned() }
    }
}

/// A user's cargo, who knows one registry by the name `supercargo`.
pub struct Cargo {
    toolchain: Toolchain,
    home: tempfile::TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Cargo {
    /// Cargo of a user with this token, through the sparse index.
    pub fn new(base_url: &str, token: &str) -> Self {
        Self::anonymous(base_url).variable("CARGO_REGISTRIES_SUPERCARGO_TOKEN", token)
    }

    /// Cargo of somebody without a token.
    pub fn anonymous(base_url: &str) -> Self {
        let index = format!("sparse+{base_url}/index/");
        let cargo = Self { toolchain: Toolchain::own(), home: tempfile::tempdir().unwrap(), environment: Vec::new() };
        cargo.variable("CARGO_REGISTRIES_SUPERCARGO_INDEX", &index)
    }

    pub fn of(mut self, toolchain: &Toolchain) -> Self {
        self.toolchain = toolchain.clone();
        self
    }

    pub fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.to_owned()));
        self
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn command<A: AsRef<OsStr>>(&self, directory: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(self.toolchain.bin.join("cargo"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(self.toolchain.bin.clone()).chain(std::env::split_paths(&path));
        command
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("HOME", self.home())
            .env("CARGO_HOME", self.home())
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_NET_RETRY", "0")
            .env("https_proxy", NO_WAY_OUT)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs to success; answers what stood on standard output and on standard error.
    pub fn run<A: AsRef<OsStr>>(&self, directory: &Path, arguments: impl IntoIterator<Item = A>) -> (String, String) {
        let output = self.command(directory, arguments).output().unwrap();
        (succeeded(&output), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Publishes without the build that cargo makes of it first.
    pub fn publish(&self, directory: &Path) -> String {
        self.run(directory, ["publish", "--registry", "supercargo", "--no-verify"]).1
    }

    /// Runs to a failure; answers the error as cargo prints it, without what differs from run to run.
    pub fn refused<A: AsRef<OsStr>>(&self, directory: &Path, arguments: impl IntoIterator<Item = A>) -> String {
        let output = self.command(directory, arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(101), "{stderr}");
        self.error_in(&stderr)
    }

    /// The error that cargo ends with.
    pub fn error_in(&self, stderr: &str) -> String {
        let begin = stderr.find("error:").unwrap_or_else(|| panic!("no error: {stderr}"));
        self.without_address(stderr[begin..].trim_end())
    }

    /// The registry's address as `[URL]`.
    pub fn without_address(&self, text: &str) -> String {
        let index = self.environment.iter().find(|(name, _)| *name == "CARGO_REGISTRIES_SUPERCARGO_INDEX");
        let address = index.and_then(|(_, index)| index.strip_prefix("sparse+")?.strip_suffix("/index/"));
        text.replace(address.expect("a sparse index"), "[URL]")
    }
}

/// Packages on disk, for cargo to publish and to build.
pub struct Sources {
    directory: tempfile::TempDir,
}

impl Sources {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A library: its manifest's sections below `[package]`, and its source.
    pub fn library(&self, name: &str, version: &str, manifest_rest: &str, source: &str) -> PathBuf {
        self.package(name, version, manifest_rest, "src/lib.rs", source)
    }

    /// A program.
    pub fn program(&self, name: &str, version: &str, manifest_rest: &str, source: &str) -> PathBuf {
        self.package(name, version, manifest_rest, "src/main.rs", source)
    }

    fn package(&self, name: &str, version: &str, manifest_rest: &str, file: &str, source: &str) -> PathBuf {
        let directory = self.path().join(name);
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\ndescription = \"Crate {name}\"\n\
             license = \"MIT\"\n{manifest_rest}"
        );
        write(&directory.join("Cargo.toml"), &manifest);
        write(&directory.join(file), source);
        directory
    }
}

/// Writes a file and the directories it needs.
pub fn write(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
