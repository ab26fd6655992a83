//! The commit that a package was made from, and where it is shown.
//!
//! cargo writes `.cargo_vcs_info.json` when it packages: the commit's id, and where the package is in its repository. The
//! manifest names the repository. Both are what the publisher says; nothing here is proof.

use serde::Deserialize;
use url::Url;

use super::link_segment::is_plain;

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
        let is_path = directory.is_empty() || directory.split('/').all(is_plain);
        (is_id && is_path).then_some(Self { commit, directory, is_dirty: written.git.dirty })
    }

    /// The path in the repository of what is at this path from the directory that is so many levels above the package. None
    /// above the repository's root.
    pub fn from_above(&self, levels: usize, path: &str) -> Option<String> {
        let directory: Vec<&str> = parts(&self.directory).collect();
        let kept = &directory[..directory.len().checked_sub(levels)?];
        Some(kept.iter().copied().chain(parts(path)).collect::<Vec<_>>().join("/"))
    }

    /// The path in the package of what is at this path in the repository. None if it is not below the package's directory.
    pub fn in_package<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.directory.is_empty() {
            return Some(path);
        }
        let rest = path.strip_prefix(&*self.directory)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
    }

    /// The path of a packaged file in the repository.
    fn path(&self, file: &str) -> Option<String> {
        // cargo packages the manifest as it was under another name.
        self.from_above(0, if file == "Cargo.toml.orig" { "Cargo.toml" } else { file })
    }
}

/// The parts of a path, without empty ones.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
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
        let url = Url::parse(repository).ok().filter(|url| url.scheme() == "https")?;
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
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
        if let Some(last) = parts.last_mut() {
            *last = last.strip_suffix(".git").unwrap_or(last);
        }
        if !parts.iter().all(|part| is_plain(part)) {
            return None;
        }
        let path = parts.join("/");
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

    /// The page of a packaged file as it was in the commit. None if the path could lead elsewhere.
    pub fn file(&self, info: &VcsInfo, file: &str) -> Option<String> {
        self.at(info, &info.path(file)?)
    }

    /// The page of a file or directory of the repository as it was in the commit; the empty path is the root. None if the path
    /// could lead elsewhere.
    pub fn at(&self, info: &VcsInfo, path: &str) -> Option<String> {
        let commit = info.commit.as_str();
        let mut page = match (self.software, path) {
            (Software::GitHub | Software::Sourcehut, "") => vec!["tree", commit],
            (Software::GitLab, "") => vec!["-", "tree", commit],
            (Software::GitHub, _) => vec!["blob", commit],
            (Software::GitLab, _) => vec!["-", "blob", commit],
            (Software::Gitea, _) => vec!["src", "commit", commit],
            (Software::Sourcehut, _) => vec!["tree", commit, "item"],
        };
        page.extend(parts(path));
        page.iter().all(|part| is_plain(part)).then(|| self.below(&page))
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
            "{\"git\":{\"sha1\":\"0123456789abcdef0123456789abcdef01234567\"},\"path_in_vcs\":\"a/%2e%2E/x\"}",
            "{\"git\":{\"sha1\":\"0123456789abcdef0123456789abcdef01234567\"},\"path_in_vcs\":\"a\\nb\"}",
            "{\"git\":{\"sha1\":\"0123456789abcdef0123456789abcdef01234567\"},\"path_in_vcs\":\"a//b\"}",
        ] {
            assert_eq!(VcsInfo::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_path_above_the_package_stays_in_the_repository() {
        let info = info("crates/a");
        for (levels, path, expected) in [
            (0, "src/lib.rs", Some("crates/a/src/lib.rs")),
            (1, "b/README.md", Some("crates/b/README.md")),
            (2, "LICENSE", Some("LICENSE")),
            (2, "", Some("")),
            (3, "LICENSE", None),
        ] {
            assert_eq!(info.from_above(levels, path).as_deref(), expected, "{levels} {path}");
        }
        assert_eq!(info.in_package("crates/a/src/lib.rs"), Some("src/lib.rs"));
        assert_eq!(info.in_package("crates/a"), Some(""));
        assert_eq!((info.in_package("crates/abc"), info.in_package("LICENSE")), (None, None));
    }

    #[test]
    fn the_root_of_a_repository_has_a_page() {
        for (repository, page) in [
            ("https://github.com/o/r", format!("https://github.com/o/r/tree/{COMMIT}")),
            ("https://gitlab.com/o/r", format!("https://gitlab.com/o/r/-/tree/{COMMIT}")),
            ("https://codeberg.org/o/r", format!("https://codeberg.org/o/r/src/commit/{COMMIT}")),
            ("https://git.sr.ht/~o/r", format!("https://git.sr.ht/~o/r/tree/{COMMIT}")),
        ] {
            assert_eq!(HostedRepository::of(repository).unwrap().at(&info("a"), ""), Some(page));
        }
    }

    #[test]
    fn a_path_that_could_lead_elsewhere_has_no_page() {
        let github = HostedRepository::of("https://github.com/o/r").unwrap();
        for path in ["../x", "a/./b", "%2e%2e/x", "a/%252E%252e", "a\r\nb", "a%0d%0ab", ".\t./x", "a\\..\\b", "\0"] {
            assert_eq!((github.file(&info("a"), path), github.at(&info("a"), path)), (None, None), "{path:?}");
        }
    }

    #[test]
    fn every_known_host_shows_the_commit_and_the_file_in_its_own_way() {
        let file = |repository: &str| {
            HostedRepository::of(repository).unwrap().file(&info("crates/a"), "src/größe.rs").unwrap()
        };
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
        let file = |path: &str| github.file(&info(""), path).unwrap();
        assert!(file("Cargo.toml.orig").ends_with("/Cargo.toml"));
        assert!(file("a?b#c").ends_with("/a%3Fb%23c") && file("100%.md").ends_with("/100%25.md"));
    }

    #[test]
    fn other_addresses_have_no_links() {
        for other in [
            "http://github.com/o/r",
            "https://github.com/o",
            "https://github.com",
            "https://user@github.com/o/r",
            "https://:password@github.com/o/r",
            "https://github.com/o/...git",
            "https://github.com/o/..git",
            "https://github.com/o/.git",
            "https://github.com/o/%2e.git",
            "https://github.com/%252e%252e/r",
            "https://github.com/o/r%0d%0aSet-Cookie:a",
            "https://github.com/o/r%00",
            "https://github.com/o%2f..%2f/r",
            "https://gitlab.com/g/%252e%252e/r",
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
