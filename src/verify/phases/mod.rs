//! The phases of a run: first checks, page by page.

pub mod crate_files;
pub mod crates;
pub mod dead_jobs;
pub mod index_export;
pub mod index_files;
pub mod repository;
pub mod upstream_files;
