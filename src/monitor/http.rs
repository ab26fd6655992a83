//! Requests with time limits.

use std::time::Duration;

use ureq::Agent;
use ureq::tls::TlsConfig;

use crate::upstream;

/// Bytes of a response body that are kept.
const KEPT: u64 = 2048;

/// Sends requests.
#[derive(Clone)]
pub struct Http(Agent);

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The start of the body.
    pub text: String,
}

/// A client with a time limit for each request, including connection and response. It follows no redirects: a page must not
/// go to another server than the one that the operator named.
pub fn agent(time_limit: Duration) -> Agent {
    agent_with(time_limit, upstream::tls())
}

/// The same with other authorities.
pub fn agent_with(time_limit: Duration, tls: TlsConfig) -> Agent {
    Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(time_limit))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("supercargo/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

impl Http {
    pub fn new(time_limit: Duration) -> Self {
        Self(agent(time_limit))
    }

    pub(super) fn get(&self, url: &str) -> Result<Answer, ureq::Error> {
        read(self.0.get(url).call()?)
    }

    pub(super) fn post_json(&self, url: &str, headers: &[(&str, String)], body: &str) -> Result<Answer, ureq::Error> {
        let request = self.0.post(url).header("content-type", "application/json");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        read(request.send(body)?)
    }
}

fn read(mut answer: ureq::http::Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    use std::io::Read;
    let status = answer.status().as_u16();
    let mut text = Vec::new();
    // The status decides; the body is for people, so an incomplete one is no error.
    let _ = answer.body_mut().as_reader().take(KEPT).read_to_end(&mut text);
    Ok(Answer { status, text: String::from_utf8_lossy(&text).into_owned() })
}
