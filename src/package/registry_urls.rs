//! The URLs of a registry's index.
//!
//! A registry has several: sparse and git, with its public name and a loopback address, with and without a trailing slash.
//! cargo writes the one that its user configured into the manifest and the metadata. All must be recognised as this
//! registry, or a crate would have two sources in a dependency graph.

use std::collections::BTreeSet;

use url::Url;

/// The git index of crates.io. cargo uses this URL for crates.io even with its sparse index.
pub const CRATES_IO_INDEX: &str = "https://github.com/rust-lang/crates.io-index";

/// The sparse index of crates.io.
const CRATES_IO_SPARSE_INDEX: &str = "sparse+https://index.crates.io/";

/// cargo's prefix of the URL of a sparse index.
const SPARSE: &str = "sparse+";

/// The index URLs of this registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryUrls {
    own: BTreeSet<Place>,
}

/// An index URL reduced to the parts that identify the index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    sparse: bool,
    scheme: String,
    host: String,
    port: Option<u16>,
    path: String,
}

impl Place {
    pub(super) fn of(index_url: &str) -> Option<Self> {
        let (sparse, address) = divided(index_url)?;
        let url = Url::parse(address).ok()?;
        let host = match url.host() {
            Some(host) if is_loopback(&host) => "localhost".to_owned(),
            Some(host) => host.to_string().to_ascii_lowercase(),
            None if url.scheme() == "file" => String::new(),
            None => return None,
        };
        let mut path = url.path().trim_end_matches('/');
        if !sparse {
            path = path.strip_suffix(".git").unwrap_or(path);
        }
        Some(Self {
            sparse,
            scheme: url.scheme().to_owned(),
            host,
            port: url.port_or_known_default(),
            path: path.to_owned(),
        })
    }

    /// For the index of a release set, the main index of the same registry.
    fn unstaged(&self) -> Option<Self> {
        let (before, set) = self.path.strip_suffix("/index").filter(|_| self.sparse)?.rsplit_once('/')?;
        let base = before.strip_suffix("/stage").filter(|_| !set.is_empty())?;
        Some(Self { path: format!("{base}/index"), ..self.clone() })
    }

    /// Whether the index is on a host, and not in a directory of this machine.
    pub(super) fn has_host(&self) -> bool {
        !self.host.is_empty()
    }
}

/// Whether an index URL is one of crates.io.
pub fn is_crates_io(index_url: &str) -> bool {
    let place = Place::of(index_url);
    place.is_some() && [CRATES_IO_INDEX, CRATES_IO_SPARSE_INDEX].iter().any(|known| Place::of(known) == place)
}

fn is_loopback(host: &url::Host<&str>) -> bool {
    match host {
        url::Host::Domain(domain) => domain.eq_ignore_ascii_case("localhost"),
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Whether requests to a URL leave this machine unencrypted, which exposes their tokens. Clients accept hosts that this
/// parser refuses, such as invalid Punycode, so a URL that cannot be parsed counts as another machine.
pub fn is_readable_on_the_way(url: &str) -> bool {
    match Url::parse(url) {
        Ok(url) => url.scheme() == "http" && !url.host().is_some_and(|host| is_loopback(&host)),
        Err(_) => url.trim_start().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:")),
    }
}

/// Whether an index is sparse, and its URL. None for a text with characters that the URL parser would skip:
/// `s\tparse+https://…` would otherwise become a sparse index that was not checked as one.
fn divided(index_url: &str) -> Option<(bool, &str)> {
    if index_url.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return None;
    }
    // The scheme of a URL has no case.
    match index_url.split_at_checked(SPARSE.len()) {
        Some((prefix, address)) if prefix.eq_ignore_ascii_case(SPARSE) => Some((true, address)),
        _ => Some((false, index_url)),
    }
}

impl RegistryUrls {
    /// The index URLs of a registry that is reached under these base URLs: `sparse+{base}/index/` and
    /// `{base}/git/index` for each. A base that is not a URL adds nothing, because no index URL could equal it.
    pub fn new<'a>(base_urls: impl IntoIterator<Item = &'a str>) -> Self {
        let own = base_urls
            .into_iter()
            .map(|base| base.trim_end_matches('/'))
            .flat_map(|base| [format!("{SPARSE}{base}/index/"), format!("{base}/git/index")])
            .filter_map(|index_url| Place::of(&index_url))
            .collect();
        Self { own }
    }

    /// These URLs and that of another index, by either protocol, whose crates count as crates of this registry. The URLs of
    /// crates.io are never added, and neither is a text that is not a URL.
    #[must_use]
    pub fn with_index(mut self, index_url: &str) -> Self {
        if let Some(place) = Place::of(index_url).filter(|_| !is_crates_io(index_url)) {
            let protocols = [place.sparse, !place.sparse];
            self.own.extend(protocols.map(|sparse| Place { sparse, ..place.clone() }));
        }
        self
    }

    /// These URLs and those of another registry, which has the same layout as this one under its base URL.
    #[must_use]
    pub fn with_base(mut self, base_url: &str) -> Self {
        self.own.extend(Self::new([base_url]).own);
        self
    }

    /// Whether an index URL is one of this registry, or that of one of its release sets. The host's case, a trailing slash,
    /// `.git` and the name of the loopback host are ignored; the scheme, the port and the path are not.
    pub fn is_own(&self, index_url: &str) -> bool {
        let place = Place::of(index_url);
        let is_own = |place: &Place| self.own.contains(place);
        place.is_some_and(|place| is_own(&place) || place.unstaged().as_ref().is_some_and(is_own))
    }

    /// The registry of an index URL in the form of an index entry: None for this registry, [`CRATES_IO_INDEX`] for both
    /// URLs of crates.io, and the normalised URL for any other.
    ///
    /// # Errors
    ///
    /// The reason why cargo could not use the URL as a registry: an entry with it would be unreadable.
    pub fn resolve(&self, index_url: &str) -> Result<Option<String>, String> {
        if self.is_own(index_url) {
            return Ok(None);
        }
        if is_crates_io(index_url) {
            return Ok(Some(CRATES_IO_INDEX.to_owned()));
        }
        let (sparse, address) =
            divided(index_url).ok_or_else(|| "it contains spaces or control characters".to_owned())?;
        // Some file URLs, such as one with a drive letter after a host, are normalised only by parsing twice.
        let url = Url::parse(address).and_then(|url| Url::parse(url.as_str())).map_err(|error| error.to_string())?;
        if url.cannot_be_a_base() {
            return Err("it has no host or path".to_owned());
        }
        if url.password().is_some() {
            return Err("it contains a password".to_owned());
        }
        if sparse && !matches!(url.scheme(), "http" | "https") {
            return Err("a sparse index is read over http or https".to_owned());
        }
        if sparse && !url.path().ends_with('/') {
            return Err("the URL of a sparse index ends in a slash".to_owned());
        }
        Ok(Some(if sparse { format!("{SPARSE}{url}") } else { url.to_string() }))
    }
}

#[cfg(test)]
mod tests {
    use super::{RegistryUrls, is_readable_on_the_way};

    #[test]
    fn the_index_of_a_release_set_is_that_of_its_registry() {
        let urls = RegistryUrls::new(["https://cargo.example/base"]);
        let is_own = |path: &str| urls.is_own(&format!("sparse+https://cargo.example/base/{path}"));
        assert!(is_own("index/") && is_own("stage/acme-2.4/index/") && is_own("stage/acme-2.4/index"));
        for other in ["stage/index/", "stage//index/", "stage/a/b/index/", "x/a/index/", "stage/a/index/index/"] {
            assert!(!is_own(other), "{other}");
        }
        assert!(!urls.is_own("https://cargo.example/base/stage/a/index"));
        assert!(!urls.is_own("sparse+https://cargo.example/stage/a/index/"));
    }

    #[test]
    fn plain_http_is_readable_on_the_way_unless_it_stays_on_this_machine() {
        for readable in [
            "http://host/",
            "HTTP://10.0.0.1:80",
            "http://localhost.example.com/",
            "http://[fe80::1]/",
            "http://128.0.0.1",
        ] {
            assert!(is_readable_on_the_way(readable), "{readable}");
        }
        // An HTTP client may accept what the parser of URLs does not.
        assert!(is_readable_on_the_way("http://xn--a.test:80/dl"));
        for not in [
            "https://host/",
            "http://localhost:1/",
            "http://LOCALHOST",
            "http://127.0.0.2/x",
            "http://[::1]:8/",
            "ssh://host/i",
            "/srv/i",
            "",
        ] {
            assert!(!is_readable_on_the_way(not), "{not}");
        }
    }

    // rule: 16
    // protocol: 36
    #[test]
    fn every_spelling_of_an_own_url_is_own() {
        let urls = RegistryUrls::new(["http://127.0.0.1:8080/prefix/", "https://Crates.Example.com"]);
        for url in [
            "sparse+http://127.0.0.1:8080/prefix/index/",
            "sparse+http://127.0.0.1:8080/prefix/index",
            "sparse+http://localhost:8080/prefix/index/",
            "sparse+http://[::1]:8080/prefix/index/",
            "http://LOCALHOST:8080/prefix/git/index",
            "http://localhost:8080/prefix/git/index/",
            "http://localhost:8080/prefix/git/index.git",
            "https://crates.example.com/git/index",
            "https://crates.example.com:443/git/index",
            "sparse+https://CRATES.example.com/index/",
            "Sparse+HTTPS://crates.example.com/index/",
        ] {
            assert!(urls.is_own(url), "{url}");
        }
    }

    #[test]
    fn another_place_is_not_own() {
        let urls = RegistryUrls::new(["http://localhost:8080", "not a url"]);
        for url in [
            "sparse+http://localhost:8081/index/",
            "sparse+https://localhost:8080/index/",
            "http://localhost:8080/index/",
            "sparse+http://localhost:8080/git/index",
            "sparse+http://localhost:8080/INDEX/",
            "sparse+http://localhost.example.com:8080/index/",
            "not a url",
            "",
        ] {
            assert!(!urls.is_own(url), "{url}");
        }
    }

    // rule: 16
    // protocol: 36, 43
    #[test]
    fn a_url_resolves_to_nothing_to_crates_io_or_to_its_normal_form() {
        let urls = RegistryUrls::new(["http://localhost:8080"]);
        let crates_io = Ok(Some("https://github.com/rust-lang/crates.io-index".to_owned()));
        assert_eq!(urls.resolve("sparse+http://localhost:8080/index/"), Ok(None));
        assert_eq!(urls.resolve("https://github.com/rust-lang/crates.io-index"), crates_io);
        assert_eq!(urls.resolve("sparse+https://index.crates.io/"), crates_io);
        assert_eq!(urls.resolve("https://EXAMPLE.com"), Ok(Some("https://example.com/".to_owned())));
        assert_eq!(urls.resolve("sparse+https://a.b/c/"), Ok(Some("sparse+https://a.b/c/".to_owned())));
        assert_eq!(urls.resolve("file://a//e:/b"), Ok(Some("file:///e:/b".to_owned())));
        assert_eq!(urls.resolve("SPARSE+https://a.b/c/"), Ok(Some("sparse+https://a.b/c/".to_owned())));
        for url in
            ["", "example.com/index", "sparse+https://a.b/c", "sparse+ssh://a/b/", "https://u:p@a.b/", "mailto:x"]
        {
            assert!(urls.resolve(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_index_of_another_registry_can_count_as_this_one_but_crates_io_cannot() {
        let urls = RegistryUrls::new(["http://localhost:8080"])
            .with_index("sparse+https://old.example/index/")
            .with_index("ssh://git@old.example/index.git")
            .with_index("file:///srv/index")
            .with_index("sparse+https://index.crates.io/")
            .with_base("https://old.example/cargo/");
        for url in [
            "sparse+https://old.example/index",
            "https://old.example/index.git",
            "ssh://other@old.example/index",
            "file:///srv/index/",
            "sparse+https://old.example/cargo/index/",
            "https://old.example/cargo/git/index",
            "sparse+http://localhost:8080/index/",
        ] {
            assert!(urls.is_own(url), "{url}");
        }
        for url in
            ["file:///srv/other", "https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/"]
        {
            assert!(!urls.is_own(url), "{url}");
        }
    }

    #[test]
    fn what_a_parser_of_urls_would_skip_is_not_taken() {
        let urls = RegistryUrls::new(["http://localhost:8080"]);
        for url in ["s\nparse+https://a.b", "s\tparse+http://localhost:8080/index/", " https://a.b/", "https://a.b/c d"]
        {
            assert!(urls.resolve(url).is_err() && !urls.is_own(url), "{url:?}");
        }
    }
}
