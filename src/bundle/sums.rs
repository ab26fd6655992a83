//! `SHA256SUMS`, in the format of `sha256sum`.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use super::error::BundleError;
use crate::package::Checksum;

/// Its name.
pub(super) const SUMS: &str = "SHA256SUMS";

/// Files by their paths, with slashes.
pub(super) type Sums = BTreeMap<String, Checksum>;

pub(super) fn to_text(sums: &Sums) -> String {
    sums.iter().map(|(path, checksum)| format!("{checksum}  {path}\n")).collect()
}

pub(super) fn parse(text: &str) -> Result<Sums, BundleError> {
    let mut sums = Sums::new();
    for (line, text) in (1..).zip(text.lines()) {
        let wrong = |problem: &str| BundleError::Sums { line, problem: problem.to_owned() };
        let (checksum, path) = text.split_once("  ").ok_or_else(|| wrong("it is not CHECKSUM, two spaces and PATH"))?;
        let checksum = checksum.parse().map_err(|_| wrong("it begins with no SHA-256"))?;
        // A path must not lead out of the bundle.
        let is_inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if path.is_empty() || !is_inside {
            return Err(wrong("its path leads out of the bundle"));
        }
        if sums.insert(path.to_owned(), checksum).is_some() {
            return Err(wrong("its path was there before"));
        }
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_that_of_sha256sum_and_no_path_leads_out() {
        let sums = Sums::from([("a/b".to_owned(), Checksum::of(b"1")), ("c".to_owned(), Checksum::of(b"2"))]);
        let text = to_text(&sums);
        assert_eq!(text.lines().next().unwrap(), format!("{}  a/b", Checksum::of(b"1")));
        assert_eq!(parse(&text).unwrap(), sums);
        let sum = Checksum::of(b"");
        for wrong in [
            format!("{sum}  ../a\n"),
            format!("{sum}  /a\n"),
            format!("{sum}  a/../../b\n"),
            format!("{sum}  \n"),
            format!("{sum} a\n"),
            "00  a\n".to_owned(),
            format!("{sum}  a\n{sum}  a\n"),
        ] {
            assert!(matches!(parse(&wrong), Err(BundleError::Sums { .. })), "{wrong}");
        }
    }
}
