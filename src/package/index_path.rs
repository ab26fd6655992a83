//! The path of a crate's file in the index (the Cargo book, "Registry index", index files).

use super::CrateName;

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

/// The crate whose file is at this path of the index, in lower case; `None` if the path is no crate's. cargo requests
/// paths in lower case, so upper case is rejected instead of folded.
pub fn crate_path(path: &str) -> Option<CrateName> {
    let (_, name) = path.rsplit_once('/')?;
    let name: CrateName = name.parse().ok()?;
    (index_path(&name) == path).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::{crate_path, index_path};

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
}
