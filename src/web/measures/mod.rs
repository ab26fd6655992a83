//! What this process measures of its requests, through the `metrics` facade.
//!
//! Labels have few values, whatever clients send: the pattern of the route, known methods and reasons that the code names.

use super::limits::status_streams;

pub(super) mod denials;
pub(super) mod docs;
pub(super) mod downloads;
pub(super) mod publishes;
pub(super) mod reason;
pub(super) mod requests;

/// Registers the help texts, and sets what has fixed labels to 0.
pub fn describe() {
    requests::describe();
    publishes::describe();
    denials::describe();
    docs::describe();
    downloads::describe();
    status_streams::describe();
}
