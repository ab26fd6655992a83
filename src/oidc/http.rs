//! Requests to issuers: which addresses are safe, how long an answer may take, and how long it may be.

use std::io::Read;
use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::Body;
use ureq::http::Response;
use url::{Host, Url};

use crate::upstream::tls;

/// For each request.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest document, in bytes.
const MAX_DOCUMENT: u64 = 512 * 1024;

/// Why an issuer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot be an issuer: give a URL with https, or with http on this machine, without user, query and fragment, as the \
     claim `iss` has it"
)]
pub struct InvalidIssuer(pub String);

/// Checks the URL of an issuer. Over plain HTTP its keys could be replaced on the way.
pub fn check_issuer(text: &str) -> Result<(), InvalidIssuer> {
    let url = Url::parse(text).ok().filter(|url| is_safe(url) && url.query().is_none() && url.fragment().is_none());
    let is_plain = |url: &Url| url.username().is_empty() && url.password().is_none();
    match url {
        Some(url) if is_plain(&url) && text.len() <= 500 && text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(()),
        _ => Err(InvalidIssuer(text.chars().take(500).collect())),
    }
}

/// Whether others cannot read or change on the way what is sent to a URL: it is https, or on this machine.
pub fn is_safe(url: &Url) -> bool {
    let is_here = || match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_here(),
        _ => false,
    }
}

/// Sends requests, directly to this machine, which no proxy stands before. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    agent: ureq::Agent,
    direct: ureq::Agent,
}

impl Default for Http {
    fn default() -> Self {
        let agent = |through_proxy: bool| -> ureq::Agent {
            let config = ureq::Agent::config_builder()
                .tls_config(tls())
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent(concat!("supercargo/", env!("CARGO_PKG_VERSION")))
                .timeout_global(Some(TIMEOUT));
            if through_proxy { config.build().into() } else { config.proxy(None).build().into() }
        };
        Self { agent: agent(true), direct: agent(false) }
    }
}

impl Http {
    /// The document at a URL.
    pub(super) fn document<T: DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        match self.status_and_document(url, None)? {
            (200, Some(document)) => Ok(document),
            (status, _) => Err(format!("{url} answered {status}")),
        }
    }

    /// The status at a URL and, if it is 200, the document. `bearer` is the token of the request.
    pub(super) fn status_and_document<T: DeserializeOwned>(
        &self,
        url: &str,
        bearer: Option<&str>,
    ) -> Result<(u16, Option<T>), String> {
        let mut request = self.agent_for(url).get(url);
        if let Some(token) = bearer {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut answer = request.call().map_err(|error| explained(url, error))?;
        match answer.status().as_u16() {
            200 => read(url, &mut answer).map(|document| (200, Some(document))),
            status => Ok((status, None)),
        }
    }

    /// Sends a form; the status, and the document whatever the status.
    pub(super) fn send_form<T: DeserializeOwned>(
        &self,
        url: &str,
        authorization: Option<&str>,
        form: &[(&str, &str)],
    ) -> Result<(u16, T), String> {
        let mut request = self.agent_for(url).post(url).header("accept", "application/json");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let mut answer = request.send_form(form.iter().copied()).map_err(|error| explained(url, error))?;
        let status = answer.status().as_u16();
        let document = read(url, &mut answer).map_err(|problem| format!("status {status}, {problem}"))?;
        Ok((status, document))
    }

    fn agent_for(&self, url: &str) -> &ureq::Agent {
        if url.starts_with("http://") { &self.direct } else { &self.agent }
    }
}

fn explained(url: &str, error: ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("{url}: no answer within {} s", TIMEOUT.as_secs()),
        error => format!("{url}: {error}"),
    }
}

fn read<T: DeserializeOwned>(url: &str, answer: &mut Response<Body>) -> Result<T, String> {
    let mut content = Vec::new();
    let mut body = answer.body_mut().as_reader().take(MAX_DOCUMENT + 1);
    body.read_to_end(&mut content).map_err(|error| format!("{url}: {error}"))?;
    if content.len() as u64 > MAX_DOCUMENT {
        return Err(format!("{url} has more than {MAX_DOCUMENT} bytes"));
    }
    serde_json::from_slice(&content).map_err(|error| format!("{url}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_a_url_whose_answers_cannot_be_forged() {
        for valid in
            ["https://gitlab.com", "https://ghes.test/_services/token", "http://127.0.0.1:8080/x", "http://[::1]/"]
        {
            assert_eq!(check_issuer(valid), Ok(()), "{valid}");
        }
        for wrong in [
            "",
            "gitlab.com",
            "http://gitlab.com",
            "https://a@b.test",
            "https://b.test/?x",
            "https://b.test/#x",
            "https://",
            "file:///x",
            "https://b.test/ä",
            "http://127.0.0.1.test/",
        ] {
            assert_eq!(check_issuer(wrong), Err(InvalidIssuer(wrong.to_owned())), "{wrong}");
        }
    }
}
