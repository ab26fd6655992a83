//! Responses: conditional requests, crate files, bodies of slow clients, waiting for a job, what no cache may keep.

pub(crate) mod conditions;
pub(crate) mod crate_file;
pub mod held_body;
pub(crate) mod unstored;
pub(crate) mod waiting;
