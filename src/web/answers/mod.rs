//! Helpers for responses: conditional requests, crate files, held-back and watched bodies.

pub(crate) mod conditions;
pub(crate) mod crate_file;
pub mod held_body;
pub(crate) mod output;
pub(crate) mod waiting;
