//! Limits on what one client may take: connections, requests, memory, disk and CPU.

pub mod address_requests;
pub(crate) mod turns;
pub mod uploads;
