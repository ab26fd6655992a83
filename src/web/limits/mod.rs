//! Limits on what one client may use: requests, uploads, memory, disk and CPU.

pub mod address_requests;
pub(crate) mod cpu_slots;
mod permits;
pub mod uploads;
