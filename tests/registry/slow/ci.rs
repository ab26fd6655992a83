//! The files of packaging/ci: each job runs as it stands there, as its CI system runs it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use supercargo::package::Checksum;

use crate::support::http;
use crate::support::issuer::{Issuer, merge};
use crate::support::package::Package;
use crate::support::process::{PROGRAM, Served, succeeded};
use crate::support::yaml::{lines, read, texts};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/ci");

/// A team's registry with an upstream, a workspace in which the files are, and a release to install.
struct Team {
    upstream: Served,
    served: Served,
    issuer: Issuer,
    directory: tempfile::TempDir,
    /// Of the tarball.
    checksum: String,
}

impl Team {
    /// Of a CI system, whose jobs may publish.
    fn new(kind: &str, repository: &str, workflow: &str) -> Self {
        let upstream = Served::start(&[]);
        let mut package = Package::new("foo", "1.0.0");
        package.files = vec![("src/lib.rs".to_owned(), b"pub const FOO: u32 = 1;\n".to_vec())];
        http::publish(&upstream.url, &upstream.token("ann"), &package).good();
        let served =
            Served::start_with_log("info", &["--upstream", &format!("crates-io=sparse+{}/index/", upstream.url)]);
        served.token("ann");
        let issuer = Issuer::new(match kind {
            "github" => "/_services/token",
            "forgejo" => "/api/actions",
            _ => "",
        });
        issuer.put("/api/v3/users/acme", json!({ "id": 42 }));
        served.run("publisher issuer add", &[kind, &issuer.url]);
        let (kind, environment) = (format!("--{kind}"), ["--environment", "release"]);
        let mut trusted = vec!["acme-*", &kind, repository, "--workflow", workflow, "--issuer", &issuer.url];
        trusted.extend(["--owner", "ann"]);
        if kind != "--forgejo" {
            trusted.extend(environment);
        }
        served.run("publisher add", &trusted);
        let mut team =
            Self { upstream, served, issuer, directory: tempfile::tempdir().unwrap(), checksum: String::new() };
        team.checksum = team.tarball();
        team.workspace();
        team
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A release in which the program is this one; answers its checksum.
    fn tarball(&self) -> String {
        let program = "supercargo-0.1.0-host/bin/supercargo";
        self.write(program, &format!("#!/bin/sh\nexec '{PROGRAM}' \"$@\"\n"));
        succeeded(Command::new("chmod").arg("+x").arg(self.path(program)).output().unwrap());
        let mut tar = Command::new("tar");
        tar.args(["-czf", "release.tar.gz", "supercargo-0.1.0-host"]).current_dir(self.directory.path());
        succeeded(tar.output().unwrap());
        Checksum::of(&fs::read(self.path("release.tar.gz")).unwrap()).to_string()
    }

    fn workspace(&self) {
        let config = format!("[registries.acme]\nindex = \"sparse+{}/index/\"\n", self.served.url);
        let crates_io = format!(
            "[source.crates-io]\nreplace-with = \"acme-crates-io\"\n\
             [source.acme-crates-io]\nregistry = \"sparse+{}/upstream/crates-io/index/\"\n",
            self.served.url
        );
        self.write("work/.cargo/config.toml", &config);
        // Where crates.io is not replaced, cargo would leave this machine.
        self.write("home/.cargo/config.toml", &crates_io);
        self.write("work/Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"acme-core\", \"acme-net\"]\n");
        for (name, dependencies, code) in [
            ("acme-core", "foo = \"1\"\n", "pub use foo::FOO;\n"),
            (
                "acme-net",
                "acme-core = { path = \"../acme-core\", version = \"1\", registry = \"acme\" }\n",
                "pub use acme_core::FOO;\n",
            ),
        ] {
            let manifest = format!(
                "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2021\"\ndescription = \"A crate\"\n\
                 license = \"MIT\"\npublish = [\"acme\"]\n[dependencies]\n{dependencies}"
            );
            self.write(&format!("work/{name}/Cargo.toml"), &manifest);
            self.write(&format!("work/{name}/src/lib.rs"), code);
        }
        for entry in fs::read_dir(FILES).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "sh") {
                let name = path.file_name().unwrap().to_str().unwrap();
                self.write(&format!("work/ci/{name}"), &fs::read_to_string(&path).unwrap());
            }
        }
        let mut lock = self.command("cargo");
        succeeded(lock.arg("generate-lockfile").output().unwrap());
    }

    /// A command in the workspace, with the environment of a CI system that has Rust.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if ["CARGO", "SUPERCARGO", "RUSTUP_TOOLCHAIN"].iter().any(|start| name.starts_with(start)) {
                command.env_remove(name);
            }
        }
        let home = std::env::var("HOME").unwrap();
        let rustup = std::env::var("RUSTUP_HOME").unwrap_or_else(|_| format!("{home}/.rustup"));
        command.current_dir(self.path("work")).env("HOME", self.path("home")).env("RUSTUP_HOME", rustup);
        command.env("CARGO_HOME", self.path("home/.cargo"));
        command
    }

    /// The variables of a file, with the team's values in place of the examples.
    fn variables(&self, examples: Vec<(String, String)>) -> BTreeMap<String, String> {
        let names: Vec<&str> = examples.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["REGISTRY", "SUPERCARGO_TARBALL", "SUPERCARGO_SHA256"]);
        let tarball = format!("file://{}", self.path("release.tar.gz").display());
        let values = [self.served.url.clone(), tarball, self.checksum.clone()];
        names.into_iter().map(str::to_owned).zip(values).collect()
    }

    fn audience(&self) -> &str {
        self.served.url.split_once("://").unwrap().1
    }

    /// The claims of a job of the kit's workflow at GitHub or Forgejo.
    fn claims_of_actions(&self, directory: &str) -> Value {
        let mut claims = self.issuer.of_github(self.audience());
        let workflow = format!("acme/widgets/{directory}/workflows/crates.yml@refs/tags/v1.1.0");
        merge(
            &mut claims,
            &json!({ "workflow_ref": workflow, "job_workflow_ref": workflow, "environment": "release" }),
        );
        claims
    }

    /// Each job of a workflow, its steps in order, and what it must have done.
    fn run_actions(&self, file: &str, claims: &Value) {
        let workflow = fs::read_to_string(Path::new(FILES).join(file)).unwrap();
        let workflow = read(&workflow);
        let token = json!({ "value": self.issuer.key.sign(claims) });
        self.issuer.put(&format!("/token?version=2&audience={}", self.audience()), token);
        let server = self.issuer.url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let endpoint = format!("{server}/token?version=2");
        for job in ["rehearse", "release", "warm"] {
            let mut variables = self.variables(texts(&workflow["env"]));
            variables.insert("GITHUB_PATH".to_owned(), self.path("path").to_str().unwrap().to_owned());
            if job == "release" {
                variables.insert("ACTIONS_ID_TOKEN_REQUEST_URL".to_owned(), endpoint.clone());
                variables.insert("ACTIONS_ID_TOKEN_REQUEST_TOKEN".to_owned(), "of the run".to_owned());
            }
            fs::write(self.path("path"), "").unwrap();
            for step in workflow["jobs"][job]["steps"].as_vec().unwrap() {
                let Some(script) = step.as_mapping_get("run") else { continue };
                let installed = fs::read_to_string(self.path("path")).unwrap();
                let path = format!("{}:{}", installed.trim_end().replace('\n', ":"), std::env::var("PATH").unwrap());
                let mut bash = self.command("bash");
                bash.args(["-e", "-c", script.as_str().unwrap()]).envs(&variables).env("PATH", path);
                succeeded(bash.output().unwrap());
            }
            self.check(job);
        }
    }

    /// What a job has left behind.
    fn check(&self, job: &str) {
        match job {
            "rehearse" => {
                assert_eq!(http::get(&format!("{}/index/ac/me/acme-net", self.served.url)).status, 404);
            }
            "release" => {
                for name in ["acme-core", "acme-net"] {
                    assert_eq!(http::index_lines(&self.served.url, &format!("ac/me/{name}")).len(), 1);
                    let documented = format!("{}/docs/{name}/1.0.0/{}/", self.served.url, name.replace('-', "_"));
                    assert!(http::get(&documented).text().contains("rustdoc"), "{documented}");
                }
                let audit = self.served.run("admin audit", &["--limit", "1"]);
                assert!(audit.contains("token-revoke"), "{audit}");
            }
            "warm" => {}
            other => panic!("{other}"),
        }
    }

    /// The upstream is gone, and its crate is still there.
    fn assert_warm(mut self) {
        self.upstream.stop();
        let file = format!("{}/upstream/crates-io/api/v1/crates/foo/1.0.0/download", self.served.url);
        assert_eq!(http::get(&file).status, 200, "{file}");
    }
}

#[test]
fn the_jobs_for_github_run_as_written() {
    let team = Team::new("github", "acme/widgets", "crates.yml");
    team.run_actions("github.yml", &team.claims_of_actions(".github"));
    team.assert_warm();
}

#[test]
fn the_jobs_for_forgejo_run_as_written() {
    let team = Team::new("forgejo", "acme/widgets", "crates.yml");
    team.run_actions("forgejo.yml", &team.claims_of_actions(".forgejo"));
    team.assert_warm();
}

#[test]
fn the_jobs_for_gitlab_run_as_written() {
    let team = Team::new("gitlab", "acme/tools/widgets", ".gitlab-ci.yml");
    let pipeline = fs::read_to_string(Path::new(FILES).join("gitlab.yml")).unwrap();
    // Only the directory for programs is another one.
    let place = team.path("local");
    let pipeline = pipeline.replace("/usr/local", place.to_str().unwrap());
    let pipeline = read(&pipeline);
    let mut claims = team.issuer.of_gitlab(team.audience());
    merge(&mut claims, &json!({ "environment": "release" }));
    for job in ["rehearse", "release", "warm"] {
        let mut variables = team.variables(texts(&pipeline["variables"]));
        if job == "release" {
            variables.insert("ID_TOKEN".to_owned(), team.issuer.key.sign(&claims));
        }
        let path = format!("{}:{}", place.join("bin").display(), std::env::var("PATH").unwrap());
        let script = lines(&pipeline[job]["script"]).join("\n");
        let mut bash = team.command("bash");
        bash.args(["-eo", "pipefail", "-c", &script]).envs(&variables).env("PATH", path);
        succeeded(bash.output().unwrap());
        team.check(job);
    }
    team.assert_warm();
}
