//! Panics as log events, with the request or the job that they happened in.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{PanicHookInfo, set_hook, take_hook};

/// The target of panic events.
pub(super) const TARGET: &str = "supercargo::panic";

/// Installs a hook that logs panics with the spans of their thread, and with a backtrace if RUST_BACKTRACE is set. If the log
/// filter excludes them, the default hook prints them.
pub fn log_panics() {
    let before = take_hook();
    set_hook(Box::new(move |panic| {
        if tracing::enabled!(target: TARGET, tracing::Level::ERROR) { log(panic) } else { before(panic) }
    }));
}

fn log(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let current = std::thread::current();
    let thread = current.name();
    let text = message(panic.payload());
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(target: TARGET, panic = text, location, thread, %backtrace, "a thread panicked");
    } else {
        tracing::error!(target: TARGET, panic = text, location, thread, "a thread panicked");
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("with a payload that is not text")
}
