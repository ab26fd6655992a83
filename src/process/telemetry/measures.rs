//! What is counted of the export.

/// Spans of this process that were not exported, by reason.
pub(super) const DROPPED: &str = "supercargo_otlp_spans_dropped_total";
/// Requests to the collector, by signal and outcome.
pub(super) const REQUESTS: &str = "supercargo_otlp_requests_total";

/// Registers the help texts.
pub fn describe() {
    metrics::describe_counter!(
        DROPPED,
        "Spans that were not exported, by reason: queue_full, no_answer, refused or shutdown"
    );
    metrics::describe_counter!(REQUESTS, "Requests to the OTLP collector by signal and outcome: accepted or failed");
}
