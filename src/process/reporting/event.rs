//! The report of one logged event.

use std::collections::BTreeMap;

use sentry::integrations::backtrace::current_stacktrace;
use sentry::protocol::{Context, Event, Exception, Level, Mechanism, TraceContext, Value};

use super::facts::{Facts, harmless};

/// Fields that a report omits: the client address, the user with the token, and what it has elsewhere.
const LEFT_OUT: [&str; 10] =
    ["client", "user", "token", "token_id", "message", "error", "panic", "panicked", "backtrace", "again"];
/// Fields by which reports can be searched.
const TAGS: [&str; 10] =
    ["kind", "queue", "attempt", "job", "crate", "crates", "request_id", "request_ids", "status", "route"];
/// Functions of the panic runtime.
const MACHINERY: [&str; 3] = ["core::panicking::", "rust_begin_unwind", "std::panicking::begin_panic"];
/// The longest tag that Sentry accepts, in characters.
const LONGEST_TAG: usize = 200;

/// A span around an event.
pub(super) struct Around {
    pub(super) name: String,
    pub(super) facts: Facts,
    pub(super) trace: Option<TraceContext>,
}

/// Builds the report; `around` holds the spans from the inside out.
pub(super) fn of(facts: &Facts, around: Vec<Around>, level: tracing::Level, is_panic: bool) -> Event<'static> {
    let mut known: BTreeMap<String, Value> = BTreeMap::new();
    for around in around.iter().rev() {
        known.extend(reported(&around.facts));
    }
    known.extend(reported(facts));
    let tags = TAGS.iter().filter_map(|&name| Some((name.to_owned(), tag(known.get(name)?)))).collect();
    let mut contexts: sentry::protocol::Map<String, Context> = Default::default();
    contexts.insert("supercargo".to_owned(), Context::Other(known.into_iter().collect()));
    let transaction = around.first().map(|around| around.name.clone());
    if let Some(trace) = around.into_iter().find_map(|around| around.trace) {
        contexts.insert("trace".to_owned(), trace.into());
    }
    let message = facts.text("message").unwrap_or_default().to_owned();
    let outage = facts.is("outage");
    Event {
        level: if level == tracing::Level::WARN && outage { Level::Warning } else { Level::Error },
        logger: Some("supercargo".to_owned()),
        transaction,
        exception: if is_panic { vec![panic(facts)] } else { exceptions(facts, &message) }.into(),
        message: Some(message),
        tags,
        contexts,
        ..Event::default()
    }
}

/// The fields under their names in reports.
pub(super) fn reported(facts: &Facts) -> impl Iterator<Item = (String, Value)> {
    let fields = facts.fields.iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
    fields.map(|(name, value)| {
        let name = match name.as_str() {
            "id" | "request" => "request_id",
            "requests" => "request_ids",
            "key" => "crate",
            "about" => "crates",
            other => other,
        };
        (name.to_owned(), value.clone())
    })
}

fn tag(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(LONGEST_TAG).collect()
}

/// The chain of causes, for Sentry the innermost first.
fn exceptions(facts: &Facts, message: &str) -> Vec<Exception> {
    let exception =
        |ty: &str, text: &str| Exception { ty: ty.to_owned(), value: Some(harmless(text)), ..Exception::default() };
    match (&facts.chain, facts.text("error")) {
        (Some(chain), _) => {
            let causes = chain.causes().iter().enumerate();
            causes.rev().map(|(depth, text)| exception(if depth == 0 { message } else { "cause" }, text)).collect()
        }
        (None, Some(error)) => vec![exception(message, error)],
        (None, None) => Vec::new(),
    }
}

/// A panic with the stack up to it, without the frames of the panic runtime, the hook and this report.
fn panic(facts: &Facts) -> Exception {
    let stacktrace = current_stacktrace().map(|mut stack| {
        let is_machinery = |function: &str| MACHINERY.iter().any(|name| function.contains(name));
        let end = stack.frames.iter().position(|frame| frame.function.as_deref().is_some_and(is_machinery));
        stack.frames.truncate(end.unwrap_or(stack.frames.len()));
        stack
    });
    Exception {
        ty: "panic".to_owned(),
        value: facts.text("panic").map(str::to_owned),
        stacktrace,
        mechanism: Some(Mechanism { ty: "panic".to_owned(), handled: Some(false), ..Mechanism::default() }),
        ..Exception::default()
    }
}
