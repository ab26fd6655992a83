//! Requests to the collector.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

use std::io::{Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::measures::REQUESTS;
use crate::config::Target;
use crate::monitor::http;
use crate::process::CommandError;
use crate::upstream::tls_with;

/// Statuses that ask for another attempt.
const RETRIED: [u16; 4] = [429, 502, 503, 504];
/// Bytes of an answer that are read.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// Sends the messages of one signal, and logs when that begins to fail and when it works again.
pub(super) struct Sender {
    signal: &'static str,
    target: Target,
    agent: Agent,
    is_failing: bool,
}

/// Why a message was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// Another attempt may succeed.
    NoAnswer,
    /// The collector refuses it.
    Refused,
}

impl Sender {
    /// Fails if the file of authorities cannot be used. The system's are no substitute for it.
    pub(super) fn new(signal: &'static str, target: &Target) -> Result<Self, CommandError> {
        let agent = match &target.certificate {
            None => http::agent(target.timeout),
            Some(file) => http::agent_with(target.timeout, tls_with(authorities(file)?)),
        };
        Ok(Self { signal, target: target.clone(), agent, is_failing: false })
    }

    /// Sends a message, and gives the answer.
    pub(super) fn send(&mut self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let (sent, failure) = match self.post(message) {
            Ok((200..=299, answer)) => (Ok(answer), None),
            Ok((status, _)) if RETRIED.contains(&status) => (Err(Failure::NoAnswer), Some(format!("status {status}"))),
            Ok((status, _)) => (Err(Failure::Refused), Some(format!("status {status}"))),
            Err(error) => (Err(Failure::NoAnswer), Some(error.to_string())),
        };
        let outcome = if failure.is_none() { "accepted" } else { "failed" };
        metrics::counter!(REQUESTS, "signal" => self.signal, "outcome" => outcome).increment(1);
        let (signal, url) = (self.signal, &self.target.url);
        match failure {
            Some(problem) if !self.is_failing => tracing::warn!(
                signal,
                url,
                problem,
                "the collector does not accept telemetry; this is logged once, until it does again"
            ),
            None if self.is_failing => tracing::info!(signal, url, "the collector accepts telemetry again"),
            _ => {}
        }
        self.is_failing = sent.is_err();
        sent
    }

    fn post(&self, message: &[u8]) -> Result<(u16, Vec<u8>), ureq::Error> {
        let request = self.agent.post(&self.target.url).header("content-type", "application/x-protobuf");
        let headers = self.target.headers.0.iter();
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        let mut answer = if self.target.is_compressed {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(message)?;
            request.header("content-encoding", "gzip").send(&encoder.finish()?)?
        } else {
            request.send(message)?
        };
        let mut body = Vec::new();
        answer.body_mut().as_reader().take(LONGEST_ANSWER).read_to_end(&mut body)?;
        Ok((answer.status().as_u16(), body))
    }
}

/// The authorities in a file.
fn authorities(file: &Path) -> Result<RootCerts, CommandError> {
    let what = || format!("OTEL_EXPORTER_OTLP_CERTIFICATE: cannot read {}", file.display());
    let pem = std::fs::read(file).map_err(|error| CommandError::while_doing(what(), error))?;
    let items: Result<Vec<_>, _> = parse_pem(&pem).collect();
    let items = items.map_err(|error| CommandError::while_doing(what(), error))?;
    let certificates: Vec<Certificate<'static>> = items
        .into_iter()
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(CommandError::new(format!("{}: it has no certificate in PEM", what())));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}
