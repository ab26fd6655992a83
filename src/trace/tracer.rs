//! The decision which traces are recorded, and new identifiers.

use std::sync::OnceLock;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample};

use super::parent::{Parent, Sent};

static SAMPLER: OnceLock<Sampler> = OnceLock::new();

/// Records traces in this process from now on.
pub fn install(sampler: Sampler) {
    SAMPLER.get_or_init(|| sampler);
}

/// Whether traces are recorded in this process.
pub fn is_installed() -> bool {
    SAMPLER.get().is_some()
}

/// The trace of a request, and its parent there; `None` if it is not recorded. A sender that is no trusted proxy names the
/// trace, but does not decide whether it is recorded.
pub(super) fn trace_of_request(sent: Option<Sent>) -> Option<(TraceId, Option<SpanId>)> {
    let sampler = SAMPLER.get()?;
    let parent = sent.map(|sent| sent.parent);
    let decides = sent.filter(|sent| sent.is_trusted).map(|sent| sent.parent);
    decided(sampler, parent, decides)
}

/// The trace of a job that this span has enqueued. Only recorded spans are noted with jobs, and their traces are continued.
pub(super) fn trace_of_job(enqueued_by: Option<Parent>) -> Option<(TraceId, Option<SpanId>)> {
    let sampler = SAMPLER.get()?;
    match enqueued_by {
        Some(parent) => Some((parent.trace_id, Some(parent.span_id))),
        None => decided(sampler, None, None),
    }
}

fn decided(sampler: &Sampler, parent: Option<Parent>, decides: Option<Parent>) -> Option<(TraceId, Option<SpanId>)> {
    let own_id = TraceId::from(rand::random::<u128>().max(1));
    let trace_id = parent.map_or(own_id, |parent| parent.trace_id);
    // A sender that does not decide could choose an id for which a ratio always says yes.
    let deciding_id = decides.map_or(own_id, |parent| parent.trace_id);
    let context = decides.map(|parent| {
        let flags = if parent.is_sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let context = SpanContext::new(parent.trace_id, parent.span_id, flags, true, TraceState::default());
        Context::new().with_remote_span_context(context)
    });
    let result = sampler.should_sample(context.as_ref(), deciding_id, "", &SpanKind::Server, &[], &[]);
    (result.decision == SamplingDecision::RecordAndSample).then(|| (trace_id, parent.map(|parent| parent.span_id)))
}

pub(super) fn new_span_id() -> SpanId {
    SpanId::from(rand::random::<u64>().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent(trace_id: u128, is_sampled: bool) -> Parent {
        Parent { trace_id: TraceId::from(trace_id), span_id: SpanId::from(7), is_sampled }
    }

    #[test]
    fn a_trusted_parent_decides_and_another_one_names_only_the_trace() {
        let never = Sampler::ParentBased(Box::new(Sampler::AlwaysOff));
        let always = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
        let sampled = parent(5, true);
        let continued = Some((TraceId::from(5), Some(SpanId::from(7))));
        assert_eq!(decided(&never, Some(sampled), Some(sampled)), continued);
        assert_eq!(decided(&never, Some(sampled), None), None);
        let unsampled = parent(5, false);
        assert_eq!(decided(&always, Some(unsampled), Some(unsampled)), None);
        assert_eq!(decided(&always, Some(unsampled), None), continued);
    }

    #[test]
    fn a_ratio_depends_on_the_trace_of_a_trusted_parent_and_otherwise_on_chance() {
        let half = Sampler::TraceIdRatioBased(0.5);
        let by_proxy = |id| decided(&half, Some(parent(id, false)), Some(parent(id, false))).is_some();
        assert!(by_proxy(1) && !by_proxy(u128::MAX));
        for sent in [None, Some(parent(1, true)), Some(parent(u128::MAX, true))] {
            let sampled = (0..1000).filter(|_| decided(&half, sent, None).is_some()).count();
            assert!((400..600).contains(&sampled), "{sent:?}: {sampled}");
        }
    }
}
