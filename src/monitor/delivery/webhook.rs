//! A webhook in the format of Standard Webhooks 1.0.0 (<https://www.standardwebhooks.com>), with a symmetric signature.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{SecondsFormat, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::receiver::{DeliveryError, Receiver, check_status};
use crate::monitor::event::{Action, Event};
use crate::monitor::http::Http;

const PREFIX: &str = "whsec_";
/// Bytes of a secret that the specification allows.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The bytes that a secret in the format of the specification encodes. A secret without the prefix is rejected: the
/// libraries of the specification would decode it as base64, too, and no receiver would accept the signature of its text.
pub fn parse_secret(text: &str) -> Result<Vec<u8>, &'static str> {
    text.strip_prefix(PREFIX)
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .filter(|secret| SECRET_BYTES.contains(&secret.len()))
        .ok_or(
            "it must be `whsec_` and 24 to 64 bytes in base64, as the command `echo whsec_$(openssl rand -base64 32)` prints",
        )
}

pub struct Webhook {
    url: String,
    secret: Vec<u8>,
}

impl Webhook {
    pub fn new(url: String, secret: Vec<u8>) -> Self {
        Self { url, secret }
    }
}

impl Receiver for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn send(&self, http: &Http, event: &Event) -> Result<(), DeliveryError> {
        let (id, timestamp) = (event.id(), Utc::now().timestamp().to_string());
        let body = serde_json::to_string(&body(event))?;
        let headers = [
            ("webhook-signature", signature(&self.secret, &id, &timestamp, &body)),
            ("webhook-id", id),
            ("webhook-timestamp", timestamp),
        ];
        check_status(http.post_json(&self.url, &headers, &body)?)
    }
}

fn body(event: &Event) -> Value {
    let kind = match event.action {
        Action::Trigger => "incident.triggered",
        Action::Resolve => "incident.resolved",
    };
    let Event { key, source, check, severity, summary, details, since, at, .. } = event;
    let time = |time: &chrono::DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({
        "type": kind,
        "timestamp": time(at),
        "data": {
            "key": key, "source": source, "check": check, "severity": severity, "summary": summary,
            "details": details, "since": time(since),
        },
    })
}

fn signature(secret: &[u8], id: &str, timestamp: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC has no invalid length"); // it hashes long keys
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signature is that of the specification's reference libraries, and of
    /// `printf '%s' ID.TIMESTAMP.BODY | openssl dgst -sha256 -mac HMAC -macopt hexkey:… -binary | base64`.
    #[test]
    fn the_signature_is_that_of_the_reference_libraries() {
        let secret = parse_secret(&format!("{PREFIX}MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_of_another_format_or_length_is_rejected() {
        let encoded = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        assert!(parse_secret(&encoded(24)).is_ok() && parse_secret(&encoded(64)).is_ok());
        let plain = "0123456789abcdef0123456789abcdef";
        for wrong in [&*encoded(23), &*encoded(65), plain, "whsec_", "whsec_*", "whsk_AAAA"] {
            assert!(parse_secret(wrong).is_err(), "{wrong}");
        }
    }
}
