//! Where the packages of a lock file come from.

use super::RegistryUrls;
use super::registry_urls::is_crates_io;

/// The name of the upstream that stands for crates.io, whatever its URL.
const CRATES_IO: &str = "crates-io";

/// Where the packages of a registry come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    Upstream(String),
    /// This registry itself.
    Own,
    Unknown,
}

impl Origin {
    /// That of an index, as a lock file names it. Upstreams have a name and the URL of a sparse index.
    pub fn of(index: &str, upstreams: &[(&str, &str)], own_url: Option<&str>) -> Self {
        let is_at = |url: &str| RegistryUrls::default().with_index(&format!("sparse+{url}")).is_own(index);
        let is_it = |(name, url): &&(&str, &str)| {
            let through = own_url.map(|own| format!("{own}/upstream/{name}/index/"));
            is_at(url) || through.is_some_and(|url| is_at(&url))
        };
        let found = if is_crates_io(index) {
            let named = upstreams.iter().find(|(name, _)| *name == CRATES_IO);
            named.or_else(|| upstreams.iter().find(|(_, url)| is_crates_io(&format!("sparse+{url}"))))
        } else {
            upstreams.iter().find(is_it)
        };
        match found {
            Some((name, _)) => Self::Upstream((*name).to_owned()),
            None if RegistryUrls::new(own_url).is_own(index) => Self::Own,
            None => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_comes_from_the_upstream_whose_index_its_lock_file_names() {
        let upstreams = [("acme", "https://crates.acme.example/index/"), ("crates-io", "https://mirror.example/i/")];
        let of = |index: &str| match Origin::of(index, &upstreams, Some("https://own.example")) {
            Origin::Upstream(name) => name,
            other => format!("{other:?}"),
        };
        assert_eq!(of("https://github.com/rust-lang/crates.io-index"), "crates-io");
        assert_eq!(of("sparse+https://index.crates.io/"), "crates-io");
        assert_eq!(of("sparse+https://crates.acme.example/index/"), "acme");
        assert_eq!(of("sparse+https://own.example/upstream/acme/index/"), "acme");
        assert_eq!(of("sparse+https://own.example/index/"), "Own");
        assert_eq!(of("https://own.example/git/index"), "Own");
        assert_eq!(of("sparse+https://other.example/index/"), "Unknown");
        // An upstream of another name may be crates.io, too.
        let rust = [("rust", "https://index.crates.io/")];
        let git = "https://github.com/rust-lang/crates.io-index";
        assert_eq!(Origin::of(git, &rust, None), Origin::Upstream("rust".to_owned()));
        assert_eq!(Origin::of(git, &upstreams[..1], None), Origin::Unknown);
    }
}
