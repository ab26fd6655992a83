//! A bare repository that a registry pushes its index to, and what others do to it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use supercargo::index::{Credentials, RemoteOptions};

/// A repository in a directory of its own.
pub struct Bare {
    directory: tempfile::TempDir,
}

/// The real git, whoever owns the repository.
pub fn git(repository: &Path) -> Command {
    let mut command = Command::new("git");
    command.args(["-c", "safe.directory=*", "-c", "user.name=Somebody", "-c", "user.email=somebody@localhost"]);
    command.current_dir(repository).stdin(Stdio::null());
    command
}

fn answer(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

impl Bare {
    /// Without a branch.
    pub fn new() -> Self {
        let bare = Self { directory: tempfile::tempdir().unwrap() };
        answer(git(bare.directory.path()).args(["init", "--quiet", "--bare", "--initial-branch=main", "index.git"]));
        bare.git(&["config", "http.receivepack", "true"]);
        bare
    }

    /// Where `index.git` is.
    pub fn parent(&self) -> &Path {
        self.directory.path()
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("index.git")
    }

    /// The path as an operator writes it.
    pub fn url(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }

    /// A registry's options for it.
    pub fn options(&self) -> RemoteOptions {
        options(&self.url())
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        answer(git(&self.path()).args(arguments))
    }

    /// A file at the branch; empty if it is not there.
    pub fn file(&self, path: &str) -> String {
        let shown = git(&self.path()).args(["show", &format!("main:{path}")]).output().unwrap();
        String::from_utf8(shown.stdout).unwrap()
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "refs/heads/main"])
    }

    /// The subjects of the commits, oldest first.
    pub fn log(&self) -> Vec<String> {
        self.git(&["log", "--reverse", "--format=%s", "main"]).lines().map(str::to_owned).collect()
    }

    /// Somebody else's commit, on top of whatever is there.
    pub fn commit(&self, path: &str, content: &str) {
        let index = self.directory.path().join("index-of-a-commit");
        let _ = std::fs::remove_file(&index);
        let with_index = |arguments: &[&str]| answer(git(&self.path()).args(arguments).env("GIT_INDEX_FILE", &index));
        let parent = git(&self.path()).args(["rev-parse", "--quiet", "--verify", "refs/heads/main"]).output().unwrap();
        let parent = String::from_utf8(parent.stdout).unwrap().trim().to_owned();
        if !parent.is_empty() {
            with_index(&["read-tree", &parent]);
        }
        let file = self.directory.path().join("file-of-a-commit");
        std::fs::write(&file, content).unwrap();
        let blob = with_index(&["hash-object", "-w", file.to_str().unwrap()]);
        with_index(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{path}")]);
        let tree = with_index(&["write-tree"]);
        let mut arguments = vec!["commit-tree", &tree, "-m", "by another hand"];
        if !parent.is_empty() {
            arguments.extend(["-p", &parent]);
        }
        let commit = self.git(&arguments);
        self.git(&["update-ref", "refs/heads/main", &commit]);
    }

    /// Makes one commit without a parent of what is there.
    pub fn squash(&self) {
        let commit = self.git(&["commit-tree", "main^{tree}", "-m", "squashed"]);
        self.git(&["update-ref", "refs/heads/main", &commit]);
    }

    /// Runs a shell script at each push.
    pub fn hook(&self, name: &str, script: &str) {
        let path = self.path().join("hooks").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }

    pub fn unhook(&self, name: &str) {
        std::fs::remove_file(self.path().join("hooks").join(name)).unwrap();
    }

    /// Asserts that a crate's file has each version once.
    pub fn assert_versions(&self, path: &str, versions: &[&str]) {
        let file = self.file(path);
        let found: Vec<_> = file.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).collect();
        let found: Vec<_> = found.iter().map(|line| line["vers"].as_str().unwrap()).collect();
        assert_eq!(found, versions);
    }
}

/// The options of a registry whose index is at this URL.
pub fn options(url: &str) -> RemoteOptions {
    RemoteOptions {
        url: url.to_owned(),
        branch: "main".to_owned(),
        limit: Duration::from_secs(30),
        credentials: Credentials { user: "x-access-token".to_owned(), ..Credentials::default() },
        environment: Vec::new(),
    }
}
