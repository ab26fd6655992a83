//! The commit that a package was made from, and where it is shown.
//!
//! cargo writes `.cargo_vcs_info.json` when it packages: the commit's id, and where the package is in its repository. The
//! manifest names the repository. Both are what the publisher says; nothing here is proof.

use serde::Deserialize;
use url::Url;

/// The path of the file in a package.
pub const PATH: &str = ".cargo_vcs_info.json";
/// The longest such file that is read, in bytes.
pub const MAX_SIZE: u64 = 64 * 1024;

/// The commit that a package was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VcsInfo {
    /// The commit's id, in hexadecimal.
    pub commit: String,
    /// The directory of the package in the repository, without slashes at its ends; empty for the root.
    pub directory: String,
    /// Whether there were changes that were not committed.
    pub is_dirty: bool,
}

#[derive(Deserialize)]
struct Written {
    git: Git,
    #[serde(default)]
    path_in_vcs: String,
}

#[derive(Deserialize)]
struct Git {
    sha1: String,
    #[serde(default)]
    dirty: bool,
}

impl VcsInfo {
    /// Reads the file; None if it is not what cargo writes.
    pub fn read(text: &str) -> Option<Self> {
        let written: Written = serde_json::from_str(text).ok()?;
        let commit = written.git.sha1.to_ascii_lowercase();
        let is_id = matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        let directory = written.path_in_vcs.trim_matches('/').to_owned();
        let is_path = directory.split('/').all(|part| !matches!(part, "." | ".."));
        (is_id && is_path).then_some(Self { commit, directory, is_dirty: written.git.dirty })
    }

    /// The path of a packaged file in the repository.
    fn path(&self, file: &str) -> String {
        // cargo packages the manifest as it was under another name.
        let file = if file == "Cargo.toml.orig" { "Cargo.toml" } else { file };
        if self.directory.is_empty() { file.to_owned() } else { format!("{}/{file}", self.directory) }
    }
}

/// A repository at a host that shows commits and files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedRepository {
    root: Url,
    software: Software,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Software {
    GitHub,
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
    Sourcehut,
}

impl HostedRepository {
    /// The repository of a manifest; None for a host that is not known by its name.
    pub fn of(repository: &str) -> Option<Self> {
        let url = Url::parse(repository).ok().filter(|url| url.scheme() == "https" && url.username().is_empty())?;
        let host = url.host_str()?;
        let software = software(host)?;
        let mut parts: Vec<&str> = url.path_segments()?.filter(|part| !part.is_empty()).collect();
        if let Some(end) = parts.iter().position(|part| *part == "-") {
            parts.truncate(end);
        }
        if software != Software::GitLab {
            parts.truncate(2);
        }
        if parts.len() < 2 || software == Software::Sourcehut && !parts[0].starts_with('~') {
            return None;
        }
        let path = parts.join("/");
        let path = path.strip_suffix(".git").unwrap_or(&path).to_owned();
        let mut root = url;
        root.set_query(None);
        root.set_fragment(None);
        root.set_path(&path);
        Some(Self { root, software })
    }

    /// The page of the commit.
    pub fn commit_page(&self, info: &VcsInfo) -> String {
        match self.software {
            Software::GitLab => self.below(&["-", "commit", &info.commit]),
            Software::GitHub | Software::Gitea | Software::Sourcehut => self.below(&["commit", &info.commit]),
        }
    }

    /// The page of a packaged file as it was in the commit.
    pub fn file(&self, info: &VcsInfo, file: &str) -> String {
        let path = info.path(file);
        let mut parts: Vec<&str> = match self.software {
            Software::GitHub => vec!["blob", &info.commit],
            Software::GitLab => vec!["-", "blob", &info.commit],
            Software::Gitea => vec!["src", "commit", &info.commit],
            Software::Sourcehut => vec!["tree", &info.commit, "item"],
        };
        parts.extend(path.split('/'));
        self.below(&parts)
    }

    /// The host, for people.
    pub fn host(&self) -> &str {
        self.root.host_str().unwrap_or_default()
    }

    fn below(&self, parts: &[&str]) -> String {
        let mut url = self.root.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(parts);
        }
        url.into()
    }
}

/// The software of a host, by its name, as far as that says it.
fn software(host: &str) -> Option<Software> {
    let begins = |name: &str| host.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    if host == "github.com" || begins("github") {
        Some(Software::GitHub)
    } else if begins("gitlab") || matches!(host, "invent.kde.org" | "salsa.debian.org") {
        Some(Software::GitLab)
    } else if host == "codeberg.org" || begins("gitea") || begins("forgejo") {
        Some(Software::Gitea)
    } else if host == "git.sr.ht" {
        Some(Software::Sourcehut)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn info(directory: &str) -> VcsInfo {
        VcsInfo::read(&format!("{{\"git\":{{\"sha1\":\"{COMMIT}\"}},\"path_in_vcs\":\"{directory}\"}}")).unwrap()
    }

    #[test]
    fn what_cargo_writes_is_read_and_nothing_else() {
        assert_eq!(
            info("crates/a"),
            VcsInfo { commit: COMMIT.to_owned(), directory: "crates/a".to_owned(), is_dirty: false }
        );
        assert!(VcsInfo::read(&format!("{{\"git\":{{\"sha1\":\"{COMMIT}\",\"dirty\":true}}}}")).unwrap().is_dirty);
        for wrong in [
            "",
            "{}",
            "{\"git\":{\"sha1\":\"0123\"}}",
            "{\"git\":{\"sha1\":\"../../../../../../../../../../../evil/evil12\"}}",
            "{\"git\":{\"sha1\":\"0123456789abcdef0123456789abcdef01234567\"},\"path_in_vcs\":\"../x\"}",
        ] {
            assert_eq!(VcsInfo::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_known_host_shows_the_commit_and_the_file_in_its_own_way() {
        let file = |repository: &str| HostedRepository::of(repository).unwrap().file(&info("crates/a"), "src/größe.rs");
        let path = "crates/a/src/gr%C3%B6%C3%9Fe.rs";
        for (repository, root) in [
            ("https://github.com/o/r", format!("https://github.com/o/r/blob/{COMMIT}")),
            ("https://github.com/o/r.git", format!("https://github.com/o/r/blob/{COMMIT}")),
            ("https://github.com/o/r/tree/main/crates/a?x#y", format!("https://github.com/o/r/blob/{COMMIT}")),
            ("https://gitlab.com/g/sub/r/", format!("https://gitlab.com/g/sub/r/-/blob/{COMMIT}")),
            ("https://gitlab.example.org/g/r/-/tree/x", format!("https://gitlab.example.org/g/r/-/blob/{COMMIT}")),
            ("https://codeberg.org/o/r", format!("https://codeberg.org/o/r/src/commit/{COMMIT}")),
            ("https://gitea.example.org/o/r", format!("https://gitea.example.org/o/r/src/commit/{COMMIT}")),
            ("https://git.sr.ht/~o/r", format!("https://git.sr.ht/~o/r/tree/{COMMIT}/item")),
        ] {
            assert_eq!(file(repository), format!("{root}/{path}"));
        }
        let gitlab = HostedRepository::of("https://gitlab.com/o/r").unwrap();
        assert_eq!(gitlab.commit_page(&info("")), format!("https://gitlab.com/o/r/-/commit/{COMMIT}"));
        let github = HostedRepository::of("https://github.com/o/r").unwrap();
        assert_eq!(github.commit_page(&info("")), format!("https://github.com/o/r/commit/{COMMIT}"));
        assert!(github.file(&info(""), "Cargo.toml.orig").ends_with("/Cargo.toml"));
        assert!(github.file(&info(""), "a?b#c").ends_with("/a%3Fb%23c"));
    }

    #[test]
    fn other_addresses_have_no_links() {
        for other in [
            "http://github.com/o/r",
            "https://github.com/o",
            "https://github.com",
            "https://user@github.com/o/r",
            "https://example.org/o/r",
            "https://notgithub.com/o/r",
            "https://git.sr.ht/o/r",
            "javascript:alert(1)//github.com/o/r",
            "git@github.com:o/r.git",
        ] {
            assert_eq!(HostedRepository::of(other), None, "{other}");
        }
    }
}
