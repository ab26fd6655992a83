//! The fields of events and spans as values.

use std::error::Error;
use std::fmt;

use sentry::protocol::Value;
use serde_json::Map;
use tracing::field::{Field, Visit};

use crate::database::access::new_token::PREFIX;
use crate::error_chain::ErrorChain;

/// The longest text in a report, in characters.
const LONGEST: usize = 4096;

/// The fields of an event or of a span.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) fields: Map<String, Value>,
    /// The value of the field `error`, if it is a chain of causes.
    pub(super) chain: Option<ErrorChain>,
}

impl Facts {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.fields.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    fn put(&mut self, field: &Field, value: Value) {
        self.fields.insert(field.name().to_owned(), value);
    }
}

impl Visit for Facts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, harmless(value).into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.chain = value.downcast_ref::<ErrorChain>().cloned();
        self.put(field, harmless(&value.to_string()).into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, harmless(&format!("{value:?}")).into());
    }
}

/// Replaces tokens in a text, and limits its length.
pub(super) fn harmless(text: &str) -> String {
    let mut parts = text.split(PREFIX);
    let mut harmless = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        harmless.push_str("[a token]");
        harmless.push_str(part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
    }
    match harmless.char_indices().nth(LONGEST) {
        Some((end, _)) => harmless[..end].to_owned(),
        None => harmless,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_out_of_a_text_wherever_it_stands() {
        assert_eq!(harmless("sct_abc123"), "[a token]");
        assert_eq!(harmless("with sct_abc-1_2, and sct_x: refused"), "with [a token], and [a token]: refused");
        assert_eq!(harmless("nothing"), "nothing");
        assert_eq!(harmless(&"ä".repeat(5000)).chars().count(), LONGEST);
    }
}
