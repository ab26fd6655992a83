//! What kind of address a text of `homepage`, `documentation` or `repository` is.

use url::Url;

/// Schemes of version control systems. A browser does not run what they name.
const VERSION_CONTROL: [&str; 9] =
    ["ssh", "git", "git+ssh", "ssh+git", "git+https", "git+http", "svn", "svn+ssh", "hg"];

/// What an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// A URL with http or https.
    Web,
    /// An address for git or another version control system: `ssh://git@host/x` or `git@host:x.git`.
    Repository,
    /// A text without a scheme, such as `go/wiki`.
    Plain,
    /// A URL with another scheme, such as `javascript:` or `data:`. A page that links it would run or load it.
    OtherScheme,
}

impl Address {
    /// Classifies a text as a browser reads it: spaces before a URL do not count, nor does the case of its scheme.
    pub fn of(text: &str) -> Self {
        let text = text.trim_start_matches(|c: char| c <= ' ');
        let Some(scheme) = scheme(text) else {
            return if is_scp(text) { Self::Repository } else { Self::Plain };
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" if Url::parse(text).is_ok() => Self::Web,
            "http" | "https" => Self::Plain,
            scheme if VERSION_CONTROL.contains(&scheme) => Self::Repository,
            // `git.example:x.git`: registered schemes have no dot in their names, and host names of scp do.
            host if host.contains('.') => Self::Repository,
            _ => Self::OtherScheme,
        }
    }
}

/// The scheme of a text, if it has one (RFC 3986, 3.1).
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme.then_some(scheme)
}

/// Whether a text is an address of scp with a user, such as `git@host:path`.
fn is_scp(text: &str) -> bool {
    let Some((before, path)) = text.split_once(':') else { return false };
    let is_host = |host: &str| !host.is_empty() && !host.contains(['/', ' ']);
    !path.is_empty() && before.split_once('@').is_some_and(|(user, host)| is_host(user) && is_host(host))
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn an_address_is_of_the_kind_that_a_browser_or_git_takes_it_for() {
        for (text, kind) in [
            ("https://crates.example/x", Address::Web),
            ("HTTP://crates.example", Address::Web),
            ("ssh://git@git.example/x", Address::Repository),
            ("git+ssh://git.example/x", Address::Repository),
            ("git://git.example/x", Address::Repository),
            ("git@git.example:x.git", Address::Repository),
            ("git.example:team/x.git", Address::Repository),
            ("go/wiki", Address::Plain),
            ("crates.example", Address::Plain),
            ("@host:", Address::Plain),
            ("https://", Address::Plain),
            ("", Address::Plain),
        ] {
            assert_eq!(Address::of(text), kind, "{text}");
        }
        for text in [
            "javascript:alert(1)",
            "  JavaScript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "blob:https://a/b",
            "file:///etc/passwd",
            "view-source:https://a",
            "wiki:page",
        ] {
            assert_eq!(Address::of(text), Address::OtherScheme, "{text}");
        }
    }
}
