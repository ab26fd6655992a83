//! The path of a crate's file in the index (the Cargo book, "Registry index", index files).

use std::borrow::Cow;

use super::CrateName;
use super::name::MAX_LENGTH;

/// The path of a crate's file: `1/a`, `2/ab`, `3/a/abc`, `ca/rg/cargo`. Lower case; `-` and `_` stay as they are.
pub fn index_path(name: &CrateName) -> String {
    let name = name.as_str().to_ascii_lowercase();
    format!("{}/{name}", prefix(&name))
}

/// The directory of that path in the name's own case: `{prefix}` in the `dl` template of config.json.
pub fn index_prefix(name: &CrateName) -> String {
    prefix(name.as_str())
}

fn prefix(name: &str) -> String {
    match name.len() {
        1 => "1".to_owned(),
        2 => "2".to_owned(),
        3 => format!("3/{}", &name[..1]),
        _ => format!("{}/{}", &name[..2], &name[2..4]),
    }
}

/// The crate whose file is at this path of the index, in lower case; `None` if the path is no crate's. For files that
/// exist; [`requested_path`] is for requests.
pub fn crate_path(path: &str) -> Option<CrateName> {
    let (_, name) = path.rsplit_once('/')?;
    let name: CrateName = name.parse().ok()?;
    (index_path(&name) == path).then_some(name)
}

/// The path of the file that a request for `path` means; `None` if it is the path of no crate's file.
///
/// Some tools do not make the path from the lower-cased name as cargo does: they send `Ga/mm/Gamma_Lib` or `3/ab/abc`.
/// What counts is the name at the end, if in front of it are one or two directories with names as short as those of an
/// index: `info/refs` and `objects/info/packs` are requests of git. A right path is returned as it is.
pub fn requested_path(path: &str) -> Option<Cow<'_, str>> {
    let (directory, name) = path.rsplit_once('/')?;
    if !is_name(name) {
        return None;
    }
    if !name.bytes().any(|byte| byte.is_ascii_uppercase()) && is_prefix_of(directory, name) {
        return Some(Cow::Borrowed(path));
    }
    let is_short = |part: &str| matches!(part.len(), 1 | 2) && part.bytes().all(is_allowed);
    let has_shape = match directory.split_once('/') {
        Some((outer, inner)) => is_short(outer) && is_short(inner),
        None => is_short(directory),
    };
    let name = name.to_ascii_lowercase();
    has_shape.then(|| Cow::Owned(format!("{}/{name}", prefix(&name))))
}

/// Whether this is a valid name. The same as parsing a [`CrateName`], but without an allocation.
fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.len() <= MAX_LENGTH
        && bytes.iter().copied().all(is_allowed)
}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Whether the directory is the one of this name. The same as comparing it with [`prefix`], but without an allocation.
fn is_prefix_of(directory: &str, name: &str) -> bool {
    match name.len() {
        1 => directory == "1",
        2 => directory == "2",
        3 => directory.split_once('/') == Some(("3", &name[..1])),
        _ => directory.split_once('/') == Some((&name[..2], &name[2..4])),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::CrateName;
    use super::{crate_path, index_path, is_name, requested_path};

    // protocol: 11
    #[test]
    fn a_path_is_made_of_the_lower_cased_name() {
        let path = |name: &str| index_path(&name.parse().unwrap());
        assert_eq!(path("a"), "1/a");
        assert_eq!(path("AB"), "2/ab");
        assert_eq!(path("abc"), "3/a/abc");
        assert_eq!(path("Cargo"), "ca/rg/cargo");
        assert_eq!(path("a-_b"), "a-/_b/a-_b");
    }

    #[test]
    fn a_path_leads_back_to_its_crate_and_no_other_path_does() {
        for path in ["1/a", "2/ab", "3/a/abc", "ca/rg/cargo", "a-/_b/a-_b"] {
            assert_eq!(index_path(&crate_path(path).unwrap()), path);
        }
        for path in [
            "",
            "a",
            "/1/a",
            "1/a/",
            "1/A",
            "2/a",
            "3/b/abc",
            "ca/rg/Cargo",
            "CA/rg/cargo",
            "ca/rg",
            "ca//rg/cargo",
            "config.json",
            "1/..",
            "ca/rg/../cargo",
            "1/é",
            "1/a\n",
            "ca/rg/cargo/x",
            "./1/a",
        ] {
            assert_eq!(crate_path(path), None, "{path:?}");
        }
    }

    #[test]
    fn a_path_in_another_case_or_directory_means_the_file_of_the_name_at_its_end() {
        for (requested, path) in [
            ("Ga/mm/Gamma_Lib", "ga/mm/gamma_lib"),
            ("ga/mm/Gamma-Lib", "ga/mm/gamma-lib"),
            ("3/ab/abc", "3/a/abc"),
            ("3/A/ABC", "3/a/abc"),
            ("ab/c/abc", "3/a/abc"),
            ("2/a", "1/a"),
            ("1/A", "1/a"),
            ("a/a", "1/a"),
            ("1/ab", "2/ab"),
            ("ca/rg", "2/rg"),
            ("ca/ca/cargo", "ca/rg/cargo"),
            ("a/b/cargo", "ca/rg/cargo"),
        ] {
            assert_eq!(requested_path(requested), Some(Cow::Borrowed(path)), "{requested}");
        }
        for path in ["1/a", "2/ab", "3/a/abc", "ca/rg/cargo", "a-/_b/a-_b"] {
            assert!(matches!(requested_path(path), Some(Cow::Borrowed(same)) if same == path), "{path}");
        }
    }

    #[test]
    fn a_path_without_a_name_at_its_end_or_without_short_directories_is_no_file() {
        for path in [
            "",
            "a",
            "/a",
            "/1/a",
            "1/a/",
            "a/b/c/cargo",
            "ca//cargo",
            "ca/rg/1cargo",
            "ca/rg/config.json",
            "ca/../cargo",
            "./1/a",
            "é/é/cargo",
            "ca/rgo/cargo",
            "info/refs",
            "objects/info/packs",
            "1/..",
            "1/é",
            "1/a\n",
        ] {
            assert_eq!(requested_path(path), None, "{path:?}");
        }
        assert_eq!(requested_path(&format!("aa/aa/{}", "a".repeat(65))), None);
    }

    #[test]
    fn a_name_is_valid_here_exactly_if_it_can_be_parsed() {
        let (longest, long) = ("a".repeat(64), "a".repeat(65));
        for name in ["", "a", "A", "1a", "-a", "a-", "a_b", "a.b", "é", "aé", "a b", &longest, &long] {
            assert_eq!(is_name(name), name.parse::<CrateName>().is_ok(), "{name}");
        }
    }
}
