//! Extractors: what a request carries, parsed, or refused in the form that cargo reads.

pub(crate) mod auth;
pub(crate) mod body;
pub(crate) mod input;
pub(crate) mod path;
pub(crate) mod query;
