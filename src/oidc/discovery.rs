//! The discovery document of an issuer. Source: OpenID Connect Discovery 1.0, sections 3 and 4.

use serde::Deserialize;
use url::Url;

use super::http::{Http, is_safe};

/// What is read of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Discovery {
    pub issuer: String,
    pub jwks_uri: String,
    /// CI systems have none of the following.
    #[serde(default)]
    pub authorization_endpoint: String,
    #[serde(default)]
    pub token_endpoint: String,
    #[serde(default)]
    pub userinfo_endpoint: Option<String>,
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// RFC 9207.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

impl Discovery {
    /// Reads the document of an issuer.
    pub fn of(http: &Http, issuer: &str) -> Result<Self, String> {
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let discovery: Self = http.document(&url)?;
        if discovery.issuer != issuer {
            return Err(format!("its discovery document is about the issuer {:?}", discovery.issuer));
        }
        Ok(discovery)
    }

    /// An address from the document: with TLS or, for an issuer on this machine, on this machine.
    pub fn endpoint<'a>(&self, name: &str, text: &'a str) -> Result<&'a str, String> {
        let is_allowed = |uri: &Url| is_safe(uri) && (uri.scheme() == "https" || self.issuer.starts_with("http://"));
        match Url::parse(text).ok().filter(is_allowed) {
            Some(_) => Ok(text),
            None => Err(format!("its `{name}` is {text:?}, and has to be at https")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_this_machine_are_those_of_an_issuer_on_it() {
        let of = |issuer: &str| Discovery {
            issuer: issuer.to_owned(),
            jwks_uri: String::new(),
            authorization_endpoint: String::new(),
            token_endpoint: String::new(),
            userinfo_endpoint: None,
            token_endpoint_auth_methods_supported: None,
            authorization_response_iss_parameter_supported: false,
        };
        let (elsewhere, here) = (of("https://id.example"), of("http://127.0.0.1:8080"));
        for plain in ["http://127.0.0.1:8080/token", "http://localhost/token"] {
            assert!(elsewhere.endpoint("token_endpoint", plain).unwrap_err().contains("has to be at https"), "{plain}");
            assert_eq!(here.endpoint("token_endpoint", plain), Ok(plain));
        }
        let secure = "https://login.example/token";
        assert_eq!(elsewhere.endpoint("token_endpoint", secure), Ok(secure));
        assert!(here.endpoint("token_endpoint", "http://id.example/token").is_err());
    }
}
