//! Requests that are answered with 401 or 403, by reason.

/// Requests without the necessary rights.
const DENIED: &str = "supercargo_http_denied_total";

/// The reasons for a token that is not accepted.
pub const NO_TOKEN: &str = "no_token";
pub const MALFORMED_TOKEN: &str = "malformed_token";
pub const UNKNOWN_TOKEN: &str = "unknown_token";
pub const EXPIRED_TOKEN: &str = "expired_token";

pub(super) fn describe() {
    metrics::describe_counter!(DENIED, "Requests answered with 401 or 403, by reason");
    for reason in [NO_TOKEN, MALFORMED_TOKEN, UNKNOWN_TOKEN, EXPIRED_TOKEN] {
        metrics::counter!(DENIED, "reason" => reason).absolute(0);
    }
}

pub fn denied(reason: &'static str) {
    metrics::counter!(DENIED, "reason" => reason).increment(1);
}
