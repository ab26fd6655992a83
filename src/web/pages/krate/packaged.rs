//! Where the relative links of a README lead: to the packaged files, and to the repository for files that were not packaged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::markdown::Places;
use crate::package::vcs_info::HostedRepository;
use crate::package::{CrateName, Version};
use crate::source::SourcePackage;
use crate::web::pages::links::Links;
use crate::web::pages::parts::found::Found;

/// The endings of images that a page shows.
const IMAGES: [&str; 8] = ["png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico"];

/// A version's files.
pub struct Packaged {
    links: Links,
    name: CrateName,
    num: Version,
    repository: Option<HostedRepository>,
    /// The package, once it is open. Until then, every path counts as packaged.
    source: Option<Arc<SourcePackage>>,
    was_asked: AtomicBool,
}

impl Packaged {
    pub fn new(links: &Links, found: &Found) -> Self {
        Self {
            links: links.clone(),
            name: found.krate.row.name.clone(),
            num: found.version.row.num.clone(),
            repository: found.version.about.repository.as_deref().and_then(HostedRepository::of),
            source: None,
            was_asked: AtomicBool::new(false),
        }
    }

    /// The same files, with the package.
    pub fn opened(&self, source: Arc<SourcePackage>) -> Self {
        Self {
            links: self.links.clone(),
            name: self.name.clone(),
            num: self.num.clone(),
            repository: self.repository.clone(),
            source: Some(source),
            was_asked: AtomicBool::new(false),
        }
    }

    /// Whether a relative link was met that the repository may have, and the package is not open.
    pub fn needs_the_package(&self) -> bool {
        self.source.is_none() && self.repository.is_some() && self.was_asked.load(Ordering::Relaxed)
    }

    /// The page of a file at its repository, if the package does not have it.
    fn elsewhere(&self, path: &str) -> Option<String> {
        self.was_asked.store(true, Ordering::Relaxed);
        let (source, repository) = (self.source.as_ref()?, self.repository.as_ref()?);
        let listing = source.listing();
        let is_packaged = listing.find(path).is_some() || listing.children(path).is_some();
        if is_packaged { None } else { Some(repository.file(source.vcs_info()?, path)) }
    }
}

impl Places for Packaged {
    fn link(&self, path: &str) -> Option<String> {
        self.elsewhere(path).or_else(|| Some(self.links.source(&self.name, &self.num, path)))
    }

    fn image(&self, path: &str) -> Option<String> {
        let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase())?;
        let is_image = IMAGES.contains(&&*ending);
        is_image.then(|| self.elsewhere(path).unwrap_or_else(|| self.links.raw(&self.name, &self.num, path)))
    }
}
