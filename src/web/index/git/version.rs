//! The version of the git protocol that a client speaks.

use axum::http::HeaderMap;

/// Longest `Git-Protocol` header that is read, in bytes.
const MAX_HEADER: usize = 128;

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    V0,
    V1,
    V2,
}

impl Version {
    /// The highest version that the header `Git-Protocol` names. It is 0 without the header, and if the header is too
    /// long or has unusual characters.
    pub fn of(headers: &HeaderMap) -> Self {
        let value = headers.get("git-protocol").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"=:._-".contains(&byte));
        if !is_plain || value.len() > MAX_HEADER {
            return Self::V0;
        }
        let names = |version: &str| value.split(':').any(|key| key.strip_prefix("version=") == Some(version));
        match () {
            () if names("2") => Self::V2,
            () if names("1") => Self::V1,
            () => Self::V0,
        }
    }

    /// The value of `GIT_PROTOCOL`.
    pub fn variable(self) -> Option<&'static str> {
        match self {
            Self::V0 => None,
            Self::V1 => Some("version=1"),
            Self::V2 => Some("version=2"),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_highest_known_version_is_used() {
        for (value, version) in [
            ("version=2", Version::V2),
            ("version=1:version=2", Version::V2),
            ("version=2:version=1:x=y", Version::V2),
            ("version=1", Version::V1),
            ("version=0", Version::V0),
            ("version=3", Version::V0),
            ("version=22", Version::V0),
            ("version=2 $(x)", Version::V0),
            ("", Version::V0),
        ] {
            let headers = HeaderMap::from_iter([("git-protocol".parse().unwrap(), HeaderValue::from_static(value))]);
            assert_eq!(Version::of(&headers), version, "{value}");
        }
        assert_eq!(Version::of(&HeaderMap::new()), Version::V0);
    }
}
