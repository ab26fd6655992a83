//! Traces of requests and their jobs: which spans of the log belong to which traces, and what they record.
//!
//! A span of the log has one span in each of its traces: that of a request in one, that of a batch of jobs in the trace of
//! each request that enqueued one of them. Spans of steps, whose target is [`STEP`], inherit the traces of the span around
//! them. Nothing is recorded until [`install`] is called.

mod begin;
mod parent;
mod record;
mod tracer;

pub use begin::{JobFacts, begin_jobs, begin_request, current, end_jobs};
pub use parent::{Parent, Sent};
pub use record::{Member, Record};
pub use tracer::{install, is_installed};

/// The target of spans that are recorded for traces only. Their level is trace, so that usual logs do not have them.
pub const STEP: &str = "supercargo::step";
