//! A client for URLs that users of the registry give: it connects to addresses of the Internet, and to those that an operator
//! allows. The address that was looked up is the one that is connected to, so a name cannot change its meaning in between.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use super::tls;
use crate::package::characters::one_line;
use crate::webhook::address::{is_allowed, is_named};

/// For a whole request, its answer included.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const KEPT: u64 = 1024;
/// Characters of an answer that are kept.
const EXCERPT: usize = 200;

/// A client. Cheap to clone.
#[derive(Clone)]
pub struct Guarded {
    agent: ureq::Agent,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub took: Duration,
    /// Its beginning, on one line.
    pub text: String,
}

/// There was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    #[error("nothing was sent: {0}")]
    NotAllowed(String),
    #[error("no answer after {took:.1?}: {problem}")]
    Failed { took: Duration, problem: String },
}

impl Guarded {
    /// `allowed`: networks that an operator has named.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        let config = Config::builder()
            .tls_config(tls())
            // A proxy would look names up itself.
            .proxy(None)
            .timeout_global(Some(TIME_LIMIT))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // An address that was allowed is not to be used for another name.
            .max_idle_connections(0)
            .user_agent(concat!("supercargo/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = Guard { allowed, any: DefaultResolver::default() };
        Self { agent: ureq::Agent::with_parts(config, DefaultConnector::default(), resolver) }
    }

    /// Sends JSON. Redirects are not followed.
    pub fn post_json(&self, url: &str, headers: &[(&str, String)], body: &str) -> Result<Answer, NoAnswer> {
        let began = Instant::now();
        let request = self.agent.post(url).header("content-type", "application/json");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        match request.send(body) {
            Ok(mut answer) => {
                let status = answer.status().as_u16();
                let mut text = Vec::new();
                if (200..300).contains(&status) {
                    return Ok(Answer { status, took: began.elapsed(), text: String::new() });
                }
                // The status decides; the body is for people, so an incomplete one is no error.
                let _ = answer.body_mut().as_reader().take(KEPT).read_to_end(&mut text);
                Ok(Answer { status, took: began.elapsed(), text: one_line(&String::from_utf8_lossy(&text), EXCERPT) })
            }
            Err(ureq::Error::Io(error)) if error.kind() == ErrorKind::PermissionDenied => {
                Err(NoAnswer::NotAllowed(error.to_string()))
            }
            Err(error) => {
                Err(NoAnswer::Failed { took: began.elapsed(), problem: one_line(&explained(error), EXCERPT) })
            }
        }
    }
}

fn explained(error: ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("it took longer than {} s", TIME_LIMIT.as_secs()),
        ureq::Error::HostNotFound => "the name of the host is not known".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// Looks names up, and leaves out addresses that are not allowed.
struct Guard {
    allowed: Vec<IpNet>,
    any: DefaultResolver,
}

impl Guard {
    fn may_reach(&self, ip: IpAddr, is_encrypted: bool) -> bool {
        if is_encrypted { is_allowed(ip, &self.allowed) } else { is_named(ip, &self.allowed) }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

impl Resolver for Guard {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.any.resolve(uri, config, timeout)?;
        let is_encrypted = uri.scheme_str() == Some("https");
        let (mut reachable, mut refused) = (self.empty(), None);
        for address in found.iter() {
            if self.may_reach(address.ip(), is_encrypted) {
                reachable.push(*address);
            } else {
                refused = Some(address.ip());
            }
        }
        match refused {
            Some(ip) if reachable.is_empty() => {
                let why = if !is_encrypted && is_allowed(ip, &self.allowed) {
                    "plain HTTP reaches only networks that an operator has named"
                } else {
                    "it is not an address of the Internet"
                };
                let problem = format!(
                    "the host has the address {ip}, and {why}: use another URL, or have an operator start the \
                                       registry with `--webhook-allow {ip}`, and resume the webhook"
                );
                Err(ureq::Error::Io(io::Error::new(ErrorKind::PermissionDenied, problem)))
            }
            _ => Ok(reachable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_allowed_is_not_connected_to() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        for url in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"] {
            for scheme in ["http", "https"] {
                let error =
                    Guarded::new(Vec::new()).post_json(&format!("{scheme}://{url}:{port}/"), &[], "{}").unwrap_err();
                assert!(
                    ["not an address of the Internet", "is not known", "invalid", "ailed to lookup"]
                        .iter()
                        .any(|part| error.to_string().contains(part)),
                    "{url}: {error}"
                );
            }
        }
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn plain_http_reaches_only_networks_that_are_named() {
        let guard = Guard { allowed: vec!["10.0.0.0/8".parse().unwrap()], any: DefaultResolver::default() };
        let (public, named) = ("1.1.1.1".parse().unwrap(), "10.1.1.1".parse().unwrap());
        assert!(guard.may_reach(public, true) && !guard.may_reach(public, false));
        assert!(guard.may_reach(named, true) && guard.may_reach(named, false));
    }
}
