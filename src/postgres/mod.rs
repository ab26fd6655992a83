//! PostgreSQL itself, without the registry's tables: the embedded server, the client programs, URLs, sessions that copy.

pub mod client_programs;
pub mod embedded;
pub mod session;
pub mod url;
pub mod versions;

mod installations;
