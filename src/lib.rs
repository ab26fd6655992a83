//! A self-hosted cargo registry. The modules stand in layer order: a module uses only the layers above it in this list
//! (`tests/registry/layers.rs` holds the table).

// L0: values and tools without state
pub mod advisory;
pub mod client_connection;
pub mod diff;
pub mod docs_archive;
pub mod email;
pub mod error_chain;
pub mod fault;
mod full_disk;
pub mod package;
mod password;
mod redact;
mod replace_file;
mod statement;
mod subprocess;
mod trace;
pub mod webhook;

// L1: one external thing each; none uses another
pub mod config;
pub mod crate_store;
pub mod database;
pub mod highlight;
pub mod index;
pub mod postgres;
pub mod queue;
pub mod upstream;
pub mod upstream_cache;

// L2: jobs are the only place where queue, index and database meet; sources are the files in what the crate store has; checks
// judge the health of a registry
pub mod advisory_sources;
pub mod checks;
pub mod exposure;
pub mod jobs;
pub mod lock_audit;
pub mod markdown;
pub mod oidc;
pub mod own_advisories;
pub mod source;

// L3: what requests work and what inspects it
pub mod admin;
pub mod backup;
pub mod bundle;
pub mod import;
pub mod monitor;
pub mod verify;
pub mod web;

// L4: the parts that processes are put together from
pub mod credential;
mod process;

// L5: one file a subcommand
pub mod commands;
