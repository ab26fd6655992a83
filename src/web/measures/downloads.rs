//! The size of what downloads of crate files send.

use axum::http::{Method, header};
use axum::response::Response;

/// Bytes of crate files in answers that were begun.
const BYTES: &str = "supercargo_download_bytes_total";

pub(super) fn describe() {
    metrics::describe_counter!(
        BYTES,
        metrics::Unit::Bytes,
        "Size of the crate files, or parts of them, whose download began"
    );
    metrics::counter!(BYTES).absolute(0);
}

/// Counts the content of an answer.
pub fn began(method: &Method, response: &Response) {
    if *method == Method::HEAD || !response.status().is_success() {
        return;
    }
    let length = response.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    metrics::counter!(BYTES).increment(length.unwrap_or(0));
}
