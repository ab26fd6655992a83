//! Length limits of the texts of a manifest. A manifest may have 256 KiB, but its texts are shown in lists and with every
//! version. Keywords, categories and the description have limits in other modules.

use super::super::Manifest;
use super::error::PolicyError;

/// The longest URL of a homepage, a documentation or a repository, in characters.
pub const MAX_URL: usize = 2048;

const MAX_LICENSE: usize = 1000;
const MAX_PATH: usize = 1024;
const MAX_LINKS: usize = 256;
const MAX_AUTHOR: usize = 1000;

/// The texts that are too long, one of each field.
pub(super) fn problems(manifest: &Manifest) -> Vec<PolicyError> {
    let fields = [
        ("homepage", &manifest.homepage, MAX_URL),
        ("documentation", &manifest.documentation, MAX_URL),
        ("repository", &manifest.repository, MAX_URL),
        ("license", &manifest.license, MAX_LICENSE),
        ("license-file", &manifest.license_file, MAX_PATH),
        ("readme", &manifest.readme, MAX_PATH),
        ("links", &manifest.links, MAX_LINKS),
    ];
    let fields = fields.into_iter().flat_map(|(field, text, limit)| text.iter().map(move |text| (field, text, limit)));
    let authors = manifest.authors.iter().map(|author| ("authors", author, MAX_AUTHOR));
    let too_long = |(field, text, limit): (&'static str, &String, usize)| {
        let length = text.chars().count();
        (length > limit).then_some(PolicyError::TextTooLong { field, length, limit })
    };
    fields.filter_map(too_long).chain(authors.filter_map(too_long).take(1)).collect()
}
