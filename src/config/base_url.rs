//! The value of options that are the URL of a server.

/// Parses a base URL, without its trailing slash.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    let trimmed = text.trim_end_matches('/');
    let rest = trimmed.strip_prefix("http://").or_else(|| trimmed.strip_prefix("https://"));
    match rest {
        None | Some("") => Err("use a URL with http:// or https:// and a host".to_owned()),
        Some(rest) if rest.contains(['?', '#', '@', ' ']) => {
            Err("use a URL without credentials, query or fragment".to_owned())
        }
        Some(_) => Ok(trimmed.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // protocol: 2, 10
    #[test]
    fn a_base_url_is_taken_without_its_last_slash_and_others_are_refused() {
        assert_eq!(base_url("https://crates.example/registry/"), Ok("https://crates.example/registry".to_owned()));
        for wrong in ["crates.example", "sparse+https://crates.example/", "https://", "http://u:p@host", "http://h/?q"]
        {
            assert!(base_url(wrong).is_err(), "{wrong}");
        }
    }
}
