//! What machines share of upstreams: index files, and which of them asks for a file.

pub mod index_files;
pub mod requests;
