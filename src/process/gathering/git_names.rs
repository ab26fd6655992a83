//! The crates of a git index, whose tree lists them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::index::readable_stderr;
use crate::package::CrateName;
use crate::package::index_path::index_path;
use crate::process::CommandError;
use crate::redact;

/// The git index of crates.io.
pub const CRATES_IO_GIT: &str = "https://github.com/rust-lang/crates.io-index";

/// The names of all crates in a git index, by its URL or directory. Of a URL only the newest commit and its trees are fetched.
pub fn names_in_git(url: &str, git: &Path) -> Result<Vec<CrateName>, CommandError> {
    let url = url.strip_prefix("git+").or_else(|| url.strip_prefix("registry+")).unwrap_or(url);
    if Path::new(url).is_dir() {
        return listed(git, Path::new(url));
    }
    // Readable by this user only, because the registry may be private.
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    let directory = tempfile::Builder::new().prefix("supercargo-mirror-").permissions(permissions).tempdir()?;
    let clone = directory.path().join("index.git");
    let arguments = ["clone", "--quiet", "--bare", "--depth", "1", "--filter=blob:none", "--", url];
    run(
        git,
        arguments.iter().map(OsStr::new).chain([clone.as_os_str()]),
        &format!("cannot clone {}", redact::userinfo(url)),
    )?;
    listed(git, &clone)
}

fn listed(git: &Path, repository: &Path) -> Result<Vec<CrateName>, CommandError> {
    let arguments = ["-C".as_ref(), repository.as_os_str(), "ls-tree".as_ref(), "-r".as_ref(), "-z".as_ref()];
    let arguments = arguments.into_iter().chain(["--name-only".as_ref(), "HEAD".as_ref()]);
    let output = run(git, arguments, &format!("cannot list {}", repository.display()))?;
    let paths = output.split(|byte| *byte == 0).filter_map(|path| std::str::from_utf8(path).ok());
    Ok(paths.filter_map(name_at).collect())
}

/// The crate whose file has this path.
fn name_at(path: &str) -> Option<CrateName> {
    let name: CrateName = path.rsplit('/').next()?.parse().ok()?;
    (index_path(&name) == path).then_some(name)
}

/// Runs git, with the user's keys, agents and proxies.
fn run<'a>(git: &Path, arguments: impl Iterator<Item = &'a OsStr>, failed: &str) -> Result<Vec<u8>, CommandError> {
    let output = Command::new(git).args(arguments).env("GIT_TERMINAL_PROMPT", "0").stdin(Stdio::null()).output();
    let output = output.map_err(|error| CommandError::while_doing(format!("cannot run {}", git.display()), error))?;
    if !output.status.success() {
        return Err(CommandError::new(format!("{failed}: {}", redact::userinfo(&readable_stderr(&output.stderr)))));
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_crates_are_crates() {
        let name = |path: &str| name_at(path).map(|name| name.to_string());
        assert_eq!(name("se/rd/serde").as_deref(), Some("serde"));
        assert_eq!(name("1/a").as_deref(), Some("a"));
        for other in ["config.json", ".github/workflows/ci.yml", "se/rd/other", "README.md", ""] {
            assert_eq!(name(other), None, "{other}");
        }
    }
}
