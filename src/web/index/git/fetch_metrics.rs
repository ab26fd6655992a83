//! Metrics of fetches.

/// Fetches of the git index that are being answered.
pub const ANSWERS: &str = "supercargo_git_fetches_in_progress";
/// Clones of the git index for which git runs.
pub const CLONES: &str = "supercargo_git_clones_running";
/// Clones of the git index that wait for others.
pub const WAITING_CLONES: &str = "supercargo_git_clones_waiting";
/// Fetches of the git index that were refused, by whose limit was reached.
const REFUSED: &str = "supercargo_git_fetches_refused_total";

/// Registers the help texts.
pub fn describe() {
    metrics::describe_gauge!(ANSWERS, "Fetches of the git index that are being answered");
    metrics::describe_gauge!(CLONES, "Clones of the git index for which git runs");
    metrics::describe_gauge!(WAITING_CLONES, "Clones of the git index that wait for others");
    metrics::describe_counter!(
        REFUSED,
        "Fetches of the git index that were refused, by limit: client (of its address), clones (the wait for others) or all"
    );
    for gauge in [ANSWERS, CLONES, WAITING_CLONES] {
        metrics::gauge!(gauge).set(0.0);
    }
    for limit in ["client", "clones", "all"] {
        metrics::counter!(REFUSED, "limit" => limit).absolute(0);
    }
}

/// Counts a refused fetch.
pub fn count_refusal(limit: &'static str) {
    metrics::counter!(REFUSED, "limit" => limit).increment(1);
}

/// One in the gauge of this name, until it is dropped.
#[derive(Debug)]
pub struct Counted(&'static str);

impl Counted {
    pub fn one(gauge: &'static str) -> Self {
        metrics::gauge!(gauge).increment(1.0);
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!(self.0).decrement(1.0);
    }
}
