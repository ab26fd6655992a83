//! The beginnings of traces in this process: requests, and batches of jobs.

use std::borrow::Cow;

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use tracing::Span;

use super::parent::{Parent, Sent};
use super::record::{Member, Record, with_span};
use super::tracer::{is_installed, trace_of_job, trace_of_request};

/// The error of a job whose batch has ended without a record of how.
const NOT_RECORDED: &str = "not_recorded";

/// Records the span of a request, if its trace is sampled. `facts` gives the name of the span and its attributes. The id of
/// the trace is recorded in the field `trace_id` of the log's span.
pub fn begin_request(span: &Span, sent: Option<Sent>, facts: impl FnOnce() -> (String, Vec<KeyValue>)) {
    let Some(trace) = trace_of_request(sent) else { return };
    span.record("trace_id", tracing::field::display(trace.0));
    let (name, attributes) = facts();
    let record = Record::new(name, SpanKind::Server, vec![Member::new(trace)]);
    Record { attributes, ..record }.attach(span);
}

/// What is known of a job.
pub struct JobFacts<'a> {
    /// The span that enqueued it.
    pub traceparent: Option<&'a str>,
    /// The name of its span.
    pub name: String,
    pub attributes: Vec<KeyValue>,
}

/// Records the span of a batch of jobs in the traces of the requests that enqueued them. A job that no request has enqueued
/// begins a trace of its own, if that is sampled.
pub fn begin_jobs<'a>(span: &Span, jobs: impl Iterator<Item = JobFacts<'a>>) {
    if !is_installed() {
        return;
    }
    let member = |(place, job): (usize, JobFacts<'a>)| {
        let trace = trace_of_job(job.traceparent.and_then(Parent::parse))?;
        let error = Some(Cow::Borrowed(NOT_RECORDED));
        Some(Member { name: Some(job.name), attributes: job.attributes, error, place, ..Member::new(trace) })
    };
    let members: Vec<Member> = jobs.enumerate().filter_map(member).collect();
    if !members.is_empty() {
        Record::new("jobs", SpanKind::Consumer, members).attach(span);
    }
}

/// Notes how the jobs of a batch ended: `error` gives in one word why the job at a place failed.
pub fn end_jobs(span: &Span, error: impl Fn(usize) -> Option<&'static str>) {
    if !is_installed() {
        return;
    }
    with_span(span, |span| {
        if let Some(record) = span.extensions_mut().get_mut::<Record>() {
            for member in &mut record.members {
                member.error = error(member.place).map(Cow::Borrowed);
            }
        }
    });
}

/// The traceparent of the current span, for a job that is being enqueued; `None` if its trace is not recorded.
pub fn current() -> Option<String> {
    if !is_installed() {
        return None;
    }
    let parent = with_span(&Span::current(), |span| {
        let record = span.scope().find_map(|span| Some(span.extensions().get::<Record>()?.as_parent()));
        record.flatten()
    });
    parent.flatten().map(|parent| parent.to_string())
}
