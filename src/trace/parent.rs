//! The context of a parent span, in the form of W3C Trace Context.
//!
//! Format: <https://www.w3.org/TR/trace-context/#traceparent-header>.

use std::fmt;

use opentelemetry::trace::{SpanId, TraceFlags, TraceId};

/// The length of a traceparent of version 00.
const LENGTH: usize = 55;

/// A span in another place: of the sender of a request, or of the request that enqueued a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub is_sampled: bool,
}

/// The parent that a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    pub parent: Parent,
    /// Whether a trusted proxy sent it: then its decision about sampling is followed.
    pub is_trusted: bool,
}

impl Parent {
    /// Parses a traceparent. One of a later version may have more fields, which are ignored.
    pub fn parse(text: &str) -> Option<Self> {
        let is_longer = text.as_bytes().get(LENGTH) == Some(&b'-') && !text.starts_with("00");
        let text = if is_longer { text.get(..LENGTH)? } else { text };
        let fields: Vec<&str> = text.split('-').collect();
        let [version, trace_id, span_id, flags] = fields[..] else { return None };
        let is_hex = |text: &str, length| {
            text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        if !is_hex(version, 2) || version == "ff" || !is_hex(trace_id, 32) || !is_hex(span_id, 16) || !is_hex(flags, 2)
        {
            return None;
        }
        let parent = Self {
            trace_id: TraceId::from_hex(trace_id).ok()?,
            span_id: SpanId::from_hex(span_id).ok()?,
            is_sampled: TraceFlags::new(u8::from_str_radix(flags, 16).ok()?).is_sampled(),
        };
        (parent.trace_id != TraceId::INVALID && parent.span_id != SpanId::INVALID).then_some(parent)
    }
}

impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.span_id, u8::from(self.is_sampled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_parsed_and_written() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent = Parent::parse(text).unwrap();
        assert!(parent.is_sampled);
        assert_eq!(parent.to_string(), text);
        assert!(!Parent::parse(&text.replace("-01", "-00")).unwrap().is_sampled);
        // Of a later version, with a flag that is unknown here.
        assert_eq!(Parent::parse(&text.replace("00-4", "cc-4").replace("-01", "-03-more")), Some(parent));
    }

    #[test]
    fn a_malformed_traceparent_is_ignored() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for wrong in [
            "".to_owned(),
            "00".to_owned(),
            good.replace("00-4", "ff-4"),
            good.replace("4bf92f", "4BF92F"),
            good.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            good.replace("00f067aa0ba902b7", &"0".repeat(16)),
            good.replace("00f067aa0ba902b7", "f067aa0ba902b7"),
            good.replace("-01", "-+1"),
            good.replace("-01", "-0ä"),
            format!("{good}-more"),
            format!("{good}0"),
            format!("{good}ä"),
        ] {
            assert_eq!(Parent::parse(&wrong), None, "{wrong}");
        }
    }
}
