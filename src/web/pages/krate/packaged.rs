//! Where the relative links of a README lead: to the packaged files, and to the repository for files that were not packaged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::markdown::{NamedPath, Places};
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

    /// Where a path is: in the package, or else in the repository as it was in the package's commit. A path above the package
    /// is resolved from the package's directory in the repository, and may lead back into the package.
    fn place(&self, named: &NamedPath) -> Option<Place> {
        self.was_asked.store(true, Ordering::Relaxed);
        let unresolved = || (named.above == 0).then(|| Place::Packaged(named.path.clone()));
        let (Some(source), Some(repository)) = (&self.source, &self.repository) else { return unresolved() };
        let Some(info) = source.vcs_info() else { return unresolved() };
        let listing = source.listing();
        let is_packaged = |path: &str| listing.find(path).is_some() || listing.children(path).is_some();
        let path = info.from_above(named.above, &named.path)?;
        match info.in_package(&path).filter(|path| is_packaged(path)) {
            Some(path) => Some(Place::Packaged(path.to_owned())),
            None => repository.at(info, &path).map(Place::AtRepository),
        }
    }
}

/// Where a path of a document is.
enum Place {
    /// The path in the package.
    Packaged(String),
    /// The page of the repository.
    AtRepository(String),
}

impl Places for Packaged {
    fn link(&self, named: &NamedPath) -> Option<String> {
        Some(match self.place(named)? {
            Place::Packaged(path) => self.links.source(&self.name, &self.num, &path),
            Place::AtRepository(page) => page,
        })
    }

    fn image(&self, named: &NamedPath) -> Option<String> {
        let ending = named.path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase())?;
        if !IMAGES.contains(&&*ending) {
            return None;
        }
        Some(match self.place(named)? {
            Place::Packaged(path) => self.links.raw(&self.name, &self.num, &path),
            Place::AtRepository(page) => page,
        })
    }
}
