//! Responses: conditional requests, crate files, bodies of slow clients, waiting for a job.

pub(crate) mod conditions;
pub(crate) mod crate_file;
pub mod held_body;
pub(crate) mod waiting;
