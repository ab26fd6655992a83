//! Where the relative links of a document lead.

use crate::package::link_segment::is_plain;

/// The files of a package, and of its repository.
pub trait Places: Send + Sync {
    /// The address of a file or directory; None if it is nowhere.
    fn link(&self, path: &NamedPath) -> Option<String>;

    /// The address of an image; None if it is nowhere. One of another host is linked.
    fn image(&self, path: &NamedPath) -> Option<String>;
}

/// A path that a document names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPath {
    /// How many directories above the root of the package it begins: 0 for a path in the package.
    pub above: usize,
    /// The path from there, with neither `.` nor `..`.
    pub path: String,
}

/// The directory of a document in its package; empty for the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder(Vec<String>);

impl Folder {
    /// The directory that a file is in.
    pub fn of(file: &str) -> Self {
        let mut parts: Vec<String> =
            file.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect();
        parts.pop();
        Self(parts)
    }

    /// The path that a relative link names, without query; and its fragment. None if no file can have this path.
    pub fn path_of(&self, link: &str) -> Option<(NamedPath, Option<String>)> {
        let (link, fragment) = link.split_once('#').map_or((link, None), |(link, fragment)| (link, Some(fragment)));
        let link = link.split('?').next().unwrap_or_default();
        let link = percent_encoding::percent_decode_str(link).decode_utf8().ok()?;
        // A leading slash is the root of the package, as it is that of a repository; nothing is above it.
        let is_absolute = link.starts_with('/');
        let mut parts = if is_absolute { Vec::new() } else { self.0.clone() };
        let mut above = 0;
        for part in link.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.pop().is_some() => {}
                ".." if is_absolute => return None,
                ".." => above += 1,
                part if part.contains('\\') || !is_plain(part) => return None,
                part => parts.push(part.to_owned()),
            }
        }
        Some((NamedPath { above, path: parts.join("/") }, fragment.map(str::to_owned)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_link_names_a_path_in_the_package_or_above_it() {
        let path = |file: &str, link: &str| {
            let (named, _) = Folder::of(file).path_of(link)?;
            Some("^".repeat(named.above) + &named.path)
        };
        for (file, link, expected) in [
            ("README.md", "docs/a.md", Some("docs/a.md")),
            ("docs/README.md", "a.md", Some("docs/a.md")),
            ("docs/README.md", "../LICENSE?x#y", Some("LICENSE")),
            ("docs/README.md", "/src/lib.rs", Some("src/lib.rs")),
            ("./docs//README.md", "./b%20c.md", Some("docs/b c.md")),
            ("README.md", "../../etc/passwd", Some("^^etc/passwd")),
            ("README.md", "a/../../b", Some("^b")),
            ("docs/README.md", "../../b/../LICENSE", Some("^LICENSE")),
            ("docs/README.md", "../..", Some("^")),
            ("README.md", "%2e%2e/x", Some("^x")),
            ("README.md", "/../x", None),
            ("README.md", "%252e%252e/x", None),
            ("README.md", "a\\..\\b", None),
            ("README.md", "a%0d%0ab", None),
            ("README.md", "a%00", None),
            ("README.md", "%ff", None),
        ] {
            assert_eq!(path(file, link).as_deref(), expected, "{file} {link}");
        }
        assert_eq!(Folder::default().path_of("a#b").unwrap().1.as_deref(), Some("b"));
    }
}
