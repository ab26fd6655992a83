//! Limits on what one client may use: requests, uploads, memory, disk and CPU.

pub mod address_requests;
pub mod backlog;
pub(crate) mod client_log_limit;
pub(crate) mod cpu_slots;
pub(crate) mod log_limit;
pub mod permits;
pub(crate) mod reads;
pub mod source_work;
pub mod status_streams;
pub mod uploads;
