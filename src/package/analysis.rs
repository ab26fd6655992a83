//! Analysing a `.crate` file: its targets and its lines of code. The publish rules do not apply, since the package was
//! accepted before. Sizes are limited, and the file is read once, as a stream.

use std::collections::BTreeSet;
use std::io::Read;

use flate2::read::GzDecoder;
use tar::Archive;

use super::line_counts::{LineCounts, counted};
use super::targets::{Targets, may_be_target};
use super::{CrateName, Limits, Version};

/// The most bytes of source files whose lines are counted. It takes about a second to count them.
const MAX_COUNTED: u64 = 64 * 1024 * 1024;

/// What a `.crate` file has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analysis {
    /// What the package builds.
    pub targets: Targets,
    /// None if the source files are larger than 64 MiB together.
    pub lines: Option<LineCounts>,
}

/// Why a `.crate` file cannot be analysed.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// The file is not a gzipped tar archive, or too large when it is unpacked.
    #[error("it cannot be unpacked: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The file has no manifest, or a very large one.
    #[error("it has no Cargo.toml of up to {limit} bytes")]
    NoManifest {
        /// The size limit.
        limit: u64,
    },
}

/// Analyses the package of this name and version.
///
/// # Errors
///
/// An [`AnalysisError`] if the file is not a package.
pub fn analyse(
    crate_file: impl Read,
    name: &CrateName,
    version: &Version,
    limits: &Limits,
) -> Result<Analysis, AnalysisError> {
    let root = format!("{name}-{version}/");
    let mut manifest = None;
    let mut targets = BTreeSet::new();
    let (mut lines, mut counted_bytes) = (LineCounts::default(), 0);
    let mut content = Vec::new();
    let mut archive = Archive::new(GzDecoder::new(crate_file).take(limits.max_unpacked));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some(path) = path.strip_prefix(&root) else { continue };
        if path == "Cargo.toml" && entry.size() <= limits.max_manifest {
            let mut text = Vec::new();
            entry.read_to_end(&mut text)?;
            manifest = Some(String::from_utf8_lossy(&text).into_owned());
        }
        if may_be_target(path) {
            targets.insert(path.to_owned());
        }
        if let Some(language) = counted(path) {
            counted_bytes += entry.size();
            if counted_bytes <= MAX_COUNTED {
                content.clear();
                entry.read_to_end(&mut content)?;
                lines.add(language, &content);
            }
        }
    }
    let manifest = manifest.ok_or(AnalysisError::NoManifest { limit: limits.max_manifest })?;
    Ok(Analysis {
        targets: Targets::read(&manifest, name.as_str(), &targets),
        lines: (counted_bytes <= MAX_COUNTED).then_some(lines),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::sample::{Sample, gzip, tar};

    fn analysed(file: &[u8], limits: &Limits) -> Result<Analysis, AnalysisError> {
        analyse(file, &"foo".parse().unwrap(), &"1.2.3".parse().unwrap(), limits)
    }

    #[test]
    fn a_package_is_read_once_for_its_targets_and_its_lines() {
        let manifest = Sample::new("").manifest;
        let files: [(&str, &[u8]); 6] = [
            ("foo-1.2.3/src/lib.rs", b"fn a() {}\n// b\n"),
            ("foo-1.2.3/src/main.rs", b"fn main() {}\n"),
            ("foo-1.2.3/tests/a.rs", b"fn c() {}\n"),
            ("foo-1.2.3/README.md", b"# Foo\n"),
            ("other-1.2.3/src/bin/x.rs", b"fn main() {}\n"),
            ("foo-1.2.3/Cargo.toml", manifest.as_bytes()),
        ];
        let Analysis { targets, lines } = analysed(&gzip(&tar(&files)), &Limits::default()).unwrap();
        assert_eq!((targets.edition.as_deref(), targets.has_lib), (Some("2021"), true));
        assert_eq!(targets.bin_names.unwrap(), ["foo"]);
        let lines = lines.unwrap();
        assert_eq!((lines.total_code_lines, lines.total_comment_lines), (2, 1));
        assert_eq!(lines.languages["Rust"].files, 2);
    }

    #[test]
    fn a_file_that_is_no_package_or_too_large_is_refused() {
        let file = Sample::new("").crate_file();
        let refused = |file: &[u8], limits: &Limits| analysed(file, limits).unwrap_err().to_string();
        assert!(refused(b"no", &Limits::default()).starts_with("it cannot be unpacked: "));
        insta::assert_snapshot!(refused(&gzip(&tar(&[])), &Limits::default()), @"it has no Cargo.toml of up to 262144 bytes");
        insta::assert_snapshot!(refused(&file, &Limits { max_manifest: 9, ..Limits::default() }), @"it has no Cargo.toml of up to 9 bytes");
        assert!(
            refused(&file, &Limits { max_unpacked: 700, ..Limits::default() }).starts_with("it cannot be unpacked: ")
        );
    }
}
