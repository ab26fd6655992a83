//! The other registries that dependencies may come from.

use std::fmt;
use std::str::FromStr;

use super::super::excerpt::Excerpt;
use super::super::registry_urls::{CRATES_IO_INDEX, Place, RegistryUrls};

/// The name of crates.io in the list, as in cargo's configuration.
const CRATES_IO: &str = "crates-io";

/// The allowed registries. This registry is always allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AllowedRegistries {
    /// Any registry.
    #[default]
    Any,
    /// Only these, by the URLs of their indexes. An empty list allows no other registry.
    Only(Vec<IndexUrl>),
}

/// The URL of an index. Equal if it identifies the same index.
#[derive(Clone, Debug)]
pub struct IndexUrl {
    url: String,
    place: Place,
}

impl PartialEq for IndexUrl {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for IndexUrl {}

impl IndexUrl {
    /// Parses a URL from an index entry or from the configuration.
    fn parse(url: &str) -> Result<Self, String> {
        let url = if url == CRATES_IO { CRATES_IO_INDEX } else { url };
        // The default has no URLs of this registry, so `resolve` always gives a URL.
        let normal = RegistryUrls::default().resolve(url)?.unwrap_or_else(|| url.to_owned());
        // `%2c` in a host becomes a comma, which separates the URLs of a list.
        if normal.contains(',') {
            return Err("it contains a comma".to_owned());
        }
        let place = Place::of(&normal).filter(Place::has_host).ok_or("it names no host")?;
        Ok(Self { url: normal, place })
    }
}

impl AllowedRegistries {
    /// Whether a dependency may come from a registry, given by a URL from [`RegistryUrls::resolve`].
    pub fn allows(&self, index_url: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(allowed) => IndexUrl::parse(index_url).is_ok_and(|url| allowed.contains(&url)),
        }
    }
}

/// URLs separated by commas, `none`, or `any`.
impl FromStr for AllowedRegistries {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = |url: &str| {
            IndexUrl::parse(url).map_err(|problem| {
                format!(
                    "{} is not the URL of an index ({problem}): write it as cargo does, such as \
                     `sparse+https://crates.example/index/`, or `{CRATES_IO}`; or the one word `any` or `none`",
                    Excerpt(url)
                )
            })
        };
        match text.trim() {
            "any" => Ok(Self::Any),
            "none" => Ok(Self::Only(Vec::new())),
            list => list.split(',').map(|url| parse(url.trim())).collect::<Result<_, _>>().map(Self::Only),
        }
    }
}

/// The form in the configuration.
impl fmt::Display for AllowedRegistries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Only(allowed) if allowed.is_empty() => f.write_str("none"),
            Self::Only(allowed) => {
                let urls: Vec<_> = allowed
                    .iter()
                    .map(|allowed| if allowed.url == CRATES_IO_INDEX { CRATES_IO } else { &allowed.url })
                    .collect();
                f.write_str(&urls.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AllowedRegistries;

    fn allowed(text: &str) -> AllowedRegistries {
        text.parse().unwrap()
    }

    #[test]
    fn a_registry_is_allowed_under_every_spelling_of_its_url() {
        let allowed = allowed("sparse+https://crates.example/index/, crates-io, https://git.example/index");
        for url in [
            "sparse+https://CRATES.example:443/index/",
            "https://github.com/rust-lang/crates.io-index",
            "sparse+https://index.crates.io/",
            "https://git.example/index/",
            "https://git.example/index.git",
        ] {
            assert!(allowed.allows(url), "{url}");
        }
        for url in ["https://crates.example/index/", "sparse+https://crates.example/other/", "https://git.example/", ""]
        {
            assert!(!allowed.allows(url), "{url}");
        }
        assert_eq!(allowed.to_string(), "sparse+https://crates.example/index/,crates-io,https://git.example/index");
    }

    #[test]
    fn any_is_all_of_them_and_none_is_this_registry_alone() {
        assert!(allowed("any").allows("https://git.example/index"));
        assert!(!allowed("none").allows("https://github.com/rust-lang/crates.io-index"));
        for word in ["any", "none"] {
            assert_eq!(allowed(word).to_string(), word);
        }
    }

    #[test]
    fn what_is_no_index_is_refused() {
        insta::assert_snapshot!("sparse+https://crates.example/index".parse::<AllowedRegistries>().unwrap_err(), @"`sparse+https://crates.example/index` is not the URL of an index (the URL of a sparse index ends in a slash): write it as cargo does, such as `sparse+https://crates.example/index/`, or `crates-io`; or the one word `any` or `none`");
        for wrong in [
            "",
            "crates.example",
            "crates-io,",
            "crates-io,none",
            "file:///srv/index",
            "https://a/b%2c,",
            "file://a%2c",
        ] {
            assert!(wrong.parse::<AllowedRegistries>().is_err(), "{wrong}");
        }
    }
}
