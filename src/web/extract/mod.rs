//! Extractors: the parts of a request, parsed, or refused with an error that cargo can show.

pub(crate) mod auth;
pub(crate) mod body;
pub(crate) mod content_encoding;
pub(crate) mod job_number;
pub(crate) mod json;
pub(crate) mod path;
pub(crate) mod query;
pub(crate) mod seek;
pub(crate) mod unread_body;
