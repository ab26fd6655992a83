//! The parts that processes are put together from: storage, server, workers, schedules, log and signals.

pub mod announcement;
pub mod buckets;
mod c_output;
pub mod data_dir;
pub mod database_upgrade;
pub mod download_counts;
pub mod download_log;
pub mod error;
pub mod gathering;
pub mod hardening;
pub mod log;
pub mod memory;
pub mod metrics;
pub mod open_files;
pub mod operator_command;
mod pooler;
pub mod progress;
pub mod registry_address;
pub mod reporting;
pub mod resources;
pub mod schedule;
pub mod server;
pub mod setup;
pub mod signals;
pub mod storage;
pub mod telemetry;
pub mod tls;
pub mod trial;
pub mod upstreams;
pub mod workers;

pub use error::CommandError;
pub use storage::Storage;
