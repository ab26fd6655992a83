//! A self-hosted cargo registry. The modules in layer order; a module uses only the layers above it in this list
//! (`tests/registry/layers.rs` holds the table).

// L0: values, without input or output
pub mod config;
pub mod fault;
pub mod package;
mod process;
mod statement;

// L1: one outside thing each, none knows another
pub mod crate_store;
pub mod database;
pub mod index;
pub mod queue;
pub mod upstream;

// L2: the only place where queue, index and database meet
pub mod jobs;

// L3: who asks for work, and who looks at it
pub mod admin;
pub mod backup;
pub mod import;
pub mod monitor;
pub mod verify;
pub mod web;

// L4: what a process is made of
pub mod commands;
