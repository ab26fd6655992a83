//! What is measured of upstreams.

const INDEX: &str = "supercargo_upstream_index_files_total";
const CRATES: &str = "supercargo_upstream_crate_files_total";

pub(super) const HIT: &str = "hit";
pub(super) const CONFIRMED: &str = "confirmed";
pub(super) const FETCHED: &str = "fetched";
pub(super) const SHARED: &str = "shared";
pub(super) const STALE: &str = "stale";
pub(super) const ABSENT: &str = "absent";
pub(super) const FAILED: &str = "failed";
pub(super) const MISMATCH: &str = "mismatch";
pub(super) const REFUSED: &str = "refused";
pub(super) const VULNERABLE: &str = "vulnerable";

/// Registers the help texts, and sets the counters of an upstream to 0.
pub(super) fn describe(upstream: &str) {
    metrics::describe_counter!(INDEX, "Requests for index files of upstreams, by what the answer was made from");
    metrics::describe_counter!(CRATES, "Requests for crate files of upstreams, by what the answer was made from");
    for outcome in [HIT, CONFIRMED, FETCHED, SHARED, STALE, ABSENT, FAILED] {
        metrics::counter!(INDEX, "upstream" => upstream.to_owned(), "outcome" => outcome).absolute(0);
    }
    for outcome in [HIT, FETCHED, SHARED, ABSENT, FAILED, MISMATCH, REFUSED, VULNERABLE] {
        metrics::counter!(CRATES, "upstream" => upstream.to_owned(), "outcome" => outcome).absolute(0);
    }
}

/// The counters of what memory answers.
pub(super) struct Hits {
    pub index: metrics::Counter,
    pub crates: metrics::Counter,
}

impl Hits {
    pub fn of(upstream: &str) -> Self {
        let of = |name: &'static str| metrics::counter!(name, "upstream" => upstream.to_owned(), "outcome" => HIT);
        Self { index: of(INDEX), crates: of(CRATES) }
    }
}

pub(super) fn index_file(upstream: &str, outcome: &'static str) {
    metrics::counter!(INDEX, "upstream" => upstream.to_owned(), "outcome" => outcome).increment(1);
}

pub(super) fn crate_file(upstream: &str, outcome: &'static str) {
    metrics::counter!(CRATES, "upstream" => upstream.to_owned(), "outcome" => outcome).increment(1);
}
