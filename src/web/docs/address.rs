//! The parts of a path below `/docs/`: `~GRANT/` perhaps, the crate, its version or `latest`, and a file.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::package::{CrateName, Version};

/// What a segment of a path may have as it is.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'+').remove(b'!').remove(b'@');

/// A path, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Without its tilde.
    pub grant: Option<String>,
    pub name: String,
    pub version: Option<String>,
    /// The path of a file, perhaps empty; None without a slash behind the version.
    pub file: Option<String>,
}

impl Address {
    /// Reads a path below `/docs/`. None if it names no crate, or if a name in it has a slash.
    pub fn parse(rest: &str) -> Option<Self> {
        let (grant, rest) = match rest.strip_prefix('~') {
            Some(granted) => {
                let (grant, rest) = granted.split_once('/')?;
                (Some(grant.to_owned()), rest)
            }
            None => (None, rest),
        };
        let (name, rest) = rest.split_once('/').map_or((rest, None), |(name, rest)| (name, Some(rest)));
        let (version, file) =
            match rest.map(|rest| rest.split_once('/').map_or((rest, None), |(one, rest)| (one, Some(rest)))) {
                Some((version, file)) if !version.is_empty() => (Some(decoded(version)?), file),
                _ => (None, None),
            };
        let file = file
            .map(|file| file.split('/').map(decoded).collect::<Option<Vec<_>>>())
            .map(|names| Some(names?.join("/")));
        let file = match file {
            Some(None) => return None,
            Some(file) => file,
            None => None,
        };
        let name = decoded(name)?;
        (!name.is_empty()).then_some(Self { grant, name, version, file })
    }

    /// The path without its grant, encoded, for the crate's own spelling.
    pub fn below(&self, name: &str) -> String {
        let mut path = segment(name);
        for part in [&self.version, &self.file].into_iter().flatten() {
            path.push('/');
            path.push_str(&encoded(part));
        }
        path
    }

    /// What stands before the name of the crate.
    pub fn granted(&self) -> String {
        self.grant.as_ref().map_or_else(String::new, |grant| format!("~{grant}/"))
    }
}

/// The URL of a version's documentation, which leads to its own host if it has one.
pub(in crate::web) fn url(base_url: &str, name: &CrateName, num: &Version) -> String {
    format!("{base_url}/docs/{name}/{}/", segment(&num.to_string()))
}

fn decoded(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    (!text.contains(['/', '\\', '\0'])).then(|| text.into_owned())
}

/// A path with its slashes.
pub(super) fn encoded(path: &str) -> String {
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grant, name, version and file.
    type Parts = (Option<String>, String, Option<String>, Option<String>);

    fn parts(rest: &str) -> Option<Parts> {
        Address::parse(rest).map(|found| (found.grant, found.name, found.version, found.file))
    }

    #[test]
    fn a_path_is_read_and_written() {
        let of = |grant: Option<&str>, name: &str, version: Option<&str>, file: Option<&str>| {
            let text = |part: Option<&str>| part.map(str::to_owned);
            Some((text(grant), name.to_owned(), text(version), text(file)))
        };
        assert_eq!(parts("demo"), of(None, "demo", None, None));
        assert_eq!(parts("demo/"), of(None, "demo", None, None));
        assert_eq!(parts("demo/1.0.0"), of(None, "demo", Some("1.0.0"), None));
        assert_eq!(parts("demo/1.0.0%2Bx/"), of(None, "demo", Some("1.0.0+x"), Some("")));
        assert_eq!(
            parts("~ab/demo/latest/demo/gr%C3%B6%C3%9Fe.html"),
            of(Some("ab"), "demo", Some("latest"), Some("demo/größe.html"))
        );
        for nothing in
            ["", "/", "~ab", "~ab/", "demo/1.0.0/a%2Fb", "demo/1.0.0/a%5Cb", "demo/1.0.0/%ff", "demo/1.0.0/%00"]
        {
            assert_eq!(parts(nothing), None, "{nothing:?}");
        }
        let address = Address::parse("~ab/Demo/1.0.0+x/a%20b/c.html").unwrap();
        assert_eq!(format!("{}{}", address.granted(), address.below("demo")), "~ab/demo/1.0.0+x/a%20b/c.html");
    }
}
