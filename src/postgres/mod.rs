//! PostgreSQL itself, without the registry's tables: the embedded server, the client programs, URLs.

pub mod client_programs;
pub mod embedded;
pub mod url;

mod installations;
