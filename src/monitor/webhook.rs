//! A POST of the event as JSON, signed so that the receiver can tell who sent it and that it is not an old one sent again.
//!
//! `X-Supercargo-Signature: v1=HEX` is the HMAC-SHA256, under the shared secret, of the text of `X-Supercargo-Timestamp`
//! (seconds since 1970), a full stop, and the body as it was sent. Who checks it refuses timestamps that are more than five
//! minutes off, and ids (in the body and in `X-Supercargo-Event`) that it has seen.

use chrono::Utc;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::delivery::{DeliveryError, Receiver, accepted};
use super::http::Http;
use super::incidents::Event;

pub(super) struct Webhook {
    url: String,
    secret: String,
}

impl Webhook {
    pub(super) fn new(url: String, secret: String) -> Self {
        Self { url, secret }
    }
}

impl Receiver for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn send(&self, http: &Http, event: &Event) -> Result<(), DeliveryError> {
        let body = serde_json::to_string(event)?;
        let timestamp = Utc::now().timestamp().to_string();
        let headers = [
            ("x-supercargo-signature", format!("v1={}", signature(&self.secret, &timestamp, &body))),
            ("x-supercargo-timestamp", timestamp),
            // A name may have characters that a header may not.
            ("x-supercargo-event", event.id.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).collect()),
        ];
        accepted(http.post_json(&self.url, &headers, &body)?)
    }
}

/// In hexadecimal digits.
fn signature(secret: &str, timestamp: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length will do"); // as HMAC is defined
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest is that of `printf '%s' '1800000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef`.
    #[test]
    fn the_signature_is_what_openssl_computes() {
        let signed = signature("0123456789abcdef", "1800000000", "{\"a\":1}");
        assert_eq!(signed, "d3e17924cac4a72ca2ee9e5700df170fdb5733eaf69ecd909fb0c18a962b03a5");
    }
}
