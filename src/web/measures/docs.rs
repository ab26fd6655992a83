//! Documentation: uploads, refused ones by reason, and files that were sent.

/// Accepted uploads.
const UPLOADS: &str = "supercargo_docs_uploads_total";
/// Uploads that were not accepted, by reason.
const REFUSED: &str = "supercargo_docs_upload_refusals_total";
/// Bytes of accepted archives.
const BYTES: &str = "supercargo_docs_upload_bytes_total";
/// Files of documentation that were sent.
const SENT: &str = "supercargo_docs_files_total";

pub(super) fn describe() {
    metrics::describe_counter!(UPLOADS, "Accepted uploads of documentation");
    metrics::describe_counter!(REFUSED, "Uploads of documentation that were not accepted, by reason");
    metrics::describe_counter!(BYTES, metrics::Unit::Bytes, "Size of the accepted archives of documentation");
    metrics::describe_counter!(SENT, "Files of documentation that were sent");
    for counter in [UPLOADS, BYTES, SENT] {
        metrics::counter!(counter).absolute(0);
    }
}

/// An archive of this size is accepted.
pub fn uploaded(size: u64) {
    metrics::counter!(UPLOADS).increment(1);
    metrics::counter!(BYTES).increment(size);
}

/// An archive is not accepted.
pub fn refused(reason: &'static str) {
    metrics::counter!(REFUSED, "reason" => reason).increment(1);
}

/// A file is sent.
pub fn sent() {
    metrics::counter!(SENT).increment(1);
}
