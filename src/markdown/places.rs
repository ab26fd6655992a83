//! Where the relative links of a document lead.

/// The files of a package.
pub trait Places: Send + Sync {
    /// The address of a file or directory, by its path in the package; None if it is nowhere.
    fn link(&self, path: &str) -> Option<String>;

    /// The address of an image on this host, by its path in the package; None if it is not there.
    fn image(&self, path: &str) -> Option<String>;
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

    /// The path in the package that a relative link names, without query; and its fragment. None if it leaves the package.
    pub fn path_of(&self, link: &str) -> Option<(String, Option<String>)> {
        let (link, fragment) = link.split_once('#').map_or((link, None), |(link, fragment)| (link, Some(fragment)));
        let link = link.split('?').next().unwrap_or_default();
        let link = percent_encoding::percent_decode_str(link).decode_utf8().ok()?;
        // A leading slash is the root of the package, as it is that of a repository.
        let mut parts = if link.starts_with('/') { Vec::new() } else { self.0.clone() };
        for part in link.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()?),
                part if part.contains(['\\', '\0']) => return None,
                part => parts.push(part.to_owned()),
            }
        }
        Some((parts.join("/"), fragment.map(str::to_owned)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_link_stays_in_the_package() {
        let path = |file: &str, link: &str| Folder::of(file).path_of(link).map(|(path, _)| path);
        for (file, link, expected) in [
            ("README.md", "docs/a.md", Some("docs/a.md")),
            ("docs/README.md", "a.md", Some("docs/a.md")),
            ("docs/README.md", "../LICENSE?x#y", Some("LICENSE")),
            ("docs/README.md", "/src/lib.rs", Some("src/lib.rs")),
            ("./docs//README.md", "./b%20c.md", Some("docs/b c.md")),
            ("README.md", "../../etc/passwd", None),
            ("README.md", "%2e%2e/x", None),
            ("README.md", "a\\..\\b", None),
            ("README.md", "%ff", None),
        ] {
            assert_eq!(path(file, link).as_deref(), expected, "{file} {link}");
        }
        assert_eq!(Folder::default().path_of("a#b").unwrap().1.as_deref(), Some("b"));
    }
}
