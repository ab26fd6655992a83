//! How long jobs try what a server of somebody else has to accept.

use std::time::Duration;

use crate::queue::Backoff;

/// Attempts after which they give up. With the waits below these are about three days.
pub const ATTEMPTS: u32 = 80;
pub const BACKOFF: Backoff = Backoff { base: Duration::from_secs(5), cap: Duration::from_secs(60 * 60) };
