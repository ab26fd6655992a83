//! The option about web pages of other origins.

use clap::Args;
use url::Url;

#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Access")]
pub struct CorsOptions {
    /// Origin whose web pages may read the registry, '*' or 'none'; repeatable [default: see --help]
    ///
    /// This is about CORS, for GET and HEAD requests for the API, the index and crate files; pages of other origins can
    /// change nothing. The default is '*', every origin, and 'none' with --auth-required. An origin is a scheme and a
    /// host, such as https://docs.example.com.
    #[arg(long = "cors-origin", hide = true, env = "SUPERCARGO_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',', value_parser = origin)]
    pub cors_origins: Vec<CorsOrigin>,
}

/// A value of the option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigin {
    Every,
    None,
    /// As browsers send it: in lower case, and without the scheme's own port.
    One(String),
}

impl CorsOptions {
    /// Refuses values that contradict each other.
    pub fn check(&self) -> Result<(), String> {
        for (alone, text) in [(CorsOrigin::Every, "*"), (CorsOrigin::None, "none")] {
            if self.cors_origins.len() > 1 && self.cors_origins.contains(&alone) {
                return Err(format!("--cors-origin {text} cannot be combined with other values: use it alone"));
            }
        }
        Ok(())
    }
}

/// Parses a value.
fn origin(text: &str) -> Result<CorsOrigin, String> {
    let text = text.trim();
    match text {
        "*" => return Ok(CorsOrigin::Every),
        "none" => return Ok(CorsOrigin::None),
        _ => {}
    }
    let parsed = Url::parse(text).ok().filter(|url| {
        let is_bare = url.username().is_empty() && url.password().is_none() && url.path() == "/";
        matches!(url.scheme(), "http" | "https") && is_bare && url.query().is_none() && url.fragment().is_none()
    });
    let parsed = parsed.map(|url| CorsOrigin::One(url.origin().ascii_serialization()));
    parsed.ok_or_else(|| "use an origin such as https://docs.example.com, without a path, or * or none".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_taken_as_browsers_send_it_and_others_are_refused() {
        let one = |text: &str| Ok(CorsOrigin::One(text.to_owned()));
        assert_eq!(origin("https://docs.example"), one("https://docs.example"));
        assert_eq!(origin(" HTTPS://Docs.Example:443/"), one("https://docs.example"));
        assert_eq!(origin("http://localhost:8080"), one("http://localhost:8080"));
        assert_eq!((origin("*"), origin("none")), (Ok(CorsOrigin::Every), Ok(CorsOrigin::None)));
        for wrong in
            ["", "docs.example", "https://", "https://x/docs", "https://x?q", "https://u@x", "file:///x", "null"]
        {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_origin_and_none_stand_alone() {
        let of = |cors_origins: &[CorsOrigin]| CorsOptions { cors_origins: cors_origins.to_vec() }.check();
        let one = CorsOrigin::One("https://x".to_owned());
        for accepted in [vec![], vec![CorsOrigin::Every], vec![CorsOrigin::None], vec![one.clone(), one.clone()]] {
            assert_eq!(of(&accepted), Ok(()));
        }
        insta::assert_snapshot!(of(&[one.clone(), CorsOrigin::Every]).unwrap_err(), @"--cors-origin * cannot be combined with other values: use it alone");
        insta::assert_snapshot!(of(&[CorsOrigin::None, one]).unwrap_err(), @"--cors-origin none cannot be combined with other values: use it alone");
    }
}
