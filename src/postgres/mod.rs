//! PostgreSQL itself, apart from what this registry stores in it: the embedded server, the client programs, URLs.

pub mod client_programs;
pub mod embedded;
pub mod url;
