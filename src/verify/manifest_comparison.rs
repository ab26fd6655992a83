//! Comparison of a version's index line with the manifest in its crate file, without any reads.

use super::difference::{Difference, Kind};
use crate::database::upkeep::crate_states::LineState;
use crate::index::entry::difference::Part;
use crate::index::entry::line::IndexLine;
use crate::index::entry::rebuild::{RebuildError, Rebuilt};
use crate::index::entry::registries::Registries;
use crate::package::RegistryUrls;

/// The difference between a line and what a publish of the same crate file would write. `manifest` is its text, or why
/// there is none.
pub(super) fn compare(
    version: &LineState,
    manifest: Result<&str, String>,
    registry_urls: &RegistryUrls,
) -> Option<Difference> {
    let line = line(version)?;
    match rebuild(version, &line, manifest, registry_urls) {
        Ok(rebuilt) => {
            // The checksum is compared with the row.
            let differing: Vec<_> = rebuilt.healed.iter().filter(|(part, _)| **part != Part::Checksum).collect();
            let values = |value: fn(&(String, String)) -> &String| {
                let one = |(part, values): &(&Part, &(String, String))| format!("{part}: {}", value(values));
                differing.iter().map(one).collect::<Vec<_>>().join("; ")
            };
            let (found, expected) = (values(|values| &values.0), values(|values| &values.1));
            (!differing.is_empty()).then(|| Difference::new(Kind::ManifestDiffers, found, expected))
        }
        Err(RebuildError::Unusable { manifest, line }) => {
            let expected = format!("a line that cargo can use, from another manifest ({manifest})");
            Some(Difference::new(Kind::ManifestDiffers, line, expected))
        }
        Err(RebuildError::OtherPackage { .. }) => None,
    }
}

/// The line of a version. None if it contradicts the row, which is a difference of its own.
pub(super) fn line(version: &LineState) -> Option<IndexLine> {
    let line = IndexLine::parse(&version.index_line).ok()?;
    let is_same = (&line.name, &line.version, line.checksum) == (&version.crate_name, &version.num, version.checksum);
    is_same.then_some(line)
}

/// The entry that the line should be.
pub(super) fn rebuild(
    version: &LineState,
    line: &IndexLine,
    manifest: Result<&str, String>,
    registry_urls: &RegistryUrls,
) -> Result<Rebuilt, RebuildError> {
    let urls = registry_urls.clone();
    let registries = Registries::Recorded { urls, crates_io_here: Some(version.crates_io_here) };
    Rebuilt::of(line, manifest, &registries)
}
