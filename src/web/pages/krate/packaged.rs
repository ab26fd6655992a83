//! Where the relative links of a README lead: to the packaged files.

use crate::markdown::Places;
use crate::package::{CrateName, Version};
use crate::web::pages::links::Links;
use crate::web::pages::parts::found::Found;

/// The endings of images that a page shows.
const IMAGES: [&str; 8] = ["png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico"];

/// A version's files.
pub struct Packaged {
    links: Links,
    name: CrateName,
    num: Version,
}

impl Packaged {
    pub fn new(links: &Links, found: &Found) -> Self {
        Self { links: links.clone(), name: found.krate.row.name.clone(), num: found.version.row.num.clone() }
    }
}

impl Places for Packaged {
    fn link(&self, path: &str) -> Option<String> {
        Some(self.links.source(&self.name, &self.num, path))
    }

    fn image(&self, path: &str) -> Option<String> {
        let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase())?;
        let is_image = IMAGES.contains(&&*ending);
        is_image.then(|| self.links.raw(&self.name, &self.num, path))
    }
}
