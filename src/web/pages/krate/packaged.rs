//! Where the relative links of a README lead: to the packaged file, or to the repository.

use url::Url;

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
    repository: Option<Url>,
}

impl Packaged {
    pub fn new(links: &Links, found: &Found) -> Self {
        let repository = found.version.about.repository.as_deref().and_then(|url| Url::parse(url).ok());
        Self {
            links: links.clone(),
            name: found.krate.row.name.clone(),
            num: found.version.row.num.clone(),
            repository: repository.filter(|url| url.scheme() == "https"),
        }
    }

    /// Whether the package has a file or a directory at this path.
    fn has(&self, _path: &str) -> bool {
        true
    }

    /// The address of a file in the repository, for hosts whose addresses are known.
    fn in_repository(&self, path: &str) -> Option<String> {
        let repository = self.repository.as_ref()?;
        let middle = match repository.host_str()? {
            "gitlab.com" => "-/blob/HEAD",
            "codeberg.org" => "src/branch/HEAD",
            "github.com" => "blob/HEAD",
            _ => return Some(repository.to_string()),
        };
        let root = repository.as_str().trim_end_matches('/').trim_end_matches(".git");
        Url::parse(&format!("{root}/{middle}/{path}")).ok().map(|url| url.to_string())
    }
}

impl Places for Packaged {
    fn link(&self, path: &str) -> Option<String> {
        if self.has(path) {
            return Some(self.links.source(&self.name, &self.num, path));
        }
        self.in_repository(path)
    }

    fn image(&self, path: &str) -> Option<String> {
        let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase())?;
        let is_image = IMAGES.contains(&&*ending);
        (is_image && self.has(path)).then(|| self.links.raw(&self.name, &self.num, path))
    }
}
